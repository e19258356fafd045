"""How is a model behind Anthropic's Messages API asked? ``POST {base_url}/messages``.

The key goes out as ``x-api-key``, the protocol's version as ``anthropic-version``. The version 2026-10-21 takes no
``temperature``, ``top_p`` and ``top_k``; 2023-06-01 takes them for models up to Claude 4.6.

What counts as the output: the text blocks, joined; calls of tools after them as JSON text; what the model said before
it refused, or an empty text (``stop_reason: refusal``). Thinking is no output, though it uses up ``max_tokens``. The
count of input tokens holds those read from and written to the cache, which the API counts apart.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from checks.types import ErrorKind, Served
from service.endpoints._chat import Chat, Reading, known
from service.endpoints._faults import bad_body
from service.endpoints._http import Address, Answer, count_or_none, name_or_none
from service.endpoints._names import ApiVersion
from service.endpoints.openai_chat import said_by

if TYPE_CHECKING:
    import httpx

_WITHOUT_SAMPLING = "2026-10-21"
_SAMPLING = ("temperature", "top_p", "top_k")
_MAX_TOKENS = 1_024


class AnthropicMessages(Chat):
    """A model behind Anthropic's Messages API.

    Example::

        endpoint:
          kind: anthropic_messages
          model: claude-haiku-4-5
          api_key_env: ANTHROPIC_API_KEY
          system: Route the ticket.
          params: {max_tokens: 16, temperature: 0}
    """

    kind: Literal["anthropic_messages"] = "anthropic_messages"
    base_url: Annotated[Address, Field(description="The address up to and with /v1.")] = (
        "https://api.anthropic.com/v1"
    )
    api_version: Annotated[
        ApiVersion, Field(description="The version of the API: 2023-06-01 or 2026-10-21.")
    ] = "2023-06-01"

    CONNECTION: ClassVar[frozenset[str]] = Chat.CONNECTION | {"api_version"}
    KEY_HEADER: ClassVar[str] = "x-api-key"
    KEY_PREFIX: ClassVar[str] = ""
    RESERVED: ClassVar[dict[str, str]] = {
        "model": "write model: beside it",
        "messages": "write messages: beside it",
        "system": "write system: beside it",
        "stream": "write stream: true beside it",
    }
    ERRORS: ClassVar[dict[str, ErrorKind]] = {
        "authentication_error": ErrorKind.AUTH,
        "permission_error": ErrorKind.AUTH,
        "not_found_error": ErrorKind.NOT_FOUND,
        "rate_limit_error": ErrorKind.RATE_LIMITED,
        "invalid_request_error": ErrorKind.REFUSED,
        "request_too_large": ErrorKind.REFUSED,
        "billing_error": ErrorKind.REFUSED,
        "timeout_error": ErrorKind.TIMEOUT,
        "api_error": ErrorKind.SERVER,
        "overloaded_error": ErrorKind.SERVER,
    }

    @model_validator(mode="after")
    def _only_what_the_version_takes(self) -> AnthropicMessages:
        sent = [name for name in _SAMPLING if name in self.params]
        if sent and self.api_version >= _WITHOUT_SAMPLING:
            raise ValueError(
                f"the API's version {self.api_version} takes no {sent[0]}: remove it from params, or write "
                "api_version: 2023-06-01"
            )
        return self

    @property
    def url(self) -> str:
        """The address that requests go to."""
        return f"{self.base_url}/messages"

    @property
    def own_headers(self) -> dict[str, str]:
        """The version of the protocol, which the API demands."""
        return {"anthropic-version": self.api_version}

    def one_token(self, temperature: float | None) -> Self:
        """``max_tokens: 1``, without tools; a version that takes no ``temperature`` is asked as configured."""
        left = ("tools", "tool_choice", "stop_sequences", "thinking")
        params = {name: value for name, value in self.params.items() if name not in left} | {"max_tokens": 1}
        if temperature is not None and self.api_version < _WITHOUT_SAMPLING:
            params["temperature"] = temperature
        return self.changed({"params": params, "stream": False})

    @cached_property
    def question_params(self) -> dict[str, Any]:
        """``params``; ``max_tokens``, which the API demands, is 1024 where it is left out."""
        return {"max_tokens": _MAX_TOKENS, **self.params}

    def request(self, system: str | None, turns: list[dict[str, str]]) -> dict[str, Any]:
        """The request for a conversation."""
        body: dict[str, Any] = {"model": self.model, **self.question_params, "messages": turns}
        if system is not None:
            body["system"] = system
        if self.stream:
            body["stream"] = True
        return body

    def read_whole(self, content: dict[str, Any], body: bytes) -> Answer:
        """What a whole message says."""
        blocks = content.get("content")
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            bad_body("the body has no list content", body)
        texts = [b["text"] for b in blocks if b.get("type") == "text" and isinstance(b.get("text"), str)]
        calls = [
            {"name": b.get("name"), "arguments": b.get("input")}
            for b in blocks
            if b.get("type") == "tool_use"
        ]
        return {"output": said_by("".join(texts), None, calls), **_facts(content)}

    def read_event(self, content: dict[str, Any], reading: Reading) -> bool:
        """Add an event; unknown ones are passed over, as the API's documentation asks."""
        kind = content.get("type")
        if kind == "message_start" and isinstance(content.get("message"), dict):
            self._count(content["message"], reading)
        elif kind == "message_delta":
            delta = content.get("delta")
            self._count((delta if isinstance(delta, dict) else {}) | {"usage": content.get("usage")}, reading)
        elif kind == "message_stop":
            reading.complete = True
        elif kind in ("content_block_start", "content_block_delta"):
            part = content.get("content_block" if kind == "content_block_start" else "delta")
            return isinstance(part, dict) and _add(part, content.get("index"), reading)
        return False

    @staticmethod
    def _count(content: dict[str, Any], reading: Reading) -> None:
        """Take up counts: the end repeats some of those of the start, or tells them as 0."""
        usage = content.get("usage")
        for name, count in usage.items() if isinstance(usage, dict) else ():
            if count or name not in reading.usage:
                reading.usage[name] = count
        reading.facts |= known(_facts(content | {"usage": reading.usage}))

    async def identify(self, client: httpx.AsyncClient, *, timeout_s: float) -> Served:
        """What ``/v1/models/{model}`` says: the full name of the model behind an alias."""
        card = await self.fetch(
            client, f"{self.base_url}/models/{quote(self.model, safe='')}", timeout_s=timeout_s
        )
        return Served(model=name_or_none(card.get("id")) if isinstance(card, dict) else None)


def _add(part: dict[str, Any], index: Any, reading: Reading) -> bool:
    place = index if isinstance(index, int) else 0
    kind, text = part.get("type"), part.get("text")
    if kind in ("text", "text_delta") and isinstance(text, str) and text:
        reading.texts.append(text)
        return True
    if kind == "tool_use":
        name = part.get("name")
        reading.calls[place] = {"name": name if isinstance(name, str) else "", "arguments": ""}
        return True
    if kind == "input_json_delta" and place in reading.calls and isinstance(part.get("partial_json"), str):
        reading.calls[place]["arguments"] += part["partial_json"]
    return False


def _facts(content: dict[str, Any]) -> Answer:
    usage = content.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    counts = [
        count_or_none(usage.get(name))
        for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    ]
    return {
        "input_tokens": None if counts[0] is None else sum(count or 0 for count in counts),
        "output_tokens": count_or_none(usage.get("output_tokens")),
        "cached_tokens": counts[2],
        "served_model": name_or_none(content.get("model")),
        "finish_reason": name_or_none(content.get("stop_reason")),
    }
