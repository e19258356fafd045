"""How near does a replay come to the ideal? Ratios within one run.

Run ``PYTHONPATH=. python tests/bench/replay/bench.py``. An endpoint in a process of its own answers in 20 ms and in
0 ms; 2,000 examples, 64 in flight. Compared are the ideal (2000/64 x 20 ms), a bare loop on the same HTTP client, and
``replay`` with everything that it does per example.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from checks.types import Example, Response
from service.endpoints.openai_chat import OpenAIChat
from service.http import client
from service.replay import ReplayPlan, replay

EXAMPLES, IN_FLIGHT, ROUNDS = 2_000, 64, 3


@contextmanager
def endpoint(delay_ms: float) -> Iterator[str]:
    """The address of a fresh server process."""
    server = Path(__file__).with_name("server.py")
    process = subprocess.Popen([sys.executable, server, str(delay_ms)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.terminate()
        process.wait()


async def bare_loop(base_url: str) -> None:
    """The least that an httpx client can do: post, parse, take the text."""
    body = {"model": "bench", "messages": [{"role": "user", "content": TEXT}], "temperature": 0}
    left = iter(range(EXAMPLES))
    async with client(IN_FLIGHT) as http:

        async def worker() -> None:
            for _ in left:
                response = await http.post(f"{base_url}/chat/completions", json=body)
                assert json.loads(response.content)["choices"][0]["message"]["content"] == "billing"

        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


async def whole_replay(base_url: str) -> None:
    """A replay, with a save that keeps everything."""
    kept: list[Response] = []
    examples = [Example(f"T-{i:04}", TEXT, "billing") for i in range(EXAMPLES)]
    asked = OpenAIChat(base_url=base_url, model="bench", params={"temperature": 0})
    result = await replay(examples, asked, ReplayPlan(concurrency=IN_FLIGHT), save=kept.extend)
    assert result.ok == EXAMPLES == len(kept), result.responses[0]


def timed(work: Callable[[], Coroutine[None, None, None]]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    asyncio.run(work())
    return time.perf_counter() - wall, time.process_time() - cpu


TEXT = "I was charged twice for order 4711 and would like one of the two payments back, please. " * 2


def main() -> None:
    for delay_ms in (20.0, 0.0):
        with endpoint(delay_ms) as base_url:
            asyncio.run(whole_replay(base_url))  # the first imports
            both = partial(bare_loop, base_url), partial(whole_replay, base_url)
            rounds = [(timed(both[0]), timed(both[1])) for _ in range(ROUNDS)]
        bare_s = min(bare for (bare, _), _ in rounds)
        wall_s, cpu_s = min(r for _, r in rounds)
        ideal_s = EXAMPLES / IN_FLIGHT * delay_ms / 1000
        ratio = f", {wall_s / ideal_s:.2f} x the ideal {ideal_s:.3f} s" if ideal_s else ""
        print(
            f"{delay_ms:g} ms: replay {wall_s:.3f} s{ratio}, {wall_s / bare_s:.2f} x a bare loop {bare_s:.3f} s, "
            f"{EXAMPLES / wall_s:,.0f} examples/s, {cpu_s / EXAMPLES * 1e6:.0f} us CPU per example"
        )


if __name__ == "__main__":
    main()
