"""Does one process keep up with 1,000 targets every hour? All fall due at once, as after a start.

    python -m tests.bench hourly [--targets=1000]

``goldwatch serve`` on SQLite, forty examples of 50 ms each, four in flight per target, four targets at a time. It
keeps up if all have had their run well within the hour.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.fleet import EXAMPLES, Fleet, until
from tests.bench.idle import _cpu_s, _rss_mb

HOUR_S = 3600.0


def _done(file: Path) -> int:
    if not file.exists():
        return 0
    connection = sqlite3.connect(file, timeout=30)
    try:
        (count,) = connection.execute("SELECT count(*) FROM goldwatch_run WHERE state = 'done'").fetchone()
    except sqlite3.OperationalError:  # no tables yet
        return 0
    finally:
        connection.close()
    return int(count)


def measure(options: Sequence[str] = ()) -> Iterator[tuple[str, str, str, bool]]:
    """Once: it takes minutes."""
    targets = next((int(o.partition("=")[2]) for o in options if o.startswith("--targets=")), 1000)
    names = tuple(f"router-{n:04}" for n in range(targets))
    with tempfile.TemporaryDirectory() as folder, Fleet(Path(folder), latency_s=0.05, names=names) as fleet:
        fleet.every = "1h"
        fleet.write(concurrency=4)
        begun = time.monotonic()
        fleet.start("serve", "serve")
        file, pid = Path(folder) / "goldwatch.db", fleet.processes["serve"].pid

        def all_done() -> bool:
            time.sleep(1.0)
            return _done(file) >= targets

        until(all_done, f"{targets} runs", HOUR_S)
        wall, cpu, memory = time.monotonic() - begun, _cpu_s(pid), _rss_mb(pid)
        fleet.end()
    said = f"{wall:.0f} s, {cpu:.0f} s of a core, {memory:.0f} MB"
    yield f"{targets:,} targets x {EXAMPLES} examples, every hour", said, "<= 3600 s", wall <= HOUR_S
