"""Does a drill find what it breaks, as promised, and leave no trace?"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from checks.detectability import Drop
from service import cli
from service.config import load
from service.demo.endpoint import DemoEndpoint
from service.demo.model import GOLDEN
from service.detectability import cards_for
from service.drill.faults import Fault, FaultKind
from service.drill.rehearse import Plan, promised_h, rehearse
from service.errors import UserError
from service.golden import check_lock, freeze
from service.pipeline import Shell, run_target
from service.store import Store

ENDPOINT = (
    "{{kind: openai_chat, base_url: '{url}', model: {model}, system: Route it., params: {{max_tokens: 16}}}}"
)
CONFIG = """
version: 1
store: sqlite:///goldwatch.db
targets:
  - name: router
    endpoint: {endpoint}
    reference: {reference}
    golden: golden.jsonl
    retries: 0
    limits: {{tokens_per_day: 100000000}}
    scorers: [{{kind: label, labels: [billing, login, shipping, bug, refund]}}]
notifiers:
  - {{name: hook, kind: webhook, url: "http://127.0.0.1:9/never"}}
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[DemoEndpoint]:
    made, ready, loop = DemoEndpoint(latency_s=0.0), threading.Event(), asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        async with made:
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(30)
    yield made
    loop.call_soon_threadsafe(done.set)
    thread.join(30)
    loop.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, endpoint: DemoEndpoint) -> Path:
    """A target with a pinned baseline."""
    path = tmp_path_factory.mktemp("drill")
    lines = GOLDEN.read_text("utf-8").splitlines(keepends=True)
    (path / "golden.jsonl").write_text("".join(lines[::3]), "utf-8")
    freeze(path / "golden.jsonl", 1.0)
    tuned = ENDPOINT.format(url=endpoint.url, model="ticket-router")
    base = ENDPOINT.format(url=endpoint.url, model="base")
    (path / "goldwatch.yaml").write_text(CONFIG.format(endpoint=tuned, reference=base))
    config, began_at = load(path / "goldwatch.yaml"), time.time() - 11 * 3600
    clock = count(began_at, 36.0)  # every look at the clock is a while later

    async def learn() -> None:
        shell = Shell(store, config, clock=lambda: next(clock))
        for _ in range(10):
            await run_target(shell, config.targets[0])

    with Store.open("sqlite:///goldwatch.db", base_dir=path) as store:
        asyncio.run(learn())
    return path


def drilled(folder: Path, fault: Fault, **more: Any) -> Any:
    config = load(folder / "goldwatch.yaml")
    target, now = config.targets[0], time.time()
    with Store.open("sqlite:///goldwatch.db", base_dir=folder) as store:
        cards = cards_for(config, target, check_lock(target.golden), store=store, now=now)
        return asyncio.run(rehearse(store, config, target, Plan(fault, **more), now=now, cards=cards))


@pytest.mark.parametrize(("kind", "ratio"), [("mix", 1.0), ("latency", 1.0)])
def test_a_fault_is_found_in_time(folder: Path, kind: str, ratio: float) -> None:
    """A gross fault is found within the time that the card promises, and the healthy replays stay quiet."""
    told = drilled(folder, Fault(FaultKind(kind), ratio, 0.5))
    assert told.alert == "regression"
    assert told.in_time
    assert told.runs >= 2
    assert told.hours >= 1.0
    assert told.verdicts[:2] == ("ok", "ok")
    assert 0 < told.hit <= told.requests
    assert {"mix": "adapter_applied", "latency": "latency"}[kind] in told.found_by


def test_prose_around_the_label_is_found_though_the_scores_hold(folder: Path) -> None:
    """The shadow knows how long answers are in the real baseline, so that longer ones are a change at once."""
    told = drilled(folder, Fault(FaultKind.FORMAT, 0.5))
    assert told.alert == "regression"
    assert "output_shift" in told.found_by
    assert abs(told.drop) < 0.05


