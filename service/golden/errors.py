"""What is wrong with a golden set, where, and what is to be done? All faults at once, each with its line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from service.errors import UserError
from service.text import safe

LISTED = 50
"""At most this many faults of one file are listed; the others are counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: the line (from 1; None if it is the file's), the key, the value as shown, what to do.

    ``value`` is one harmless line of at most 60 characters, or None where there is none to show.
    """

    line: int | None
    key: str | None
    value: str | None
    message: str

    def __str__(self) -> str:
        """The fault on one line.

        >>> print(Problem(3, "weight", "-1", "must be above 0"))
        line 3: weight: -1: must be above 0
        """
        line = None if self.line is None else f"line {self.line}"
        return ": ".join(part for part in (line, self.key, self.value, self.message) if part is not None)


class GoldenError(UserError):
    """A golden set that cannot be used. ``problems`` lists at most 50 faults; ``total`` counts all."""

    def __init__(
        self, path: Path, problems: Iterable[Problem], total: int | None = None, remedy: str | None = None
    ) -> None:
        self.path = path
        self.problems = list(problems)
        self.total = len(self.problems) if total is None else total
        super().__init__(self._text(), remedy)

    def _text(self) -> str:
        name = safe(str(self.path))
        if self.total == 1 and self.problems[0].line is None:
            return f"{name}: {self.problems[0]}"
        faults = "1 fault" if self.total == 1 else f"{self.total} faults"
        lines = [f"{name}: {faults}", *(f"  {problem}" for problem in self.problems)]
        if self.total > len(self.problems):
            lines.append(f"  ... and {self.total - len(self.problems)} more")
        return "\n".join(lines)


class NotFrozenError(GoldenError):
    """The golden set has no lock, so nobody could tell whether it changed between two runs."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            [Problem(None, None, None, "not frozen: there is no lock beside it")],
            remedy=f"run: goldwatch freeze {path}",
        )


class EditedError(GoldenError):
    """The golden set is not the one that was frozen.

    ``changed``, ``added`` and ``removed`` are example ids, in order; all are empty where only the order
    changed, or where the lock keeps no examples (``known`` is False).
    """

    def __init__(
        self,
        path: Path,
        *,
        version: int,
        changed: tuple[str, ...] = (),
        added: tuple[str, ...] = (),
        removed: tuple[str, ...] = (),
        known: bool = True,
    ) -> None:
        self.version, self.known = version, known
        self.changed, self.added, self.removed = changed, added, removed
        told = [
            f"{len(ids)} {what} ({_ids(ids)})"
            for what, ids in (("changed", changed), ("added", added), ("removed", removed))
            if ids
        ]
        what = ", ".join(told) or ("the order changed" if known else "its content changed")
        super().__init__(
            path,
            [Problem(None, None, None, f"edited since it was frozen as version {version}: {what}")],
            remedy=f"take the edit back, or freeze it as version {version + 1}: goldwatch freeze {path}",
        )


class Faults:
    """Collects the faults of one file: keeps the first 50, counts all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kept: list[Problem] = []
        self.total = 0

    def add(self, line: int | None, key: str | None, value: str | None, message: str) -> None:
        """One fault more."""
        self.total += 1
        if len(self.kept) < LISTED:
            self.kept.append(Problem(line, key, value, message))

    def raise_if_any(self) -> None:
        """Tell all faults at once, in the order of the lines.

        Raises:
            GoldenError: there is at least one.
        """
        if self.total:
            ordered = sorted(self.kept, key=lambda problem: (problem.line or 0, problem.key or ""))
            raise GoldenError(self.path, ordered, self.total)


def _ids(ids: tuple[str, ...]) -> str:
    shown = ", ".join(safe(example_id, 40) for example_id in ids[:5])
    return f"{shown} and {len(ids) - 5} more" if len(ids) > 5 else shown
