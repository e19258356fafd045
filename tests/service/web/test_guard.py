"""Who may change something, and what goes out with every answer?"""

from __future__ import annotations

from typing import Any

import pytest

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
