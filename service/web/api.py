"""What may programs ask? The JSON API under ``/api/v1``, with the same nouns as everything else.

What only reads is here, what changes something in ``api_changes.py``. Lists are paged: ``limit`` says how many, and
``cursor`` is the ``next_cursor`` of the page before. Every answer has an ETag, and ``If-None-Match`` saves the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, HTTPException, Path, Query

from service.alerting import Alert, AlertState
from service.confused import confusion_object, confusions
from service.facts import Facts
from service.records import OutboxItem, RunRecord
from service.report import finding_object, number, run_object
from service.web import views
from service.web.broken import Choice, Row, Sort, broken_page
from service.web.models import (
    AlertOut,
    AlertsOut,
    BaselinesOut,
    CausesOut,
    ConfusionsOut,
    ErrorOut,
    ExamplesOut,
    FindingsOut,
    MarksOut,
    MessagesOut,
    RunOut,
    RunsOut,
    SilencesOut,
    TargetOut,
    TargetsOut,
)

if TYPE_CHECKING:
    from service.store import Store

_T = TypeVar("_T")

RunId = Annotated[int, Path(ge=1, le=2**31 - 1, description="The run's number.")]
Name = Annotated[str, Path(min_length=1, max_length=64, description="The target's name.")]
AlertId = Annotated[str, Path(min_length=1, max_length=64, description="The alert's id.")]
MOST = 500
"""The largest page; what is seldom long is given so by default."""

Limit = Annotated[int, Query(ge=1, le=MOST, description="The size of a page.")]
Cursor = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="`next_cursor` of the page before this one.")
]

_UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "What was asked for is what If-None-Match names."}
}
MISSING: dict[int | str, dict[str, Any]] = {404: {"model": ErrorOut, "description": "There is none."}}
_FOUND = {**_UNCHANGED, **MISSING}
ALWAYS: dict[int | str, dict[str, Any]] = {
    421: {
        "model": ErrorOut,
        "description": "It listens on loopback only, and the Host header names another.",
    },
    422: {"model": ErrorOut, "description": "A parameter or the body is not as it should be; says which."},
    503: {"model": ErrorOut, "description": "The store does not answer."},
}


def router(store: Store, facts: Facts) -> APIRouter:
    """The routes. They are plain functions, which FastAPI runs in threads, since the store blocks."""
    api = APIRouter(prefix="/api/v1", tags=["goldwatch"], responses=ALWAYS)

    def known(name: str) -> views.TargetView:
        view = views.target(store, facts, name)
        if view is None:
            raise HTTPException(404, f"no target is named {name!r}")
        return view

    def found_run(run_id: int) -> RunRecord:
        run = store.run(run_id)
        if run is None:
            raise HTTPException(404, f"there is no run {run_id}")
        return run

    def found_alert(alert_id: str) -> Alert:
        alert = store.alert(alert_id)
        if alert is None:
            raise HTTPException(404, "there is no alert of that id")
        return alert

    @api.get("/targets", summary="All targets and how they stand", responses=_UNCHANGED)
    def list_targets(limit: Limit = MOST, cursor: Cursor = None) -> TargetsOut:
        page, more = _page(facts.targets(), limit, cursor)
        found = [view.object for view in views.fleet(store, facts, page)]
        return TargetsOut.model_validate({"targets": found, "next_cursor": more})

    @api.get("/targets/{name}", summary="One target", responses=_FOUND)
    def get_target(name: Name) -> TargetOut:
        return TargetOut.model_validate(known(name).object)

    @api.get("/targets/{name}/runs", summary="A target's runs, newest first", responses=_FOUND)
    def list_runs(name: Name, limit: Limit = 50, cursor: Cursor = None) -> RunsOut:
        known(name)
        found = store.runs(name, limit=limit + 1, before=cursor)
        page = found[:limit]
        more = page[-1].id if len(found) > limit else None
        return RunsOut.model_validate({"runs": [run_object(r) for r in page], "next_cursor": more})

    @api.get("/targets/{name}/baselines", summary="What said healthy, and what says it now", responses=_FOUND)
    def list_baselines(name: Name, limit: Limit = MOST, cursor: Cursor = None) -> BaselinesOut:
        known(name)
        page, more = _page(store.baselines(name), limit, cursor)
        found = [views.baseline_object(b) for b in page]
        return BaselinesOut.model_validate({"target": name, "baselines": found, "next_cursor": more})

    @api.get("/targets/{name}/marks", summary="A target's deployment marks, newest first", responses=_FOUND)
    def list_marks(name: Name, limit: Limit = 50, cursor: Cursor = None) -> MarksOut:
        known(name)
        found = store.marks(name, 0.0)[::-1]
        page, more = _page(found, limit, cursor)
        marks = [{"at": number(m.at), "version": m.version, "note": m.note} for m in page]
        return MarksOut.model_validate({"target": name, "marks": marks, "next_cursor": more})

    @api.get("/runs/{run_id}", summary="One run", responses=_FOUND)
    def get_run(run_id: RunId) -> RunOut:
        return RunOut.model_validate(run_object(found_run(run_id)))

    @api.get("/runs/{run_id}/findings", summary="What the checks found in a run", responses=_FOUND)
    def list_findings(run_id: RunId, limit: Limit = MOST, cursor: Cursor = None) -> FindingsOut:
        page, more = _page(found_run(run_id).findings, limit, cursor)
        findings = [finding_object(f) for f in page]
        return FindingsOut.model_validate({"run": run_id, "findings": findings, "next_cursor": more})

    @api.get("/runs/{run_id}/examples", summary="The examples that broke in a run", responses=_FOUND)
    def list_examples(
        run_id: RunId,
        scorer: Annotated[str | None, Query(max_length=64, description="By this scorer.")] = None,
        slice: Annotated[  # noqa: A002  # the contract's word
            str | None, Query(max_length=500, description="Of this slice, as key=value.")
        ] = None,
        sort: Annotated[
            Sort, Query(description="The largest fall first, or as in the golden set.")
        ] = Sort.DAMAGE,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> ExamplesOut:
        choice = Choice(scorer, slice, sort, cursor or 0, limit)
        page = broken_page(store, found_run(run_id), choice, show_texts=facts.show_texts)
        return ExamplesOut.model_validate(
            {
                "run": run_id,
                "scorer": page.scorer,
                "broke": page.broke,
                "fixed": page.fixed,
                "matching": page.matching,
                "before_run": page.before_run,
                "scorers": dict(page.scorers),
                "slices": dict(page.slices),
                "examples": [_example(row) for row in page.rows],
                "next_cursor": page.next_offset,
            }
        )

    @api.get("/runs/{run_id}/confusion", summary="Which label is taken for which in a run", responses=_FOUND)
    def list_confusion(run_id: RunId, limit: Limit = MOST, cursor: Cursor = None) -> ConfusionsOut:
        run = found_run(run_id)
        found = confusions(store, run) if facts.show_texts else {}
        page, more = _page(list(found.items()), limit, cursor)
        made = [confusion_object(name, one) for name, one in page]
        return ConfusionsOut.model_validate({"run": run_id, "confusion": made, "next_cursor": more})

    @api.get("/targets/{name}/silences", summary="What is or was silenced, newest first", responses=_FOUND)
    def list_silences(name: Name, limit: Limit = MOST, cursor: Cursor = None) -> SilencesOut:
        known(name)
        page, more = _page(store.silences(name), limit, cursor)
        found = [views.silence_object(s, facts.now()) for s in page]
        return SilencesOut.model_validate({"target": name, "silences": found, "next_cursor": more})

    @api.get("/alerts", summary="Alerts, newest first", responses=_UNCHANGED)
    def list_alerts(
        target: Annotated[str | None, Query(max_length=64, description="Of this target.")] = None,
        state: Annotated[AlertState | None, Query(description="In this state.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> AlertsOut:
        found = store.alerts(target, state, limit=(cursor or 0) + limit + 1)
        page, more = _page(found, limit, cursor)
        return AlertsOut.model_validate(
            {"alerts": [views.alert_object(a) for a in page], "next_cursor": more}
        )

    @api.get("/alerts/{alert_id}", summary="One alert", responses=_FOUND)
    def get_alert(alert_id: AlertId) -> AlertOut:
        return AlertOut.model_validate(views.alert_object(found_alert(alert_id)))

    @api.get("/alerts/{alert_id}/causes", summary="What probably changed", responses=_FOUND)
    def list_causes(alert_id: AlertId) -> CausesOut:
        found = views.diagnosis(store, found_alert(alert_id))
        return CausesOut.model_validate(
            {
                "alert": alert_id,
                "causes": views.causes(found, show_texts=facts.show_texts),
                "looked_at": list(found.looked_at) if found else [],
                "not_looked_at": list(found.not_looked_at) if found else [],
            }
        )

    @api.get("/alerts/{alert_id}/messages", summary="Who was told, and whether it arrived", responses=_FOUND)
    def list_messages(alert_id: AlertId, limit: Limit = MOST, cursor: Cursor = None) -> MessagesOut:
        found_alert(alert_id)
        page, more = _page(store.notifications(alert_id), limit, cursor)
        messages = [_message(item) for item in page]
        return MessagesOut.model_validate({"alert": alert_id, "messages": messages, "next_cursor": more})

    return api


def _page(found: Sequence[_T], limit: int, cursor: int | None) -> tuple[Sequence[_T], int | None]:
    """One page of a list that is at hand, and where the next one begins."""
    begin = cursor or 0
    end = begin + limit
    return found[begin:end], end if len(found) > end else None


def _example(row: Row) -> dict[str, Any]:
    made = asdict(row)
    made["scores"] = made.pop("marks")
    return made


def _message(item: OutboxItem) -> dict[str, Any]:
    told = item.notification
    return {
        "id": told.id,
        "event": str(told.event),
        "notifier": told.notifier,
        "created_at": number(told.created_at),
        "state": str(item.state),
        "attempts": item.attempts,
        "due_at": number(item.due_at),
        "done_at": number(item.done_at),
        "error": item.error,
    }
