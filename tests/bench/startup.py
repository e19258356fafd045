"""``goldwatch --help`` from a cold process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """The best of five."""
    walls = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "service", "--help"], capture_output=True, check=True)
        walls.append(time.perf_counter() - begun)
    yield "goldwatch --help", f"{min(walls):.2f} s", "<= .3 s", min(walls) <= 0.3
