"""Is every run made once and judged alike, whatever is killed? Real processes, real databases, real alerts."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

import pytest

from service.demo.endpoint import Fault, FaultKind
from tests.bench.fleet import Fleet, harm, until, verdicts

PROCESSES = {
    "serve-1": ("serve",),
    "serve-2": ("serve", "--no-work"),
    "worker-1": ("worker",),
    "worker-2": ("worker",),
}


def test_four_processes_share_the_runs(tmp_path: Path, postgres_url: str) -> None:
    """Two serves and two workers on PostgreSQL, killed at random: each tick is run once, whole, and none overlap.

    Both serves tell the same of every run; the verdicts are those of one process that nobody harmed; a regression that
    comes meanwhile is told once, under one id.
    """
    with Fleet(tmp_path, postgres_url, latency_s=0.02) as fleet:
        for name, command in PROCESSES.items():
            fleet.start(name, *command)
        fleet.done(1)
        fleet.kill_at_random(3, seed=1, pause_s=(0.2, 1.0))
        fleet.done(4)
        fleet.endpoint.fault = Fault(FaultKind.GIBBERISH)
        fleet.kill_at_random(3, seed=2, pause_s=(0.2, 1.0))
        told = until(lambda: _told(fleet, len(fleet.names)), "an alert of each target")
        pages = [
            until(lambda name=name: _metrics(fleet, name), f"{name} tells") for name in ("serve-1", "serve-2")
        ]
        fleet.end()
        assert harm(fleet) == []
        for name in fleet.names:
            found = verdicts(fleet, name)
            bad = next(n for n, verdict in enumerate(found) if verdict not in {"learning", "ok"})
            assert found[:3] == ["learning"] * 3
            with fleet.store() as store:
                assert len(store.baselines(name)) == 1
            assert set(found[3:bad]) == {"ok"}
            assert set(found[bad:]) <= {"suspect", "regressed"}
            assert "regressed" in found
        assert len({(body["target"], id_) for id_, body in told}) == len(fleet.names)
        for name in fleet.names:
            counts = [_counts(page, name) for page in pages]
            assert all(count > 0 for count in counts)
            assert counts[0] <= counts[1]  # asked one after the other


def test_one_process_is_killed_again_and_again(tmp_path: Path) -> None:
    """A serve on SQLite that is killed a dozen times loses no run, doubles none and judges none half."""
    with Fleet(tmp_path, latency_s=0.01) as fleet:
        fleet.start("serve", "serve")
        fleet.done(1)
        fleet.kill_at_random(12, seed=3, pause_s=(0.2, 1.1))
        fleet.done(4)
        fleet.end()
        assert harm(fleet) == []
        for name in fleet.names:
            found = verdicts(fleet, name)
            assert found == ["learning"] * 3 + ["ok"] * (len(found) - 3)


@pytest.mark.parametrize("command", [("worker",), ("serve", "--no-work")])
def test_sqlite_has_one_process(tmp_path: Path, command: tuple[str, ...]) -> None:
    """On SQLite a worker, and a serve that makes no runs, are refused with what to do."""
    with Fleet(tmp_path) as fleet:
        fleet.start("refused", *command)
        assert fleet.processes["refused"].wait(90) == 2
        assert "PostgreSQL" in fleet.log("refused")
        assert "Traceback" not in fleet.log("refused")
        fleet.processes.clear()


def _told(fleet: Fleet, count: int) -> list[tuple[str, Any]]:
    firing = {
        (str(d.id), d.body["target"]): d.body
        for d in fleet.receiver.accepted
        if d.body["event"] == "alert.firing" and d.body["alert"]["kind"] == "regression"
    }
    return [(id_, body) for (id_, _), body in firing.items()] if len(firing) >= count else []


def _metrics(fleet: Fleet, name: str) -> str:
    """Nothing while it starts: the address in its log is then that of the one that was killed."""
    try:
        with urllib.request.urlopen(f"{fleet.url(name)}/metrics", timeout=60) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def _counts(page: str, target: str) -> float:
    start = f'goldwatch_runs_total{{target="{target}"'
    return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(start))
