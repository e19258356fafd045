"""Is Vertex AI asked as Google asks for? Against stand-ins of it and of the service that gives tokens."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from checks.types import ErrorKind, Message, Served
from service.endpoints.vertex import Vertex
from tests.service.endpoints.standins.common import Reply
from tests.service.endpoints.standins.google import TokenService, VertexAI, account, error


@pytest.fixture
def service(server: Any) -> TokenService:
    stand_in = TokenService(f"{server.address}/token")
    server.script["/token"] = [stand_in.behaviour]
    return stand_in


@pytest.fixture
def provider(server: Any, service: TokenService) -> VertexAI:
    stand_in = VertexAI(service, key="AIza-0123456789")
    server.answers(stand_in.behaviour)
    return stand_in


@pytest.fixture
def file(server: Any, tmp_path: Path) -> str:
    path = tmp_path / "account.json"
    path.write_text(json.dumps(account(f"{server.address}/token")))
    return str(path)


def vertex(server: Any, **more: Any) -> Vertex:
    minimal = {"base_url": server.address, "project": "my-project", "location": "europe-west4"}
    return Vertex.model_validate(minimal | {"model": "endpoints/1234567890123456789"} | more)


def test_vertex_accepts_the_request(server: Any, ask: Any, provider: VertexAI, file: str) -> None:
    """A fine-tuned model's endpoint, a token for a signed assertion, turns as Google names them."""
    shots = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "bug"}]
    config = {"generationConfig": {"temperature": 0, "maxOutputTokens": 16}, "labels": {"by": "goldwatch"}}
    r = ask(
        vertex(server, credentials_file=file, system="Route.", messages=shots, params=config, logprobs=3),
        (Message("system", "Be brief."), Message("user", "My parcel?")),
    )
    assert (r.error, r.output) == (None, "billing")
    (asked,) = provider.accepted
    assert asked["systemInstruction"] == {"parts": [{"text": "Route.\n\nBe brief."}]}
    assert [(turn["role"], turn["parts"][0]["text"]) for turn in asked["contents"]] == [
        ("user", "?"),
        ("model", "bug"),
        ("user", "My parcel?"),
    ]
    asks = {"responseLogprobs": True, "logprobs": 3}
    assert asked["generationConfig"] == {"temperature": 0, "maxOutputTokens": 16, **asks}
    assert r.logprobs == (-0.1,)


def test_facts_of_the_answer_are_kept(server: Any, ask: Any, provider: VertexAI, file: str) -> None:
    """Thoughts are no output, but count as its tokens; cached tokens are part of the input's."""
    r = ask(vertex(server, credentials_file=file))
    assert (r.input_tokens, r.cached_tokens, r.output_tokens) == (30, 10, 7)
    assert (r.served_model, r.finish_reason) == ("gemini-2.5-flash", "STOP")


def test_a_stream_is_put_together_and_timed(server: Any, ask: Any, provider: VertexAI, file: str) -> None:
    """The thought before it is no first token of the answer."""
    r = ask(vertex(server, credentials_file=file, stream=True))
    assert (r.error, r.output, r.output_tokens, r.finish_reason) == (None, "billing", 7, "STOP")
    assert r.ttft_s is not None


def test_a_stream_that_breaks_off_is_no_answer(server: Any, ask: Any) -> None:
    """Without a reason for its end it is unreachable, not a wrong answer."""
    part = {"candidates": [{"content": {"parts": [{"text": "bill"}]}}]}
    server.answers(server.events(part, done=False))
    assert ask(keyed(server, stream=True)).error.kind is ErrorKind.BAD_BODY


def keyed(server: Any, **more: Any) -> Vertex:
    return vertex(server, api_key_env=None, headers_env={"Authorization": "PATH"}, **more)


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_is_blocked_was_not_answered(
    stream: bool, server: Any, ask: Any, provider: VertexAI, file: str
) -> None:
    """The model never saw it: neither a wrong answer nor an outage to retry."""
    r = ask(vertex(server, credentials_file=file, stream=stream), "FORBIDDEN words")
    assert (r.output, r.error.kind) == (None, ErrorKind.REFUSED)
    assert r.error.message == "the prompt was blocked: 'PROHIBITED_CONTENT'"


