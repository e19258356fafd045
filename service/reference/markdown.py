"""How does a docstring become Markdown? Headings, tables, and the few marks of reStructuredText that are used here."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Sequence

_ROLE = re.compile(r":[a-z]+:`~?(?:[A-Za-z0-9_]+\.)*([A-Za-z0-9_]+)`")
_LITERAL = re.compile(r"``(.+?)``", re.DOTALL)


def inline(text: str) -> str:
    """Roles and double backticks as Markdown's code.

    >>> inline("a :class:`~checks.types.Score` of ``0``")
    'a `Score` of `0`'
    """
    return _LITERAL.sub(r"`\1`", _ROLE.sub(r"`\1`", text))


def prose(docstring: str) -> str:
    r"""A docstring as Markdown; indented blocks after ``::`` or ``Example:`` are fenced, examples as YAML.

    >>> print(prose("\n    It fits::\n\n        x = 1\n    "))
    It fits:
    <BLANKLINE>
    ```text
    x = 1
    ```
    """
    lines = inspect.cleandoc(docstring).split("\n")
    made: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at].rstrip()
        at += 1
        if not line.endswith("::") and line != "Example:":
            made.append(inline(line))
            continue
        block, at = _block(lines, at)
        example = line.startswith("Example")
        made.append("**Example**" if example else inline(line[:-1]))
        made += ["", "```yaml" if example else "```text", *block, "```"]
    return "\n".join(made).strip()


def _block(lines: Sequence[str], at: int) -> tuple[list[str], int]:
    """The indented block that begins at or after a line, and where it ends."""
    start = at
    while at < len(lines) and (not lines[at].strip() or lines[at].startswith(" ")):
        at += 1
    end = at
    while end > start and not lines[end - 1].strip():
        end -= 1
    return textwrap.dedent("\n".join(lines[start:end])).strip("\n").split("\n"), end


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""A Markdown table; bars and line breaks in cells do no harm.

    >>> print(table(["a"], [["x | y"]]))
    | a |
    |---|
    | x \| y |
    """
    lines = [heads, *([" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows)]
    drawn = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([drawn[0], "|" + "---|" * len(heads), *drawn[1:]])


def join(parts: Iterable[str]) -> str:
    """Parts of a page with a blank line between them; empty ones are left out."""
    return "\n\n".join(part for part in parts if part) + "\n"
