"""Does the chat protocol say, read and explain what OpenAI-compatible servers do?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from checks.types import ErrorKind, Message
from service.endpoints.openai_chat import OpenAIChat


def chat(server: Any, **more: Any) -> OpenAIChat:
    address = server if isinstance(server, str) else server.address
    return OpenAIChat.model_validate({"base_url": f"{address}/v1", "model": "router-ft"} | more)


def said(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"} | more]
    }


def delta(content: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "choices": [{"index": 0, "delta": {"content": content, **more}, "finish_reason": finish}],
        "model": "m-1",
    }


def test_the_request_holds_prefix_input_and_params(server: Any, ask: Any) -> None:
    """Model, params, the few-shot messages and the input as the user's message, in that order, and nothing else."""
    server.answers(server.reply(200, said({"content": "x"})))
    shots = [{"role": "system", "content": "Route."}, {"role": "user", "content": "?"}]
    ask(chat(server, messages=shots, params={"temperature": 0, "max_tokens": 8}), 'Straße "1"\n\ud83d')
    assert server.requests[0].path == "/v1/chat/completions"
    assert server.requests[0].json == {
        "model": "router-ft",
        "temperature": 0,
        "max_tokens": 8,
        "messages": [*shots, {"role": "user", "content": 'Straße "1"\n\ud83d'}],
    }


def test_a_conversation_is_appended_as_it_is(server: Any, ask: Any) -> None:
    """Every turn of the example follows the system prompt."""
    server.answers(server.reply(200, said({"content": "x"})))
    ask(
        chat(server, system="Route."), (Message("user", "a"), Message("assistant", "b"), Message("user", "c"))
    )
    roles = [(m["role"], m["content"]) for m in server.requests[0].json["messages"]]
    assert roles == [("system", "Route."), ("user", "a"), ("assistant", "b"), ("user", "c")]


def test_facts_of_the_answer_are_kept(server: Any, ask: Any) -> None:
    """Tokens, finish reason, served model, fingerprint and log-probabilities are read."""
    logprobs = {"content": [{"token": "bill", "logprob": -0.25}, {"token": "ing", "logprob": float("-inf")}]}
    usage = {"prompt_tokens": 31, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 16}}
    body = said({"content": "billing"}, finish_reason="length", logprobs=logprobs)
    server.answers(
        server.reply(200, body | {"usage": usage, "model": "router-2", "system_fingerprint": "fp_1"})
    )
    r = ask(chat(server, logprobs=True))
    assert (r.output, r.input_tokens, r.output_tokens, r.finish_reason) == ("billing", 31, 2, "length")
    assert (r.served_model, r.fingerprint, r.logprobs, r.ttft_s) == (
        "router-2",
        "fp_1",
        (-0.25, -9999.0),
        None,
    )
    assert server.requests[0].json["logprobs"] is True


