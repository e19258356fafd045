"""How does a fine-tuned model look from outside? An OpenAI-compatible server around the demo's model.

Two models are served: ``base``, and ``ticket-router``, its fine-tune. After :meth:`DemoEndpoint.drop_adapter`
the name ``ticket-router`` is answered by the base head: same name, same 200s, same ``/v1/models``, as when a
server was restarted without its adapter. Faults for drills are set by ``fault``.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from service.demo.loopback import LoopbackServer, Reply, Scope, Send, send_start
from service.demo.model import HeadName, ticket_model
from service.demo.protocol import BadRequestError, ChatRequest, Completion, pieces

TUNED_MODEL: Final = "ticket-router"
BASE_MODEL: Final = "base"
VERSION: Final = "demo-1.0"
_HEADS: Final = {TUNED_MODEL: HeadName.TUNED, BASE_MODEL: HeadName.BASE}
_STARTED_AT: Final = 1_735_689_600  # "created" of both models: a date, the same in every demo
_NONSENSE: Final = ("lorem", "#", "ttt", "ölöl", "<unk>", "0x0", "und und", "}}")


class FaultKind(StrEnum):
    """What can go wrong on purpose."""

    LATENCY = "latency"
    OUTAGE = "outage"
    GARBAGE = "garbage"
    GIBBERISH = "gibberish"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to put into a :class:`DemoEndpoint`.

    ``latency`` adds ``delay_s`` to every answer; ``outage`` answers 503; ``garbage`` answers 200 with a page
    that is not JSON; ``gibberish`` answers well-formed nonsense. ``ratio`` is the share of requests it hits.
    """

    kind: FaultKind
    delay_s: float = 0.25
    ratio: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.ratio <= 1:
            raise ValueError(f"ratio lies in (0, 1], not {self.ratio!r}")
        if not (math.isfinite(self.delay_s) and self.delay_s >= 0):
            raise ValueError(f"delay_s is a number of seconds from 0, not {self.delay_s!r}")


