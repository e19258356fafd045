"""Does doctor find what stands in the way, and say what to do?"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.demo.endpoint import DemoEndpoint, Fault, FaultKind
from service.demo.receiver import WebhookReceiver
from service.doctor import Level, Part, exit_code
from service.store import Store

Many = Callable[..., Any]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def _flat(found: dict[Part, list[Any]]) -> list[Any]:
    return [one for part in found.values() for one in part]


def test_a_sound_configuration_is_ready(write: Many, diagnoses: Many, served: Many, tmp_path: Path) -> None:
    """Everything is ok but nobody to tell; the exit code is 0, and no store was made."""

    async def work(endpoint: DemoEndpoint) -> None:
        found = await diagnoses(write(endpoint.url))
        assert [one.part for one in _flat(found) if one.level is not Level.OK] == [Part.NOTIFIER]
        assert exit_code(_flat(found)) == 0
        assert not (tmp_path / "goldwatch.db").exists()

    served(work)


def test_nothing_is_stored_as_a_run(write: Many, diagnoses: Many, served: Many, tmp_path: Path) -> None:
    """A store that is there is opened, found in order, and has no run afterwards."""

    async def work(endpoint: DemoEndpoint) -> None:
        url = f"sqlite:///{tmp_path / 'goldwatch.db'}"
        Store.open(url).close()
        (found,) = (await diagnoses(write(endpoint.url)))[Part.STORE]
        assert found.level is Level.OK
        assert "can be written" in found.message
        with Store.open(url) as store:
            assert store.runs("ticket-router", limit=None) == []

    served(work)


def test_the_cost_is_told_before_the_first_request(write: Many, diagnoses: Many, served: Many) -> None:
    """When the cost is told the endpoint has not been asked anything."""

    async def work(endpoint: DemoEndpoint) -> None:
        from service.config import load
        from service.doctor.examine import examine

        config = load(write(endpoint.url))
        asked = {}
        async for one in examine(config, config.targets, {}):
            asked[one.part] = endpoint.requests_total
        assert asked[Part.COST] == 0
        assert asked[Part.BASE_MODEL] > 60

    served(work)


def test_missing_secrets_are_named_and_never_shown(
    write: Many, diagnoses: Many, served: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that is not set fails by its name with exit 2; one that is set is told by its name, not its value."""

    async def work(endpoint: DemoEndpoint) -> None:
        lines = {"endpoint": "api_key_env: DOCTOR_KEY", "rest": "web: {token_env: DOCTOR_TOKEN}"}
        found = await diagnoses(write(endpoint.url, **lines))
        failed = [one.message for one in found[Part.SECRETS] if one.level is Level.FAILED]
        assert len(failed) == 2
        assert all(name in " ".join(failed) for name in ("DOCTOR_KEY", "DOCTOR_TOKEN"))
        assert exit_code(_flat(found)) == 2
        monkeypatch.setenv("DOCTOR_KEY", "sk-do-not-show")
        found = await diagnoses(write(endpoint.url, **lines), {"DOCTOR_TOKEN": "t-do-not-show"})
        assert {one.level for one in found[Part.SECRETS]} == {Level.OK}
        assert "do-not-show" not in repr(found)

    served(work)


def test_an_edited_golden_set_fails_and_the_rest_is_looked_at(
    write: Many, diagnoses: Many, served: Many
) -> None:
    """An edit is told with its remedy and exit 2; the endpoint is asked all the same."""

    async def work(endpoint: DemoEndpoint) -> None:
        path = write(endpoint.url)
        golden = path.parent / "golden.jsonl"
        golden.write_text(
            golden.read_text("utf-8").replace('"expected": "bug"', '"expected": "login"', 1), "utf-8"
        )
        found = await diagnoses(path)
        (one,) = found[Part.GOLDEN]
        assert one.level is Level.FAILED
        assert "goldwatch freeze" in one.remedy
        assert [e.level for e in found[Part.ENDPOINT]] == [Level.OK]
        assert exit_code(_flat(found)) == 2

    served(work)


def test_a_golden_set_that_is_not_there_leaves_unknowns(write: Many, diagnoses: Many, served: Many) -> None:
    """Without a golden set cost, endpoint and base model are warnings that say so, never ok."""

    async def work(endpoint: DemoEndpoint) -> None:
        path = write(endpoint.url)
        (path.parent / "golden.jsonl").unlink()
        found = await diagnoses(path)
        for part in (Part.COST, Part.ENDPOINT, Part.BASE_MODEL):
            assert [one.level for one in found[part]] == [Level.WARNING]

    served(work)


def test_examples_that_no_scorer_can_score_are_found(write: Many, diagnoses: Many, served: Many) -> None:
    """A scorer that can score none of the examples fails; one that can score some of them is a warning."""

    async def work(endpoint: DemoEndpoint) -> None:
        path = write(endpoint.url)
        text = path.read_text()
        path.write_text(
            text.replace("kind: label, labels: [billing, login,", "kind: label, labels: [billing, abc,")
        )
        (some,) = (await diagnoses(path))[Part.SCORERS]
        assert some.level is Level.WARNING
        assert 0 < some.facts["unscorable"] < some.facts["examples"]
        path.write_text(text.replace("[billing, login, shipping, bug, refund]", "[x, y]"))
        (none,) = (await diagnoses(path))[Part.SCORERS]
        assert none.level is Level.FAILED

    served(work)


