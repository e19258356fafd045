"""Is Anthropic's Messages API asked and read as its reference says? Against a stand-in that refuses the rest."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from checks.types import ErrorKind, Message
from service.endpoints.anthropic_messages import AnthropicMessages
from tests.service.endpoints.standins.anthropic import Anthropic, error


def messages(server: Any, **more: Any) -> AnthropicMessages:
    return AnthropicMessages.model_validate({"base_url": f"{server.address}/v1", "model": "claude-x"} | more)


def said(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    usage = {
        "input_tokens": 9,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 20,
        "output_tokens": 3,
    }
    whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x-20251001"}
    return {**whole, "content": list(blocks), "stop_reason": "end_turn", "usage": usage, **more}


TEXT = {"type": "text", "text": "billing"}


@pytest.fixture
def provider(server: Any, monkeypatch: pytest.MonkeyPatch) -> Anthropic:
    monkeypatch.setenv("CLAUDE_KEY", "sk-ant-0123456789")
    stand_in = Anthropic("sk-ant-0123456789")
    server.answers(stand_in.behaviour)
    return stand_in


def test_the_api_accepts_the_request(server: Any, ask: Any, provider: Anthropic) -> None:
    """``x-api-key`` and the version as headers; the system prompt apart from the turns; ``max_tokens`` always."""
    shots = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "bug"}]
    r = ask(
        messages(
            server, api_key_env="CLAUDE_KEY", system="Route.", messages=shots, params={"temperature": 0}
        ),
        (Message("system", "Be brief."), Message("user", "My parcel?")),
    )
    assert (r.error, r.output) == (None, "billing")
    headers = server.requests[0].headers
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("sk-ant-0123456789", "2023-06-01")
    assert "authorization" not in headers
    assert provider.accepted == [
        {
            "model": "claude-x",
            "max_tokens": 1024,
            "temperature": 0,
            "system": "Route.\n\nBe brief.",
            "messages": [*shots, {"role": "user", "content": "My parcel?"}],
        }
    ]


def test_the_newer_version_takes_no_sampling(server: Any, ask: Any, provider: Anthropic) -> None:
    """2026-10-21 is sent where it is configured; ``temperature`` beside it is refused before anything is sent."""
    newer = {"api_key_env": "CLAUDE_KEY", "api_version": "2026-10-21"}
    assert ask(messages(server, **newer)).output == "billing"
    assert server.requests[0].headers["anthropic-version"] == "2026-10-21"
    with pytest.raises(ValidationError, match="takes no temperature: remove it from params"):
        messages(server, **newer, params={"temperature": 0})


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"model": "claude-y"}, ErrorKind.NOT_FOUND, "model: claude-y"),
        ({"api_key_env": None}, ErrorKind.AUTH, "no key is sent"),
        ({"params": {"seed": 1}}, ErrorKind.REFUSED, "seed: extra inputs"),
        ({"headers": {"anthropic-version": "1"}}, ErrorKind.REFUSED, "valid version"),
        ({"params": {"max_tokens": None}}, ErrorKind.REFUSED, "max_tokens: field required"),
    ],
)
def test_a_wrong_configuration_is_told_in_the_apis_words(
    more: dict[str, Any], kind: ErrorKind, words: str, server: Any, ask: Any, provider: Anthropic
) -> None:
    """Model, key, parameter, version."""
    r = ask(messages(server, **({"api_key_env": "CLAUDE_KEY"} | more)))
    assert (r.output, r.error.kind) == (None, kind)
    assert words in r.error.message


def test_a_model_that_takes_no_temperature_says_what_to_remove(server: Any, ask: Any) -> None:
    """Newer models refuse it with either version."""
    said = "`temperature` is deprecated for this model."
    server.answers(
        server.reply(400, {"type": "error", "error": {"type": "invalid_request_error", "message": said}})
    )
    r = ask(messages(server, params={"temperature": 0}))
    assert r.error.kind is ErrorKind.REFUSED
    assert r.error.message.startswith("the model refuses temperature: 0: change it in params, or remove it")


def test_facts_of_the_answer_are_kept(server: Any, ask: Any) -> None:
    """Input tokens hold those of the cache, which are told apart too; the model, the reason for the end."""
    server.answers(server.reply(200, said(TEXT)))
    r = ask(messages(server))
    assert (r.output, r.input_tokens, r.cached_tokens, r.output_tokens) == ("billing", 29, 20, 3)
    assert (r.served_model, r.finish_reason) == ("claude-x-20251001", "end_turn")


@pytest.mark.parametrize(
    ("blocks", "output"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "thinking", "thinking": "hm", "signature": "x"}, TEXT], "billing"),
        (
            [{"type": "tool_use", "id": "t", "name": "route", "input": {"to": "x"}}],
            '[{"arguments":{"to":"x"},"name":"route"}]',
        ),
        ([], ""),
    ],
)  # fmt: skip
def test_what_counts_as_the_output(blocks: list[dict[str, Any]], output: str, server: Any, ask: Any) -> None:
    """Texts, calls of tools and silence are answers; thinking is none."""
    server.answers(server.reply(200, said(*blocks)))
    r = ask(messages(server))
    assert (r.error, r.output) == (None, output)


def stream(*, end: bool = True) -> list[dict[str, Any]]:
    delta = {"type": "content_block_delta", "index": 0}
    events = [
        {"type": "message_start", "message": said(stop_reason=None)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {**delta, "delta": {"type": "text_delta", "text": "bill"}},
        {**delta, "delta": {"type": "text_delta", "text": "ing"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    ]
    return [*events, {"type": "message_stop"}] if end else events


def test_a_stream_is_put_together_and_timed(server: Any, ask: Any, provider: Anthropic) -> None:
    """The deltas make the text; the counts of the start stand, those of the end are newer; the first token is timed."""
    r = ask(messages(server, stream=True, api_key_env="CLAUDE_KEY"))
    assert (r.output, r.input_tokens, r.output_tokens, r.finish_reason) == ("billing", 29, 5, "end_turn")
    assert r.ttft_s is not None
    assert provider.accepted[0]["stream"] is True


def test_counts_at_the_end_of_a_stream_replace_those_of_its_start(server: Any, ask: Any) -> None:
    """They are totals: those that it leaves out stand, and none is counted twice."""
    events = stream()
    events[-2] |= {"usage": {"input_tokens": 11, "output_tokens": 5, "cache_read_input_tokens": 0}}
    server.answers(server.events(*events, done=False))
    r = ask(messages(server, stream=True))
    assert (r.input_tokens, r.cached_tokens, r.output_tokens) == (31, 20, 5)


def test_a_stream_that_breaks_off_is_no_answer(server: Any, ask: Any) -> None:
    """Without ``message_stop`` it is unreachable, not a wrong answer."""
    server.answers(server.events(*stream(end=False), done=False))
    r = ask(messages(server, stream=True))
    assert r.output is None
    assert r.error.kind is ErrorKind.BAD_BODY


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("overloaded_error", ErrorKind.SERVER),
        ("rate_limit_error", ErrorKind.RATE_LIMITED),
        ("api_error", ErrorKind.SERVER),
    ],
)
def test_an_error_within_a_stream_is_told_by_its_kind(
    name: str, kind: ErrorKind, server: Any, ask: Any
) -> None:
    """After status 200 the API may still say that it is overloaded."""
    said = {"type": "error", "error": {"type": name, "message": "Overloaded"}}
    server.answers(server.events(*stream(end=False)[:3], said, done=False))
    r = ask(messages(server, stream=True))
    assert (r.error.kind, r.error.kind.retryable) == (kind, True)
    assert "Overloaded" in r.error.message


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (413, "request_too_large", ErrorKind.REFUSED),
        (429, "rate_limit_error", ErrorKind.RATE_LIMITED),
        (500, "api_error", ErrorKind.SERVER),
        (529, "overloaded_error", ErrorKind.SERVER),
    ],
)
def test_errors_are_told_by_their_status(
    status: int, name: str, kind: ErrorKind, server: Any, ask: Any, provider: Anthropic
) -> None:
    """With the API's own words and its wish to wait; 529 is overloaded."""
    provider.failures = [error(status, name, "Not now", retry_after="7")]
    r = ask(messages(server, api_key_env="CLAUDE_KEY"))
    assert (r.error.kind, r.error.status) == (kind, status)
    assert "Not now" in r.error.message
    if kind.retryable:
        assert r.error.retry_after_s == 7


def test_the_model_behind_an_alias_is_asked_for(server: Any, identify: Any) -> None:
    """``GET /v1/models/{model}`` names it."""
    server.script["/v1/models/claude-x"] = [server.reply(200, {"type": "model", "id": "claude-x-20251001"})]
    assert identify(messages(server)).model == "claude-x-20251001"


@pytest.mark.parametrize(
    "more", [{"params": {"system": "x"}}, {"messages": [{"role": "system", "content": "x"}]}]
)
def test_the_system_prompt_has_one_place(more: dict[str, Any], server: Any) -> None:
    """Not in params, not among the messages."""
    with pytest.raises(ValidationError, match="write "):
        messages(server, **more)
