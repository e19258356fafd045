"""Does the container's own check tell an answering daemon from a dead one?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from service.healthcheck import healthy, main


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response({"/healthz": 200}.get(self.path, 503))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_two_hundred_is_healthy_and_nothing_else(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """200 leaves with 0; another status with 1, and says which."""
    assert main([f"{address}/healthz"], {}) == 0
    assert main([], {"GOLDWATCH_HEALTH_URL": f"{address}/readyz"}) == 1
    assert "503" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/healthz", "http://127.0.0.1:99999999999999999999/healthz"]
)
def test_no_answer_is_not_healthy(url: str) -> None:
    """Where nothing listens, it says so instead of a traceback."""
    assert "does not answer" in str(healthy(url, 5.0))


@pytest.mark.parametrize(
    "url", ["", "nonsense", "https://127.0.0.1:9790/healthz", "http://127.0.0.1/healthz"]
)
def test_an_address_that_is_none_is_named(url: str) -> None:
    """A mistyped address is told as such."""
    assert "no address of the form" in str(healthy(url))
