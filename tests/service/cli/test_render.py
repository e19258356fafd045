"""What a person sees on the terminal; snapshots are renewed with ``UPDATE_SNAPSHOTS=1``."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import RenderableType

from checks.types import Verdict
from service.cli.render.console import console, show
from service.cli.render.explain import render_explanation
from service.cli.render.history import show_history, sparkline
from service.cli.render.run import Details, headline, render_run
from service.cli.render.words import epoch
from service.message import BrokenExample
from service.records import Headline, RunLine

SNAPSHOTS = Path(__file__).parent / "snapshots"
Make = Callable[..., dict[str, Any]]

BROKEN = (
    BrokenExample("T-0193", "billing", "billing", "other"),
    BrokenExample(
        "T-0311",
        {"label": "bug"},
        '{"label": "bug"}',
        'Sure! Here is\x1b[31m the JSON:\n{"label"',
        "not JSON",
    ),
    BrokenExample(
        "T-0400", "配送", "配送", "\u202egnippihs and much more than one would like to read in a table " * 3
    ),
)
WHERE_FROM = {
    "baseline_runs": 10,
    "baseline_at": 1731542400.0,
    "last_good_run": 1412,
    "last_good_at": 1731549600.0,
}


def drawn(renderable: RenderableType, width: int) -> str:
    out = io.StringIO()
    show(renderable, console(file=out, width=width))
    return out.getvalue()


def listed(runs: list[dict[str, Any]], width: int) -> str:
    out = io.StringIO()
    lines = []
    for run in runs:
        means = {s["scorer"]: s["mean"] for s in run["scores"] if s["slice"] == "all"}
        best = headline(run)
        figures = [] if best is None else [best[k] for k in ("scorer", "slice", "effect", "evidence")]
        verdict = None if run["verdict"] is None else Verdict(run["verdict"])
        at = epoch(run["started_at"]) or 0.0
        lines.append(RunLine(run["run"], at, verdict, run["reason"], Headline(means, *figures)))
    show_history(str(runs[0]["target"]), lines, console(file=out, width=width))
    return out.getvalue()


def story(
    verdict: str, make_run: Make, make_finding: Make, make_score: Make
) -> tuple[dict[str, Any], Details]:
    fell = make_finding(
        verdict=verdict,
        evidence=41.2,
        effect=-0.128,
        interval=[-0.164, -0.091],
        baseline=0.943,
        current=0.815,
        onset_run=1413,
    )
    if verdict == "regressed":
        de = make_finding(
            verdict=verdict, slice="lang=de", evidence=30.0, effect=-0.313, baseline=0.938, current=0.625
        )
        en = make_finding(
            verdict=verdict, slice="lang=en", evidence=3.0, effect=-0.081, baseline=0.944, current=0.863
        )
        floor = make_finding(
            check="floor", verdict=verdict, evidence=1.0, current=0.815, reason="below the floor of 90.0%"
        )
        scores = [
            make_score(0.815, 400),
            make_score(0.625, 80, name="lang=de"),
            make_score(0.863, 320, name="lang=en"),
        ]
        details = Details(
            **WHERE_FROM, duration_s=9.8, broke=57, fixed=6, broken=BROKEN,
            causes=["adapter not applied: 398/400 equal the base model (usual: 124)"],
            next_steps=["compare the server's LoRA settings and adapter key names with its log"],
        )  # fmt: skip
        return make_run(verdict, findings=[en, de, fell, floor], scores=scores), details
    if verdict == "suspect":
        return make_run(verdict, findings=[fell | {"evidence": 0.8}]), Details(
            **WHERE_FROM, broke=57, fixed=6, broken=BROKEN[:1]
        )
    if verdict == "improved":
        rose = fell | {"effect": 0.02, "interval": [0.011, 0.029], "current": 0.963, "evidence": 5.0}
        return make_run(verdict, findings=[rose], scores=[make_score(0.963, 400)]), Details(**WHERE_FROM)
    if verdict == "learning":
        scores = [make_score(0.943, 398, unscored=2), make_score(1.0, 400, scorer="length")]
        return make_run(verdict, scores=scores), Details(baseline_runs=3, baseline_needed=10)
    if verdict == "inconclusive":
        reason = "212/400 answered, 90% needed"
        lost = {
            "requests": {"ok": 212, "failed": 188, "retried": 564},
            "tokens": {"input": None, "output": None},
        }
        failures = {"127.0.0.1:8000 refuses connections": 180, "no answer within 30s": 8}
        return make_run(verdict, reason=reason, scores=[], cost_usd=None, **lost), Details(
            failures=failures, duration_s=12.0
        )
    return make_run(verdict, findings=[fell | {"evidence": 0.034, "effect": 0.001}]), Details(
        **WHERE_FROM, duration_s=9.8
    )


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("verdict", ["ok", "learning", "suspect", "regressed", "improved", "inconclusive"])
def test_a_run_looks_as_designed(
    verdict: str, width: int, make_run: Make, make_finding: Make, make_score: Make
) -> None:
    """Each verdict has a layout of its own that fits the width."""
    run, details = story(verdict, make_run, make_finding, make_score)
    shown = drawn(
        render_run(run, details, exit_code={"regressed": 1, "inconclusive": 3}.get(verdict, 0)), width
    )
    same_as_snapshot(f"run-{verdict}-{width}.txt", shown)
    assert max(map(len, shown.splitlines())) <= width


def same_as_snapshot(name: str, shown: str) -> None:
    path = SNAPSHOTS / name
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(shown)
    assert shown == path.read_text()


def test_a_regression_that_a_run_no_longer_shows_is_not_told_as_a_fall(
    make_run: Make, make_finding: Make
) -> None:
    """While it stands, the figures of a healthy run are told as healthy, and why it is still regressed."""
    back = make_finding(verdict="regressed", baseline=1.0, current=1.0, effect=0.0, onset_run=5)
    shown = " ".join(drawn(render_run(make_run("regressed", findings=[back]), Details()), 100).split())
    assert (
        "label is at 100.0% now, as in the baseline; that it got worse stands until more runs agree" in shown
    )
    assert "→" not in shown


def test_an_explanation_lists_every_finding(make_run: Make, make_finding: Make, make_score: Make) -> None:
    """With its figures, the run's golden set and the reasons."""
    run, details = story("regressed", make_run, make_finding, make_score)
    same_as_snapshot("explain-120.txt", drawn(render_explanation(run, details), 120))


