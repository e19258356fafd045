"""How is a diagnosis shown? One line each: how it is, what was looked at, what was seen; below it what to do."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from service.doctor import Diagnosis, Level
from service.text import safe

_STYLES = {Level.OK: "green", Level.WARNING: "bold yellow", Level.FAILED: "bold red"}
_LONGEST = 2_000


def render_diagnosis(found: Diagnosis) -> RenderableType:
    """One diagnosis; a message of several lines keeps them."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=7)
    grid.add_column(no_wrap=True, min_width=10)
    grid.add_column(overflow="fold")
    message = _lines(found.message)
    subject = f"{safe(found.subject, 64)}: " if found.subject is not None else ""
    part = str(found.part).replace("_", " ")
    grid.add_row(Text(found.level, style=_STYLES[found.level]), Text(part), Text(subject + message))
    if found.remedy is not None:
        grid.add_row(
            "", "", Text(f"→ {_lines(found.remedy)}", style="bold" if found.level is Level.FAILED else "")
        )
    return grid


def render_summary(found: Sequence[Diagnosis], exit_code: int) -> RenderableType:
    """How many of each, and the exit code."""
    counts = {level: sum(one.level is level for one in found) for level in Level}
    warnings = f"{counts[Level.WARNING]} warning{'' if counts[Level.WARNING] == 1 else 's'}"
    meaning = {0: "ready", 2: "usage or configuration", 3: "an endpoint could not be measured"}[exit_code]
    said = f"{counts[Level.OK]} ok, {warnings}, {counts[Level.FAILED]} failed"
    return Text(f"\n{said}   exit {exit_code} ({meaning})", style="dim")


def _lines(text: str) -> str:
    return "\n".join(safe(line, _LONGEST) for line in text.splitlines())