@pytest.mark.parametrize(
    ("candidate", "output"),
    [
        ({"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "finishReason": "MAX_TOKENS"}, "ab"),
        ({"finishReason": "SAFETY"}, ""),
        ({"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}, ""),
        (
            {
                "content": {"parts": [{"functionCall": {"name": "route", "args": {"to": "x"}}}]},
                "finishReason": "STOP",
            },
            '[{"arguments":{"to":"x"},"name":"route"}]',
        ),
    ],
)
def test_what_counts_as_the_output(candidate: dict[str, Any], output: str, server: Any, ask: Any) -> None:
    """Texts, calls, and silence with its reason."""
    server.answers(server.reply(200, {"candidates": [candidate]}))
    r = ask(keyed(server))
    assert (r.error, r.output, r.finish_reason) == (None, output, candidate["finishReason"])


def test_a_token_is_used_until_it_is_to_be_renewed(
    server: Any, ask: Any, provider: VertexAI, file: str
) -> None:
    """One token serves many requests; one that ends within minutes is replaced before it does."""
    endpoint = vertex(server, credentials_file=file)
    assert [ask(endpoint).output for _ in range(3)] == ["billing"] * 3
    assert len(provider.service.tokens) == 1
    provider.service.lasts_s = 60
    short = vertex(server, credentials_file=file)
    assert [ask(short).output for _ in range(2)] == ["billing"] * 2
    assert len(provider.service.tokens) == 3


def test_a_token_that_still_holds_is_used_while_no_other_is_to_be_had(
    server: Any, ask: Any, provider: VertexAI, file: str
) -> None:
    """An outage of the token service is none of the model, as long as the token lasts."""
    provider.service.lasts_s = 60
    endpoint = vertex(server, credentials_file=file)
    ask(endpoint)
    server.script["/token"] = [server.reply(403, {"error": "access_denied"})]
    assert ask(endpoint).output == "billing"


def test_a_token_that_was_refused_is_not_used_again(
    server: Any, ask: Any, provider: VertexAI, file: str
) -> None:
    """The request fails as auth; the next one comes with another token."""
    endpoint = vertex(server, credentials_file=file)
    ask(endpoint)
    provider.revoked = set(provider.service.tokens)
    refused = ask(endpoint)
    assert refused.error.kind is ErrorKind.AUTH
    assert "check the credentials, their roles (aiplatform.user)" in refused.error.message
    assert ask(endpoint).output == "billing"


def test_an_outage_of_the_token_service_is_an_outage(
    server: Any, ask: Any, provider: VertexAI, tmp_path: Path
) -> None:
    """Nobody there, or a failure that may pass, is retryable; a refusal is not."""
    gone = tmp_path / "gone.json"
    gone.write_text(json.dumps(account("http://127.0.0.1:1/token")))
    r = ask(vertex(server, credentials_file=str(gone)))
    assert (r.error.kind, r.error.kind.retryable) == (ErrorKind.CONNECT, True)
    assert "Google gives no token" in r.error.message
    assert server.requests == []


def test_credentials_that_are_refused_are_told(server: Any, ask: Any, provider: VertexAI, file: str) -> None:
    """In the service's own words, as auth; the model is not asked."""
    provider.service.failures = [
        Reply(400, {"error": "invalid_grant", "error_description": "account disabled"})
    ]
    r = ask(vertex(server, credentials_file=file))
    assert r.error.kind is ErrorKind.AUTH
    assert "account disabled" in r.error.message
    assert provider.accepted == []


def test_the_token_service_cannot_send_the_assertion_elsewhere(
    server: Any, new_server: Any, ask: Any, provider: VertexAI, file: str
) -> None:
    """A redirect is not followed there either."""
    other = new_server()
    server.script["/token"] = [server.redirect(f"{other.address}/steal")]
    assert ask(vertex(server, credentials_file=file)).output is None
    assert other.requests == []


def test_the_credentials_of_googles_tools_are_found(
    server: Any, ask: Any, provider: VertexAI, file: str, monkeypatch: Any
) -> None:
    """``GOOGLE_APPLICATION_CREDENTIALS``; without any, doctor and the response say so before anything is sent."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
    assert ask(vertex(server)).output == "billing"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", f"{file}.gone")
    endpoint = vertex(server)
    r = ask(endpoint)
    assert r.error.kind is ErrorKind.AUTH
    assert r.error.message.startswith("no Google credentials are found")
    (fault,) = endpoint.check_secrets()
    assert "gcloud auth application-default login" in str(fault.remedy)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"type": "service_account"}', '{"type": "nonsense"}'])
def test_a_file_without_credentials_is_told(content: str, server: Any, ask: Any, tmp_path: Path) -> None:
    """By name, before anything is sent, and without its content."""
    path = tmp_path / "bad.json"
    path.write_text(content)
    r = ask(vertex(server, credentials_file=str(path)))
    assert r.error.kind is ErrorKind.AUTH
    assert "bad.json (credentials_file)" in r.error.message
    assert server.requests == []


def test_without_its_extra_it_says_what_to_install(server: Any, ask: Any, monkeypatch: Any) -> None:
    """The request and doctor."""
    monkeypatch.setitem(sys.modules, "google.auth", None)
    endpoint = vertex(server)
    assert ask(endpoint).error.message == "Google gives no token: google-auth is not installed"
    (fault,) = endpoint.check_secrets()
    assert fault.remedy == "pip install 'goldwatch[gcp]'"


def test_an_api_key_needs_no_project(server: Any, ask: Any, provider: VertexAI, monkeypatch: Any) -> None:
    """Express mode: the key goes out as ``x-goog-api-key``, and says whose project it is."""
    monkeypatch.setenv("VERTEX_KEY", "AIza-0123456789")
    express = {"base_url": server.address, "model": "gemini-2.5-flash", "api_key_env": "VERTEX_KEY"}
    assert ask(Vertex.model_validate(express)).output == "billing"
    assert server.requests[0].path == "/v1/publishers/google/models/gemini-2.5-flash:generateContent"
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"model": "endpoints/1"}, ErrorKind.NOT_FOUND, "is not found"),
        ({"project": "other-project"}, ErrorKind.AUTH, "Permission denied"),
        ({"params": {"generationConfig": {"max_tokens": 3}}}, ErrorKind.REFUSED, "max_tokens"),
        ({"params": {"stop": ["x"]}}, ErrorKind.REFUSED, "the model refuses stop"),
    ],
)
def test_a_wrong_configuration_is_told_in_googles_words(
    more: dict[str, Any], kind: ErrorKind, words: str, server: Any, ask: Any, provider: VertexAI, file: str
) -> None:
    """Model, project, parameters."""
    r = ask(vertex(server, credentials_file=file, **more))
    assert (r.output, r.error.kind) == (None, kind)
    assert words in r.error.message


@pytest.mark.parametrize(
    ("status", "name", "delay", "kind", "wait_s"),
    [
        (429, "RESOURCE_EXHAUSTED", "7.5s", ErrorKind.RATE_LIMITED, 7.5),
        (429, "RESOURCE_EXHAUSTED", None, ErrorKind.RATE_LIMITED, None),
        (503, "UNAVAILABLE", "2s", ErrorKind.SERVER, 2.0),
        (504, "DEADLINE_EXCEEDED", None, ErrorKind.SERVER, None),
        (500, "INTERNAL", None, ErrorKind.SERVER, None),
        (400, "FAILED_PRECONDITION", "2s", ErrorKind.REFUSED, None),
    ],
)
def test_errors_are_told_by_their_status(
    status: int,
    name: str,
    delay: str | None,
    kind: ErrorKind,
    wait_s: float | None,
    server: Any,
    ask: Any,
    provider: VertexAI,
    file: str,
) -> None:
    """When to ask again stands in the body, if anywhere."""
    provider.failures = [error(status, name, "Not now.", delay=delay)]
    r = ask(vertex(server, credentials_file=file))
    assert (r.output, r.error.kind, r.error.status, r.error.retry_after_s) == (None, kind, status, wait_s)
    assert "Not now." in r.error.message


def test_an_error_within_a_stream_is_told_by_its_name(server: Any, ask: Any) -> None:
    """After status 200 the service may still be exhausted."""
    part = {"candidates": [{"content": {"parts": [{"text": "bill"}]}}]}
    end = {"error": {"code": 429, "message": "Later.", "status": "RESOURCE_EXHAUSTED"}}
    server.answers(server.events(part, end, done=False))
    r = ask(keyed(server, stream=True))
    assert (r.output, r.error.kind) == (None, ErrorKind.RATE_LIMITED)


def test_secrets_stay_in(server: Any, ask: Any, provider: VertexAI, file: str, caplog: Any) -> None:
    """A server that says the token again does not bring it into a row, an error or a log; nor does the key get out."""
    caplog.set_level(logging.DEBUG)
    endpoint = vertex(server, credentials_file=file)
    ask(endpoint)
    token = provider.service.tokens[0]
    said = {"content": {"parts": [{"text": f"say {token}"}]}, "finishReason": "STOP"}
    server.answers(server.reply(200, {"candidates": [said]}))
    assert ask(endpoint).output == "say ***"
    server.answers(server.reply(403, {"error": {"message": f"bad {token}"}}))
    r = ask(endpoint)
    assert token not in str(r) + caplog.text
    assert json.loads(Path(file).read_text())["private_key"][40:80] not in caplog.text
    assert endpoint.secrets() == {"credentials_file": file}
    assert endpoint.check_secrets() == []


def test_a_redirect_is_not_followed_even_at_home(
    server: Any, ask: Any, provider: VertexAI, file: str
) -> None:
    """The token and the golden set go where they were sent."""
    server.answers(server.redirect("/v1/other:generateContent"))
    r = ask(vertex(server, credentials_file=file))
    assert r.error.kind is ErrorKind.REDIRECT
    assert [request.path for request in server.requests][1:] == [server.requests[-1].path]


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({"location": "us-central1", "model": "gemini-2.5-flash"},
         "https://us-central1-aiplatform.googleapis.com/v1/projects/my-project/locations/us-central1/publishers/google/models/gemini-2.5-flash:generateContent"),
        ({"model": "meta/llama-4"},
         "https://aiplatform.googleapis.com/v1/projects/my-project/locations/global/publishers/meta/models/llama-4:generateContent"),
        ({"location": "eu", "model": "m", "stream": True},
         "https://aiplatform.eu.rep.googleapis.com/v1/projects/my-project/locations/eu/publishers/google/models/m:streamGenerateContent?alt=sse"),
        ({"model": "projects/1/locations/us-east1/endpoints/2"},
         "https://us-east1-aiplatform.googleapis.com/v1/projects/1/locations/us-east1/endpoints/2:generateContent"),
    ],
)  # fmt: skip
def test_the_locations_own_address_is_asked(more: dict[str, Any], url: str) -> None:
    """Regions, the global place, several regions together, a whole name."""
    assert Vertex.model_validate({"project": "my-project"} | more).url == url


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"project": None}, "project is missing"),
        ({"project": None, "api_key_env": "K"}, "needs project:"),
        ({"credentials_file": "f", "api_key_env": "K"}, "exclude each other"),
        ({"params": {"generationConfig": {"candidateCount": 2}}}, "write repeats: N"),
        ({"params": {"generationConfig": 7}}, "must be a mapping"),
        ({"params": {"temperature": 0}}, "write generationConfig"),
        ({"model": "../x"}, "model"),
        ({"location": "evil.example/"}, "location"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(
    more: dict[str, Any], words: str, server: Any
) -> None:
    """With what to write instead."""
    with pytest.raises(ValidationError, match=words):
        vertex(server, **more)


def test_nothing_is_asked_about_the_model(server: Any, identify: Any) -> None:
    """Who may ask it may not look it up."""
    assert identify(vertex(server)) == Served()
    assert server.requests == []
