"""Who may change something, and what goes out with every answer?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import Route

from service.web.app import create_app
from service.web.guard import HEADERS

CHANGES = ["/api/v1/targets/quiet/runs", "/api/v1/targets/quiet/marks", "/targets/quiet/runs"]
ASK = {"json": {"version": "1"}, "follow_redirects": False}


@pytest.mark.parametrize("path", CHANGES)
def test_a_local_request_needs_no_token_where_none_is_configured(path: str, browse: Any, daemon: Any) -> None:
    """A shell and a browser on the same machine may change things by default."""
    for headers in ({}, {"origin": "http://localhost:9790", "sec-fetch-site": "same-origin"}):
        assert browse().post(path, headers=headers, **ASK).status_code < 400
    for base in ("http://127.0.0.1:9790", "http://[::1]:9790"):
        assert browse(("::1", 9), base).post(path, **ASK).status_code < 400
    assert len(daemon.asked) == 4


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "127.0.0.1"},
        {"x-forwarded-host": "localhost"},
        {"x-forwarded-proto": "https"},
        {"forwarded": "for=127.0.0.1"},
        {"via": "1.1 proxy"},
        {"x-real-ip": "127.0.0.1"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8080"},
        {"origin": "https://localhost:9790"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": "evil.example"},
        {"host": "localhost.evil.example:9790"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "10.0.0.7:9790"},
        {"host": ""},
        {"host": "[::1"},
    ],
)
def test_forwarded_and_foreign_requests_are_refused(
    path: str, headers: dict[str, str], browse: Any, daemon: Any
) -> None:
    """A proxy, another site's page, or a rebound name gets 403 with the remedy, and nothing happens."""
    answer = browse().post(path, headers=headers, **ASK)
    assert answer.status_code == 403
    assert "web.token_env" in answer.text
    assert daemon.asked == []


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("client", ["10.0.0.7", "2001:db8::1", "testclient"])
def test_other_machines_need_a_token(path: str, client: str, browse: Any, daemon: Any) -> None:
    """Without a configured token nothing but loopback changes anything."""
    assert browse((client, 9)).post(path, **ASK).status_code == 403
    assert daemon.asked == []


@pytest.mark.parametrize("path", CHANGES)
def test_a_configured_token_is_asked_of_everyone(path: str, browse: Any, daemon: Any) -> None:
    """With a token, loopback has no privilege: missing or wrong is 401, right passes from anywhere."""
    daemon.token = "tökén"
    wrong = ["", "Bearer", "Bearer ", "Bearer wrong", "Basic tökén", "tökén", "Bearer tökén2"]
    for given in wrong:
        answer = browse().post(path, headers={"authorization": given.encode()}, **ASK)
        assert answer.status_code == 401, given
        assert answer.headers["www-authenticate"] == "Bearer"
    assert browse().post(path, **ASK).status_code == 401
    assert daemon.asked == []
    daemon.token = "right"
    far = browse(("10.0.0.7", 9), "https://gold.example")
    right = {"authorization": "Bearer right", "x-forwarded-for": "1.2.3.4"}
    assert far.post(path, headers=right, **ASK).status_code < 400
    assert len(daemon.asked) == 1


def test_a_bad_body_without_a_token_is_refused_as_such(browse: Any, daemon: Any) -> None:
    """Who may not ask is not told how to ask."""
    daemon.token = "right"
    assert browse().post("/api/v1/targets/quiet/marks", json={}).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/", "/targets/quiet", "/runs/1", "/goldwatch.css", "/metrics", "/healthz", "/readyz", "/api/v1/targets",
     "/nothing", "/api/v1/nothing"],
)  # fmt: skip
def test_every_answer_has_the_security_headers(path: str, fleet: Any, browse: Any) -> None:
    """Pages, files, API and errors alike; no script may run anywhere."""
    headers = browse().get(path).headers
    for name, value in HEADERS.items():
        if name == "Cache-Control" and (path == "/goldwatch.css" or headers.get("etag")):
            continue
        assert headers[name] == value
    assert "script-src" not in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_nothing_changes_by_another_method(method: str, browse: Any, daemon: Any) -> None:
    """Only POST changes anything."""
    for path in CHANGES:
        browse().request(method, path)
    assert daemon.asked == []


