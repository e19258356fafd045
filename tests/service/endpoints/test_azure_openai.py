"""Is a deployment on Azure asked as its reference says? Against a stand-in that refuses any other request."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from checks.types import ErrorKind, Served
from service.endpoints.azure_openai import AzureOpenAI
from tests.service.endpoints.standins.azure import Azure, throttled

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def provider(server: Any, monkeypatch: pytest.MonkeyPatch) -> Azure:
    monkeypatch.setenv("AZURE_KEY", KEY)
    azure = Azure(KEY, "router ft")
    server.answers(azure.behaviour)
    return azure


def azure(server: Any, **more: Any) -> AzureOpenAI:
    minimal = {"base_url": server.address, "model": "router ft", "api_key_env": "AZURE_KEY"}
    return AzureOpenAI.model_validate(minimal | more)


def test_azure_accepts_the_request(server: Any, ask: Any, provider: Azure) -> None:
    """The deployment in the path, the version in the query, the key as ``api-key`` alone; the answer is read."""
    r = ask(azure(server, system="Route.", params={"temperature": 0, "max_tokens": 8}, logprobs=2))
    assert r.error is None
    assert (r.output, r.finish_reason, r.served_model) == ("billing", "stop", "gpt-4o-mini-2024-07-18.ft-1")
    assert (r.input_tokens, r.cached_tokens, r.output_tokens) == (30, 10, 2)
    (request,) = server.requests
    assert request.path == "/openai/deployments/router%20ft/chat/completions?api-version=2024-10-21"
    assert "authorization" not in request.headers
    assert provider.accepted[0]["messages"][0] == {"role": "system", "content": "Route."}


def test_a_stream_is_read_with_its_usage(server: Any, ask: Any, provider: Azure) -> None:
    """The first event has no choices but the filter's result for the prompt; it is no token."""
    r = ask(azure(server, stream=True))
    assert (r.error, r.output, r.output_tokens, r.finish_reason) == (None, "billing", 2, "stop")
    assert r.ttft_s is not None


def test_a_prompt_that_is_filtered_was_not_answered(server: Any, ask: Any, provider: Azure) -> None:
    """The model never saw it: the request is refused, which is neither a wrong answer nor an outage to retry."""
    r = ask(azure(server), "FORBIDDEN words")
    assert (r.output, r.error.kind, r.error.status) == (None, ErrorKind.REFUSED, 400)
    assert "content management policy" in r.error.message


def test_an_answer_that_is_filtered_is_an_answer_with_its_reason(server: Any, ask: Any) -> None:
    """``finish_reason: content_filter`` says why there is no text."""
    server.answers(
        server.reply(200, {"choices": [{"finish_reason": "content_filter", "message": {"content": None}}]})
    )
    r = ask(azure(server, api_key_env=None))
    assert (r.error, r.output, r.finish_reason) == (None, "", "content_filter")


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"model": "other"}, ErrorKind.NOT_FOUND, "no such deployment"),
        ({"api_version": "2019-01-01"}, ErrorKind.NOT_FOUND, "Resource not found"),
        ({"api_key_env": None}, ErrorKind.AUTH, "no key is sent"),
        ({"api_key_env": "WRONG_KEY"}, ErrorKind.AUTH, "the key is wrong"),
        ({"params": {"temprature": 0}}, ErrorKind.REFUSED, "temprature"),
    ],
)
def test_a_wrong_configuration_is_told_in_azures_words(
    more: dict[str, Any],
    kind: ErrorKind,
    words: str,
    server: Any,
    ask: Any,
    provider: Azure,
    monkeypatch: Any,
) -> None:
    """Deployment, version, key, parameter."""
    monkeypatch.setenv("WRONG_KEY", "f" * 32)
    r = ask(azure(server, **more))
    assert (r.output, r.error.kind) == (None, kind)
    assert words in r.error.message
    assert provider.accepted == []


def test_throttling_says_when_to_ask_again(server: Any, ask: Any, provider: Azure) -> None:
    """429 with ``retry-after-ms`` is rate_limited."""
    provider.failures = [throttled(7)]
    r = ask(azure(server))
    assert (r.error.kind, r.error.retry_after_s) == (ErrorKind.RATE_LIMITED, 7.0)


def test_a_deployment_is_not_asked_what_it_is(server: Any, identify: Any) -> None:
    """No request goes out: the key of a deployment has no right to it."""
    assert identify(azure(server)) == Served()
    assert server.requests == []


def test_a_version_may_be_written_without_quotes(server: Any) -> None:
    """YAML makes a date of it."""
    assert azure(server, api_version=date(2024, 6, 1)).url.endswith("?api-version=2024-06-01")


def test_a_version_that_is_no_version_is_refused(server: Any) -> None:
    """``v1`` is not a date."""
    with pytest.raises(ValidationError, match="api_version"):
        azure(server, api_version="v1")