def test_a_base_model_that_cannot_be_asked_is_no_outage_of_the_target(folder: Path) -> None:
    """The drill ends and says so: nothing was learnt about the watch."""
    path = folder / "goldwatch.yaml"
    whole = path.read_text()
    path.write_text(whole.replace("model: base", "model: no-such-model"))
    try:
        with pytest.raises(UserError, match="base model of router could not answer: 404"):
            drilled(folder, Fault(FaultKind.MIX), healthy=0)
    finally:
        path.write_text(whole)


def test_an_outage_is_an_outage(folder: Path) -> None:
    """Nobody answering is found as an outage and never as a regression."""
    told = drilled(folder, Fault(FaultKind.OUTAGE), healthy=0)
    assert told.alert == "outage"
    assert set(told.verdicts) == {"inconclusive"}
    assert told.in_time
    assert told.drop is None


def test_a_stale_model_is_answered_from_its_file(folder: Path) -> None:
    """Recorded answers of an older model take the place of the model's."""
    config = load(folder / "goldwatch.yaml")
    golden = check_lock(config.targets[0].golden)
    with Store.open("sqlite:///goldwatch.db", base_dir=folder) as store:
        said = store.responses(store.runs("router", limit=1)[0].id)
    wrong = {r.example_id: said[0] for r in said}
    told = drilled(folder, Fault(FaultKind.STALE, answers=wrong))
    assert told.alert == "regression"
    assert told.drop > 0.5
    assert len(golden.examples) == len(wrong)


def test_what_is_promised() -> None:
    """The promise is the shortest window whose smallest drop is no greater than the one that was made."""

    class Card:
        drops = (Drop("day", 24.0, 0.05), Drop("week", 168.0, 0.02), Drop("month", 730.0, None))

    assert promised_h([Card()], 0.06) == 24.0  # type: ignore[list-item]
    assert promised_h([Card()], 0.03) == 168.0  # type: ignore[list-item]
    assert promised_h([Card()], 0.01) is None  # type: ignore[list-item]
    assert promised_h([Card()], None) is None  # type: ignore[list-item]


def test_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It asks before it spends, tells the delay, leaves with what came of it, and no trace in the real store."""
    monkeypatch.chdir(folder)
    with Store.open("sqlite:///goldwatch.db", base_dir=folder) as store:
        before = store.runs("router", limit=None)
    assert cli.run(["drill", "router", "--fault", "labels"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert cli.run(["drill", "router", "--fault", "labels", "--yes"]) == 0
    assert "FOUND  regression" in capsys.readouterr().out
    with Store.open("sqlite:///goldwatch.db", base_dir=folder) as store:
        assert store.runs("router", limit=None) == before
        assert store.alerts() == []
        assert store.next_due_at(time.time()) is None
    assert cli.run(
        [
            "drill",
            "router",
            "--fault",
            "labels",
            "--ratio",
            "0.004",
            "--most",
            "1",
            "--healthy",
            "0",
            "-y",
            "--json",
        ]
    ) in (0, 3)
    told = json.loads(capsys.readouterr().out)
    assert told["found"] is False
    assert told["verdicts"] == ["ok"]
    Path("new.yaml").write_text(Path("goldwatch.yaml").read_text().replace("name: router", "name: new"))
    assert cli.run(["drill", "new", "--fault", "labels", "--yes", "-c", "new.yaml"]) == 2
    assert "baseline" in capsys.readouterr().err
    for bad in (
        ["--fault", "x"],
        ["--fault", "stale"],
        ["--fault", "mix", "--ratio", "0"],
        ["--fault", "latency", "--delay", "x"],
    ):
        assert cli.run(["drill", "router", "--yes", *bad]) == 2
    text = Path("goldwatch.yaml").read_text()
    Path("poor.yaml").write_text(text.replace("tokens_per_day: 100000000", "tokens_per_day: 1000"))
    assert cli.run(["drill", "router", "--fault", "labels", "--yes", "-c", "poor.yaml"]) == 2
    assert "today's limits" in capsys.readouterr().err
