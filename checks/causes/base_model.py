"""Does the model answer like its base model since the onset, as when an adapter is not loaded?

**With answers of the base model** (``reference``, or the ``parent`` that the server names): among the examples where
the good run's answer differed from the base model's, the share that is now the base model's to the letter. A server
that lost its adapter makes it (nearly) all of them; a share in between speaks of a part of the requests, and the rule
``replicas`` says so. That a fine-tune often agrees with its base model is no sign: those examples are left out, and
a sign test must show that answers moved towards the base model and not away from it.

The base model does not always repeat itself (batching, temperature), so it is asked twice: the share is taken
relative to how often its own two answers agree on the same examples.

**Without**: many answers that were short became sentences, as a model writes them that was never told the format.
Weaker, and said so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from checks.causes import Cause, Rule
from checks.causes.facts import Facts, named, rose, share
from checks.causes.refusals import refuses

NEARLY_ALL = 0.8
_FEWEST_TOLD = 5
_LEAST_STEADY = 0.3
_SENTENCE = re.compile(r"\w+[^\w\n]+\w+[^\w\n]+\w+")
_OPENERS = re.compile(r"(?i)^(?:sure|certainly|of course|here(?:'s| is| are)|based on|the |this |i |as an )")


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like the base model: of ``both`` examples that all answered, how many answers are its own now, and were.

    ``told`` are the examples where the good run's answer was not the base model's; ``turned`` of them are now.
    ``left`` were its own and are not now. The base model's own two answers agree in ``steady`` of ``twice`` examples,
    and in ``told_steady`` of ``told_twice`` of the telling ones.
    """

    both: int
    now: int
    was: int
    told: int
    turned: int
    left: int
    twice: int = 0
    steady: int = 0
    told_twice: int = 0
    told_steady: int = 0

    @property
    def turned_ratio(self) -> float | None:
        """The share of the requests that the base model answers now, in [0, 1]; None where too few examples tell."""
        if self.told < _FEWEST_TOLD:
            return None
        agrees = self.told_steady / self.told_twice if self.told_twice >= _FEWEST_TOLD else 1.0
        return min(1.0, self.turned / self.told / max(agrees, _LEAST_STEADY))

    @property
    def figures(self) -> str:
        """The comparison in words."""
        steady = (
            f"; it repeats itself in {share(self.steady, self.twice)}" if self.steady < self.twice else ""
        )
        return (
            f"{share(self.now, self.both)} answers identical to the base model's (usual: {self.was}{steady})"
        )

    @property
    def moved(self) -> bool:
        """Whether answers moved towards the base model, beyond chance."""
        return rose(self.turned, self.left)


def likeness(facts: Facts) -> Likeness | None:
    """The bad and the good run held against the base model's answers; None where one of the three is missing."""
    if facts.base is None or facts.now is None or facts.before is None:
        return None
    both = now = was = told = turned = left = twice = steady = told_twice = told_steady = 0
    for example in facts.examples:
        said = facts.base.texts.get(example.id)
        here, there = facts.now.text(example.id), facts.before.text(example.id)
        if not said or here is None or there is None:
            continue
        base = said[0].strip()
        both += 1
        now += here == base
        was += there == base
        told += there != base
        turned += there != base and here == base
        left += there == base and here != base
        if len(said) > 1:
            agrees = said[1].strip() == base
            twice, steady = twice + 1, steady + agrees
            told_twice, told_steady = told_twice + (there != base), told_steady + (there != base and agrees)
    if not both:
        return None
    return Likeness(both, now, was, told, turned, left, twice, steady, told_twice, told_steady)


def _needs(facts: Facts) -> bool:
    return facts.comparable


def _find(facts: Facts) -> Cause | None:
    like = likeness(facts)
    if like is not None and like.turned_ratio is not None:
        if like.turned_ratio < NEARLY_ALL or not like.moved:
            return None
        name = facts.base.name if facts.base is not None else None
        told = [like.figures, f"base model: {named(name)}"]
        return Cause("base_model", "adapter not applied", 0.96, tuple(told + _listed(facts)), _NEXT)
    return _by_prose(facts)


def _by_prose(facts: Facts) -> Cause | None:
    pairs = facts.pairs(facts.before, facts.now)
    gained = lost = 0
    for position, there, here in pairs:
        was, now = reads_as_prose(there.output or ""), reads_as_prose(here.output or "")
        if now and refuses(facts.examples[position], here):
            continue  # says another thing, which has a rule of its own
        gained += now and not was
        lost += was and not now
    if not rose(gained, lost) or gained < 0.05 * len(pairs):
        return None
    fact = f"{share(gained, len(pairs))} answers turned into sentences"
    unknown = "no base model is known to compare with: name it as reference"
    return Cause("base_model", "the adapter is not applied", 0.64, (fact, *_listed(facts), unknown), _NEXT)


def reads_as_prose(text: str) -> bool:
    """Whether an answer reads as a sentence of a chat rather than as a label, a number or data.

    >>> reads_as_prose("The ticket is about billing."), reads_as_prose("billing"), reads_as_prose('{"a": 1}')
    (True, False, False)
    """
    start = text.strip()[:400]
    if not start or start[0] in "{[":
        return False
    return bool(_SENTENCE.search(start)) and (bool(_OPENERS.match(start)) or start.rstrip()[-1:] in ".!?:")


def _listed(facts: Facts) -> list[str]:
    """The name is still there, which is why nothing failed."""
    served = facts.now.served if facts.now is not None else None
    if served is None or not served.models or served.model not in served.models:
        return []
    return [f"/v1/models still lists {named(served.model)}, so requests succeed"]


_NEXT = "compare the server's LoRA settings and the adapter's key names with its log"

RULE = Rule("base_model", "likeness to the base model", _find, _needs)
