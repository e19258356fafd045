"""Can whoever reaches the port keep the daemon from its work? A flood of connections that never come to the point."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from service.daemon import server

HALF = b"POST /x HTTP/1.1\r\nHost: localhost\r\n"
WHOLE = b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers as soon as it has the whole request."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"ok\n"})


def served(act: Any, monkeypatch: pytest.MonkeyPatch, most: int = 16) -> Any:
    """What ``act(port, web)`` says while the server lives."""
    monkeypatch.setattr(server, "most_connections", lambda: most)

    async def live() -> Any:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            web = server.WebServer(application)
            task = asyncio.create_task(web.serve(sockets=[bound]))
            while not web.started:  # noqa: ASYNC110  # uvicorn's own sign
                await asyncio.sleep(0)
            try:
                return await act(bound.getsockname()[1], web)
            finally:
                web.stop()
                await task

    return asyncio.run(live())


@pytest.mark.parametrize("half", [HALF, b"", HALF + b"Content-Length: 1000\r\n\r\nbegun"])
def test_those_who_come_to_the_point_are_answered(half: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are held half-way, there are never more than the bound, and a whole request is served."""

    async def act(port: int, web: Any) -> tuple[int, bytes]:
        held = []
        for _ in range(80):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(half)
            held.append((reader, writer))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WHOLE)
        said = await reader.read()
        most = len(web.server_state.connections)
        for _, one in [*held, (reader, writer)]:
            one.close()
        return most, said

    most, said = served(act, monkeypatch)
    assert most <= 16
    assert said.endswith(b"ok\n")


def test_the_slowest_makes_room_and_not_the_one_that_came_just_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection that was first is the one that ends; the one after it is still served."""

    async def act(port: int, _web: Any) -> tuple[bytes, bytes]:
        pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(17)]
        first = await pairs[0][0].read()
        pairs[1][1].write(WHOLE)
        second = await pairs[1][0].read()
        for _, writer in pairs:
            writer.close()
        return first, second

    first, second = served(act, monkeypatch, most=16)
    assert first == b""
    assert second.endswith(b"ok\n")


def test_what_is_no_http_is_refused_with_the_headers_of_every_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of another protocol cannot make a browser run what comes back."""

    async def act(port: int, _web: Any) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"<script>alert(1)</script>\r\n\r\n")
        said = await reader.read()
        writer.close()
        return said

    said = served(act, monkeypatch)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"default-src 'none'" in said
    assert b"script>" not in said


def test_the_bound_leaves_descriptors_for_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of what the process may have; the rest is for models, the store and notifiers."""
    for allowed, most in ((1024, 256), (512, 128), (64, 16), (server.resource.RLIM_INFINITY, 256)):
        monkeypatch.setattr(server.resource, "getrlimit", lambda _what, soft=allowed: (soft, soft))
        assert server.most_connections() == most
