"""How does production traffic come in over HTTP, and how does it stand? Posted samples and OpenTelemetry exports.

Each POST needs the token, as every change of state does (see ``door.py``). Posted samples are counted whole or not at
all: after a 202 they are in the store, after any other answer none of them is. An OpenTelemetry export that names
several models is one such batch per target.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, HTTPException, Request
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from checks.traffic import WINDOW_S
from service.errors import UserError
from service.facts import Facts
from service.traffic import otel
from service.traffic.ingest import Taken
from service.traffic.sample import Sample, SampleError, sample_of
from service.traffic.view import traffic_object, view
from service.web import changes
from service.web.api import ALWAYS, MISSING, Name
from service.web.body import described, json_object
from service.web.door import Door
from service.web.models import ErrorOut, Model

if TYPE_CHECKING:
    from service.store import Store

Take = Callable[[str, Sequence[Sample], int], Taken]
"""Counts samples of a target, and how many more could not be read; blocks."""

MOST_SAMPLES = 5000
MOST_BODY_BYTES = 4 << 20
"""Of a body, also after decompression."""

_BEARER = HTTPBearer(auto_error=False, description="What web.token_env holds.")
_GUARDED: dict[int | str, dict[str, Any]] = {
    **ALWAYS,
    **MISSING,
    400: {"model": ErrorOut, "description": "The body cannot be read."},
    401: {"model": ErrorOut, "description": "The token is missing or wrong."},
    403: {"model": ErrorOut, "description": "No token is configured, and the request is not a local one."},
    409: {"model": ErrorOut, "description": "The target's traffic is not watched; says what to do."},
    413: {"model": ErrorOut, "description": "The body is too long."},
    415: {"model": ErrorOut, "description": "The body is not JSON."},
    429: {"model": ErrorOut, "description": "Too many wrong tokens came from there."},
}


_OTLP = described("An export request of OTLP/HTTP as JSON, perhaps packed by gzip.")


class SamplesIn(BaseModel):
    """A batch of production samples, oldest first."""

    model_config = ConfigDict(extra="ignore")

    samples: Annotated[
        list[dict[str, Any]],
        Field(
            min_length=1,
            max_length=MOST_SAMPLES,
            description='Each `{"input": text or [{"role", "content"}], "output": text, "at": seconds or ISO 8601, '
            '"user_agent"}`; all but `input` optional.',
        ),
    ]


class TakenOut(Model):
    """What became of a batch. ``own``: goldwatch's own requests, left out; ``reason`` of the last rejected one."""

    target: str
    accepted: int
    own: int
    rejected: int
    reason: str | None


class LearningOut(Model):
    """How many windows of what is needed have been seen."""

    windows: int
    of: int


class DebtOut(Model):
    """The share of the last week's samples that no golden example represents, with its 95% interval.

    ``ratio`` is ``unlike_ratio`` (far from every golden example) and ``new_words_ratio`` (in terms that none uses).
    """

    ratio: float
    unlike_ratio: float
    new_words_ratio: float
    interval: tuple[float, float] | None
    samples: int
    expected: float


class TrafficOut(Model):
    """How a target's traffic stands. ``moved`` says what moved while a page stands; the model is not judged here."""

    target: str
    samples: int
    rejected: int
    own: int
    last_at: float | None
    windows: int
    learning: LearningOut | None
    coverage_debt: DebtOut | None
    malformed_ratio: float | None
    refusal_ratio: float | None
    evidence: float | None
    moved: list[str]
    moved_since: float | None


def larger_body(path: str) -> int | None:
    """The bound of a body at a path that takes samples; None for every other path.

    >>> larger_body("/api/v1/targets/router/samples"), larger_body("/api/v1/targets/router/runs")
    (4194304, None)
    """
    samples = path.startswith("/api/v1/") and path.endswith(("/samples", "/otel/v1/logs", "/otel/v1/traces"))
    return MOST_BODY_BYTES if samples else None


