"""Does a daemon stay as small as it was? A week of hourly runs in accelerated time: memory and file descriptors.

Twelve targets are replayed every second, 168 times each: a week of an hourly schedule. What counts is the last
reading against the one after the first third, when every cache and pool is as large as it becomes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.fleet import Fleet
from tests.bench.idle import _rss_mb

RUNS = 168
"""Of each target: a week of an hourly schedule."""


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """Memory and descriptors while runs are made."""
    names = tuple(f"router-{n:02}" for n in range(12))
    with (
        tempfile.TemporaryDirectory() as folder,
        Fleet(Path(folder), latency_s=0.0, names=names) as fleet,
    ):
        fleet.start("serve", "serve")
        pid = fleet.processes["serve"].pid
        readings: list[tuple[int, float, int]] = []
        while not readings or readings[-1][0] < RUNS * len(names):
            time.sleep(2.0)
            made = sum(len(fleet.runs(name)) for name in names)
            descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            readings.append((made, _rss_mb(pid), descriptors))
        fleet.end()
    third = next(r for r in readings if r[0] >= readings[-1][0] / 3)
    last = readings[-1]
    grown = last[1] - third[1]
    trail = ", ".join(f"{r[0]}: {r[1]:.0f}" for r in readings[:: max(len(readings) // 8, 1)])
    yield "serve, memory by runs made", f"{trail}; +{grown:.1f} MB at last", "<= 3 MB", grown <= 3
    yield "serve, file descriptors", f"{third[2]} then {last[2]}", "+ 2 at most", last[2] <= third[2] + 2
