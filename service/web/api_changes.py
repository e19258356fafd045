"""What may programs change? The API's POSTs: each needs the token (see ``door.py``), and does what a button does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Request
from fastapi.security import HTTPBearer

from service import acts
from service.facts import Facts
from service.records import RunKind
from service.web import changes, views
from service.web.api import ALWAYS, MISSING, AlertId, Name
from service.web.bodies import AcceptIn, AcknowledgeIn, MarkBody, MlflowEvent, SilenceIn
from service.web.door import Door
from service.web.models import AcceptedOut, AlertOut, BaselineOut, ErrorOut, MarkOut, SilenceOut

if TYPE_CHECKING:
    from service.store import Store

_GUARDED: dict[int | str, dict[str, Any]] = {
    **ALWAYS,
    **MISSING,
    400: {"model": ErrorOut, "description": "The body cannot be read."},
    401: {"model": ErrorOut, "description": "The token is missing or wrong."},
    403: {"model": ErrorOut, "description": "No token is configured, and the request is not a local one."},
    413: {"model": ErrorOut, "description": "The body is too long."},
    429: {
        "model": ErrorOut,
        "description": "Too many wrong tokens came from there; Retry-After says how long.",
    },
}
_LATE: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorOut, "description": "It cannot be done as things stand; says why."}
}
_BEARER = HTTPBearer(
    auto_error=False, description="What web.token_env holds. Needs none on loopback where none is configured."
)


def router(store: Store, facts: Facts, door: Door) -> APIRouter:
    """The routes. What blocks runs in a thread."""

    def guard(request: Request, _token: Annotated[Any, Depends(_BEARER)]) -> None:
        door.require(request)

    api = APIRouter(prefix="/api/v1", tags=["changes"], responses=_GUARDED, dependencies=[Depends(guard)])

    @api.post("/targets/{name}/runs", summary="Run now", status_code=202)
    async def run_now(name: Name) -> AcceptedOut:
        changes.configured(facts, name)
        return AcceptedOut(target=name, accepted=await facts.request_run(name, RunKind.MANUAL))

    @api.post("/targets/{name}/marks", summary="Mark a deployment and run", status_code=201)
    async def add_mark(name: Name, body: Annotated[MarkBody, Body()]) -> MarkOut:
        changes.configured(facts, name)
        mark = body.mark() if isinstance(body, MlflowEvent) else body
        made = await asyncio.to_thread(changes.add_mark, store, facts, name, mark.version, mark.note)
        accepted = await changes.run_after(facts, name)
        return MarkOut(target=name, at=made.at, version=made.version, note=made.note, accepted=accepted)

    @api.post(
        "/targets/{name}/baselines",
        summary="Accept what the target answers now as healthy",
        status_code=201,
        responses=_LATE,
    )
    def accept_baseline(name: Name, body: AcceptIn) -> BaselineOut:
        changes.configured(facts, name)
        made = changes.accept(facts, name, body.reason)
        return BaselineOut.model_validate(views.baseline_object(made))

    @api.post(
        "/targets/{name}/silences", summary="Silence a target's alerts", status_code=201, responses=_LATE
    )
    def silence_target(name: Name, body: SilenceIn) -> SilenceOut:
        changes.configured(facts, name)
        now = facts.now()
        with changes.told():
            made = acts.silence_target(store, name, by=body.by, reason=body.reason, for_s=body.for_s, now=now)
        return SilenceOut.model_validate(views.silence_object(made, now))

    @api.post("/alerts/{alert_id}/acknowledge", summary="Say that somebody sees to an alert", responses=_LATE)
    def acknowledge(alert_id: AlertId, body: AcknowledgeIn) -> AlertOut:
        with changes.told():
            alert = acts.acknowledge(store, alert_id, by=body.by, reason=body.reason, now=facts.now())
        return AlertOut.model_validate(views.alert_object(alert))

    @api.post("/alerts/{alert_id}/silence", summary="Silence one alert", status_code=201, responses=_LATE)
    def silence_alert(alert_id: AlertId, body: SilenceIn) -> SilenceOut:
        now = facts.now()
        with changes.told():
            made = acts.silence_alert(
                store, alert_id, by=body.by, reason=body.reason, for_s=body.for_s, now=now
            )
        return SilenceOut.model_validate(views.silence_object(made, now))

    @api.post("/silences/{silence_id}/lift", summary="End a silence now", status_code=204, responses=_LATE)
    def lift(silence_id: Annotated[str, Path(min_length=1, max_length=64)]) -> None:
        with changes.told():
            acts.lift_silence(store, silence_id, now=facts.now())

    return api
