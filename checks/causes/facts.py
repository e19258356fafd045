"""What may a rule look at? A bad run beside good ones of the same target, as plain values.

``service/causes.py`` gathers them from the store. Unknown is None or an empty mapping; every rule says with ``needs``
whether it has enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from checks.types import BoolArray, Example, FloatArray, Response, Served

RIGHT = 0.5
"""From here on an answer counts as right."""

FEWEST = 5
"""Fewer changed answers than this are no pattern."""

UNLIKELY = 1e-3
"""A difference that chance makes less often than this counts as one."""

_TELLING = 0.05


@dataclass(frozen=True, slots=True)
class Side:
    """One run. ``responses`` maps an example's id to its answers, by repeat.

    ``scores`` maps a scorer's name to float [examples], NaN where unscored; ``labels`` to position -> label, and
    ``format_failures`` to positions.
    """

    run: int
    started_at: float
    served: Served | None = None
    responses: Mapping[str, Sequence[Response]] = field(default_factory=dict)
    scores: Mapping[str, FloatArray] = field(default_factory=dict)
    labels: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    format_failures: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def first(self, example_id: str) -> Response | None:
        """The first answered response to an example; None where there is none."""
        return next((r for r in self.responses.get(example_id, ()) if r.answered), None)

    def text(self, example_id: str) -> str | None:
        """What was answered, without surrounding white space."""
        found = self.first(example_id)
        return None if found is None or found.output is None else found.output.strip()

    def every(self) -> Iterator[Response]:
        """All responses."""
        for group in self.responses.values():
            yield from group


@dataclass(frozen=True, slots=True)
class Mark:
    """Somebody deployed something; ``at`` is in seconds since 1970."""

    at: float
    version: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class BaseAnswers:
    """What the base model answers to (some of) the examples: id -> one or two texts. ``name`` is the model's."""

    name: str
    texts: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Rescored:
    """A good run's stored answers, scored again today by one scorer: means then and today, over ``of`` examples."""

    scorer: str
    run: int
    was: float
    today: float
    changed: int
    of: int


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """A good run's stored answers, put to a judge once more: mean scores then and today, over ``of`` answers.

    ``fell`` of them score lower today, ``gained`` higher; ``run`` is the good run.
    """

    run: int
    was: float
    today: float
    fell: int
    gained: int
    of: int


@dataclass(frozen=True, slots=True)
class JudgeSeen:
    """One scorer that asks a model of its own: who that said it was in a good run, and in the bad one.

    ``asked`` counts what it was asked in the bad run, ``failures`` what it did not answer, by kind of error. ``told``
    is what the check ``judge_drift`` says where it found a change or a silence; ``silent`` tells them apart.
    """

    scorer: str
    before: Served | None = None
    now: Served | None = None
    again: AskedAgain | None = None
    asked: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    told: str | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True)
class BrokenTerm:
    """A rule of a glossary, in words, and how many of ``of`` answers break it now and did in the good run."""

    rule: str
    now: int
    was: int
    of: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a bad run.

    ``now`` is the bad run, ``before`` the last good run, ``earlier`` the good one before that (together they show what
    is usual), ``again`` another bad run since the onset. ``usual`` maps a scorer to its mean score per example over
    the baseline. ``scorer`` is the one that lost most. ``identities`` are what the server said it was in the good runs,
    oldest first. ``onset_at`` is the start of the first bad run. ``told`` are the reasons of the checks that regressed,
    by name. ``terms`` are the rules of the target's glossary that are broken in either run; None: it has none.
    ``known_bad`` are runs of earlier regressions, one of each, the newest first. ``judges`` are the models that scorers
    ask.
    """

    examples: tuple[Example, ...] = ()
    now: Side | None = None
    before: Side | None = None
    earlier: Side | None = None
    again: Side | None = None
    scorer: str | None = None
    usual: Mapping[str, FloatArray] = field(default_factory=dict)
    identities: tuple[Served, ...] = ()
    marks: tuple[Mark, ...] = ()
    onset_at: float | None = None
    base: BaseAnswers | None = None
    rescored: tuple[Rescored, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    terms: tuple[BrokenTerm, ...] | None = None
    known_bad: tuple[Side, ...] = ()
    judges: tuple[JudgeSeen, ...] = ()

    @property
    def comparable(self) -> bool:
        """Whether there are answers of a good run to hold against."""
        return bool(self.now and self.before and self.now.responses and self.before.responses)

    def broke(self, side: Side | None = None) -> BoolArray:
        """Which examples are right in the baseline and wrong in a run (by default the bad one); bool [examples].

        Where none changed sides, those whose graded score fell.
        """
        none = np.zeros(len(self.examples), dtype=bool)
        side = self.now if side is None else side
        if side is None or self.scorer is None or self.scorer not in side.scores:
            return none
        good = self.usual.get(self.scorer)
        if good is None and self.before is not None:
            good = self.before.scores.get(self.scorer)
        seen = side.scores[self.scorer]
        if good is None or len(good) != len(seen) or len(seen) != len(self.examples):
            return none
        known = ~np.isnan(good) & ~np.isnan(seen)
        sides = known & (good >= RIGHT) & (seen < RIGHT)
        return sides if sides.any() else known & (np.nan_to_num(good - seen) > _TELLING)

    def pairs(self, left: Side | None, right: Side | None) -> list[tuple[int, Response, Response]]:
        """(position, answer, answer) of the examples that both runs answered."""
        if left is None or right is None:
            return []
        found = ((i, left.first(e.id), right.first(e.id)) for i, e in enumerate(self.examples))
        return [(i, a, b) for i, a, b in found if a is not None and b is not None]


@cache
def upper_tail(successes: int, trials: int, chance: float) -> float:
    """The probability of at least so many successes in independent trials.

    >>> upper_tail(0, 5, 0.5), upper_tail(5, 5, 0.5)
    (1.0, 0.03125)
    """
    if successes <= 0:
        return 1.0
    if not 0.0 < chance < 1.0:
        return 1.0 if chance >= 1.0 else 0.0
    log_p, log_q = math.log(chance), math.log1p(-chance)
    whole = math.lgamma(trials + 1)
    terms = (
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * log_p + (trials - k) * log_q)
        for k in range(successes, trials + 1)
    )
    return min(1.0, sum(terms))


def rose(gained: int, lost: int) -> bool:
    """Whether something is there now that was not, in more examples than chance would have it (a sign test).

    ``gained`` examples have it now and had it not before, ``lost`` ones the reverse: under the null hypothesis that
    nothing changed, each is as likely. At least :data:`FEWEST` more must have gained than lost.
    """
    return gained - lost >= FEWEST and upper_tail(gained, gained + lost, 0.5) <= UNLIKELY * 10


def share(part: int, whole: int) -> str:
    """A count of a whole as people read it.

    >>> share(398, 400)
    '398/400'
    """
    return f"{part}/{whole}"


def named(text: str | None, limit: int = 60) -> str:
    r"""A name as a quoted, harmless word: what cannot be printed is escaped.

    >>> named("a\u202eb"), named(None)
    ('"a\\u202eb"', 'unknown')
    """
    if text is None:
        return "unknown"
    clean = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:limit]).replace('"', "'")
    return f'"{clean[:limit]}{"…" if len(text) > limit or len(clean) > limit else ""}"'
