"""``goldwatch run`` over 2,000 examples with 64 in flight: scored, stored and judged, from the command line.

The wall is that of the command less that of the same command on one example, so that starting Python counts apart.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from service.golden import freeze
from tests.bench.replay.bench import EXAMPLES, IN_FLIGHT, TEXT, bare_loop, endpoint

ROUNDS = 3
CONFIG = """
version: 1
targets:
  - name: bench
    endpoint: {{kind: openai_chat, base_url: {url}, model: bench, params: {{temperature: 0}}}}
    golden: {golden}
    concurrency: {in_flight}
    scorers: [{{kind: label, labels: [billing, login, shipping, bug]}}]
"""


def prepare(folder: Path, url: str, examples: int) -> None:
    """A frozen golden set of so many examples and a configuration that asks ``url``."""
    golden = folder / "golden.jsonl"
    rows = ({"id": f"T-{i:04}", "input": TEXT + str(i), "expected": "billing"} for i in range(examples))
    golden.write_text("".join(json.dumps(row) + "\n" for row in rows))
    freeze(golden, 0.0)
    (folder / "goldwatch.yaml").write_text(CONFIG.format(url=url, golden=golden, in_flight=IN_FLIGHT))


def _wall(folder: Path) -> float:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "service", "run", "-c", str(folder / "goldwatch.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - begun
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return wall


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """Against the ideal, against a bare loop on the same client, and the rate at 0 ms."""
    ideal = EXAMPLES / IN_FLIGHT * 0.020
    for delay_ms in (20.0, 0.0):
        with (
            endpoint(delay_ms) as url,
            tempfile.TemporaryDirectory() as one,
            tempfile.TemporaryDirectory() as many,
        ):
            prepare(Path(one), url, 1)
            prepare(Path(many), url, EXAMPLES)
            walls, singles, bare = [], [], []
            for _ in range(ROUNDS):
                singles.append(_wall(Path(one)))
                walls.append(_wall(Path(many)))
                begun = time.perf_counter()
                asyncio.run(bare_loop(url))
                bare.append(time.perf_counter() - begun)
        above = min(walls) - min(singles)
        if delay_ms:
            yield (
                "one example, from the command line",
                f"{min(singles):.2f} s",
                "<= 1.0 s",
                min(singles) <= 1.0,
            )
            yield (
                "2,000 examples at 20 ms, against the ideal",
                f"{above:.2f} s = {above / ideal:.2f} x",
                "<= 2 x",
                above <= 2 * ideal,
            )
            loop = min(bare)
            yield "the same against a bare loop", f"{above / loop:.2f} x", "<= 1.5 x", above <= 1.5 * loop
        else:
            rate = EXAMPLES / above
            yield "2,000 examples at 0 ms", f"{rate:,.0f} examples/s", ">= 1,500", rate >= 1500
