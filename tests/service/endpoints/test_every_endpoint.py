"""Does every protocol survive every bad server? Whatever registers is tried; it never raises and never answers."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from checks.registry import find, kinds
from checks.types import ErrorKind, Example
from service.endpoints import Endpoint
from service.http import client
from tests.service.endpoints.kinds import GOOD, SIGNED, minimal

KINDS = kinds("service.endpoints")
KEY = "sk-very-secret-1234567890"


def sent_key(kind: str) -> tuple[str, str]:
    """The header that carries the key or the signature, and how it then begins."""
    cls: Any = find("service.endpoints", kind)
    return cls.KEY_HEADER.lower(), "AWS4-HMAC-SHA256 " if kind in SIGNED else f"{cls.KEY_PREFIX}{KEY}"


def follows(kind: str) -> bool:
    """Whether a redirect at home is followed."""
    cls: Any = find("service.endpoints", kind)
    return bool(cls.FOLLOWS)


def make(kind: str, address: str, **more: Any) -> Endpoint:
    key = {} if kind in SIGNED else {"api_key_env": "EVERY_KEY"}
    return find("service.endpoints", kind).model_validate(minimal(kind, address) | key | more)


@pytest.fixture(autouse=True)
def key(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERY_KEY", KEY)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)


BAD: dict[str, tuple[Callable[[Any], Any], ErrorKind, str]] = {
    "closed": (lambda s: s.close(), ErrorKind.CONNECT, "closed the connection without an answer"),
    "cut": (lambda s: s.cut(), ErrorKind.BAD_BODY, "cut the body short"),
    "not HTTP": (lambda s: s.raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", close=True), ErrorKind.BAD_BODY, "not speak HTTP"),
    "html": (lambda s: s.reply(200, b"<html>Sign in</html>"), ErrorKind.BAD_BODY, '"<html>Sign in</html>"'),
    "html as text": (
        lambda s: s.reply(200, b"<html>", {"Content-Type": "text/html"}), ErrorKind.BAD_BODY, "not JSON"),
    "empty": (lambda s: s.reply(200, b""), ErrorKind.BAD_BODY, "empty"),
    "no content": (lambda s: s.reply(204), ErrorKind.BAD_BODY, "204"),
    "not modified": (lambda s: s.reply(304), ErrorKind.BAD_BODY, "304"),
    "invalid UTF-8": (lambda s: s.reply(200, b'{"a": "\xff\xfe"}'), ErrorKind.BAD_BODY, "not UTF-8"),
    "nonsense": (lambda s: s.reply(200, {"hello": [1, 2]}), ErrorKind.BAD_BODY, "hello"),
    "null": (lambda s: s.reply(200, None), ErrorKind.BAD_BODY, "null"),
    "a list": (lambda s: s.reply(200, [1]), ErrorKind.BAD_BODY, "[1]"),
    "a number too long": (lambda s: s.reply(200, b"9" * 5_000), ErrorKind.BAD_BODY, "999"),
    "too deep": (lambda s: s.reply(200, b"[" * 90_000), ErrorKind.BAD_BODY, "[[["),
    "error with 200": (
        lambda s: s.reply(200, {"error": {"message": "GPU on \x1b[31mfire"}}), ErrorKind.BAD_BODY, "GPU on ␛[31mfire"),
    "bare error with 200": (lambda s: s.reply(200, {"error": "overloaded"}), ErrorKind.BAD_BODY, "overloaded"),
    "empty choices": (
        lambda s: s.reply(200, {"choices": [], "outputs": [], "answer": None}), ErrorKind.BAD_BODY, "choices"),
    "strange choices": (
        lambda s: s.reply(200, {"choices": [7], "outputs": [7], "answer": 7}), ErrorKind.BAD_BODY, "choices"),
    "strange parts": (
        lambda s: s.reply(200, {"choices": [{"message": 1, "text": 1}], "outputs": [{"data": {}}], "answer": []}),
        ErrorKind.BAD_BODY, ""),
    "gigabyte": (lambda s: s.endless(), ErrorKind.TOO_LARGE, "max_response_bytes: 100000"),
    "gzip bomb": (lambda s: s.bomb(), ErrorKind.TOO_LARGE, "0.1 MB"),
    "damaged gzip": (
        lambda s: s.reply(200, b"not gzip", {"Content-Encoding": "gzip"}), ErrorKind.BAD_BODY, "damaged"),
    "unknown encoding": (
        lambda s: s.reply(200, b"x", {"Content-Encoding": "br"}), ErrorKind.BAD_BODY, "'br' was not asked for"),
    "endless header": (
        lambda s: s.raw(b"HTTP/1.1 200 X\r\nA: " + b"a" * 1_000_000, close=True), ErrorKind.BAD_BODY, "not speak HTTP"),
    "unauthorised": (
        lambda s: s.reply(401, {"error": {"message": f"wrong key {KEY}"}}), ErrorKind.AUTH, "wrong key ***"),
    "forbidden": (lambda s: s.reply(403), ErrorKind.AUTH, "check the key"),
    "not found": (lambda s: s.reply(404, {"detail": "Not Found"}), ErrorKind.NOT_FOUND, "check"),
    "bad request": (lambda s: s.reply(400, b"no"), ErrorKind.REFUSED, '"no"'),
    "unprocessable": (lambda s: s.reply(422, {"detail": [{"msg": "x"}]}), ErrorKind.REFUSED, "422"),
    "too many": (lambda s: s.reply(429, b"", {"Retry-After": "7"}), ErrorKind.RATE_LIMITED, "429"),
    "request timeout": (lambda s: s.reply(408), ErrorKind.TIMEOUT, "408"),
    "server error": (lambda s: s.reply(500, b"Traceback"), ErrorKind.SERVER, "Traceback"),
    "unavailable": (lambda s: s.reply(503), ErrorKind.SERVER, "503"),
    "huge error": (lambda s: s.endless_error(), ErrorKind.SERVER, "500"),
    "redirect loop": (lambda s: s.redirect("/again"), ErrorKind.REDIRECT, "more than 3 redirects"),
    "redirect elsewhere": (
        lambda s: s.redirect("http://evil.example/x"), ErrorKind.REDIRECT, "http://evil.example, which is refused"),
    "redirect to https": (
        lambda s: s.redirect(f"https://127.0.0.1:{s.port}/"), ErrorKind.REDIRECT, "https://127.0.0.1"),
    "redirect to another port": (lambda s: s.redirect("http://127.0.0.1:1/x"), ErrorKind.REDIRECT, "127.0.0.1:1"),
    "redirect to a file": (lambda s: s.redirect("file:///etc/passwd"), ErrorKind.REDIRECT, "file://"),
    "redirect to nonsense": (lambda s: s.redirect("http://[::1"), ErrorKind.REDIRECT, "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BAD)
def test_a_bad_server_is_an_error_with_its_kind_and_reason(
    name: str, kind: str, server: Any, ask: Any
) -> None:
    """Never an exception, never an answer, never the key; the kind and the words say what happened."""
    behave, expected, words = BAD[name]
    server.endless_error = lambda: server.raw(b"HTTP/1.1 500 X\r\n\r\n", *[b"x" * 65_536] * 100, close=True)
    server.answers(behave(server))
    response = ask(make(kind, server.address, max_response_bytes=100_000))
    assert response.output is None
    assert not response.answered
    assert response.error.kind is expected, response.error
    if expected is ErrorKind.REDIRECT and not follows(kind):
        words = "this API has no redirects"
    if words not in ("choices", "999", "[[["):  # what only some protocols quote
        assert words in response.error.message
    assert KEY not in repr(response)
    assert len(response.error.message) < 420
    assert response.error.message.isprintable()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behaviour", ["hang", "drip"])
def test_a_slow_server_is_a_timeout_of_the_whole_request(
    kind: str, behaviour: str, server: Any, ask: Any
) -> None:
    """A server that never ends its answer costs timeout_s, however lively it drips."""
    server.answers(getattr(server, behaviour)())
    response = ask(make(kind, server.address), timeout_s=0.2)
    assert response.error.kind is ErrorKind.TIMEOUT
    assert response.error.message == "no complete answer within 0.2 s"


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_there_is_a_connect_error(kind: str, ask: Any) -> None:
    """A closed port, and a name that does not exist, are connect errors that name the host."""
    response = ask(make(kind, "http://127.0.0.1:1"))
    assert response.error.kind is ErrorKind.CONNECT
    assert response.error.message == "127.0.0.1:1 refuses connections: is the server running?"
    response = ask(make(kind, "http://goldwatch.invalid"))
    assert response.error.kind is ErrorKind.CONNECT
    assert "goldwatch.invalid" in response.error.message


@pytest.mark.parametrize("kind", KINDS)
def test_tls_with_a_server_that_has_none_says_so(kind: str, server: Any, ask: Any) -> None:
    """Https towards a plain server is a tls error with the remedy."""
    server.answers(server.reply(200))
    response = ask(make(kind, server.address.replace("http:", "https:")))
    assert response.error.kind is ErrorKind.TLS
    assert "does not speak TLS: should the address begin with http://?" in response.error.message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behaviour", ["endless", "bomb"])
def test_memory_stays_bounded(kind: str, behaviour: str, server: Any) -> None:
    """A gigabyte, plain or compressed, is not held: the peak stays within a few times the bound."""
    behave = getattr(server, behaviour)()
    server.answers(behave)
    endpoint = make(kind, server.address, max_response_bytes=1_000_000)

    async def run() -> int:
        async with client(1) as http:
            tracemalloc.start()
            try:
                response = await endpoint.ask(http, Example("T-1", "x"), timeout_s=10.0)
                assert response.error is not None
                assert response.error.kind is ErrorKind.TOO_LARGE
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    assert asyncio.run(run()) < 12_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_an_answer(kind: str, server: Any, ask: Any) -> None:
    """The same endpoints do answer where the server is good, saying who they are, with the key."""
    server.answers(server.reply(200, GOOD[kind]))
    response = ask(make(kind, server.address))
    assert response.output == "billing"
    assert response.error is None
    assert response.latency_s > 0
    assert response.at > 1.6e9
    request = server.requests[-1]
    name, value = sent_key(kind)
    assert request.headers[name].startswith(value)
    assert request.headers["user-agent"].startswith("goldwatch/")
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_at_home_is_followed_with_the_same_request(
    kind: str, status: int, server: Any, ask: Any
) -> None:
    """Same scheme, host and port: the body and the key go along; a protocol that has no redirects follows none."""
    server.answers(server.redirect("/there", status))
    server.script["/there"] = [server.reply(200, GOOD[kind])]
    if not follows(kind):
        assert ask(make(kind, server.address)).error.kind is ErrorKind.REDIRECT
        assert len(server.requests) == 1
        return
    assert ask(make(kind, server.address)).output == "billing"
    first, second = server.requests
    assert (first.method, first.body) == (second.method, second.body)
    name, value = sent_key(kind)
    assert second.headers[name].startswith(value)


@pytest.mark.parametrize("kind", KINDS)
def test_no_request_reaches_a_foreign_host(kind: str, new_server: Any, ask: Any) -> None:
    """A redirect to another server is not followed, so that the key stays at home."""
    home, foreign = new_server(), new_server()
    foreign.answers(foreign.reply(200, GOOD[kind]))
    home.answers(home.redirect(f"{foreign.address}/steal"))
    assert ask(make(kind, home.address)).error.kind is ErrorKind.REDIRECT
    assert foreign.requests == []


@pytest.mark.parametrize("kind", KINDS)
def test_identify_never_raises(kind: str, server: Any, identify: Any) -> None:
    """Missing pages, garbage, and nobody there leave everything unknown."""
    for behave in (
        server.reply(404),
        server.reply(200, b"<html>"),
        server.reply(200, [{"data": 1}]),
        server.close(),
    ):
        for path in ("/v1/models", "/version", "/v2", "/v2/models/m"):
            server.script[path] = [behave]
        served = identify(make(kind, server.address))
        assert served.model is served.parent is served.version is None
    assert identify(make(kind, "http://127.0.0.1:1")).model is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_question_is_json_and_leaves_out_what_may_change(kind: str) -> None:
    """The address, the key, headers and prices are no part of the question."""
    one = make(kind, "http://127.0.0.1:1")
    key = {} if kind in SIGNED else {"api_key_env": "OTHER"}
    other = make(kind, "http://127.0.0.1:2", headers={"X-Team": "a"}, price={"input_per_mtok": 1}, **key)
    assert json.dumps(one.question(), sort_keys=True) == json.dumps(other.question(), sort_keys=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_key_is_named_and_sends_nothing(
    kind: str, server: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its variable an endpoint fails as auth, naming it, before any request."""
    monkeypatch.delenv("EVERY_KEY")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    missing = "the environment variable EVERY_KEY (api_key_env) is not set"
    named = {"api_key_env": "EVERY_KEY"}
    if kind in SIGNED:
        missing, named = "no AWS credentials are found", {}
    server.answers(server.reply(200, GOOD[kind]))
    endpoint = make(kind, server.address)
    response = ask(endpoint)
    assert response.error.kind is ErrorKind.AUTH
    assert response.error.message == missing
    assert server.requests == []
    assert [fault.message for fault in endpoint.check_secrets()] == [response.error.message]
    assert endpoint.secrets() == named


@pytest.mark.parametrize("kind", KINDS)
def test_an_echoed_key_is_hidden(kind: str, server: Any, ask: Any) -> None:
    """A server that answers with the key does not bring it into a row or onto a page."""
    text = json.dumps(GOOD[kind]).replace("billing", f"key {KEY}")
    server.answers(server.reply(200, text.encode()))
    assert ask(make(kind, server.address)).output == "key ***"
