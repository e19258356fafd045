"""What is wrong with the configuration? Every fault at once, each with its place and its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checks.registry import did_you_mean, list_of
from service.errors import UserError

__all__ = ["MAX_LISTED", "ConfigError", "Problem", "did_you_mean", "list_of"]

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
