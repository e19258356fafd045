"""Why was this run judged so? Every finding with its figures, and every example that broke."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from checks.causes import Diagnosis
from service.cli.render.run import STYLES, Details, render_run
from service.cli.render.words import MINUS, clock, epoch, percent, points
from service.text import safe
from service.wording import is_share, times

_FALL_BACK = {
    "learning": "there is no baseline to compare with yet",
    "inconclusive": "this run could not be measured",
}


def render_explanation(run: Mapping[str, Any], details: Details, *, limit: int = 200) -> RenderableType:
    """One run with every finding.

    Args:
        run: the object of ``run --json``.
        details: what stands beside it.
        limit: how many broken examples are listed.
    """
    started = epoch(run.get("started_at"))
    when = f", started {clock(started)}" if started is not None else ""
    golden = run.get("golden") or {}
    about = f"run {run['run']}{when}; golden set {safe(str(golden.get('digest') or 'unknown'), 19)}"
    if golden.get("version") is not None:
        about += f" version {golden['version']}"
    parts: list[RenderableType] = [Text(about, style="dim"), render_run(run, details, limit=limit), Text()]
    if details.diagnosis is not None and details.diagnosis.looked_at:
        parts += [_causes(details.diagnosis), Text()]
    if details.notes:
        parts += [*(Text(safe(note, 300)) for note in details.notes), Text()]
    findings = run.get("findings") or ()
    if not findings:
        parts.append(Text(f"no findings: {_FALL_BACK.get(run['verdict'], 'none')}"))
        return Group(*parts)
    parts.append(_findings(findings))
    said = [
        (f"{f['check']} {f.get('scorer') or ''} {f['slice']}", f["reason"])
        for f in findings
        if f.get("reason")
    ]
    parts += [
        Text(f"  {safe(' '.join(about.split()), 80)}: {safe(reason, 300)}", style="dim")
        for about, reason in said
    ]
    return Group(*parts)


def _causes(diagnosis: Diagnosis) -> Group:
    """Every cause with its facts and what to do, and what was looked at."""
    lines = [Text("what changed?", style="bold")]
    for cause in diagnosis.causes:
        lines.append(Text(f"  {safe(cause.title, 200)} ({cause.likelihood})"))
        lines += [Text(f"    {safe(fact, 300)}", style="dim") for fact in cause.facts]
        lines.append(Text(f"    next: {safe(cause.next, 300)}", style="dim"))
    if not diagnosis.causes:
        lines.append(Text("  no cause found"))
    lines.append(Text(f"  looked at: {', '.join(diagnosis.looked_at)}", style="dim"))
    if diagnosis.not_looked_at:
        lines.append(Text(f"  not known here: {', '.join(diagnosis.not_looked_at)}", style="dim"))
    return Group(*lines)


def _findings(findings: Any) -> Table:
    table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in ("check", "scorer", "slice"):
        table.add_column(head, overflow="ellipsis", no_wrap=True, min_width=6, max_width=24)
    for head in ("was", "now", "change", "95% CI", "evidence"):
        table.add_column(head, justify="right", no_wrap=True)
    widest = max((len(str(f["verdict"])) for f in findings), default=0)
    table.add_column("verdict", no_wrap=True, min_width=widest)  # last, and the last to give way
    ranked = sorted(findings, key=lambda f: -(f.get("evidence") or 0.0))
    for f in ranked:
        scores = is_share(f)
        low, high = f.get("interval") or (None, None)
        table.add_row(
            safe(f["check"], 24), safe(f.get("scorer") or "-", 24), safe(f["slice"], 40),
            _figure(f.get("baseline"), as_percent=scores), _figure(f.get("current"), as_percent=scores),
            _change(f.get("effect"), as_points=scores),
            f"{_change(low, as_points=scores)} … {_change(high, as_points=scores)}" if low is not None else "-",
            times(f["evidence"]) if f.get("evidence") is not None else "-",
            Text(str(f["verdict"]), style=STYLES.get(f["verdict"], "")),
        )  # fmt: skip
    return table


def _figure(value: float | None, *, as_percent: bool) -> str:
    if value is None:
        return "-"
    return percent(value) if as_percent else f"{value:.3g}"


def _change(value: float | None, *, as_points: bool) -> str:
    if value is None:
        return "-"
    return points(value, unit=False) if as_points else f"{value:+.3g}".replace("-", MINUS)
