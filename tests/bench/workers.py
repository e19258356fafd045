"""Do four workers on PostgreSQL make four times as many runs as one, where the endpoint is what takes the time?

Sixteen targets of forty examples fall due at once. A worker makes four runs at a time, so one needs four rounds and
four need one. Counted from the first run's start to the last one's end, by the store.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.fleet import Fleet, until
from tests.bench.kills import postgres

TARGETS, LATENCY_S, GOAL, PATIENCE_S = 16, 2.0, 3.5, 900.0


def _wall_s(workers: int) -> float:
    names = tuple(f"router-{n:02}" for n in range(TARGETS))
    with (
        postgres() as url,
        tempfile.TemporaryDirectory() as folder,
        Fleet(Path(folder), url, LATENCY_S, names, "1h") as fleet,
    ):
        fleet.store().close()  # makes the tables, so that no worker waits for them
        for n in range(workers):
            fleet.start(f"worker-{n}", "worker")
        for n in range(workers):
            until(lambda n=n: '"level": "info"' in fleet.log(f"worker-{n}"), f"worker {n} is there")
        fleet.start("serve", "serve", "--no-work")
        fleet.done(1, PATIENCE_S)
        runs = [fleet.runs(name)[0] for name in names]
        fleet.end()
    return max(run.finished_at or 0.0 for run in runs) - min(run.started_at for run in runs)


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """Once each, four minutes in all: a round takes forty seconds, so noise of a second does not matter."""
    one, four = _wall_s(1), _wall_s(4)
    said = f"{one:.1f} s / {four:.1f} s = {one / four:.2f} x"
    yield "4 workers on PostgreSQL against 1, endpoint-bound", said, f">= {GOAL} x", one / four >= GOAL