class DemoEndpoint(LoopbackServer):
    """Serves the two heads while its ``async with`` block lasts, on loopback unless another host is named.

    An answer depends on the text, the model and how often that model was asked that text, on nothing else:
    two endpoints that are asked the same, in whatever order, answer the same.

    Args:
        port: 0 takes a free one.
        latency_s: how long an answer takes; a few percent more or less, by text.
        seed: of the small differences between one pass and the next.
        host: the address to listen on.
    """

    def __init__(
        self, *, port: int = 0, latency_s: float = 0.003, seed: int = 0, host: str = "127.0.0.1"
    ) -> None:
        super().__init__(port=port, host=host)
        self.fault: Fault | None = None
        self.requests_total = 0
        self._latency_s = latency_s
        self._seed = seed
        self._applied = True
        self._asked: Counter[tuple[str, str]] = Counter()
        self._model = ticket_model()

    @property
    def url(self) -> str:
        """The ``base_url`` of the OpenAI protocol."""
        return f"{self.address}/v1"

    @property
    def adapter_applied(self) -> bool:
        """Whether ``ticket-router`` is answered by its fine-tuned head."""
        return self._applied

    def drop_adapter(self) -> None:
        """From now on ``ticket-router`` is silently answered by the base head."""
        self._applied = False

    def restore(self) -> None:
        """Undo :meth:`drop_adapter`, and take away any fault."""
        self._applied = True
        self.fault = None

    async def respond(self, scope: Scope, body: bytes, send: Send) -> None:
        """Answer one request of the OpenAI protocol, or of vLLM's ``/version`` and ``/health``."""
        self.requests_total += 1
        fault = self._fault_of(body)
        if fault is FaultKind.OUTAGE:
            await _failure(503, "the model is not available", "service_unavailable").send(send)
            return
        if fault is FaultKind.GARBAGE:
            await Reply(200, b"<html><body>Welcome to your router</body></html>", "text/html").send(send)
            return
        wanted_method, answer = {
            "/v1/models": ("GET", _models()),
            "/version": ("GET", {"version": VERSION}),
            "/health": ("GET", {}),
            "/v1/chat/completions": ("POST", None),
        }.get(scope["path"], ("", None))
        if not wanted_method:
            await _failure(404, f"no such page: {scope['path'][:100]}", "not_found").send(send)
        elif scope["method"] != wanted_method:
            await _failure(405, f"{scope['path']} takes {wanted_method}", "method_not_allowed").send(send)
        elif answer is not None:
            await Reply.of(200, answer).send(send)
        else:
            await self._complete(body, fault, send)

    async def _complete(self, body: bytes, fault: FaultKind | None, send: Send) -> None:
        try:
            request = ChatRequest.parse(body, served=tuple(_HEADS))
        except BadRequestError as error:
            await _failure(error.status, str(error), error.code).send(send)
            return
        completion = self._completion(request, nonsense=fault is FaultKind.GIBBERISH)
        wait_s = self._latency_s * (0.9 + 0.2 * (zlib.crc32(body) % 1_000) / 1_000)
        if fault is FaultKind.LATENCY and self.fault is not None:
            wait_s += self.fault.delay_s
        await asyncio.sleep(wait_s)
        if request.stream:
            await _send_events(
                send, completion.events(include_usage=request.include_usage, logprobs=request.logprobs)
            )
        else:
            await Reply.of(200, completion.body(logprobs=request.logprobs)).send(send)

    def _completion(self, request: ChatRequest, *, nonsense: bool) -> Completion:
        head = _HEADS[request.model] if self._applied else HeadName.BASE
        ask = self._asked[request.model, request.question]
        self._asked[request.model, request.question] += 1
        answer = self._model.answer(
            request.question,
            head,
            ask=ask,
            temperature=request.temperature,
            seed=self._seed if request.seed is None else request.seed,
        )
        text = answer.text
        if nonsense:
            start = zlib.crc32(request.question.encode("utf-8", "surrogatepass"))
            text = " ".join(_NONSENSE[(start + step * step) % len(_NONSENSE)] for step in range(6))
        tokens = pieces(text)
        kept = tokens[: request.max_tokens]
        return Completion(
            id=f"chatcmpl-{self.requests_total:08d}",
            created_at=int(time.time()),
            model=request.model,
            # The server's own, which says nothing of adapters.
            fingerprint=f"fp_{zlib.crc32(VERSION.encode()):08x}",
            tokens=kept,
            finish_reason="stop" if len(kept) == len(tokens) else "length",
            prompt_tokens=request.prompt_tokens,
            logprob=answer.logprob,
        )

    def _fault_of(self, body: bytes) -> FaultKind | None:
        if self.fault is None:
            return None
        spread = zlib.crc32(body + str(self.requests_total).encode()) / 2**32
        return self.fault.kind if spread < self.fault.ratio else None


def _models() -> Mapping[str, Any]:
    """A list like vLLM's: an adapter names its base model as ``parent``, applied or not."""
    parents = {BASE_MODEL: None, TUNED_MODEL: BASE_MODEL}
    return {
        "object": "list",
        "data": [
            {
                "id": name,
                "object": "model",
                "created": _STARTED_AT,
                "owned_by": "goldwatch-demo",
                "root": "demo/tickets" if parent is None else f"adapters/{name}",
                "parent": parent,
                "max_model_len": 4096,
            }
            for name, parent in parents.items()
        ],
    }


def _failure(status: int, message: str, code: str) -> Reply:
    return Reply.of(status, {"error": {"message": message, "type": "invalid_request_error", "code": code}})


async def _send_events(send: Send, events: Sequence[Mapping[str, Any]]) -> None:
    await send_start(send, 200, {"content-type": "text/event-stream", "cache-control": "no-cache"})
    for event in events:
        line = f"data: {json.dumps(event, ensure_ascii=False, separators=(',', ':'))}\n\n"
        await send({"type": "http.response.body", "body": line.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
