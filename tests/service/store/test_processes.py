"""Does the store stay whole when processes race, and when they are killed in the middle?"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.records import RunState
from service.store import Store

WORKER = Path(__file__).with_name("worker.py")


class Workers:
    """The script's standard input and output."""

    def __init__(self) -> None:
        root = str(WORKER.parents[3])
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": root},
        )  # fmt: skip

    def start(self, **job: Any) -> list[int]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return [int(word) for word in self.line()[1:]]

    def line(self) -> list[str]:
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        assert words, "the workers are gone"
        assert words[0] != "error", words
        return words

    def lines_until_dead(self) -> list[list[str]]:
        found = []
        while (words := self.line()) != ["dead"]:
            found.append(words)
        return found

    def close(self) -> None:
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0


@pytest.fixture
def workers() -> Iterator[Workers]:
    started = Workers()
    yield started
    started.close()


def test_processes_that_race_never_overlap(scene: Any, url: str, workers: Workers) -> None:
    """Of four processes that claim the same times each goes to one, and no two runs are ever alive."""
    workers.start(do="race", processes=4, url=url, digest=scene.golden.digest, times=15)
    won = [[int(word) for word in words[1:]] for words in workers.lines_until_dead()]
    runs = {run.scheduled_at: run.id for run in scene.store.runs("router", limit=None)}
    assert won
    assert sorted(scheduled_at for scheduled_at, *_ in won) == sorted(runs)
    for scheduled_at, *running in won:
        assert running == [runs[scheduled_at]]


def test_a_killed_process_leaves_all_or_nothing(local: Any, tmp_path: Path, workers: Workers) -> None:
    """A run that was killed anywhere is running with whole batches, or done with all that follows."""
    store: Store = local.store
    path = tmp_path / "local.db"
    rng = random.Random(7)
    finished: set[int] = set()
    names = [f"router-{kill}" for kill in range(12)]
    for kill, name in enumerate(names):
        job = {
            "url": f"sqlite:///{path}",
            "digest": local.golden.digest,
            "now": 1000.0 * kill,
            "target": name,
        }
        (pid,) = workers.start(do="replay", **job)
        for _ in range(rng.randrange(1, 16)):
            words = workers.line()
            finished |= {int(words[1])} if words[0] == "finished" else set()
        os.kill(pid, signal.SIGKILL)
        finished |= {int(words[1]) for words in workers.lines_until_dead() if words[0] == "finished"}
        with sqlite3.connect(path) as other:
            assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert other.execute("PRAGMA foreign_key_check").fetchall() == []
        other.close()

    runs = [run for name in names for run in store.runs(name, limit=None)]
    done = {run.id for run in runs if run.state is RunState.DONE}
    assert len(runs) - len(done) >= 6, "too few were killed in the middle"
    assert finished <= done
    messages = {item.notification.body["run"] for item in store.claim_notifications("d", 9e9, 1.0, 10_000)}
    assert messages == done == {alert.opened_run for alert in store.alerts()}
    told = store.metrics_snapshot().targets
    for name in names:
        mine = {run.id for run in runs if run.target == name} & done
        assert (told[name].runs if name in told else {}).get("regressed", 0) == len(mine)
        newest = (max(mine), str(max(mine)).encode()) if mine else None
        assert store.snapshot(name, "segment") == newest
        assert {m.run for m in store.measurements(name, "segment")} == mine
    for run in runs:
        saved = len(store.responses(run.id))
        if run.id in done:
            assert saved == 50
            assert len(store.vectors(run.id)) == len(run.findings) == len(run.summaries) == 1
        else:
            assert saved % 10 == 0
            assert store.vectors(run.id) == list(run.findings) == list(run.summaries) == []
    assert {run.id for run in store.orphans(9e9)} == {run.id for run in runs} - done
