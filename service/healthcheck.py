"""Is the daemon in this container alive? Asks its ``/healthz``; leaves with 0 if it answers 200, else with 1.

    python -m service.healthcheck [URL]

The address is the argument, else ``GOLDWATCH_HEALTH_URL``, else the default listener's. Only sockets, so that a check
every few seconds costs next to nothing. An answer that takes 4 s is none.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence

DEFAULT = "http://127.0.0.1:9790/healthz"
TIMEOUT_S = 4.0


def healthy(url: str, timeout_s: float = TIMEOUT_S) -> str | None:
    """None if the address answers 200; else why it is not healthy, in words."""
    scheme, _, rest = url.partition("://")
    place, _, path = rest.partition("/")
    host, _, port = place.rpartition(":")
    if scheme != "http" or not host or not port.isdecimal():
        return f"{url!r} is no address of the form http://HOST:PORT/healthz"
    ask = f"GET /{path} HTTP/1.0\r\nHost: {place}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(ask.encode())
            said = connection.recv(64).split(b" ", 2)
    except (OSError, ValueError, OverflowError) as error:
        return f"{url} does not answer: {error}"
    if len(said) < 2 or said[1] != b"200":
        return f"{url} answers {b' '.join(said[:2])!r}, not 200"
    return None


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Ask, say why it is not healthy, and return the exit code."""
    why = healthy(arguments[0] if arguments else environ.get("GOLDWATCH_HEALTH_URL", DEFAULT))
    if why is None:
        return 0
    print(why, file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
