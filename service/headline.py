"""Which one line says most of a run? Chosen when it is judged, so that long lists are read quickly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from checks.types import ALL, Finding, ScoreSummary, Verdict
from service.records import Headline

T = TypeVar("T")


def most_telling(found: Sequence[T], verdict: str | None, get: Callable[[T, str], Any] = getattr) -> T | None:
    """The finding that says most: of the run's own verdict, of quality, over all examples, with the most evidence.

    Args:
        found: findings, as objects or as mappings.
        verdict: the run's.
        get: reads a field of one; None where it is unknown.
    """
    same = [one for one in found if get(one, "verdict") == verdict] or list(found)

    def telling(one: T) -> tuple[bool, bool, float, float]:
        return (
            get(one, "check") == "quality",
            get(one, "slice") in (ALL, None),
            get(one, "evidence") or 0.0,
            abs(get(one, "effect") or 0.0),
        )

    return max(same, key=telling, default=None)


def headline(
    verdict: Verdict | None, summaries: Iterable[ScoreSummary], findings: Sequence[Finding]
) -> Headline:
    """The means over all examples, and the figures of the finding that says most."""
    means = {s.scorer: s.mean for s in summaries if s.slice == ALL}
    best = most_telling(findings, verdict)
    if best is None:
        return Headline(means)
    return Headline(means, best.scorer, best.slice, best.effect, best.evidence)
