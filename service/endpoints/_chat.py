"""What do the providers' own chat protocols share? Model, prompt, parameters, and streams of named events.

The OpenAI-compatible protocols, whose streams end in ``[DONE]``, are in ``_openai.py``.
"""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from collections.abc import AsyncGenerator
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator, model_validator

from checks.types import ErrorKind, Example, Json, ResponseError
from service.endpoints._faults import Fault, bad_body, error_in, excerpt
from service.endpoints._http import Answer, HttpEndpoint, check_params, parse_json
from service.endpoints._model import AsksByModel
from service.endpoints._sse import Arriving
from service.endpoints.openai_chat import Turn, said_by


class Reading:
    """What a stream has said so far."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.refusals: list[str] = []
        self.logprobs: list[Any] = []
        self.usage: dict[str, Any] = {}
        self.calls: dict[int, dict[str, str]] = {}
        self.facts: Answer = {}
        self.complete = False

    def output(self) -> str:
        """What counts as the output: texts, refusal, calls of tools."""
        calls = [self.calls[place] for place in sorted(self.calls)]
        return said_by("".join(self.texts), "".join(self.refusals), calls)


class Chat(AsksByModel, HttpEndpoint):
    """The base of ``anthropic_messages``, ``openai_responses``, ``bedrock`` and ``vertex``."""

    model: Annotated[
        str, Field(min_length=1, max_length=500, description="The model's name at the provider.")
    ]
    system: Annotated[str | None, Field(description="The system prompt.")] = None
    messages: Annotated[
        tuple[Turn, ...], Field(description="Messages before the example's input: few-shot examples.")
    ] = ()
    params: Annotated[
        dict[str, Any], Field(default_factory=dict, description="Merged into the request's body.")
    ]
    stream: Annotated[bool, Field(description="Stream, which measures the time to the first token.")] = False

    RESERVED: ClassVar[dict[str, str]]
    """Names that ``params`` cannot set, each with what to write instead."""
    ERRORS: ClassVar[dict[str, ErrorKind]]
    """What the protocol's names of errors mean, where one comes after status 200."""

    @field_validator("params")
    @classmethod
    def _open_but_not_for_all(cls, params: dict[str, Any]) -> dict[str, Any]:
        return check_params(params, cls.RESERVED)

    @model_validator(mode="after")
    def _system_once(self) -> Chat:
        if any(turn.role == "system" for turn in self.messages):
            raise ValueError("messages cannot hold a system turn: write it as system: beside them")
        return self

    @abstractmethod
    def request(self, system: str | None, turns: list[dict[str, str]]) -> dict[str, Any]:
        """The request's JSON for a conversation of turns with ``role`` and ``content``."""

    @abstractmethod
    def read_whole(self, content: dict[str, Any], body: bytes) -> Answer:
        """What a whole answer says.

        Raises:
            Fault: it holds no answer.
        """

    @abstractmethod
    def read_event(self, content: dict[str, Any], reading: Reading) -> bool:
        """Add an event of a stream; true if it holds a part of the answer.

        Raises:
            Fault: the event says that there will be no answer.
        """

    def arriving(self) -> Arriving:
        """What cuts a stream into its events."""
        return Arriving()

    @cached_property
    def question_params(self) -> dict[str, Any]:
        """``params`` with what the protocol demands and the configuration leaves out."""
        return self.params

    def question(self) -> Json:
        """The prompt and the parameters."""
        prefix = [{"role": turn.role, "content": turn.content} for turn in self.messages]
        return {"system": self.system, "messages": prefix, "params": self.question_params}

    def body_for(self, example: Example) -> bytes:
        """The request for an example. Its system turns join the system prompt: these protocols keep it apart."""
        turns = [{"role": turn.role, "content": turn.content} for turn in self.messages]
        system = [] if self.system is None else [self.system]
        if isinstance(example.input, str):
            turns.append({"role": "user", "content": example.input})
        else:
            system += [turn.content for turn in example.input if turn.role == "system"]
            turns += [{"role": t.role, "content": t.content} for t in example.input if t.role != "system"]
        return json.dumps(self.request("\n\n".join(system) or None, turns)).encode()

    def read(self, body: bytes) -> Answer:
        """What a whole answer says."""
        content = parse_json(body)
        if not isinstance(content, dict):
            bad_body("the body is JSON, but no object", body)
        self.no_error(content)
        return self.read_whole(content, body)

    def no_error(self, content: dict[str, Any]) -> None:
        """Look for an error that came after status 200, whole or within a stream.

        Raises:
            Fault: there is one; of the kind that ``ERRORS`` gives it, else ``bad_body``.
        """
        if (said := error_in(content)) is None:
            return
        error = content["error"]
        named = [error.get(key) for key in ("code", "type", "status")] if isinstance(error, dict) else []
        for name in named:
            if isinstance(name, str) and (kind := self.ERRORS.get(name)):
                raise Fault(ResponseError(kind, f"{name}, after status 200: {excerpt(said)}", 200))
        bad_body("status 200 with an error instead of an answer", said)

    async def read_stream(self, pieces: AsyncGenerator[bytes, None], started: float) -> Answer:
        """What the answer says while it arrives, with the time of its first token; some gateways do not stream."""
        if not self.stream:
            return await super().read_stream(pieces, started)
        arriving, reading, ttft_s = self.arriving(), Reading(), None
        async for piece in pieces:
            for data in arriving.feed(piece):
                if self._event(data, reading) and ttft_s is None:
                    ttft_s = time.perf_counter() - started
        latency_s = time.perf_counter() - started
        if (whole := arriving.whole) is not None:
            return self.read(whole)
        for data in arriving.finish():
            self._event(data, reading)
        if not reading.complete:
            got = "".join(reading.texts)
            bad_body("the stream ended before the answer was complete", got or bytes(arriving.head))
        return {"output": reading.output(), "ttft_s": ttft_s, "latency_s": latency_s} | reading.facts

    def _event(self, data: bytes, reading: Reading) -> bool:
        if data.strip() == b"[DONE]":  # what gateways add
            return False
        content = parse_json(data)
        if not isinstance(content, dict):
            bad_body("an event of the stream is no object", data)
        self.no_error(content)
        return self.read_event(content, reading)


def known(facts: Answer) -> Answer:
    """The facts that are known, to add to what a stream has said."""
    return {name: value for name, value in facts.items() if value is not None}