def router(store: Store, facts: Facts, door: Door, take: Take | None) -> APIRouter:
    """The routes. ``take`` is None where nothing may be taken in."""

    def guard(request: Request, _token: Annotated[Any, Depends(_BEARER)]) -> None:
        door.require(request)

    api = APIRouter(prefix="/api/v1", tags=["traffic"])
    changing = {"responses": _GUARDED, "dependencies": [Depends(guard)]}

    def taken(name: str, samples: Sequence[Sample], rejected: int) -> Taken:
        changes.configured(facts, name)
        if take is None:
            raise HTTPException(409, "this goldwatch takes no samples")
        try:
            return take(name, samples, rejected)
        except UserError as error:
            remedy = f": {error.remedy}" if error.remedy else ""
            raise HTTPException(409, f"{error.message}{remedy}") from None

    @api.get(
        "/targets/{name}/traffic", summary="How a target's traffic stands", responses={**ALWAYS, **MISSING}
    )
    def get_traffic(name: Name) -> TrafficOut:
        changes.configured(facts, name)
        window_s = next((t.traffic_window_s for t in facts.targets() if t.name == name), None)
        found = view(store, name, window_s or WINDOW_S)
        if found is None:
            raise HTTPException(404, f"no traffic of {name!r} was ever seen")
        return TrafficOut.model_validate(traffic_object(found))

    @api.post("/targets/{name}/samples", summary="Count samples of production", status_code=202, **changing)  # type: ignore[arg-type]
    def add_samples(name: Name, body: Annotated[SamplesIn, Body()]) -> TakenOut:
        samples: list[Sample] = []
        reason = None
        for held in body.samples:
            try:
                samples.append(sample_of(held))
            except SampleError as error:
                reason = str(error)
        rejected = len(body.samples) - len(samples)
        done = taken(name, samples, rejected)
        return TakenOut(target=name, accepted=done.counted, own=done.own, rejected=rejected, reason=reason)

    async def exported(request: Request, kind: str, name: str | None) -> dict[str, Any]:
        body = _json(
            request.headers.get("content-type"), request.headers.get("content-encoding"), await request.body()
        )
        read = otel.from_logs(body) if kind == "logs" else otel.from_traces(body)
        by_target: dict[str, list[Sample]] = {}
        unknown = 0
        for model, sample in read.samples:
            target = name or _target_of(facts, model)
            if target is None:
                unknown += 1
            else:
                by_target.setdefault(target, []).append(sample)
        if name is not None and not by_target:
            changes.configured(facts, name)
        for target, samples in by_target.items():
            await asyncio.to_thread(taken, target, samples, 0)
        rejected = unknown + read.without_text
        if not rejected:
            return {"partialSuccess": {}}
        why = []
        if unknown:
            why.append(f"{unknown} of a model that no target watches alone")
        if read.without_text:
            why.append(f"{read.without_text} without the text of a request (is content captured?)")
        field = "rejectedLogRecords" if kind == "logs" else "rejectedSpans"
        return {"partialSuccess": {field: str(rejected), "errorMessage": "; ".join(why)}}

    for kind in ("logs", "traces"):
        _add_otel(api, kind, exported, changing)
    return api


def _add_otel(
    api: APIRouter, kind: Literal["logs", "traces"], exported: Any, changing: dict[str, Any]
) -> None:
    async def of_target(name: Name, request: Request) -> dict[str, Any]:
        made: dict[str, Any] = await exported(request, kind, name)
        return made

    async def by_model(request: Request) -> dict[str, Any]:
        made: dict[str, Any] = await exported(request, kind, None)
        return made

    what = f"OpenTelemetry GenAI {kind} (OTLP/HTTP, JSON)"
    api.add_api_route(
        f"/targets/{{name}}/otel/v1/{kind}",
        of_target,
        methods=["POST"],
        summary=f"Count samples from {what}",
        operation_id=f"otel_{kind}_of_target",
        openapi_extra=_OTLP,
        **changing,
    )
    api.add_api_route(
        f"/otel/v1/{kind}",
        by_model,
        methods=["POST"],
        summary=f"Count samples from {what}, each for the target whose endpoint asks for its model",
        operation_id=f"otel_{kind}",
        openapi_extra=_OTLP,
        **changing,
    )


def _target_of(facts: Facts, model: str | None) -> str | None:
    """The one watched target that asks for this model; None where there is none or more than one."""
    found = [t.name for t in facts.targets() if t.traffic_window_s is not None and t.model == model]
    return found[0] if model is not None and len(found) == 1 else None


def _json(content_type: str | None, encoding: str | None, raw: bytes) -> dict[str, Any]:
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(
            415,
            "send OTLP as JSON: OTEL_EXPORTER_OTLP_PROTOCOL=http/json, or encoding: json in the collector",
        )
    if (encoding or "identity").lower() == "gzip":
        try:
            unpacker = zlib.decompressobj(wbits=31)
            raw = unpacker.decompress(raw, MOST_BODY_BYTES)
        except zlib.error:
            raise HTTPException(400, "the body is not gzip") from None
        if unpacker.unconsumed_tail:
            raise HTTPException(413, f"the body is above {MOST_BODY_BYTES} bytes when unpacked")
    elif (encoding or "identity").lower() != "identity":
        raise HTTPException(415, "the body's encoding is gzip or none")
    return json_object(raw)
