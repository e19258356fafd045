"""What changed? Rules that look at a bad run beside a good one and name a likely cause, with figures.

One rule per file. A rule is pure: ``find(facts)`` reads a :class:`~checks.causes.facts.Facts` and returns a
:class:`Cause`, or None where it sees nothing. ``needs(facts)`` says whether it could look at all, so that "not the
cause" and "not looked at" are never confused. Rules decide nothing about alerts: they are asked once a run is
bad, so a cause is a hint for a person and spends none of the false-alarm budget.

To add one: a module in this folder without a leading underscore that defines ``RULE``, a :class:`Rule`, and its test in
``tests/checks/causes``. It is found by being there; packages installed beside goldwatch use the entry-point group
``goldwatch.causes``. The battery in ``tests/checks/causes/test_every_rule.py`` asks that it is silent on a healthy
target and on empty facts, and that it quotes no answer: facts hold names, labels and figures only.

**Strength** is an order, not a probability: from .9 the facts name the change itself, from .7 they explain most of what
broke, from .5 they describe the pattern, below that they only happened together.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points

from checks.causes.facts import Facts

MOST = 3
"""How many causes a person is shown."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One likely cause. ``strength`` lies in (0, 1); ``facts`` are sentences, the most telling first.

    ``title`` is the start of a sentence ("adapter not applied"), ``next`` what to do about it. ``names_labels`` says
    that the sentences name labels, which are answers, so that who is shown no answers is not shown them.
    """

    name: str
    title: str
    strength: float
    facts: tuple[str, ...]
    next: str
    names_labels: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.strength < 1.0:
            raise ValueError(f"a strength lies in (0, 1), not {self.strength!r}")
        if not self.facts:
            raise ValueError("a cause needs a fact")

    @property
    def likelihood(self) -> str:
        """The strength in words: ``very likely``, ``likely`` or ``possible``."""
        if self.strength >= 0.9:
            return "very likely"
        return "likely" if self.strength >= 0.7 else "possible"

    @property
    def sentence(self) -> str:
        """The cause and its first fact in one line."""
        return f"{self.title}: {self.facts[0]}"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the rules found: the causes, the strongest first, and what was and what could not be looked at."""

    causes: tuple[Cause, ...] = ()
    looked_at: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """At most three lines for a person; where nothing fits, one that says what was looked at."""
        if self.causes:
            return tuple(cause.sentence for cause in self.causes)
        if not self.looked_at:
            return ()
        unknown = f"; not known: {', '.join(self.not_looked_at)}" if self.not_looked_at else ""
        return (f"no cause found; looked at: {', '.join(self.looked_at)}{unknown}",)

    def only(self, names: Collection[str]) -> Diagnosis:
        """What is said of these causes alone."""
        return replace(self, causes=tuple(cause for cause in self.causes if cause.name in names))


@dataclass(frozen=True, slots=True)
class Rule:
    """One question about a bad run. ``looks_at`` ends the sentence "looked at ..."."""

    name: str
    looks_at: str
    find: Callable[[Facts], Cause | None]
    needs: Callable[[Facts], bool]


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, sorted by name: the modules of this folder that define ``RULE``, and entry points."""
    found: dict[str, Rule] = {}
    for info in pkgutil.iter_modules(__path__):
        rule = getattr(importlib.import_module(f"{__name__}.{info.name}"), "RULE", None)
        if isinstance(rule, Rule):
            found[rule.name] = rule
    for point in entry_points(group="goldwatch.causes"):
        rule = point.load()
        if isinstance(rule, Rule):
            found[rule.name] = rule
    return tuple(found[name] for name in sorted(found))


def diagnose(facts: Facts, *, by: Collection[str] | None = None) -> Diagnosis:
    """Ask every rule, or those of these names; the strongest :data:`MOST` causes first.

    A rule that fails is passed over and counts as one that could not look: a hint must never cost a page.
    """
    causes: list[Cause] = []
    looked: list[str] = []
    blind: list[str] = []
    for rule in rules():
        if by is not None and rule.name not in by:
            continue
        try:
            able = rule.needs(facts)
            cause = rule.find(facts) if able else None
        except Exception:  # noqa: BLE001  # a faulty rule of another package must not cost a page
            able, cause = False, None
        (looked if able else blind).append(rule.looks_at)
        if cause is not None:
            causes.append(cause)
    causes.sort(key=lambda cause: (-cause.strength, cause.name))
    return Diagnosis(tuple(causes[:MOST]), tuple(looked), tuple(blind))
