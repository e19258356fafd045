"""What do the OpenAI-compatible protocols share? Address, parameters, streaming, log-probabilities, identity.

vLLM, llama.cpp, SGLang, TGI, Ollama and the hosted services speak them, each with gaps: what is missing stays None.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from checks.types import Served
from service.endpoints._faults import bad_body, error_in
from service.endpoints._http import (
    Address,
    Answer,
    HttpEndpoint,
    check_params,
    count_or_none,
    logprobs_or_none,
    name_or_none,
    parse_json,
)
from service.endpoints._model import AsksByModel
from service.endpoints._retirement import retires_at
from service.endpoints._sse import Arriving

if TYPE_CHECKING:
    import httpx

_AFTER_DONE_S = 0.25
_MOST_MODELS = 200
_BOUNDS = ("max_tokens", "max_completion_tokens")
_FORMS = frozenset({
    "response_format", "tools", "tool_choice", "stop", "grammar", "json_schema", "guided_json", "guided_regex",
    "guided_choice", "guided_grammar", "structured_outputs", "stream_options",
})  # fmt: skip
"""What decides how an answer begins, or ends, whatever the model would say."""


class Reading:
    """What a stream has said so far."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.refusals: list[str] = []
        self.tools: dict[int, dict[str, str]] = {}
        self.logprobs: list[Any] = []
        self.facts: Answer = {}
        self.finish_reason: str | None = None


class OpenAI(AsksByModel, HttpEndpoint):
    """The base of ``openai_chat`` and ``openai_completions``."""

    base_url: Annotated[Address, Field(description="The address up to and with /v1.")]
    model: Annotated[
        str, Field(min_length=1, max_length=500, description="The model's name, as the server lists it.")
    ]
    params: Annotated[
        dict[str, Any], Field(default_factory=dict, description="Merged into the request's body.")
    ]
    stream: Annotated[bool, Field(description="Stream, which measures the time to the first token.")] = False
    logprobs: Annotated[
        bool | Annotated[int, Field(ge=0, le=20)],
        Field(description="Ask for log-probabilities; a number: the top N too."),
    ] = False

    PATH: ClassVar[str]
    RESERVED: ClassVar[dict[str, str]]

    @field_validator("params")
    @classmethod
    def _open_but_not_for_all(cls, params: dict[str, Any]) -> dict[str, Any]:
        several = params.get("n", 1) != 1 or params.get("best_of", 1) != 1
        fault = "params cannot ask for several answers (n, best_of): write repeats: N on the target"
        return check_params(params, cls.RESERVED, *([fault] if several else []))

    @model_validator(mode="after")
    def _options_of_a_stream(self) -> OpenAI:
        if "stream_options" in self.params and not self.stream:
            raise ValueError("params.stream_options needs stream: true")
        return self

    @property
    def url(self) -> str:
        """The address that requests go to."""
        return f"{self.base_url}{self.PATH}"

    def one_token(self, temperature: float | None) -> Self:
        """Bound by the parameter that is configured, else ``max_tokens``; free of any form, and whole at once."""
        bound = next((name for name in _BOUNDS if name in self.params), _BOUNDS[0])
        params = {name: value for name, value in self.params.items() if name not in (*_BOUNDS, *_FORMS)}
        params |= {bound: 1} | ({} if temperature is None else {"temperature": temperature})
        return self.changed({"params": params, "stream": False, "logprobs": False})

    @abstractmethod
    def logprob_options(self) -> dict[str, Any]:
        """How log-probabilities are asked for."""

    @abstractmethod
    def read_choice(self, choice: dict[str, Any], body: bytes) -> Answer:
        """The output, finish reason and log-probabilities of a whole choice.

        Raises:
            Fault: it holds no answer.
        """

    @abstractmethod
    def read_delta(self, choice: dict[str, Any], reading: Reading) -> bool:
        """Add a streamed choice to what was read; true if it holds a part of the answer."""

    @abstractmethod
    def read_end(self, reading: Reading) -> str:
        """The output of a stream that ended well."""

    @cached_property
    def constant_part(self) -> dict[str, Any]:
        """The part of the request's body that is the same for every example."""
        part: dict[str, Any] = {"model": self.model, **self.logprob_options(), **self.params}
        if self.stream:
            part["stream"] = True
            part.setdefault("stream_options", {"include_usage": True})
            if part["stream_options"] is None:  # for servers that refuse the option
                del part["stream_options"]
        return part

    def read(self, body: bytes) -> Answer:
        """What a whole answer says."""
        content = self._no_error(parse_json(body), body)
        choices = content.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            bad_body("the body has no choices[0]", body)
        self._no_error(choice, body)
        return self.read_choice(choice, body) | _facts(content)

    async def read_stream(self, pieces: AsyncGenerator[bytes, None], started: float) -> Answer:
        """What the answer says while it arrives, with the time of its first token; some servers do not stream."""
        if not self.stream:
            return await super().read_stream(pieces, started)
        arriving, reading, ttft_s, done = Arriving(), Reading(), None, False
        async for piece in pieces:
            for data in arriving.feed(piece):
                if done := data.strip() == b"[DONE]":
                    break
                if self._event(data, reading) and ttft_s is None:
                    ttft_s = time.perf_counter() - started
            if done:
                break
        latency_s = time.perf_counter() - started
        if done:
            with suppress(TimeoutError):  # read to the end, so that the connection can be used again
                async with asyncio.timeout(_AFTER_DONE_S):
                    async for _ in pieces:
                        pass
        if (whole := arriving.whole) is not None:
            return self.read(whole)
        if not done:
            for data in arriving.finish():
                done = data.strip() == b"[DONE]" or done
                if data.strip() != b"[DONE]":
                    self._event(data, reading)
        if not done and reading.finish_reason is None:
            got = "".join(reading.texts)
            bad_body("the stream ended before the answer was complete", got or bytes(arriving.head))
        return {
            "output": self.read_end(reading),
            "finish_reason": reading.finish_reason,
            "logprobs": logprobs_or_none(reading.logprobs),
            "ttft_s": ttft_s,
            "latency_s": latency_s,
        } | reading.facts

    async def identify(self, client: httpx.AsyncClient, *, timeout_s: float) -> Served:
        """What ``/v1/models`` lists of the model asked for, and vLLM's ``/version``."""
        return await who_serves(self, self.base_url, self.model, client, timeout_s)

    def _event(self, data: bytes, reading: Reading) -> bool:
        content = self._no_error(parse_json(data), data)
        reading.facts |= {k: v for k, v in _facts(content).items() if v is not None}
        choices = content.get("choices")
        if not isinstance(choices, list):
            bad_body("an event of the stream has no choices", data)
        if not choices:  # the last one, with the usage
            return False
        choice = choices[0]
        if not isinstance(choice, dict):
            bad_body("an event of the stream has no choices[0]", data)
        self._no_error(choice, data)
        reading.finish_reason = name_or_none(choice.get("finish_reason")) or reading.finish_reason
        return self.read_delta(choice, reading)

    def _no_error(self, content: Any, body: bytes) -> dict[str, Any]:
        if not isinstance(content, dict):
            bad_body("the body is JSON, but no object", body)
        if (said := error_in(content)) is not None:
            bad_body("status 200 with an error instead of an answer", said)
        return content


