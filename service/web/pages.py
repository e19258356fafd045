"""What does a person see in a browser? Four pages, rendered on the server, that need no script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as File
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from checks.types import ALL, Verdict
from service import __version__, wording
from service.facts import Facts
from service.records import BaselineRecord, RunKind, RunRecord
from service.report import finding_object, run_object
from service.text import safe
from service.web import views
from service.web.api import Name, RunId
from service.web.chart import Event, Point, chart
from service.web.guard import fault_without_token, require

_HERE = File(__file__).parent
_SHOWN_RUNS = 20
_CHART_RUNS = 168
_PAGE = 25
_TEXT = 600
"""The most characters of one text on a page; the API has the whole."""

Offset = Annotated[int, Query(ge=0, le=10_000_000)]


def router(store: views.Reader, facts: Facts) -> APIRouter:
    """The routes of the pages."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    render = Renderer(facts)
    css = (_HERE / "goldwatch.css").read_bytes()

    @pages.get("/goldwatch.css")
    def style() -> Response:
        return Response(css, media_type="text/css", headers={"Cache-Control": "public, max-age=300"})

    @pages.get("/")
    def fleet_page() -> HTMLResponse:
        rows = [fleet_row(view) for view in views.worst_first(views.fleet(store, facts))]
        return render("fleet.html.j2", rows=rows)

    @pages.get("/targets/{name}")
    def target_page(name: Name, request: Request) -> HTMLResponse:
        view = views.target(store, facts, name)
        if view is None:
            raise HTTPException(404, f"no target is named {name}")
        runs = store.runs(name, limit=_CHART_RUNS)
        client = request.client.host if request.client else None
        free = facts.token is None and not fault_without_token(client, request.url.scheme, request.headers)
        return render(
            "target.html.j2",
            **target_context(store, view, runs),
            can_run=free,
            history=runs[:_SHOWN_RUNS],
        )

    @pages.post("/targets/{name}/runs")
    async def run_now(name: Name, request: Request) -> RedirectResponse:
        require(request, facts)
        if all(one.name != name for one in facts.targets()):
            raise HTTPException(404, f"no target is named {name}")
        await facts.request_run(name, RunKind.MANUAL)
        return RedirectResponse(f"/targets/{name}", status_code=303)

    @pages.get("/runs/{run_id}")
    def run_page(run_id: RunId, offset: Offset = 0) -> HTMLResponse:
        run = store.run(run_id)
        if run is None:
            raise HTTPException(404, f"there is no run {run_id}")
        found, examples, more = views.broken_examples(
            store, run, show_texts=facts.show_texts, offset=offset, limit=_PAGE
        )
        return render(
            "run.html.j2",
            run=run,
            object=run_object(run),
            changed=findings_of(run, moved=True),
            rest=findings_of(run, moved=False),
            broken=found,
            examples=examples,
            offset=offset,
            next_offset=offset + len(examples) if more else None,
        )

    @pages.get("/alerts/{alert_id}")
    def alert_page(alert_id: str) -> HTMLResponse:
        alert = store.alert(alert_id)
        if alert is None:
            raise HTTPException(404, "there is no alert of that id")
        messages = store.notifications(alert_id)
        first = messages[0].notification.body if messages else None
        return render(
            "alert.html.j2",
            alert=alert,
            findings=[finding_object(f) for f in alert.findings],
            title=messages[-1].notification.body["alert"]["title"] if messages else None,
            body=first,
            messages=messages,
        )

    return pages