OPEN = {"/login", "/api/v1/webhooks/mlflow", "/api/v1/webhooks/huggingface"}
"""What is asked for its own secret, in ``test_door.py`` and ``test_webhooks.py``."""
NAMES = {"name": "quiet", "run_id": "1", "alert_id": "a", "silence_id": "s"}


def routes(within: Any) -> Iterator[Route]:
    """Every route of an application, those of its routers' routers too."""
    for one in within.routes:
        if isinstance(one, Route):
            yield one
        elif (router := getattr(one, "original_router", None) or getattr(one, "app", None)) is not None:
            yield from routes(router)


def changing(app: Any) -> list[tuple[str, str]]:
    """Every route that takes more than reading, as (method, path)."""
    found = [
        (m, route.path) for route in routes(app) for m in sorted((route.methods or set()) - {"GET", "HEAD"})
    ]
    return [(method, path.format(**NAMES)) for method, path in found]


def test_whatever_route_there_is_changes_nothing_for_a_stranger(
    fleet: Any, store: Any, daemon: Any, browse: Any
) -> None:
    """Each route but GET refuses: from elsewhere where no token is, without the token where one is, when read-only."""
    local = browse()
    found = changing(local.app)
    assert {method for method, _ in found} == {"POST"}
    assert len(found) >= 20
    assert {path for _, path in found} >= OPEN | {
        "/api/v1/targets/quiet/samples",
        "/api/v1/otel/v1/logs",
        "/logout",
    }
    read_only = browse()
    read_only.app = create_app(store, daemon, read_only=True)
    for _, path in found:
        if path in OPEN:
            continue
        daemon.token = None
        assert browse(("10.0.0.7", 9)).post(path, **ASK).status_code == 403, path
        assert read_only.post(path, **ASK).status_code == 403, path
        daemon.token = "right"
        assert browse().post(path, **ASK).status_code == 401, path
    for path in OPEN - {"/login"}:
        assert browse().post(path, **ASK).status_code == 403, path
    assert (daemon.asked, daemon.accepted, store.marks("quiet", 0)) == ([], [], [])


def test_a_name_that_was_made_to_lead_here_reads_nothing(store: Any, daemon: Any, browse: Any) -> None:
    """On loopback only loopback's names, and external_url's, are answered; elsewhere any name is."""
    daemon.external_url = "https://gold.example/watch"
    browser = browse()
    browser.app = create_app(store, daemon, local=True)
    for host in ("localhost:9790", "127.0.0.1", "[::1]:1", "gold.example"):
        assert browser.get("/goldwatch.css", headers={"host": host}).status_code == 200, host
    foreign = ["evil.example", "evil.example:9790", "127.0.0.1.evil.example", "10.0.0.7", "", "[::1"]
    for path in ("/", "/targets/quiet", "/api/v1/targets", "/metrics", "/goldwatch.css"):
        answer = browser.get(path, headers={"host": foreign[0]})
        foreign = [*foreign[1:], foreign[0]]
        assert answer.status_code == 421, path
        assert "web.external_url" in answer.text
        assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
    assert browser.get("/healthz", headers={"host": "10.0.0.7"}).status_code == 200
    assert browse().get("/goldwatch.css", headers={"host": "gold.internal"}).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/targets/quiet/samples", "/api/v1/otel/v1/traces"])
def test_a_strangers_long_body_is_not_even_read(path: str, store: Any, daemon: Any) -> None:
    """Where longer bodies are taken, whoever bears no token is refused before the first byte of one."""
    daemon.token = "right"
    app, said = create_app(store, daemon), []

    async def receive() -> Any:
        raise AssertionError("it was read")

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"x")], "client": ("10.0.0.7", 9), "server": ("x", 80), "scheme": "http",
        "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert said[0]["status"] == 401
    assert dict(said[0]["headers"])[b"content-security-policy"]