async def who_serves(
    endpoint: HttpEndpoint, base: str, model: str, client: httpx.AsyncClient, timeout_s: float
) -> Served:
    """What ``{base}/models`` lists of a model (vLLM tells parent and root), and vLLM's ``/version``."""
    listing, version = await asyncio.gather(
        endpoint.fetch(client, f"{base}/models", timeout_s=timeout_s),
        endpoint.fetch(client, f"{base.removesuffix('/v1')}/version", timeout_s=timeout_s),
    )
    cards = listing.get("data") if isinstance(listing, dict) else None
    cards = [c for c in cards if isinstance(c, dict)] if isinstance(cards, list) else None
    mine: dict[str, Any] = next((c for c in cards or () if c.get("id") == model), {})
    names = tuple(n for c in cards or () if (n := name_or_none(c.get("id"))))
    return Served(
        model=name_or_none(mine.get("id")),
        version=name_or_none(version.get("version")) if isinstance(version, dict) else None,
        parent=name_or_none(mine.get("parent")),
        root=name_or_none(mine.get("root")),
        models=names[:_MOST_MODELS] if cards is not None else None,
        retires_at=retires_at(mine),
    )


def _facts(content: dict[str, Any]) -> Answer:
    """Token counts and what the server says it is; cached tokens are part of the input's."""
    usage = content.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    return {
        "cached_tokens": count_or_none(details.get("cached_tokens")) if isinstance(details, dict) else None,
        "input_tokens": count_or_none(usage.get("prompt_tokens")),
        "output_tokens": count_or_none(usage.get("completion_tokens")),
        "served_model": name_or_none(content.get("model")),
        "fingerprint": name_or_none(content.get("system_fingerprint")),
    }
