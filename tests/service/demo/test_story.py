"""Does the demo's story hold, and does its exit code tell the truth?"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from checks.types import Verdict
from service.config import load
from service.demo.stage import TicketStage
from service.demo.story import (
    Alerted,
    Dropped,
    Ended,
    Event,
    Examined,
    HourClock,
    Opened,
    Replayed,
    Story,
    configuration,
)
from service.doctor import Level


class NeverDrops(TicketStage):
    """A stage whose fine-tune stays."""

    healthy_replays = 5
    baseline_runs = 4

    async def drop(self) -> None:
        return


class DropsEarly(TicketStage):
    """A stage that breaks in the middle of the hours that should be healthy."""

    healthy_replays = 7
    baseline_runs = 4


def told(stage: TicketStage, folder: Path, *, spoil_after: int | None = None) -> list[Event]:
    async def tell() -> list[Event]:
        events: list[Event] = []
        async with Story(stage, folder) as story:
            async for event in story.tell():
                events.append(event)
                if isinstance(event, Replayed) and event.hour == spoil_after:
                    stage._endpoint.drop_adapter()
        return events

    return asyncio.run(tell())


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    return told(TicketStage(), tmp_path_factory.mktemp("demo"))


def test_twelve_healthy_replays_are_quiet(story: list[Event]) -> None:
    """Ten runs are learnt from, two more are ok, an hour apart, and none of them is confirmed."""
    before = story[: story.index(next(e for e in story if isinstance(e, Dropped)))]
    runs = [e.run for e in before if isinstance(e, Replayed)]
    assert [run.verdict for run in runs] == [Verdict.LEARNING] * 10 + [Verdict.OK] * 2
    hours = [run.started_at // 3600 for run in runs]
    assert hours == [hours[0] + i for i in range(12)]


def test_the_drop_is_seen_in_its_first_hour_and_confirmed_at_once(story: list[Event]) -> None:
    """The next replay is bad, its confirmation in the same hour says regressed, and names the first as the onset."""
    after = story[story.index(next(e for e in story if isinstance(e, Dropped))) :]
    first, second = (e for e in after if isinstance(e, Replayed))
    assert (first.run.verdict, second.run.verdict) == (Verdict.SUSPECT, Verdict.REGRESSED)
    assert (first.hour, second.hour, second.confirms) == (13, 13, True)
    finding = next(f for f in second.run.findings if (f.check, f.slice) == ("quality", "all"))
    assert finding.verdict is Verdict.REGRESSED
    assert finding.onset_run == first.run.id
    assert finding.effect is not None
    assert finding.effect < -0.15


def test_the_alert_arrives_signed_and_metrics_show_it(story: list[Event]) -> None:
    """One firing alert of the regressed run arrives, rightly signed; /metrics says 1; nothing is missing."""
    alert = next(e for e in story if isinstance(e, Alerted))
    assert alert.delivery.verified is True
    assert alert.delivery.body["event"] == "alert.firing"
    assert alert.delivery.body["run"] == alert.run.id
    assert len(alert.delivery.body["examples"]) == 5
    end = story[-1]
    assert isinstance(end, Ended)
    assert end == Ended((), 'goldwatch_regressed{check="quality",target="ticket-router"} 1.0')
    assert end.exit_code == 0


def test_doctor_tells_the_two_models_apart(story: list[Event]) -> None:
    """Before the first run the target differs from its base model; after the drop doctor warns."""
    before, after = (e.diagnosis for e in story if isinstance(e, Examined))
    assert (before.level, after.level) == (Level.OK, Level.WARNING)
    assert before.facts["likeness"] == "different"
    assert after.facts["likeness"] in ("alike", "undecided")


def test_a_story_without_a_drop_does_not_pass(tmp_path: Path) -> None:
    """Where the model stays healthy no alert fires, and the story says what is missing and leaves with 1."""
    end = told(NeverDrops(), tmp_path)[-1]
    assert isinstance(end, Ended)
    assert end.exit_code == 1
    assert [m.split(" ")[0] for m in end.missing] == ["no", "no", "/metrics"]


def test_a_story_with_an_early_alert_does_not_pass(tmp_path: Path) -> None:
    """Where an alert fires before the drop, the healthy replays were not quiet, and the story leaves with 1."""
    end = told(DropsEarly(), tmp_path, spoil_after=5)[-1]
    assert isinstance(end, Ended)
    assert end.exit_code == 1
    assert any("not all quiet" in missing for missing in end.missing)


def test_the_configuration_shown_is_one_that_works(story: list[Event], tmp_path: Path) -> None:
    """The text that the demo shows loads without a fault."""
    opened = story[0]
    assert isinstance(opened, Opened)
    (tmp_path / "goldwatch.yaml").write_text(opened.config)
    (target,) = load(tmp_path / "goldwatch.yaml").targets
    assert target.endpoint.url.startswith(opened.endpoint_url)


def test_names_with_signs_stay_whole() -> None:
    """The system prompt, which holds a colon, is what the endpoint is configured with."""
    stage = TicketStage.__new__(TicketStage)
    stage._endpoint = type("Served", (), {"url": "http://127.0.0.1:1/v1"})()  # type: ignore[assignment]
    assert f"        {TicketStage.system}\n" in configuration(
        stage, "http://127.0.0.1:2", "http://127.0.0.1:3/webhook"
    )


def test_the_clock_is_never_ahead() -> None:
    """Hours follow one another, and the last of them is the present one."""
    import time

    clock = HourClock(3)
    hours = []
    for hour in range(3):
        clock.turn(hour)
        hours.append(clock() // 3600)
        assert clock() <= time.time()
    assert hours == [hours[0], hours[0] + 1, hours[0] + 2]
    assert hours[-1] in (time.time() // 3600, time.time() // 3600 - 1)


def test_the_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    """goldwatch demo tells the story in plain lines, keeps its pages up, ends with 0 on Ctrl-C and leaves nothing."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    command = [sys.executable, "-c", "from service.cli import main; main()", "demo"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        page = next(line.split()[-1] for line in reversed(lines) if line.startswith("pages"))
        assert _status(page) == 200
        base = page.rpartition("/targets/")[0]
        (alert,) = json.loads(_read(f"{base}/api/v1/alerts"))["alerts"]
        assert alert["target"] == "ticket-router"
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(timeout=30) == 0
    assert sum(line.startswith("hour") for line in lines) == 14
    assert any("REGRESSED  label" in line for line in lines)
    assert not list(tmp_path.iterdir())


def _status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return int(answer.status)


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())
