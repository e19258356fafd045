"""What stands in the way of a true measurement? Checks of everything that a run needs, before the first one.

``examine`` asks all parts in order and yields one :class:`Diagnosis` after the other; nothing that it does is
stored as a run. One file per group: ``local`` (secrets and golden sets, scorers included), ``storage``,
``spending`` (cost and the smallest drop found, before anything is sent), ``asking`` (endpoints), ``base_model`` (is
the fine-tune applied?) and ``channels`` (notifiers). To add a group: a :class:`Part`, a file with a function that
gives diagnoses, and a line in ``examine``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from checks.types import Json


class Level(StrEnum):
    """How a part is. ``warning`` also stands for what could not be told: silence is never health."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Part(StrEnum):
    """What was looked at, in order."""

    CONFIG = "config"
    SECRETS = "secrets"
    GOLDEN = "golden"
    SCORERS = "scorers"
    STORE = "store"
    COST = "cost"
    DETECTS = "detects"
    ENDPOINT = "endpoint"
    BASE_MODEL = "base_model"
    NOTIFIER = "notifier"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at.

    ``subject`` is whose it is (a target, a notifier), None for what all share. ``message`` may quote what a server
    said, made harmless; ``remedy`` says what to do. ``facts`` holds the figures, for programs.
    """

    part: Part
    subject: str | None
    level: Level
    message: str
    remedy: str | None = None
    facts: Mapping[str, Json] = field(default_factory=dict)


def diagnosis_object(found: Diagnosis) -> dict[str, Any]:
    """One diagnosis as ``doctor --json`` prints it: the fields of :class:`Diagnosis`."""
    return {
        "part": str(found.part),
        "subject": found.subject,
        "level": str(found.level),
        "message": found.message,
        "remedy": found.remedy,
        "facts": dict(found.facts),
    }


def exit_code(found: Iterable[Diagnosis]) -> int:
    """0 where nothing failed, 3 where only endpoints could not be measured, 2 for every other failure.

    >>> exit_code([Diagnosis(Part.ENDPOINT, "t", Level.FAILED, "refuses connections")])
    3
    >>> exit_code([Diagnosis(Part.COST, "t", Level.WARNING, "above its limits")])
    0
    """
    failed = {one.part for one in found if one.level is Level.FAILED}
    if not failed:
        return 0
    return 3 if failed == {Part.ENDPOINT} else 2
