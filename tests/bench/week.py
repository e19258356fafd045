"""Does a daemon stay as small as it was? A month of hourly runs in accelerated time: memory and file descriptors.

Four targets are replayed every second, 700 times each: a month of an hourly schedule. What a target's past runs have
taught is kept in pools that are full after 512 runs; what counts is the last reading against the one at which they are.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.fleet import Fleet
from tests.bench.idle import _rss_mb

RUNS, FULL = 700, 530
"""Of each target: a month of an hourly schedule; and when every pool is as large as it becomes."""

TARGETS = 4


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """Memory and descriptors while runs are made."""
    names = tuple(f"router-{n:02}" for n in range(TARGETS))
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
    full = next(r for r in readings if r[0] >= FULL * len(names))
    last = readings[-1]
    grown = last[1] - full[1]
    trail = ", ".join(f"{r[0]}: {r[1]:.0f}" for r in readings[:: max(len(readings) // 8, 1)])
    what = f"serve, memory by runs made, the pools full at {FULL * len(names)}"
    yield what, f"{trail}; +{grown:.1f} MB at last", "<= 3 MB", grown <= 3
    yield "serve, file descriptors", f"{full[2]} then {last[2]}", "+ 2 at most", last[2] <= full[2] + 2
