"""What does the OpenAI chat protocol ask and answer? The part of it that the demo's endpoint speaks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PIECE = re.compile(r"\s*(?:\w{1,6}|[^\w\s]|\s+$)")
_DEFAULT_MAX_TOKENS = 64


class BadRequestError(Exception):
    """A request that is refused: the text says why; ``status`` and ``code`` are for the answer."""

    def __init__(self, message: str, *, status: int = 400, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.status, self.code = status, code


def pieces(text: str) -> tuple[str, ...]:
    """The text cut into tokens; joined they give it back, up to surrounding blanks.

    >>> pieces("Category: billing")
    ('Catego', 'ry', ':', ' billin', 'g')
    """
    return tuple(_PIECE.findall(text))


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat completion that is asked for. ``question`` is the last message of the user."""

    model: str
    question: str
    prompt_tokens: int
    temperature: float
    max_tokens: int
    seed: int | None
    stream: bool
    include_usage: bool
    logprobs: bool

    @classmethod
    def parse(cls, body: bytes, *, served: Sequence[str]) -> ChatRequest:
        """Read a request body.

        Args:
            body: JSON.
            served: the names of the models that there are.

        Raises:
            BadRequestError: the body is no such request, or names an unknown model (404).
        """
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            raise BadRequestError("the body is not JSON", code="invalid_json") from None
        if not isinstance(content, dict):
            raise BadRequestError("the body must be an object", code="invalid_json")
        model = content.get("model")
        if not isinstance(model, str) or model not in served:
            raise BadRequestError(
                f"The model {str(model)[:100]!r} does not exist.", status=404, code="model_not_found"
            )
        messages = _messages(content.get("messages"))
        questions = [text for role, text in messages if role == "user"]
        if not questions:
            raise BadRequestError("messages holds no message of the user")
        limit = content.get("max_completion_tokens", content.get("max_tokens"))
        options = content.get("stream_options")
        return cls(
            model=model,
            question=questions[-1],
            prompt_tokens=sum(len(pieces(text)) + 4 for _, text in messages),
            temperature=_number(content, "temperature", 1.0, 0.0, 2.0),
            max_tokens=_DEFAULT_MAX_TOKENS if limit is None else _natural("max_tokens", limit, least=1),
            seed=None if content.get("seed") is None else _natural("seed", content["seed"], least=0),
            stream=content.get("stream") is True,
            include_usage=isinstance(options, dict) and options.get("include_usage") is True,
            logprobs=content.get("logprobs") is True,
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """What is answered. ``logprob`` is that of the answer as a whole; its first token carries it."""

    id: str
    created_at: int
    model: str
    fingerprint: str
    tokens: tuple[str, ...]
    finish_reason: str
    prompt_tokens: int
    logprob: float

    def body(self, *, logprobs: bool) -> Mapping[str, Any]:
        """The answer in one piece."""
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": "".join(self.tokens)},
            "logprobs": {"content": self._logprobs()} if logprobs else None,
            "finish_reason": self.finish_reason,
        }
        return self._frame("chat.completion", [choice]) | {"usage": self._usage()}

    def events(self, *, include_usage: bool, logprobs: bool = False) -> list[Mapping[str, Any]]:
        """The answer as the chunks of a stream, each token with its log-probability and usage last if asked for."""
        said = self._logprobs() if logprobs else [None] * len(self.tokens)
        parts: list[tuple[Mapping[str, str], Mapping[str, Any] | None, str | None]] = [
            ({"role": "assistant", "content": ""}, None, None),
            *(({"content": token}, one, None) for token, one in zip(self.tokens, said, strict=True)),
            ({}, None, self.finish_reason),
        ]
        chunks: list[Mapping[str, Any]] = [
            self._frame(
                "chat.completion.chunk",
                [
                    {
                        "index": 0,
                        "delta": delta,
                        "logprobs": None if one is None else {"content": [one]},
                        "finish_reason": reason,
                    }
                ],
            )
            for delta, one, reason in parts
        ]
        if include_usage:
            chunks.append(self._frame("chat.completion.chunk", []) | {"usage": self._usage()})
        return chunks

    def _frame(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created_at,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        }

    def _usage(self) -> Mapping[str, int]:
        count = len(self.tokens)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": count,
            "total_tokens": self.prompt_tokens + count,
        }

    def _logprobs(self) -> list[Mapping[str, Any]]:
        return [
            {
                "token": token,
                "logprob": self.logprob if place == 0 else 0.0,
                "bytes": list(token.encode()),
                "top_logprobs": [],
            }
            for place, token in enumerate(self.tokens)
        ]


def _messages(value: Any) -> list[tuple[str, str]]:
    """Roles and texts; content may also be a list of text parts."""
    if not isinstance(value, list) or not value:
        raise BadRequestError("messages must be a list that is not empty")
    found = []
    for place, message in enumerate(value):
        role, text = (
            (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        )
        if isinstance(text, list) and all(isinstance(part, dict) for part in text):
            text = "".join(str(part.get("text", "")) for part in text)
        if not isinstance(role, str) or not isinstance(text, str):
            raise BadRequestError(f"messages[{place}] needs a role and a content, both texts")
        found.append((role, text))
    return found


def _number(content: Mapping[str, Any], key: str, default: float, low: float, high: float) -> float:
    value = content.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadRequestError(f"{key} must be a number from {low:g} to {high:g}")
    return float(value)


def _natural(key: str, value: Any, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise BadRequestError(f"{key} must be a whole number from {least}")
    return value
