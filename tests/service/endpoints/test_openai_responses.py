"""Is OpenAI's Responses API asked and read as its reference says? Against a stand-in that refuses the rest."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from checks.types import ErrorKind, Message
from service.endpoints.openai_responses import OpenAIResponses
from tests.service.endpoints.standins.openai_responses import Responses, error, message, response, text

KEY = "sk-proj-0123456789"


@pytest.fixture
def provider(server: Any, monkeypatch: pytest.MonkeyPatch) -> Responses:
    monkeypatch.setenv("RESPONSES_KEY", KEY)
    stand_in = Responses(KEY)
    server.answers(stand_in.behaviour)
    return stand_in


def responses(server: Any, **more: Any) -> OpenAIResponses:
    minimal = {"base_url": f"{server.address}/v1", "model": "ft:gpt-4.1-mini:acme::1"}
    return OpenAIResponses.model_validate(minimal | more)


def keyed(server: Any, **more: Any) -> OpenAIResponses:
    return responses(server, api_key_env="RESPONSES_KEY", **more)


def test_the_api_accepts_the_request(server: Any, ask: Any, provider: Responses) -> None:
    """System prompt as ``instructions``, turns as ``input``, ``text.format`` as configured; nothing is stored there."""
    shots = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "bug"}]
    form = {"format": {"type": "json_schema", "name": "queue", "schema": {"type": "object"}, "strict": True}}
    params = {"temperature": 0, "max_output_tokens": 16, "text": form}
    r = ask(
        keyed(server, system="Route.", messages=shots, params=params),
        (Message("system", "Be brief."), Message("user", "My parcel?")),
    )
    assert (r.error, r.output) == (None, "billing")
    assert provider.accepted == [
        {
            "model": "ft:gpt-4.1-mini:acme::1",
            "store": False,
            **params,
            "instructions": "Route.\n\nBe brief.",
            "input": [*shots, {"role": "user", "content": "My parcel?"}],
        }
    ]


def test_facts_of_the_answer_are_kept(server: Any, ask: Any, provider: Responses) -> None:
    """Counts, those of the cache among them, the model, the log-probabilities that were asked for."""
    r = ask(keyed(server, logprobs=5))
    assert (r.input_tokens, r.cached_tokens, r.output_tokens) == (30, 10, 2)
    assert (r.served_model, r.finish_reason) == ("ft:gpt-4.1-mini:acme::1", "completed")
    assert r.logprobs == (-0.1, -0.2)
    assert provider.accepted[0]["include"] == ["message.output_text.logprobs"]
    assert provider.accepted[0]["top_logprobs"] == 5


def test_a_stream_is_put_together_and_timed(server: Any, ask: Any, provider: Responses) -> None:
    """The last event holds the whole answer; the first delta is the first token."""
    r = ask(keyed(server, stream=True))
    assert (r.error, r.output, r.output_tokens, r.finish_reason) == (None, "billing", 2, "completed")
    assert r.ttft_s is not None
    assert r.ttft_s <= r.latency_s


CALL = {"type": "function_call", "call_id": "c", "id": "fc", "name": "route", "arguments": '{"to": "x"}'}


@pytest.mark.parametrize(
    ("items", "more", "output", "reason"),
    [
        ([message(text("a"), text("b"))], {}, "ab", "completed"),
        ([message({"type": "refusal", "refusal": "No."})], {}, "No.", "completed"),
        ([CALL], {}, '[{"arguments":{"to":"x"},"name":"route"}]', "completed"),
        (
            [message(text("bil"), status="incomplete")],
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "bil",
            "max_output_tokens",
        ),
        (
            [{"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "hm"}]}],
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "",
            "content_filter",
        ),
    ],
)
def test_what_counts_as_the_output(
    items: list[Any], more: dict[str, Any], output: str, reason: str, server: Any, ask: Any
) -> None:
    """Texts, refusals, calls, and what was said before a limit or a filter; reasoning is none."""
    server.answers(server.reply(200, response(*items, **more)))
    r = ask(responses(server))
    assert (r.error, r.output, r.finish_reason) == (None, output, reason)


FAILED = [
    ({"code": "server_error", "message": "Sorry"}, ErrorKind.SERVER),
    ({"code": "rate_limit_exceeded", "message": "Slower"}, ErrorKind.RATE_LIMITED),
    ({"code": "invalid_prompt", "message": "Not this"}, ErrorKind.REFUSED),
    ({"code": "something_new", "message": "Hm"}, ErrorKind.BAD_BODY),
]


@pytest.mark.parametrize(("failure", "kind"), FAILED)
def test_a_response_that_failed_is_no_answer(
    failure: dict[str, str], kind: ErrorKind, server: Any, ask: Any
) -> None:
    """``status: failed`` comes with status 200; its code says of which kind it is."""
    server.answers(server.reply(200, response(status="failed", error=failure)))
    r = ask(responses(server))
    assert (r.output, r.error.kind) == (None, kind)
    assert failure["message"] in r.error.message


@pytest.mark.parametrize(("failure", "kind"), FAILED)
@pytest.mark.parametrize("flat", [True, False])
def test_a_stream_that_fails_is_no_answer(
    flat: bool, failure: dict[str, str], kind: ErrorKind, server: Any, ask: Any
) -> None:
    """As an event ``error`` or as ``response.failed``, after a part of the answer."""
    end = {"type": "error", "param": None, **failure} if flat else {
        "type": "response.failed", "response": response(status="failed", error=failure)
    }  # fmt: skip
    server.answers(server.events({"type": "response.output_text.delta", "delta": "bill"}, end, done=False))
    r = ask(responses(server, stream=True))
    assert (r.output, r.error.kind) == (None, kind)


def test_a_stream_that_breaks_off_is_no_answer(server: Any, ask: Any) -> None:
    """Without its last event it is unreachable, not a wrong answer."""
    server.answers(server.events({"type": "response.output_text.delta", "delta": "bill"}, done=False))
    assert ask(responses(server, stream=True)).error.kind is ErrorKind.BAD_BODY


def test_a_response_that_is_not_ready_is_no_answer(server: Any, ask: Any) -> None:
    """``queued`` is not an empty answer."""
    server.answers(server.reply(200, response(status="queued")))
    r = ask(responses(server))
    assert (r.output, r.error.kind) == (None, ErrorKind.BAD_BODY)
    assert "queued" in r.error.message


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"model": "other"}, ErrorKind.REFUSED, "The model 'other' is not there"),
        ({"api_key_env": None}, ErrorKind.AUTH, "no key is sent"),
        ({"params": {"seed": 8}}, ErrorKind.REFUSED, "the model refuses seed: 8"),
        ({"params": {"text": {"format": {"type": "json_schema"}}}}, ErrorKind.REFUSED, "text.format.name"),
    ],
)
def test_a_wrong_configuration_is_told_in_the_apis_words(
    more: dict[str, Any], kind: ErrorKind, words: str, server: Any, ask: Any, provider: Responses
) -> None:
    """Model, key, parameters."""
    r = ask(responses(server, **({"api_key_env": "RESPONSES_KEY"} | more)))
    assert (r.output, r.error.kind) == (None, kind)
    assert words in r.error.message


def test_throttling_says_when_to_ask_again(server: Any, ask: Any, provider: Responses) -> None:
    """429 with ``retry-after`` is rate_limited."""
    provider.failures = [error(429, "Slower", "rate_limit_exceeded", retry_after="7")]
    r = ask(keyed(server))
    assert (r.error.kind, r.error.retry_after_s) == (ErrorKind.RATE_LIMITED, 7.0)


@pytest.mark.parametrize(
    "name", ["input", "instructions", "background", "previous_response_id", "max_tokens"]
)
def test_params_cannot_make_another_question_of_it(name: str, server: Any) -> None:
    """Each has its own place, another name here, or would tie examples together."""
    with pytest.raises(ValidationError, match=f"params cannot set {name}"):
        responses(server, params={name: "x"})


def test_the_model_is_looked_up(server: Any, identify: Any) -> None:
    """``/v1/models`` lists it."""
    listing = {"object": "list", "data": [{"id": "ft:gpt-4.1-mini:acme::1", "object": "model"}]}
    server.script["/v1/models"] = [server.reply(200, listing)]
    assert identify(responses(server)).model == "ft:gpt-4.1-mini:acme::1"
