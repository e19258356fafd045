"""A model server on loopback that can be told what to do wrong, in threads of its own."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Model(ThreadingHTTPServer):
    """Answers every input ``q-N`` with ``a-N``; after ``worse`` is set, half of them wrongly.

    ``fault`` names what goes wrong on the way, for the inputs whose N is below ``hits``. Every error page quotes
    the key that it was asked with, as some providers do.
    """

    daemon_threads = True
    request_queue_size = 128
    worse = False
    fault = ""
    hits = 10**6

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.stop, self.asked = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def reset(self) -> None:
        self.worse, self.fault, self.hits = False, "", 10**6
        self.asked.clear()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of our business."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Model

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self._send(404, b"{}")

    def do_POST(self) -> None:
        with suppress(ConnectionError):
            self._post()

    def _post(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
        number = int(question.removeprefix("q-"))
        self.server.asked.set()
        right = not self.server.worse or number % 2
        said = f"a-{number}" if right else f"z-{number}"
        body = json.dumps({"model": "m", "choices": [{"message": {"content": said}}]}).encode()
        fault = self.server.fault if number < self.server.hits else ""
        quoted = json.dumps({"error": {"message": f"no: {self.headers.get('Authorization')}"}}).encode()
        if fault.isdigit():
            self._send(int(fault), quoted)
        elif fault == "hang":
            self.server.stop.wait(60)
            self.close_connection = True
        elif fault == "cut":
            self._head(200, {"Content-Length": str(len(body) + 100)}, body)
        elif fault == "gigabyte":
            self._head(200, {"Content-Length": "1000000000"})
            for _ in range(15_000):
                self.wfile.write(b" " * 65_536)
        elif fault == "drip":
            self._head(200, {"Content-Length": str(len(body))})
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.server.stop.wait(0.05)
        elif fault == "not utf-8":
            self._send(200, body.replace(b"-", b"\xff\xfe"))
        elif fault == "another type":
            self._send(200, body, "text/html")
        elif fault == "another shape":
            self._send(200, b'{"data": [1, 2]}')
        elif fault == "redirect":
            self._head(
                307, {"Location": "http://elsewhere.invalid/v1/chat/completions", "Content-Length": "0"}
            )
        else:
            self._send(200, body)

    def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self._head(status, {"Content-Type": kind, "Content-Length": str(len(body))}, body)
        if status >= 400:
            self.close_connection = True

    def _head(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        if status != 200 or "Content-Type" not in headers:
            headers["Connection"] = "close"
            self.close_connection = True
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="session")
def one_model() -> Iterator[Model]:
    made = Model()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.stop.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def model(one_model: Model) -> Model:
    one_model.reset()
    return one_model


@pytest.fixture(scope="session")
def closed_port() -> Iterator[int]:
    """A port that nobody listens on while it is held."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