class Renderer:
    """Templates with autoescape on; model output goes through ``shown`` besides, which unmasks hidden characters."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._env = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters["shown"] = lambda text, limit=_TEXT: safe(_written(text), limit)
        self._env.globals.update(wording=wording, version=__version__)

    def __call__(self, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
        """A page."""
        now = self._facts.now()
        html = self._env.get_template(template).render(
            now=now, show_texts=self._facts.show_texts, ago=lambda at: wording.ago(now - at), **values
        )
        return HTMLResponse(html, status_code)


def fleet_row(view: views.TargetView) -> dict[str, Any]:
    """One line of the fleet: the target, what is to be said of it, its headline score."""
    headline = _headline(view.last_measured)
    return {
        "view": view,
        "headline": headline,
        "says": says(view),
        "measured_at": views.ended_at(view.last_measured),
    }


def says(view: views.TargetView) -> str:
    """How a target stands, in one sentence; the three kinds of bad are told apart."""
    run = view.last_run
    if run is None:
        return "is being replayed for the first time" if view.running else "has not run yet"
    if run.verdict is Verdict.INCONCLUSIVE:
        return f"could not be measured: {safe(run.reason or 'no reason given', 200)}"
    if run.verdict is Verdict.LEARNING:
        learning = next((f.reason for f in run.findings if f.verdict is Verdict.LEARNING and f.reason), None)
        return safe(learning or f"learning: a baseline has {view.facts.baseline_runs} runs", 200)
    finding = _headline(run)
    if run.verdict is Verdict.OK:
        return "no change found"
    if finding is None:
        return safe(run.reason or str(run.verdict), 200)
    said = f"{wording.subject(finding)} {wording.happened(finding)}"
    return f"{said}; one bad run, not yet confirmed" if run.verdict is Verdict.SUSPECT else said


def findings_of(run: RunRecord | None, *, moved: bool) -> list[dict[str, Any]]:
    """A run's findings, whole set before slices: those that moved (regressed, suspect, improved), or the others."""
    moving = (Verdict.REGRESSED, Verdict.SUSPECT, Verdict.IMPROVED)
    found = [f for f in (run.findings if run else ()) if (f.verdict in moving) is moved]
    order = ("quality", "floor")
    found.sort(
        key=lambda f: (
            order.index(f.check) if f.check in order else len(order),
            f.check,
            f.scorer or "",
            f.slice != ALL,
            f.effect or 0.0,
            f.slice,
        )
    )
    return [finding_object(f) for f in found]


def target_context(store: views.Reader, view: views.TargetView, runs: Sequence[RunRecord]) -> dict[str, Any]:
    """What the target page shows besides its runs."""
    name = view.facts.name
    headline = _headline(view.last_measured)
    scorer = headline["scorer"] if headline else _scorer(runs)
    oldest = runs[-1].started_at if runs else 0.0
    marks = store.marks(name, oldest)
    onset_run = next((a.onset_run for a in view.firing if a.onset_run is not None), None)
    onset = store.run(onset_run) if onset_run is not None else None
    events = [Event(m.at, f"deployed {safe(m.version, 24)}", "mark") for m in marks]
    if onset is not None:
        events.append(Event(onset.started_at, "first bad run", "onset"))
    baseline = store.baseline(name)
    return {
        "view": view,
        "says": says(view),
        "moved": findings_of(view.last_measured, moved=True),
        "steady": findings_of(view.last_measured, moved=False),
        "onset": onset,
        "baseline": baseline,
        "scorer": scorer,
        "chart": chart(
            _points(runs, scorer), name=scorer, band=_band(store, baseline, runs, scorer), events=events
        )
        if scorer
        else None,
        "marks": list(reversed(marks))[:10],
        "measured_at": views.ended_at(view.last_measured),
    }


def _headline(run: RunRecord | None) -> dict[str, Any] | None:
    """The finding that stands for the whole run: the worst one that has a scorer."""
    if run is None:
        return None
    found = [finding_object(f) for f in run.findings if f.scorer is not None and f.check == "quality"]
    worst = wording.worst(found)
    return dict(worst) if worst else None


def _scorer(runs: Sequence[RunRecord]) -> str | None:
    return next((s.scorer for run in runs for s in run.summaries), None)


def _mean(run: RunRecord, scorer: str) -> float | None:
    return next((s.mean for s in run.summaries if (s.scorer, s.slice) == (scorer, ALL)), None)


def _points(runs: Sequence[RunRecord], scorer: str) -> list[Point]:
    """Oldest first; a run that could not be judged is a gap, even if some of it was scored."""
    return [
        Point(run.id, run.started_at, _mean(run, scorer) if run.measured else None, str(run.verdict))
        for run in reversed(runs)
        if run.verdict is not None
    ]


def _band(
    store: views.Reader, baseline: BaselineRecord | None, runs: Sequence[RunRecord], scorer: str
) -> tuple[float, float] | None:
    if baseline is None or not baseline.runs:
        return None
    near = {run.id: run for run in runs}
    pinned = [near.get(run_id) or store.run(run_id) for run_id in baseline.runs]
    means = [mean for run in pinned if run is not None and (mean := _mean(run, scorer)) is not None]
    return (min(means), max(means)) if means else None


def _written(value: Any) -> str:
    import json  # noqa: PLC0415  # for structures only

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
