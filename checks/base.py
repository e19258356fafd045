"""What is a check? A question asked of a target's history, as a fold over its runs.

To add one: a module in this folder that defines ``CHECK``, an object with the methods of :class:`Check`, and
its test. It is found by being there; packages installed beside goldwatch use the entry-point group
``goldwatch.checks``. Its state is a frozen dataclass of arrays and plain values, listed in ``state_types``, so
that the fold can be kept and taken up again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from checks.types import Finding, FloatArray, Measurement, Subject

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check says of one run.

    ``suspect``: one bad run that a second must confirm. ``standing``: a regression stands. ``onset_run`` is
    the run that it began with. ``unfit``: nothing may be learnt from this run, by any check.
    """

    findings: tuple[Finding, ...]
    suspect: bool = False
    standing: bool = False
    onset_run: int | None = None
    unfit: bool = False


class Check(Protocol):
    """The interface of a check."""

    name: str
    weight: float
    """Its part of the target's false-alarm budget, relative to the other checks that apply; 0 never pages."""
    state_types: tuple[type, ...]

    # A check may say ``guards = True``: it is asked before the others, and may tell that a run is unfit to learn from.
    # One that says ``apart = True`` speaks of limits, not of what is usual: while it pages, the others go on learning.

    def initial(self, subject: Subject) -> Any:
        """The state before the first run, or None if the check does not apply to this subject."""

    def update(
        self, subject: Subject, state: Any, run: Measurement, *, share: float, learn: bool
    ) -> tuple[Any, Answer]:
        """Take in one measured run.

        Args:
            subject: what is judged.
            state: what the past left.
            run: the run.
            share: this check's part of the whole false-alarm budget.
            learn: false while a regression of this target stands.
        """

    def unmeasured(self, subject: Subject, state: Any, run: Measurement) -> Answer:
        """What to say of a run that could not be measured; the state stays."""


def mean(values: FloatArray) -> float | None:
    """The mean of what is known, or None where nothing is."""
    known = values[values == values]  # noqa: PLR0124  # NaN is what differs from itself
    return float(known.mean()) if len(known) else None