def test_an_endpoint_that_is_down_leaves_with_3(write: Many, diagnoses: Many, served: Many) -> None:
    """An outage fails with the server's own status and exit 3, and nothing is said about the base model."""

    async def work(endpoint: DemoEndpoint) -> None:
        endpoint.fault = Fault(FaultKind.OUTAGE)
        found = await diagnoses(write(endpoint.url))
        (one,) = found[Part.ENDPOINT]
        assert one.level is Level.FAILED
        assert "503" in one.message
        assert exit_code(_flat(found)) == 3
        assert found[Part.BASE_MODEL][0].level is Level.WARNING

    served(work)


def test_a_model_that_is_not_there_is_told(write: Many, diagnoses: Many, served: Many) -> None:
    """A wrong model name is told by that name."""

    async def work(endpoint: DemoEndpoint) -> None:
        path = write(endpoint.url)
        path.write_text(path.read_text().replace("model: ticket-router", "model: ticket-rooter"))
        (one,) = (await diagnoses(path))[Part.ENDPOINT]
        assert one.level is Level.FAILED
        assert "'ticket-rooter'" in one.message

    served(work)


def test_a_store_without_a_folder_fails(write: Many, diagnoses: Many, served: Many) -> None:
    """A store in a directory that does not exist fails with what to do; a file of another program too."""

    async def work(endpoint: DemoEndpoint) -> None:
        path = write(endpoint.url)
        text = path.read_text()
        path.write_text(text.replace("sqlite:///goldwatch.db", "sqlite:///none/goldwatch.db"))
        (one,) = (await diagnoses(path))[Part.STORE]
        assert one.level is Level.FAILED
        assert one.remedy.startswith("mkdir -p")
        path.write_text(text.replace("sqlite:///goldwatch.db", "sqlite:///golden.jsonl"))
        (one,) = (await diagnoses(path))[Part.STORE]
        assert one.level is Level.FAILED

    served(work)


def test_a_test_message_is_sent_only_when_asked_for(
    write: Many, diagnoses: Many, served: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--send-test delivers one signed message that says it is a test in target, title and label; else none is sent."""
    monkeypatch.setenv("DOCTOR_HOOK", SECRET)

    async def work(endpoint: DemoEndpoint) -> None:
        async with WebhookReceiver(SECRET) as receiver:
            hook = (
                f"notifiers: [{{name: hook, kind: webhook, url: '{receiver.url}', secret_env: DOCTOR_HOOK}}]"
            )
            path = write(endpoint.url, rest=hook)
            assert [one.level for one in (await diagnoses(path))[Part.NOTIFIER]] == [Level.OK]
            assert receiver.deliveries == []
            found = await diagnoses(path, send_test=True)
            assert [one.level for one in found[Part.NOTIFIER]] == [Level.OK, Level.OK]
            (delivery,) = receiver.accepted
            assert delivery.verified is True
            alert = delivery.body["alert"]
            assert alert["title"].startswith("TEST")
            assert (alert["severity"], alert["labels"]) == ("info", {"goldwatch_test": "true"})
            assert delivery.body["target"] == "goldwatch-test"
        (_, failed) = (await diagnoses(path, send_test=True))[Part.NOTIFIER]
        assert failed.level is Level.FAILED
        monkeypatch.delenv("DOCTOR_HOOK")
        (missing,) = (await diagnoses(path, send_test=True))[Part.NOTIFIER]
        assert missing.level is Level.FAILED
        assert "DOCTOR_HOOK" in missing.message

    served(work)


def _doctor(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from service.cli import main; main()",
        "doctor",
        "-c",
        str(path),
        *arguments,
    ]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "120"}, timeout=60
    )


def test_the_command_prints_one_object_per_line(write: Many, served: Many) -> None:
    """--json prints each diagnosis on a line of its own, in the order of the parts, and leaves with 0."""

    async def work(endpoint: DemoEndpoint) -> None:
        done = await asyncio.to_thread(_doctor, write(endpoint.url), "--json")
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        order = [str(part) for part in Part]
        places = [order.index(line["part"]) for line in lines]
        assert places == sorted(places)
        assert set(places) == set(range(len(order)))
        assert set(lines[0]) == {"part", "subject", "level", "message", "remedy", "facts"}

    served(work)


def test_all_faults_of_a_configuration_are_told(tmp_path: Path) -> None:
    """A configuration that cannot be loaded leaves with 2, each fault on a line with its key, and no traceback."""
    path = tmp_path / "goldwatch.yaml"
    path.write_text("version: 1\ncolour: red\ntargets: []\n")
    done = _doctor(path)
    assert done.returncode == 2
    assert "colour" in done.stdout
    assert "targets" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_an_unknown_target_is_a_fault_of_usage(write: Many) -> None:
    """A target that the configuration does not have leaves with 2 and names those that it has."""
    done = _doctor(write("http://127.0.0.1:9/v1"), "ticket-rooter")
    assert done.returncode == 2
    assert "ticket-router" in done.stderr
