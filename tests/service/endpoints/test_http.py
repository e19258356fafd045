"""Does the client go where it should, and send again only what nobody answered?"""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import subprocess
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from checks.types import ErrorKind, Example
from service.endpoints.openai_chat import OpenAIChat
from service.http import client, proxy_for

GOOD = {"choices": [{"message": {"content": "x"}}]}


def chat(server: Any) -> OpenAIChat:
    return OpenAIChat(base_url=f"{server.address}/v1", model="m")


def ask_twice(endpoint: OpenAIChat) -> list[Any]:
    async def run() -> list[Any]:
        async with client(1) as http:
            return [await endpoint.ask(http, Example("T-1", "x"), timeout_s=5.0) for _ in range(2)]

    return asyncio.run(run())


def test_a_connection_closed_while_idle_costs_no_answer(server: Any) -> None:
    """The request that meets it goes out once more, on a new connection."""
    server.answers(server.reply(200, GOOD), server.close(), server.reply(200, GOOD))
    assert [r.output for r in ask_twice(chat(server))] == ["x", "x"]
    assert len(server.requests) == 3


def test_a_connection_closed_right_after_a_stream_costs_no_answer(server: Any) -> None:
    """A server that ends a stream, promises to keep the connection and closes it loses nothing."""
    event = b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    head = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=5, max=100\r\n\r\n"
    server.answers(server.raw(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(event), event), close=True))
    endpoint = chat(server).model_copy(update={"stream": True})

    async def run() -> list[Any]:
        async with client(1) as http:
            return [await endpoint.ask(http, Example("T-1", "x"), timeout_s=5.0) for _ in range(20)]

    assert [(r.output, r.error) for r in asyncio.run(run())] == [("x", None)] * 20


def test_a_new_connection_that_is_closed_is_not_tried_again(server: Any) -> None:
    """Only kept connections can be stale: a server that closes each connection is asked once per attempt."""
    server.answers(server.close())
    assert [r.error.kind for r in ask_twice(chat(server))] == [ErrorKind.CONNECT] * 2
    assert len(server.requests) == 2


def test_connections_are_kept(server: Any, ask: Any) -> None:
    """Both requests of a client use one connection, and no cookie travels from one answer to the next request."""
    server.answers(server.reply(200, GOOD, {"Set-Cookie": "seen=1"}))
    ask_twice(chat(server))
    assert all("cookie" not in request.headers for request in server.requests)


@pytest.mark.parametrize("wbits", [zlib.MAX_WBITS, -zlib.MAX_WBITS, zlib.MAX_WBITS | 16])
def test_compressed_answers_are_read(wbits: int, server: Any, ask: Any) -> None:
    """Deflate with and without its header, and gzip."""
    packer = zlib.compressobj(wbits=wbits)
    body = packer.compress(b'{"choices": [{"message": {"content": "x"}}]}') + packer.flush()
    encoding = "gzip" if wbits > zlib.MAX_WBITS else "deflate"
    server.answers(server.reply(200, body, {"Content-Encoding": encoding}))
    assert ask(chat(server)).output == "x"
    server.answers(server.reply(200, body[:-12], {"Content-Encoding": encoding}))
    assert ask(chat(server)).error.kind is ErrorKind.BAD_BODY


def test_loopback_never_goes_through_a_proxy(server: Any, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy in the environment a loopback endpoint is still asked directly."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server.answers(server.reply(200, GOOD))
    assert ask(chat(server)).output == "x"


def test_other_hosts_go_through_the_proxy(server: Any, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy gets the whole address; NO_PROXY is heeded."""
    monkeypatch.setenv("http_proxy", server.address)
    server.answers(server.reply(200, GOOD))
    endpoint = OpenAIChat(base_url="http://model.invalid/v1", model="m")
    assert ask(endpoint).output == "x"
    assert server.requests[0].path == "http://model.invalid/v1/chat/completions"
    monkeypatch.setenv("no_proxy", ".invalid")
    assert ask(endpoint).error.kind is ErrorKind.CONNECT


def test_no_proxy_and_all_proxy() -> None:
    """A proxy for all is used for either scheme, with http:// as its default scheme."""
    assert proxy_for("http", "h", {"all": "p:1"}) == "http://p:1"
    assert proxy_for("https", "h", {"https": "http://p:1", "no": "h"}) is None
    assert proxy_for("https", "127.0.0.1", {"https": "http://p:1"}) is None


def test_any_httpx_client_will_do(server: Any) -> None:
    """An endpoint also works through a plain httpx client, with the same errors."""

    async def run(behave: Any) -> Any:
        server.answers(behave)
        async with httpx.AsyncClient(trust_env=False) as http:
            return await chat(server).ask(http, Example("T-1", "x"), timeout_s=5.0)

    assert asyncio.run(run(server.reply(200, GOOD))).output == "x"
    assert asyncio.run(run(server.close())).error.kind is ErrorKind.CONNECT
    assert asyncio.run(run(server.cut())).error.kind is ErrorKind.BAD_BODY
    assert asyncio.run(run(server.redirect("http://h.invalid/"))).error.kind is ErrorKind.REDIRECT


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost that no CA signed, with its key in the same file."""
    if shutil.which("openssl") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("openssl is not installed")
    file = tmp_path / "both.pem"
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", *options, *names, "-keyout", str(file), "-out", str(tmp_path / "c.pem")]
    subprocess.run(command, check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + (tmp_path / "c.pem").read_bytes())
    return file


def test_an_untrusted_certificate_is_a_tls_error_with_its_remedy(
    certificate: Path, new_server: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown CA: SSL_CERT_FILE, which then works; a certificate of another name: use that name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = new_server(context)
    server.answers(server.reply(200, GOOD))
    endpoint = OpenAIChat(base_url=f"https://localhost:{server.port}/v1", model="m")
    error = ask(endpoint).error
    assert error.kind is ErrorKind.TLS
    assert error.message == (
        f"the certificate of localhost:{server.port} is not trusted (self-signed certificate): "
        "for a CA of your own set SSL_CERT_FILE to its bundle"
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert ask(endpoint).output == "x"
    error = ask(OpenAIChat(base_url=f"https://127.0.0.1:{server.port}/v1", model="m")).error
    assert error.kind is ErrorKind.TLS
    assert "is another host's (IP address mismatch" in error.message
    assert server.requests[-1].path == "/v1/chat/completions"
    assert len(server.requests) == 1


def test_an_address_goes_out_as_it_was_written(server: Any, ask: Any) -> None:
    """Nothing of it is decoded on the way, so that a gateway sees the path that was configured, and signed."""
    server.answers(server.reply(200, GOOD))
    ask(OpenAIChat(base_url=f"{server.address}/a%3Ab%2Fc%20d/v1", model="m"))
    assert server.requests[0].path == "/a%3Ab%2Fc%20d/v1/chat/completions"
