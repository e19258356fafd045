"""What says healthy? A target's baseline on the terminal: its runs, its means, and what has changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from checks.types import ALL
from service.cli.render.run import STYLES
from service.cli.render.words import clock, percent, points
from service.text import safe

_SLICES = 20


def render_baseline(facts: Mapping[str, Any]) -> RenderableType:
    """One baseline as a person reads it.

    Args:
        facts: the object of ``baseline show --json``.
    """
    pinned = facts["pinned"]
    head = Text(safe(facts["target"], 64), style="bold").append(f"  baseline {facts['baseline']}  ")
    head.append("pinned" if pinned else "collecting", style=STYLES["ok" if pinned else "learning"])
    rows = [("why", facts["reason"] or "the first one"), ("opened", clock(facts["opened_at"]))]
    runs = facts["runs"]
    if pinned:
        imported = " (taken in from a file)" if facts["imported"] else ""
        rows.append(("runs", f"{len(runs)}: {_numbers([run['run'] for run in runs])}{imported}"))
        rows.append(("made", f"{clock(runs[0]['started_at'])} to {clock(runs[-1]['started_at'])}"))
    else:
        rows.append(
            ("runs", f"{len(runs)} of {facts['needed']} measured runs, from run {facts['from_run']} on")
        )
    if facts["golden"] is not None:
        golden = facts["golden"]
        version = f" version {golden['version']}" if golden["version"] is not None else ""
        rows.append(("golden", f"{golden['digest'][:19]}…{version}, {golden['examples']} examples"))
    parts: list[RenderableType] = [head, _grid(rows)]
    if facts["scores"]:
        parts += [Text(), _table(facts["scores"])]
    parts += [Text(), *_since(facts)]
    if facts["earlier"]:
        parts += [Text(), Text("earlier baselines", style="dim")]
        parts += [
            Text(
                f"  {old['baseline']}  {clock(old['opened_at'])} to {clock(old['replaced_at'])}"
                f"  {len(old['runs'])} runs  {safe(old['reason'] or 'the first one', 100)}"
            )
            for old in facts["earlier"]
        ]
    return Group(*parts)


def _since(facts: Mapping[str, Any]) -> list[Text]:
    if not facts["pinned"]:
        return [Text("nothing pages on scores before the baseline is complete", style="dim")]
    said = [Text("since then", style="dim")]
    counts = facts["since"]["verdicts"]
    told = ", ".join(f"{n} {verdict}" for verdict, n in counts.items()) or "no finished run"
    said.append(Text(f"  runs: {told}"))
    said += [Text(f"  {safe(change, 200)}") for change in facts["since"]["changes"]]
    if not facts["since"]["changes"]:
        said.append(Text("  nothing that is measured, served or deployed is known to have changed"))
    return said


def _table(scores: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in ("scorer", "slice"):
        table.add_column(head, overflow="ellipsis", no_wrap=True, max_width=40)
    for head in ("baseline", "lowest", "highest", "last run", "change"):
        table.add_column(head, justify="right", no_wrap=True)
    everything = [s for s in scores if s["slice"] == ALL]
    slices = [s for s in scores if s["slice"] != ALL]
    slices.sort(key=lambda s: s["change"] if s["change"] is not None else 0.0)
    for s in [*everything, *slices[:_SLICES]]:
        table.add_row(
            safe(s["scorer"], 40),
            safe(s["slice"], 40),
            percent(s["mean"]),
            percent(s["low"]),
            percent(s["high"]),
            "-" if s["last"] is None else percent(s["last"]),
            "-" if s["change"] is None else points(s["change"], unit=False),
        )
    if len(slices) > _SLICES:
        table.caption = f"and {len(slices) - _SLICES} more slices: --json"
    return table


def _grid(rows: Sequence[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=8)
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(Text("  " + label, style="dim"), Text(safe(text, 300)))
    return grid


def _numbers(runs: Sequence[int]) -> str:
    """Run numbers, runs of neighbours as a range.

    >>> _numbers([3, 4, 5, 8])
    '3 to 5, 8'
    """
    parts: list[list[int]] = []
    for number in runs:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{p[0]} to {p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)