@pytest.mark.parametrize(
    ("message", "output"),
    [
        ({"content": None, "refusal": "I cannot help."}, "I cannot help."),
        (
            {"content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]},
            "ab",
        ),
        ({"content": None}, ""),
        ({"content": ""}, ""),
        (
            {
                "content": None,
                "tool_calls": [{"id": "c1", "function": {"name": "route", "arguments": '{"to": "x"}'}}],
            },
            '[{"arguments":{"to":"x"},"name":"route"}]',
        ),
        (
            {"content": "Now:", "tool_calls": [{"function": {"name": "f", "arguments": "not json"}}]},
            'Now:\n[{"arguments":"not json","name":"f"}]',
        ),
        (
            {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
            '[{"arguments":{},"name":"f"}]',
        ),
    ],
)
def test_what_counts_as_the_output(message: dict[str, Any], output: str, server: Any, ask: Any) -> None:
    """Content, parts, refusals, tool calls and silence are all answers."""
    server.answers(server.reply(200, said(message)))
    response = ask(chat(server))
    assert response.error is None
    assert response.output == output


@pytest.mark.parametrize(
    "usage", [None, 7, {"prompt_tokens": "12", "completion_tokens": -1}, {"prompt_tokens": True}]
)
def test_nonsense_counts_are_unknown(usage: Any, server: Any, ask: Any) -> None:
    """A count that is no whole number stays None, and the answer stands."""
    server.answers(server.reply(200, said({"content": "x"}) | {"usage": usage, "model": 7}))
    response = ask(chat(server))
    assert (response.output, response.input_tokens, response.output_tokens) == ("x", None, None)
    assert response.served_model is None


def test_a_stream_gives_the_same_answer_and_the_first_token_s_time(server: Any, ask: Any) -> None:
    """Content, usage and log-probabilities are put together; ttft is the first token's, before the end."""
    first = delta("bill")
    first["choices"][0]["logprobs"] = {"content": [{"token": "bill", "logprob": -0.5}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
    server.answers(
        server.events(delta("", role="assistant"), first, delta("ing"), delta(None, "stop"), usage)
    )
    r = ask(chat(server, stream=True))
    assert (r.output, r.finish_reason, r.input_tokens, r.output_tokens) == ("billing", "stop", 9, 2)
    assert (r.served_model, r.logprobs) == ("m-1", (-0.5,))
    assert 0 < r.ttft_s <= r.latency_s
    sent = server.requests[0].json
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})


def test_streamed_tool_calls_are_put_together(server: Any, ask: Any) -> None:
    """Arguments that come in pieces become one call."""
    parts = [{"name": "f", "arguments": '{"a"'}, {"arguments": ": 1}"}]
    calls = [delta(tool_calls=[{"index": 0, "function": part}]) for part in parts]
    server.answers(server.events(*calls, delta(None, "tool_calls")))
    assert ask(chat(server, stream=True)).output == '[{"arguments":{"a":1},"name":"f"}]'


def test_a_stream_with_crlf_comments_and_split_bytes_is_read(server: Any, ask: Any) -> None:
    """Line ends, comments, multi-byte characters across packets: no difference."""
    event = '{"choices":[{"delta":{"content":"Grüße €"}}]}'
    body = f": hi\r\n\r\nevent: x\r\ndata: {event}\r\n\r\ndata:[DONE]\r\n\r\n".encode()
    head = f"HTTP/1.1 200 X\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    server.answers(server.raw(head, *(body[i : i + 1] for i in range(len(body)))))
    assert ask(chat(server, stream=True)).output == "Grüße €"


def test_a_stream_without_done_but_with_a_finish_reason_is_whole(server: Any, ask: Any) -> None:
    """Some servers never say [DONE]."""
    server.answers(server.events(delta("x"), delta(None, "stop"), done=False))
    assert ask(chat(server, stream=True)).output == "x"


def test_a_server_that_does_not_stream_is_read_whole(server: Any, ask: Any) -> None:
    """stream: true against a server that answers in one piece is an answer without ttft."""
    server.answers(server.reply(200, said({"content": "billing"})))
    response = ask(chat(server, stream=True))
    assert (response.output, response.ttft_s) == ("billing", None)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([delta("bill")], 'the stream ended before the answer was complete: "bill"'),
        ([delta("x"), {"error": {"message": "out of memory"}}], "out of memory"),
        ([delta("x"), "{nonsense"], "{nonsense"),
        (["[1]"], "no object"),
        ([{"object": "x"}], "no choices"),
        ([], "(empty)"),
    ],
)
def test_a_broken_stream_is_no_answer(events: list[Any], words: str, server: Any, ask: Any) -> None:
    """Half an answer is an error that quotes what came."""
    server.answers(server.events(*events, done=False))
    response = ask(chat(server, stream=True))
    assert response.output is None
    assert response.error.kind is ErrorKind.BAD_BODY
    assert words in response.error.message


def test_a_stream_that_is_cut_is_no_answer(server: Any, ask: Any) -> None:
    """A connection that ends within the announced length is a cut body."""
    server.answers(server.cut(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'))
    response = ask(chat(server, stream=True))
    assert response.error.kind is ErrorKind.BAD_BODY
    assert "cut the body short" in response.error.message


REASONING = [
    (
        {"max_tokens": 8},
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "the model refuses max_tokens: write params: {max_completion_tokens: 8} instead of {max_tokens: 8}",
    ),
    (
        {"temperature": 0},
        "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
        "the model refuses temperature: 0: remove it from params: only its default (1) is supported",
    ),
    (
        {"top_p": 0.5},
        "Unsupported parameter: 'top_p' is not supported with this model.",
        "the model refuses top_p: 0.5: change it in params, or remove it",
    ),
]


@pytest.mark.parametrize(("params", "message", "remedy"), REASONING)
def test_a_refused_parameter_says_what_to_write(
    params: dict[str, Any], message: str, remedy: str, server: Any, ask: Any
) -> None:
    """Reasoning models refuse max_tokens and temperature; the error is the YAML to write instead."""
    error = {
        "message": message,
        "type": "invalid_request_error",
        "param": next(iter(params)),
        "code": "unsupported",
    }
    server.answers(server.reply(400, {"error": error}))
    response = ask(chat(server, params=params))
    assert response.error.kind is ErrorKind.REFUSED
    assert response.error.status == 400
    assert response.error.message.startswith(remedy)


def test_not_found_names_model_and_address(server: Any, ask: Any) -> None:
    """A 404 says which model was asked for, and where."""
    server.answers(server.reply(404, {"error": {"message": "The model `router-ft` does not exist."}}))
    message = ask(chat(server)).error.message
    assert f"no model 'router-ft' at {server.address}/v1/chat/completions" in message
    assert "does not exist" in message


def test_retry_after_is_read_in_all_its_forms(server: Any, ask: Any) -> None:
    """Seconds, milliseconds, a date in the past, and nonsense."""
    for headers, wait_s in (
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After-Ms": "250"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e300"}, 86_400.0),
    ):
        server.answers(server.reply(429, b"", headers))
        assert ask(chat(server)).error.retry_after_s == wait_s


