"""Where is drawn? On a console that knows its width and whether colour is wanted."""

from __future__ import annotations

import os
import sys
from typing import IO

from rich.console import Console, RenderableType

PLAIN_WIDTH = 100
"""Columns where the output is no terminal and ``COLUMNS`` is not set."""


def console(*, stderr: bool = False, width: int | None = None, file: IO[str] | None = None) -> Console:
    """A console for results, or for messages with ``stderr``; text is taken literally, never as markup."""
    stream = file if file is not None else sys.stderr if stderr else sys.stdout
    if width is None and not stream.isatty():
        columns = os.environ.get("COLUMNS", "")
        width = int(columns) if columns.isdigit() and int(columns) >= 20 else PLAIN_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


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
