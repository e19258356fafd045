"""How is a series drawn on a terminal? Runs as columns, newest last: a chart of scores and lines of evidence.

Own drawing, of about a hundred lines: the one library for it would be one more thing to install on every machine that
watches, and cannot draw a band, a gap or a threshold as they are meant here. What cannot be encoded
falls back to ASCII.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

BLOCKS, ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.-:=+*#"
DOT, ASCII_DOT = "●", "o"
BAND, ASCII_BAND = "░", "."
GAP, ASCII_GAP = "×", "x"
LEAST_EVIDENCE = 1e-4
"""Evidence from here on is drawn; below, the line lies on the ground."""


def evidence_line(values: Sequence[float | None], *, wide: int = 1, plain: bool = False) -> Text:
    """Evidence as one line of blocks on a log scale from 1/10,000 to 1; a full block pages.

    >>> evidence_line([None, 0.0, 0.01, 1.5]).plain
    ' ▁▄█'
    """
    blocks = ASCII_BLOCKS if plain else BLOCKS
    line = Text()
    for value in values:
        if value is None:
            line.append(" " * wide)
            continue
        share = 1.0 - math.log(max(value, LEAST_EVIDENCE)) / math.log(LEAST_EVIDENCE)
        step = (
            len(blocks) - 1
            if value >= 1.0
            else min(int(max(share, 0.0) * (len(blocks) - 1)), len(blocks) - 2)
        )
        style = "bold red" if value >= 1.0 else "yellow" if value >= 0.05 else "dim"
        line.append(blocks[step] * wide, style=style)
    return line


def score_rows(
    values: Sequence[float | None],
    *,
    band: tuple[float, float] | None,
    bad: Sequence[bool],
    height: int = 7,
    wide: int = 1,
    plain: bool = False,
) -> list[tuple[str, Text]]:
    """A chart of scores, the top row first: each row's label and its cells; a gap is never drawn as a value.

    Args:
        values: a score in [0, 1] per run, None where it could not be measured.
        band: the baseline's range, drawn behind.
        bad: runs to be drawn in red.
        height: rows, at least 3.
        wide: columns per run.
        plain: ASCII only.
    """
    dot, shade, gap = (ASCII_DOT, ASCII_BAND, ASCII_GAP) if plain else (DOT, BAND, GAP)
    known = [*(v for v in values if v is not None), *(band or ())]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if high - low < 0.02:
        low, high = max(high - 0.02, 0.0), max(high, 0.02)

    def row_of(value: float) -> int:
        return min(max(round((high - value) / (high - low) * (height - 1)), 0), height - 1)

    shaded = range(0) if band is None else range(row_of(band[1]), row_of(band[0]) + 1)
    rows: list[tuple[str, Text]] = []
    for row in range(height):
        cells = Text()
        for value, red in zip(values, bad, strict=True):
            if value is not None and row_of(value) == row:
                cells.append(dot, style="bold red" if red else "green")
            elif value is None and row == height - 1:
                cells.append(gap, style="bold yellow")
            else:
                cells.append(shade if row in shaded else " ", style="dim")
            cells.append((shade if row in shaded else " ") * (wide - 1), style="dim")
        label = f"{100 * (high - row / (height - 1) * (high - low)):.1f}%" if row % 2 == 0 else ""
        rows.append((label, cells))
    return rows
