"""Is anything lost when processes are killed at random? One serve on SQLite 100 times, four on PostgreSQL 100 times.

Beside each an unharmed twin makes as many runs, and must come to the same verdicts. The model breaks after half of the
kills: each target must be told of once, under one id.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.demo.endpoint import Fault, FaultKind
from tests.bench.fleet import Fleet, harm, until, verdicts

KILLS = 100
PAUSE_S = (0.1, 2.0)
ONE = {"serve": ("serve",)}
FOUR = {
    "serve-1": ("serve",),
    "serve-2": ("serve", "--no-work"),
    "worker-1": ("worker",),
    "worker-2": ("worker",),
}


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database on a server that ends with the block."""
    from tests.conftest import running_postgres

    with running_postgres() as server:
        yield server.new_database()


def story(processes: dict[str, tuple[str, ...]], url: str, kills: int) -> tuple[list[str], int, list[str]]:
    """Kill, break the model, kill on: what is wrong, how many runs there were, the phases of the verdicts by target."""
    with tempfile.TemporaryDirectory() as folder, Fleet(Path(folder), url, latency_s=0.01) as fleet:
        for name, command in processes.items():
            fleet.start(name, *command)
        fleet.done(1)
        fleet.kill_at_random(kills // 2, 1, PAUSE_S)
        fleet.done(6)
        fleet.endpoint.fault = Fault(FaultKind.GIBBERISH)
        fleet.kill_at_random(kills - kills // 2, 2, PAUSE_S)
        until(lambda: len(_told(fleet)) >= len(fleet.names), "an alert of each target")
        fleet.end()
        wrong = harm(fleet)
        told = _told(fleet)
        wrong += [f"{name}: {len(ids)} alerts, not one" for name, ids in told.items() if len(ids) != 1]
        phases = [_phases(verdicts(fleet, name)) for name in fleet.names]
        return wrong, sum(len(fleet.runs(name)) for name in fleet.names), phases


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """Harm done by 200 kills."""
    _, _, unharmed = story(ONE, "sqlite:///goldwatch.db", 0)
    for what, processes in (("one serve on SQLite", ONE), ("four processes on PostgreSQL", FOUR)):
        if processes is ONE:
            wrong, runs, phases = story(processes, "sqlite:///goldwatch.db", KILLS)
        else:
            with postgres() as url:
                wrong, runs, phases = story(processes, url, KILLS)
        wrong += [f"verdicts {a}, the twin's {b}" for a, b in zip(phases, unharmed, strict=True) if a != b]
        said = f"{runs} runs: " + (
            "; ".join(wrong[:4]) or "none lost, doubled or half judged, verdicts as the twin's"
        )
        yield f"{KILLS} kills at random, {what}", said, "no harm", not wrong


def _told(fleet: Fleet) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for delivery in fleet.receiver.accepted:
        body = delivery.body
        if body["event"] == "alert.firing" and body["alert"]["kind"] == "regression":
            found.setdefault(body["target"], set()).add(str(delivery.id))
    return found


def _phases(found: list[str]) -> str:
    """The verdicts in order, each once: how many of each there are is a matter of time. One bad run may come first."""
    named = [name for n, name in enumerate(found) if name != "suspect" and found[n - 1 : n] != [name]]
    return " ".join(named)
