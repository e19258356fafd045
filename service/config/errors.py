"""What is wrong with the configuration? Every fault at once, each with its place and its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from service.errors import UserError

MAX_LISTED = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault.

    ``line`` and ``column`` count from 1 and are None where the fault has no place in the file. ``key`` is the key's
    path, such as ``targets[0].scorers[1].pattern``, empty for the file itself. ``message`` names the value, unless it
    may be a secret, and what is allowed.
    """

    line: int | None
    key: str
    message: str
    column: int | None = None

    def render(self, file: str) -> str:
        """One line of text: ``file:line: key: message``."""
        place = ":".join(str(part) for part in (file, self.line, self.column) if part is not None)
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ConfigError(UserError):
    """The configuration cannot be used. ``problems`` holds every fault, in the file's order."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems, key=lambda p: (p.line or 0, p.column or 0, p.key)))
        shown = [problem.render(file) for problem in self.problems[:MAX_LISTED]]
        if len(self.problems) > MAX_LISTED:
            shown.append(f"{file}: and {len(self.problems) - MAX_LISTED} more faults")
        super().__init__("\n".join(shown))


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known word, or nothing.

    >>> did_you_mean("schedul", ["schedule", "scorers"])
    "; did you mean 'schedule'?"
    >>> did_you_mean("zzz", ["schedule"])
    ''
    """
    lowered = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return f"; did you mean {lowered[near[0]]!r}?" if near else ""


def list_of(words: Sequence[str], limit: int = 30) -> str:
    """The words with commas between them; the rest beyond ``limit`` counted.

    >>> list_of(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    shown = ", ".join(words[:limit])
    return shown if len(words) <= limit else f"{shown} and {len(words) - limit} more"
