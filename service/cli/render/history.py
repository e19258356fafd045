"""How has this target been? One line per run, oldest first, and the headline score as a sparkline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from checks.types import ALL
from service.cli.render.run import STYLES, headline
from service.cli.render.words import clock, epoch, percent, points
from service.text import safe
from service.wording import times

BARS = "▁▂▃▄▅▆▇█"
UNMEASURED = "·"
_LEAST_SPAN = 0.05
"""A sparkline spans at least five points, so that healthy noise looks like noise."""


def sparkline(values: Sequence[float | None], width: int | None = None) -> str:
    """One character per value, the newest ``width`` of them; a dot where nothing was measured.

    >>> sparkline([0.94, 0.95, None, 0.81])
    '▇█·▁'
    """
    shown = list(values if width is None else values[-max(width, 1) :])
    known = [value for value in shown if value is not None and math.isfinite(value)]
    if not known:
        return UNMEASURED * len(shown)
    high = max(known)
    low = min(*known, max(high - _LEAST_SPAN, 0.0))
    span = max(high - low, 1e-9)
    steps = len(BARS) - 1
    return "".join(
        UNMEASURED if value is None else BARS[round(steps * (value - low) / span)] for value in shown
    )


def render_history(runs: Sequence[Mapping[str, Any]], *, width: int = 100) -> RenderableType:
    """Every run of one target, oldest first.

    Args:
        runs: objects of ``run --json``, oldest first.
        width: how many columns the sparkline may take.
    """
    if not runs:
        return Text("no runs yet: goldwatch run")
    scorer = next((name for run in reversed(runs) if (name := _scorer(run))), None)
    means = [_mean(run, scorer) for run in runs]
    lines = [
        Text(safe(str(runs[0]["target"]), 64), style="bold").append(f"  {len(runs)} runs", style="not bold")
    ]
    known = [mean for mean in means if mean is not None]
    if known:
        line = sparkline(means, max(width - 40, 20))
        lines.append(
            Text(f"{safe(scorer or '', 40)}  {line}  {percent(min(known))} to {percent(max(known))}")
        )
    lines.append(Text())
    numbers = max(len(str(run["run"])) for run in runs)
    lines += [_line(run, mean, scorer, numbers) for run, mean in zip(runs, means, strict=True)]
    return Group(*lines)


def _line(run: Mapping[str, Any], mean: float | None, scorer: str | None, numbers: int) -> Text:
    started = epoch(run.get("started_at"))
    when = clock(started) if started is not None else ""
    line = Text(f"{run['run']!s:>{numbers}}  {when:<16}  ", no_wrap=True, overflow="ellipsis")
    line.append(f"{run['verdict'] or 'running':<12}", style=STYLES.get(run["verdict"], ""))
    if run["verdict"] == "inconclusive":
        return line.append(f"  {safe(run.get('reason') or '', 120)}", style="dim")
    line.append(f"  {percent(mean) if mean is not None else '-':>6}")
    finding = headline(run)
    if finding is not None and finding.get("effect") is not None and finding["scorer"] == scorer:
        line.append(f"  {points(finding['effect'], unit=False):>6}")
        if finding.get("evidence") is not None:
            line.append(f"  {times(finding['evidence']):>7}", style="dim")
        if finding["slice"] != ALL:
            line.append(f"  {safe(finding['slice'], 40)}", style="dim")
    return line


def _scorer(run: Mapping[str, Any]) -> str | None:
    finding = headline(run)
    if finding is not None and finding.get("scorer"):
        return str(finding["scorer"])
    return next((str(s["scorer"]) for s in run.get("scores") or () if s["slice"] == ALL), None)


def _mean(run: Mapping[str, Any], scorer: str | None) -> float | None:
    if run["verdict"] in (None, "inconclusive"):
        return None
    for s in run.get("scores") or ():
        if s["slice"] == ALL and s["scorer"] == scorer:
            return float(s["mean"]) if s["mean"] is not None else None
    return None