def test_a_history_is_one_line_per_run_with_a_sparkline(
    make_run: Make, make_finding: Make, make_score: Make
) -> None:
    """Oldest first; an outage is a gap, not a low score."""
    bad, _ = story("regressed", make_run, make_finding, make_score)
    runs = [make_run("learning", run=i, scores=[make_score(0.94 + i / 1000, 400)]) for i in range(1, 4)]
    runs += [make_run("inconclusive", run=4, reason="2/400 answered", scores=[]), bad]
    runs += [make_run(None, run=1414, scores=[])]
    same_as_snapshot("history-100.txt", listed(runs, 100))


def test_a_sparkline_does_not_blow_up_noise() -> None:
    """Half a point of healthy noise stays near the top; a drop of 13 points does not."""
    assert set(sparkline([0.943, 0.945, 0.941])) <= set("▆▇█")
    assert sparkline([0.94, None, 0.81]) == "█·▁"
    assert sparkline([None, None]) == "··"
    assert sparkline([1.0, 0.5], width=1) == "█"


def test_model_output_cannot_touch_the_terminal(make_run: Make, make_finding: Make, make_score: Make) -> None:
    """No escape, override or line break of a model, a server or a name reaches the screen."""
    evil = "\x1b[2J\x1b]0;x\x07\u202e\r\n[bold]"
    run, _ = story("regressed", make_run, make_finding, make_score)
    run = run | {"target": evil, "reason": evil}
    run["findings"] = [
        f | {"reason": evil, "slice": f["slice"] if f["slice"] == "all" else evil} for f in run["findings"]
    ]
    details = Details(
        broken=[BrokenExample(evil, evil, evil, evil, evil)], causes=[evil], next_steps=[evil], broke=1
    )
    for shown in (drawn(render_explanation(run, details), 120), listed([run], 80)):
        assert not set(shown) & set("\x1b\x07\u202e\r")
        assert "[bold]" in shown
    failed = make_run("inconclusive", reason=evil, scores=[])
    assert "\x1b" not in drawn(render_run(failed, Details(failures={evil: 3})), 80)


def test_colour_only_on_a_terminal(make_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe gets plain text, and the width of ``COLUMNS`` where it is set."""
    monkeypatch.setenv("COLUMNS", "60")
    out = io.StringIO()
    screen = console(file=out)
    show(render_run(make_run("ok"), Details()), screen)
    assert "\x1b" not in out.getvalue()
    assert screen.width == 60
