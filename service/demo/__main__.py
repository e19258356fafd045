"""The demo's model alone, for others to watch: two heads behind the OpenAI protocol, until a signal ends it.

    python -m service.demo --host 0.0.0.0 --port 8000

SIGUSR1 silently drops the adapter, as a server does that was restarted without it; SIGUSR2 puts it back.
"""

from __future__ import annotations

import argparse
import asyncio
import signal

from service.demo.endpoint import BASE_MODEL, TUNED_MODEL, DemoEndpoint


async def serve(host: str, port: int, latency_s: float) -> None:
    """Answer until SIGTERM or SIGINT."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    async with DemoEndpoint(host=host, port=port, latency_s=latency_s) as endpoint:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, done.set)
        loop.add_signal_handler(signal.SIGUSR1, endpoint.drop_adapter)
        loop.add_signal_handler(signal.SIGUSR2, endpoint.restore)
        print(f"serving {TUNED_MODEL} and {BASE_MODEL} at {endpoint.url}", flush=True)  # noqa: T201
        await done.wait()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m service.demo", description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument(
        "--latency", type=float, default=0.003, metavar="SECONDS", help="how long an answer takes"
    )
    given = parser.parse_args()
    asyncio.run(serve(given.host, given.port, given.latency))


if __name__ == "__main__":
    main()
