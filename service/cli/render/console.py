"""Where is drawn? On a console that knows its width and whether colour is wanted."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import IO, TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType
from rich.text import Text

PLAIN_WIDTH = 100
"""Columns where the output is no terminal and ``COLUMNS`` is not set."""

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

Line: TypeAlias = Sequence[tuple[str, str]]
"""Pieces of one line: a text without control characters, and its style or nothing."""


def console(*, stderr: bool = False, width: int | None = None, file: IO[str] | None = None) -> Console:
    """A console for results, or for messages with ``stderr``; text is taken literally, never as markup."""
    stream = file if file is not None else sys.stderr if stderr else sys.stdout
    if width is None and not stream.isatty():
        columns = os.environ.get("COLUMNS", "")
        width = int(columns) if columns.isdigit() and int(columns) >= 20 else PLAIN_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


def show_lines(lines: Iterable[Line], on: Console) -> None:
    """Draw many lines of styled pieces, each cut to the width; fast, since nothing is laid out."""
    codes: dict[str, tuple[str, str]] = {}

    def code(style: str) -> tuple[str, str]:
        if style not in codes:
            with on.capture() as captured:
                on.print(Text("x", style=style), end="")
            before, _, after = captured.get().partition("x")
            codes[style] = (before, after)
        return codes[style]

    drawn, width = [], on.width
    for pieces in lines:
        left, line = width, ""
        for text, style in pieces:
            wide = len(text) if text.isascii() else cell_len(text)
            shown = text if wide <= left else set_cell_size(text, max(left - 1, 0)) + ELLIPSIS * (left > 0)
            left -= min(wide, left)
            before, after = code(style) if style else ("", "")
            line += f"{before}{shown}{after}"
        drawn.append(line.rstrip() + "\n")
    on.file.write("".join(drawn))


def show(renderable: RenderableType, on: Console | None = None) -> None:
    """Draw on the console (by default standard output); where it is no terminal, without trailing spaces."""
    target = on or console()
    if target.is_terminal:
        target.print(renderable)
        return
    with target.capture() as captured:
        target.print(renderable)
    for line in captured.get().splitlines():
        target.file.write(line.rstrip() + "\n")
