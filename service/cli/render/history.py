"""How has this target been? One line per run, oldest first, and the headline score as a sparkline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.text import Text

from checks.types import ALL
from service.cli.render.console import Line, show, show_lines
from service.cli.render.run import STYLES
from service.cli.render.words import clock, percent, points
from service.text import safe
from service.wording import times

if TYPE_CHECKING:
    from service.records import RunLine

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


def show_history(target: str, runs: Sequence[RunLine], screen: Console) -> None:
    """Draw every run of one target, oldest first."""
    if not runs:
        show(Text("no runs yet: goldwatch run"), screen)
        return
    scorer = next((name for run in reversed(runs) if (name := _scorer(run))), None)
    means = [_mean(run, scorer) for run in runs]
    lines = [Text(safe(target, 64), style="bold").append(f"  {len(runs)} runs", style="not bold")]
    known = [mean for mean in means if mean is not None]
    if known:
        line = sparkline(means, max(screen.width - 40, 20))
        lines.append(
            Text(f"{safe(scorer or '', 40)}  {line}  {percent(min(known))} to {percent(max(known))}")
        )
    show(Group(*lines, Text()), screen)
    numbers = max(len(str(runs[0].id)), len(str(runs[-1].id)))
    show_lines((_line(run, mean, scorer, numbers) for run, mean in zip(runs, means, strict=True)), screen)


def _line(run: RunLine, mean: float | None, scorer: str | None, numbers: int) -> Line:
    verdict = "" if run.verdict is None else run.verdict.value
    line = [
        (f"{run.id:>{numbers}}  {clock(run.started_at):<16}  ", ""),
        (f"{verdict or 'running':<12}", STYLES.get(verdict, "")),
    ]
    if verdict == "inconclusive":
        return [*line, (f"  {safe(run.reason or '', 120)}", "dim")]
    line.append((f"  {percent(mean) if mean is not None else '-':>6}", ""))
    head = run.headline
    if head.effect is not None and head.scorer == scorer:
        line.append((f"  {points(head.effect, unit=False):>6}", ""))
        if head.evidence is not None:
            line.append((f"  {times(head.evidence):>7}", "dim"))
        if head.slice != ALL:
            line.append((f"  {safe(head.slice or '', 40)}", "dim"))
    return line


def _scorer(run: RunLine) -> str | None:
    return run.headline.scorer or next(iter(run.headline.means), None)


def _mean(run: RunLine, scorer: str | None) -> float | None:
    if run.verdict in (None, "inconclusive") or scorer is None:
        return None
    return run.headline.means.get(scorer)
