"""``goldwatch serve`` with one target and nothing to do, outside the image: resident memory, and share of a core.

The image is leaner, and its figure is the promised one: ``python -m tests.bench container``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.bench.replay.bench import endpoint
from tests.bench.whole_run import prepare

WATCHED_S = 20.0
PORT = 19790


def _rss_mb(pid: int) -> float:
    line = next(
        row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS")
    )
    return int(line.split()[1]) * 1024 / 1e6


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return "goldwatch_last_measured_timestamp_seconds{" in answer.read().decode()
    except OSError:
        return False


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """After its first run, over twenty seconds in which nothing is due."""
    with endpoint(0.0) as url, tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), url, 200)
        config = Path(folder) / "goldwatch.yaml"
        config.write_text(f"web: {{listen: 127.0.0.1:{PORT}}}\n" + config.read_text().lstrip())
        command = [sys.executable, "-m", "service", "serve", "-c", str(config)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 30
            while not _ready(f"http://127.0.0.1:{PORT}/metrics"):
                if time.monotonic() > until:
                    raise RuntimeError("serve never measured its target")
                time.sleep(0.2)
            before, begun = _cpu_s(process.pid), time.monotonic()
            time.sleep(WATCHED_S)
            share = (_cpu_s(process.pid) - before) / (time.monotonic() - begun)
            memory = _rss_mb(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)
    yield "serve idle, one target, not in the image: memory", f"{memory:.0f} MB", "<= 130 MB", memory <= 130
    yield "serve idle, one target: processor", f"{share:.2%} of a core", "<= .5%", share <= 0.005
