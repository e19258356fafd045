"""How is an OpenAI-compatible chat model asked? ``POST {base_url}/chat/completions``.

A text becomes one message of the user after ``system`` or the few-shot ``messages``; a conversation is appended as it
is. What counts as the output:

- the message's content; parts of type text are joined;
- a refusal, where there is no content: the model answered, by refusing;
- tool calls as JSON text, ``[{"arguments": {...}, "name": "..."}]`` with sorted keys, after any content;
- an empty text, where the model stopped without saying anything (a reasoning model out of tokens, a content filter).
  ``finish_reason`` says which.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from checks.types import Example, Json
from service.endpoints._faults import bad_body
from service.endpoints._http import Answer, canonical, logprobs_or_none, name_or_none
from service.endpoints._openai import OpenAI, Reading


class Turn(BaseModel):
    """One message of the few-shot prefix."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Annotated[
        str, Field(min_length=1, max_length=32, description="Who speaks: system, user or assistant.")
    ]
    content: Annotated[str, Field(description="What is said.")]


class OpenAIChat(OpenAI):
    """A chat model behind an OpenAI-compatible API.

    Example::

        endpoint:
          kind: openai_chat
          base_url: http://127.0.0.1:8000/v1
          model: ticket-router-ft
          api_key_env: TICKET_ROUTER_KEY
          system: Route the ticket.
          params: {temperature: 0, max_tokens: 8}
          price: {input_per_mtok: 0.30, output_per_mtok: 1.20}
    """

    kind: Literal["openai_chat"] = "openai_chat"
    system: Annotated[str | None, Field(description="The system prompt.")] = None
    messages: Annotated[
        tuple[Turn, ...], Field(description="Messages before the example's input: few-shot examples.")
    ] = ()

    PATH: ClassVar[str] = "/chat/completions"
    RESERVED: ClassVar[dict[str, str]] = {
        "model": "write model: beside it",
        "messages": "write system: or messages: beside it",
        "stream": "write stream: true beside it",
    }

    @model_validator(mode="after")
    def _one_prefix(self) -> OpenAIChat:
        if self.system is not None and self.messages:
            raise ValueError(
                "system and messages exclude each other: begin messages with {role: system, content: ...}"
            )
        return self

    def question(self) -> Json:
        """The messages before the input, and the parameters."""
        return {"messages": self._prefix, "params": self.params}

    def logprob_options(self) -> dict[str, Any]:
        """``logprobs: true``, with ``top_logprobs`` where a number is configured."""
        if self.logprobs is False:
            return {}
        return {"logprobs": True} | ({} if self.logprobs is True else {"top_logprobs": self.logprobs})

    def body_for(self, example: Example) -> bytes:
        """The request for an example; only its own messages are serialised anew."""
        if isinstance(example.input, str):
            added = f'{{"role": "user", "content": {json.dumps(example.input)}}}'
        else:
            added = ", ".join(json.dumps({"role": m.role, "content": m.content}) for m in example.input)
        return f"{self._beginning}{added}]}}".encode()

    def read_choice(self, choice: dict[str, Any], body: bytes) -> Answer:
        """The answer of a whole message."""
        message = choice.get("message")
        if not isinstance(message, dict):
            bad_body("the body has no choices[0].message", body)
        content, tools = message.get("content"), message.get("tool_calls")
        if content is not None and not isinstance(content, str | list):
            bad_body("choices[0].message.content is no text", body)
        if not message.keys() & {"content", "refusal", "tool_calls", "function_call"}:
            bad_body("choices[0].message holds no content", body)
        calls = [c["function"] for c in tools if isinstance(c, dict) and isinstance(c.get("function"), dict)] if (
            isinstance(tools, list)
        ) else []  # fmt: skip
        if not calls and isinstance(message.get("function_call"), dict):
            calls = [message["function_call"]]
        return {
            "output": said_by(_text(content), message.get("refusal"), calls),
            "finish_reason": name_or_none(choice.get("finish_reason")),
            "logprobs": _logprobs(choice),
        }

    def read_delta(self, choice: dict[str, Any], reading: Reading) -> bool:
        """Add a streamed part of the message."""
        delta = choice.get("delta")
        reading.logprobs += _tokens(choice)
        if not isinstance(delta, dict):
            return False
        text, refusal, found = _text(delta.get("content")), delta.get("refusal"), False
        if text:
            reading.texts.append(text)
            found = True
        if isinstance(refusal, str) and refusal:
            reading.refusals.append(refusal)
            found = True
        tools = delta.get("tool_calls")
        for tool in tools if isinstance(tools, list) else ():
            function = tool.get("function") if isinstance(tool, dict) else None
            if isinstance(function, dict):
                place = tool.get("index")
                call = reading.tools.setdefault(
                    place if isinstance(place, int) else 0, {"name": "", "arguments": ""}
                )
                for key in call:
                    part = function.get(key)
                    call[key] += part if isinstance(part, str) else ""
                found = True
        return found

    def read_end(self, reading: Reading) -> str:
        """The whole output of a stream."""
        calls = [reading.tools[place] for place in sorted(reading.tools)]
        return said_by("".join(reading.texts), "".join(reading.refusals), calls)

    @cached_property
    def _prefix(self) -> list[dict[str, str]]:
        if self.system is not None:
            return [{"role": "system", "content": self.system}]
        return [{"role": turn.role, "content": turn.content} for turn in self.messages]

    @cached_property
    def _beginning(self) -> str:
        """The request up to the example's own messages."""
        prefix = "".join(json.dumps(message) + ", " for message in self._prefix)
        return f'{json.dumps(self.constant_part)[:-1]}, "messages": [{prefix}'


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    return "".join(text for text in texts if isinstance(text, str))


def said_by(text: str, refusal: Any, calls: list[dict[str, Any]]) -> str:
    """What counts as the output: the text, else the refusal; calls of tools follow as JSON text."""
    if not calls:
        return text or (refusal if isinstance(refusal, str) else "")
    said = canonical(
        [{"name": call.get("name"), "arguments": _arguments(call.get("arguments"))} for call in calls]
    )
    return f"{text}\n{said}" if text else said


def _arguments(value: Any) -> Any:
    """A call's arguments, which come as JSON in a text; what is no JSON stays the text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _tokens(choice: dict[str, Any]) -> list[Any]:
    logprobs = choice.get("logprobs")
    tokens = (logprobs.get("content") or logprobs.get("refusal")) if isinstance(logprobs, dict) else None
    return (
        [t.get("logprob") if isinstance(t, dict) else None for t in tokens]
        if isinstance(tokens, list)
        else []
    )


def _logprobs(choice: dict[str, Any]) -> tuple[float, ...] | None:
    return logprobs_or_none(_tokens(choice))
