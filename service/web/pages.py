"""What does a person see in a browser? Pages that are rendered on the server and need no script. Reading only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response

from service import wording
from service.alerting import AlertKind, standing
from service.facts import Facts
from service.records import RunRecord
from service.report import run_object
from service.runbook import runbook_url
from service.web import shown, views
from service.web import standing as standing_now
from service.web.api import AlertId, Cursor, Name, RunId
from service.web.broken import Choice, Page, Sort, broken_page
from service.web.life import life
from service.web.render import HERE, Renderer

if TYPE_CHECKING:
    from service.store import Store

_SHOWN_RUNS = 20
_CHART_RUNS = 168
_FIRST_BROKEN = 5
_PAGE = 25


def router(store: Store, facts: Facts, render: Renderer) -> APIRouter:
    """The routes of the pages."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    css, icon = (HERE / "goldwatch.css").read_bytes(), (HERE / "goldwatch.svg").read_bytes()

    def found_run(run_id: int) -> RunRecord:
        run = store.run(run_id)
        if run is None:
            raise HTTPException(404, f"there is no run {run_id}")
        return run

    @pages.get("/goldwatch.css")
    def style() -> Response:
        return Response(css, media_type="text/css", headers={"Cache-Control": "public, max-age=300"})

    @pages.get("/goldwatch.svg")
    @pages.get("/favicon.ico")
    def picture() -> Response:
        return Response(icon, media_type="image/svg+xml", headers={"Cache-Control": "public, max-age=300"})

    @pages.get("/")
    def fleet_page(request: Request) -> HTMLResponse:
        fleet = views.worst_first(views.fleet(store, facts))
        rows = [shown.fleet_row(store, facts, view) for view in fleet]
        return render(
            request, "fleet.html.j2", rows=rows, tally=shown.tally(rows), watch=views.own_troubles(store)
        )

    @pages.get("/targets/{name}")
    def target_page(name: Name, request: Request) -> HTMLResponse:
        view = views.target(store, facts, name)
        if view is None:
            raise HTTPException(404, f"no target is named {name}")
        runs = store.runs(name, limit=_CHART_RUNS)
        context = shown.target_context(store, facts, view, runs)
        return render(request, "target.html.j2", **context, history=runs[:_SHOWN_RUNS])

    @pages.get("/targets/{name}/baseline")
    def baseline_page(name: Name, request: Request) -> HTMLResponse:
        view = views.target(store, facts, name)
        if view is None:
            raise HTTPException(404, f"no target is named {name}")
        return render(
            request,
            "baseline.html.j2",
            view=view,
            findings=shown.findings_of(view.last_measured),
            state=standing_now.state(view, facts.now()),
            says=standing_now.says(view, facts.now()),
            baselines=store.baselines(name)[::-1],
            firing=[a for a in view.firing if a.kind is AlertKind.REGRESSION],
        )

    @pages.get("/runs/{run_id}")
    def run_page(run_id: RunId, request: Request) -> HTMLResponse:
        run = found_run(run_id)
        page = broken_page(store, run, Choice(limit=_FIRST_BROKEN), show_texts=facts.show_texts)
        return render(
            request,
            "run.html.j2",
            run=run,
            object=run_object(run),
            findings=shown.findings_of(run),
            unanswered=standing_now.unanswered(store, run),
            why=shown.said_of(store.diagnosis(run.id), facts),
            broken=page,
            confused=shown.confused(store, run) if facts.show_texts else [],
        )

    @pages.get("/runs/{run_id}/examples")
    def examples_page(
        run_id: RunId,
        request: Request,
        scorer: Annotated[str | None, Query(max_length=64)] = None,
        slice: Annotated[str | None, Query(max_length=500)] = None,  # noqa: A002  # the contract's word
        sort: Sort = Sort.DAMAGE,
        cursor: Cursor = None,
    ) -> HTMLResponse:
        run = found_run(run_id)
        choice = Choice(scorer or None, slice or None, sort, cursor or 0, _PAGE)
        page = broken_page(store, run, choice, show_texts=facts.show_texts)
        return render(
            request, "examples.html.j2", run=run, broken=page, choice=choice, to=_links(choice, page)
        )

    @pages.get("/alerts/{alert_id}")
    def alert_page(alert_id: AlertId, request: Request) -> HTMLResponse:
        alert = store.alert(alert_id)
        if alert is None:
            raise HTTPException(404, "there is no alert of that id")
        messages, silences = store.notifications(alert_id), store.silences(alert.target)
        onset = None if alert.onset_run is None else store.run(alert.onset_run)
        updated = None if alert.updated_run is None else store.run(alert.updated_run)
        findings = shown.findings_in(alert, updated)
        worst = wording.worst(findings)
        return render(
            request,
            "alert.html.j2",
            alert=alert,
            standing=standing(alert, silences, facts.now()),
            silences=[s for s in silences if s.covers(alert.target, alert.id, facts.now())],
            findings=findings,
            onset=onset,
            unanswered=standing_now.unanswered(store, updated),
            asked=None if updated is None else updated.golden_examples,
            runbook=runbook_url(alert.kind, worst["check"] if worst else None),
            title=messages[-1].notification.body["alert"]["title"] if messages else None,
            body=messages[0].notification.body if messages else None,
            broke=shown.broke(store, alert),
            why=shown.causes_of(store, facts, alert),
            life=life(alert, messages, silences, onset.started_at if onset else None),
            told=bool(messages),
        )

    return pages


def _links(choice: Choice, page: Page) -> dict[str, str | None]:
    """Where the pages before and after this one are."""

    def link(offset: int | None) -> str | None:
        if offset is None:
            return None
        asked = {"scorer": choice.scorer, "slice": choice.slice, "sort": str(choice.sort), "cursor": offset}
        return "?" + urlencode({key: value for key, value in asked.items() if value})

    before = max(choice.offset - choice.limit, 0) if choice.offset else None
    return {"before": link(before), "after": link(page.next_offset)}
