"""What may programs ask? The JSON API under ``/api/v1``, with the same nouns as everything else."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request

from service.alerting import AlertState
from service.facts import Facts
from service.records import DeploymentMark, RunKind
from service.report import run_object
from service.web import views
from service.web.guard import require
from service.web.models import (
    AcceptedOut,
    AlertOut,
    AlertsOut,
    ErrorOut,
    ExampleOut,
    ExamplesOut,
    MarkIn,
    MarkOut,
    RunOut,
    RunsOut,
    TargetOut,
    TargetsOut,
)

RunId = Annotated[int, Path(ge=1, le=2**31 - 1, description="The run's number.")]
Name = Annotated[str, Path(min_length=1, max_length=64, description="The target's name.")]
Limit = Annotated[int, Query(ge=1, le=500, description="The size of a page.")]
Before = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Only runs with a smaller number.")]
Offset = Annotated[int, Query(ge=0, le=10_000_000, description="How many to pass over.")]

_MISSING: dict[int | str, dict[str, Any]] = {404: {"model": ErrorOut, "description": "There is none."}}
_GUARDED: dict[int | str, dict[str, Any]] = {
    **_MISSING,
    401: {"model": ErrorOut, "description": "The token is missing or wrong."},
    403: {"model": ErrorOut, "description": "No token is configured, and the request is not a local one."},
}


def router(store: views.Reader, facts: Facts) -> APIRouter:
    """The routes. They are plain functions, which FastAPI runs in threads, since the store blocks."""
    api = APIRouter(prefix="/api/v1", tags=["goldwatch"])

    def known(name: str) -> views.TargetView:
        view = views.target(store, facts, name)
        if view is None:
            raise HTTPException(404, f"no target is named {name!r}")
        return view

    @api.get("/targets", summary="All targets and how they stand")
    def list_targets() -> TargetsOut:
        return TargetsOut.model_validate({"targets": [v.object for v in views.fleet(store, facts)]})

    @api.get("/targets/{name}", summary="One target", responses=_MISSING)
    def get_target(name: Name) -> TargetOut:
        return TargetOut.model_validate(known(name).object)

    @api.get("/targets/{name}/runs", summary="A target's runs, newest first", responses=_MISSING)
    def list_runs(name: Name, limit: Limit = 50, before: Before = None) -> RunsOut:
        known(name)
        found = store.runs(name, limit=limit + 1, before=before)
        page = found[:limit]
        more = page[-1].id if len(found) > limit else None
        return RunsOut.model_validate({"runs": [run_object(r) for r in page], "next_before": more})

    @api.get("/runs/{run_id}", summary="One run", responses=_MISSING)
    def get_run(run_id: RunId) -> RunOut:
        run = store.run(run_id)
        if run is None:
            raise HTTPException(404, f"there is no run {run_id}")
        return RunOut.model_validate(run_object(run))

    @api.get("/runs/{run_id}/examples", summary="The examples that broke in a run", responses=_MISSING)
    def list_examples(run_id: RunId, limit: Limit = 50, offset: Offset = 0) -> ExamplesOut:
        run = store.run(run_id)
        if run is None:
            raise HTTPException(404, f"there is no run {run_id}")
        found, page, more = views.broken_examples(
            store, run, show_texts=facts.show_texts, offset=offset, limit=limit
        )
        return ExamplesOut(
            run=run.id,
            scorer=found.scorer,
            broke=found.broke_count,
            fixed=found.fixed_count,
            before_run=found.good_run,
            examples=[
                ExampleOut(id=e.id, expected=e.expected, before=e.before, now=e.now, reason=e.reason)
                for e in page
            ],
            next_offset=offset + len(page) if more else None,
        )

    @api.get("/alerts", summary="Alerts, newest first")
    def list_alerts(
        target: Annotated[str | None, Query(max_length=64)] = None,
        state: AlertState | None = None,
        limit: Limit = 100,
    ) -> AlertsOut:
        found = store.alerts(target, state, limit=limit)
        return AlertsOut.model_validate({"alerts": [views.alert_object(a) for a in found]})

    @api.get("/alerts/{alert_id}", summary="One alert", responses=_MISSING)
    def get_alert(alert_id: Annotated[str, Path(max_length=64)]) -> AlertOut:
        alert = store.alert(alert_id)
        if alert is None:
            raise HTTPException(404, "there is no alert of that id")
        return AlertOut.model_validate(views.alert_object(alert))

    def guard(request: Request) -> None:
        require(request, facts)

    guarded: dict[str, Any] = {"responses": _GUARDED, "dependencies": [Depends(guard)]}

    @api.post("/targets/{name}/runs", summary="Run now", status_code=202, **guarded)
    async def run_now(name: Name) -> AcceptedOut:
        _configured(facts, name)
        return AcceptedOut(target=name, accepted=await facts.request_run(name, RunKind.MANUAL))

    @api.post("/targets/{name}/marks", summary="Mark a deployment and run", status_code=201, **guarded)
    async def add_mark(name: Name, mark: MarkIn) -> MarkOut:
        _configured(facts, name)
        made = DeploymentMark(name, facts.now(), mark.version, mark.note)
        await asyncio.to_thread(store.add_mark, made)
        accepted = await facts.request_run(name, RunKind.MARK)
        return MarkOut(target=name, at=made.at, version=made.version, note=made.note, accepted=accepted)

    return api


def _configured(facts: Facts, name: str) -> None:
    if all(one.name != name for one in facts.targets()):
        raise HTTPException(404, f"no target is named {name!r}")
