"""How fast can goldwatch ask? An endpoint in a process of its own that costs next to nothing itself.

Prints its port, then answers every POST with the same chat completion after ``DELAY_MS``.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_BODY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "system_fingerprint": "fp_bench",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "billing"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 25, "completion_tokens": 2, "total_tokens": 27},
    }
).encode()
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    + str(len(_BODY)).encode()
    + b"\r\n\r\n"
    + _BODY
)


class Bench(asyncio.Protocol):
    """One connection, one request at a time."""

    delay_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self.buffer, 0, end)
        if len(self.buffer) < end + 4 + (int(length[1]) if length else 0):
            return
        self.buffer = b""
        if self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, self.transport.write, _ANSWER)
        else:
            self.transport.write(_ANSWER)


async def main(delay_ms: float) -> None:
    """Serve until killed."""
    Bench.delay_s = delay_ms / 1000
    server = await asyncio.get_running_loop().create_server(Bench, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
