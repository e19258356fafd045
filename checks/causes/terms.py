"""Which terms are used wrongly now? The rules of the glossary that are broken more often than in the good run.

A term that is missing, one that is forbidden, one of a confusable pair in the other's place: as the scorer ``terms``
counts them, rule by rule.
"""

from __future__ import annotations

from checks.causes import Cause, Rule
from checks.causes.facts import Facts, rose, share

_MOST_TOLD = 3
_MOSTLY = 0.2


def _needs(facts: Facts) -> bool:
    return facts.comparable and facts.terms is not None


def _find(facts: Facts) -> Cause | None:
    found = [one for one in facts.terms or () if rose(one.now, one.was)]
    if not found or not facts.comparable:
        return None
    found.sort(key=lambda one: (one.was - one.now, one.rule))
    first = found[0]
    said = [f"{share(one.now, one.of)} answers (usual: {one.was}): {one.rule}" for one in found[:_MOST_TOLD]]
    if len(found) > _MOST_TOLD:
        said.append(f"and {len(found) - _MOST_TOLD} more rules")
    return Cause(
        name="terms",
        title="terms of the glossary are confused",
        strength=0.72 if first.now - first.was >= _MOSTLY * first.of else 0.55,
        facts=tuple(said),
        next="see whether the glossary still stands in the prompt or in the training data, and which model answers",
    )


RULE = Rule("terms", "the terms of the glossary", _find, _needs)