def test_identity_is_read_from_vllm_s_pages(server: Any, identify: Any) -> None:
    """The model's own card, its parent and root, all models, and the server's version."""
    cards = [
        {"id": "base", "root": "meta/Llama", "parent": None},
        {"id": "router-ft", "root": "/adapters/r", "parent": "base"},
    ]
    server.script["/v1/models"] = [server.reply(200, {"object": "list", "data": cards})]
    server.script["/version"] = [server.reply(200, {"version": "0.10.2"})]
    served = identify(chat(server))
    assert (served.model, served.parent, served.root) == ("router-ft", "base", "/adapters/r")
    assert (served.models, served.version, served.fingerprint) == (("base", "router-ft"), "0.10.2", None)


def test_a_model_that_is_not_listed_is_unknown_but_the_list_is_not(server: Any, identify: Any) -> None:
    """What is listed is told even where the model asked for is not in it."""
    server.script["/v1/models"] = [server.reply(200, {"data": [{"id": "other"}, "x", {"id": 7}]})]
    served = identify(chat(server))
    assert (served.model, served.models) == (None, ("other",))


def test_a_key_file_is_read_at_each_request(server: Any, ask: Any, tmp_path: Path) -> None:
    """A rotated key is taken up at once; its line break is stripped."""
    server.answers(server.reply(200, said({"content": "x"})))
    key = tmp_path / "key"
    endpoint = chat(server, api_key_file=str(key))
    for value in ("first-key", "second-key"):
        key.write_text(f"{value}\n")
        ask(endpoint)
        assert server.requests[-1].headers["authorization"] == f"Bearer {value}"
    key.write_bytes(b"two\nlines")
    assert "must hold one line of printable ASCII" in ask(endpoint).error.message
    key.unlink()
    assert "cannot be read" in ask(endpoint).error.message


def test_secret_headers_come_from_variables(server: Any, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """headers_env carries whole values; they are hidden wherever they come back."""
    monkeypatch.setenv("TEAM_AUTH", "Basic dXNlcjpwYXNz")
    server.answers(server.reply(403, {"error": "dXNlcjpwYXNz is nobody"}))
    endpoint = chat(server, headers_env={"Authorization": "TEAM_AUTH"}, headers={"X-Team": "support"})
    error = ask(endpoint).error
    assert server.requests[0].headers["authorization"] == "Basic dXNlcjpwYXNz"
    assert server.requests[0].headers["x-team"] == "support"
    assert '"*** is nobody"' in error.message
    assert endpoint.secrets() == {"headers_env.Authorization": "TEAM_AUTH"}
    assert endpoint.check_secrets() == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"params": {"model": "x"}}, "params cannot set model: write model: beside it"),
        ({"params": {"messages": []}}, "params cannot set messages"),
        ({"params": {"stream": True}}, "params cannot set stream: write stream: true beside it"),
        ({"params": {"n": 3}}, "write repeats: N on the target"),
        ({"params": {"stop_at": float("inf")}}, "params.stop_at: inf is not JSON"),
        ({"params": {"stream_options": {}}}, "needs stream: true"),
        (
            {"system": "a", "messages": [{"role": "user", "content": "b"}]},
            "system and messages exclude each other",
        ),
        ({"headers": {"Authorization": "Bearer sk-1"}}, "write api_key_env: VARIABLE"),
        ({"headers": {"api-key": "sk-1"}}, "write headers_env: {api-key: VARIABLE}"),
        ({"headers": {"X-A": "a\r\nB: c"}}, "printable ASCII"),
        ({"headers": {"a b": "c"}}, "not a header's name"),
        ({"headers": {"Host": "c"}}, "set by goldwatch itself"),
        ({"headers_env": {"X-A": "sk-1"}}, "not the name of an environment variable"),
        ({"headers": {"X-A": "a"}, "headers_env": {"x-a": "B"}}, "stands in headers and in headers_env"),
        ({"api_key_env": "A", "api_key_file": "b"}, "exclude each other"),
        ({"api_key_env": "A", "headers_env": {"authorization": "B"}}, "exclude each other"),
        ({"base_url": "localhost:8000/v1"}, "write http:// or https:// and a host"),
        ({"base_url": "http://u:p@h/v1"}, "a secret must not stand in an address"),
        ({"base_url": "http://h/v1?key=1"}, "holds no ? part"),
        ({"base_url": "http://h:99999/v1"}, "not an address"),
        ({"logprobs": 99}, "less than or equal to 20"),
    ],
)
def test_a_bad_configuration_says_what_to_write(fields: dict[str, Any], words: str) -> None:
    """Each fault is found at construction, and no secret is repeated."""
    with pytest.raises(ValidationError) as caught:
        chat("http://h", **fields)
    messages = " | ".join(error["msg"] for error in caught.value.errors())
    assert words in messages
    assert "sk-1" not in messages
    assert "u:p" not in messages


def test_logprobs_with_a_number_ask_for_the_top(server: Any) -> None:
    """logprobs: 5 becomes logprobs and top_logprobs; system equals a first system message in the question."""
    assert chat(server, logprobs=5).constant_part == {
        "model": "router-ft",
        "logprobs": True,
        "top_logprobs": 5,
    }
    shot = [{"role": "system", "content": "a"}]
    assert chat(server, system="a").question() == chat(server, messages=shot).question()
