"""Does the completion protocol fill its template and read every server's log-probabilities?"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from checks.types import ErrorKind, Message
from service.endpoints.openai_completions import OpenAICompletions


def completions(server: Any, **more: Any) -> OpenAICompletions:
    return OpenAICompletions.model_validate({"base_url": f"{server.address}/v1/", "model": "ft"} | more)


def text(value: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"text": value, "finish_reason": "stop"} | more]}


def test_only_the_input_s_slot_is_filled(server: Any, ask: Any) -> None:
    """Braces elsewhere, in the template and in the input, stay as they are."""
    server.answers(server.reply(200, text(" billing")))
    response = ask(
        completions(server, prompt='{"t": "{input}"} {x} ->', params={"max_tokens": 3}), "a {input} {0}"
    )
    assert response.output == " billing"
    assert server.requests[0].path == "/v1/completions"
    assert server.requests[0].json == {
        "model": "ft",
        "max_tokens": 3,
        "prompt": '{"t": "a {input} {0}"} {x} ->',
    }


def test_a_conversation_is_one_line_a_turn(server: Any, ask: Any) -> None:
    """A single turn is its content; several carry their roles."""
    server.answers(server.reply(200, text("x")))
    ask(completions(server), (Message("user", "a"),))
    ask(completions(server), (Message("user", "a"), Message("assistant", "b")))
    assert [r.json["prompt"] for r in server.requests] == ["a", "user: a\nassistant: b"]


@pytest.mark.parametrize(
    "logprobs",
    [{"tokens": ["a", "b"], "token_logprobs": [-0.5, -1]}, {"content": [{"logprob": -0.5}, {"logprob": -1}]}],
)
def test_logprobs_of_both_shapes_are_read(logprobs: Any, server: Any, ask: Any) -> None:
    """OpenAI's and vLLM's list of numbers, llama.cpp's list of objects."""
    server.answers(server.reply(200, text("x", logprobs=logprobs)))
    assert ask(completions(server, logprobs=True)).logprobs == (-0.5, -1.0)
    assert server.requests[0].json["logprobs"] == 1


def test_logprobs_that_are_no_numbers_are_unknown(server: Any, ask: Any) -> None:
    """One that is null makes all unknown, and the answer stands."""
    server.answers(server.reply(200, text("x", logprobs={"token_logprobs": [None, -1]})))
    response = ask(completions(server, logprobs=2))
    assert (response.output, response.logprobs) == ("x", None)


def test_a_stream_is_put_together(server: Any, ask: Any) -> None:
    """Pieces of text, then the usage."""
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    server.answers(server.events(text("bil", finish_reason=None), text("ling"), usage))
    response = ask(completions(server, stream=True))
    assert (response.output, response.finish_reason, response.output_tokens) == ("billing", "stop", 2)
    assert response.ttft_s > 0


def test_an_answer_without_text_is_none(server: Any, ask: Any) -> None:
    """A chat answer from a wrong address is not mistaken for a completion."""
    server.answers(server.reply(200, {"choices": [{"message": {"content": "x"}}]}))
    assert ask(completions(server)).error.kind is ErrorKind.BAD_BODY


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": "no slot"}, "prompt must hold {input}"),
        ({"params": {"prompt": "x"}}, "write prompt: beside it"),
        ({"params": {"echo": True}}, "no part of the answer"),
        ({"params": {"best_of": 2}}, "several answers"),
    ],
)
def test_a_bad_configuration_says_what_to_write(fields: dict[str, Any], words: str, server: Any) -> None:
    """Each fault is found at construction."""
    with pytest.raises(ValidationError, match=words.replace("{", r"\{")):
        completions(server, **fields)
