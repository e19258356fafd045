"""Did many answers change a little? As after a new quantisation, kernel or server build of the same model.

Two signs, each against what is usual between two good runs: how many texts differ in wording but hardly in content
(for answers of several words), and how far the log-probabilities of answers moved whose text is the same. A swapped
model changes much at few answers or at all; a coarser copy of the same one changes a little nearly everywhere.
"""

from __future__ import annotations

from statistics import median

from rapidfuzz import fuzz

from checks.causes import Cause, Rule, base_model, replicas
from checks.causes.facts import FEWEST, Facts, Side, share

_FEWEST_PAIRS = 20
_MOVED = 3.0
_LEAST_SHIFT, _MOST_SHIFT = 0.02, 0.3
_ALIKE = 60.0
_FEW_BROKE = 0.35
_LONGEST = 2_000


def _needs(facts: Facts) -> bool:
    return facts.comparable and facts.earlier is not None and bool(facts.earlier.responses)


def _find(facts: Facts) -> Cause | None:
    if facts.broke().mean() > _FEW_BROKE if len(facts.examples) else True:
        return None
    if base_model.RULE.find(facts) is not None or replicas.RULE.find(facts) is not None:
        return None  # another model's answers differ in many small ways as well
    said = [fact for fact in (_by_logprobs(facts), _by_wording(facts)) if fact is not None]
    if not said:
        return None
    return Cause(
        name="many_small_changes",
        title="many small changes, as after another quantisation or server build",
        strength=0.56,
        facts=tuple(said),
        next="compare the weights' format, the quantisation and the server's build with the last good ones",
    )


def _by_logprobs(facts: Facts) -> str | None:
    usual, now = _shifts(facts, facts.earlier, facts.before), _shifts(facts, facts.before, facts.now)
    if len(usual) < _FEWEST_PAIRS or len(now) < _FEWEST_PAIRS:
        return None
    was, moved = median(usual), median(now)
    if not max(_MOVED * was, _LEAST_SHIFT) <= moved <= _MOST_SHIFT:
        return None
    return f"log-probabilities of {len(now)} unchanged answers moved by {moved:.2g} in the median (usual: {was:.2g})"


def _shifts(facts: Facts, left: Side | None, right: Side | None) -> list[float]:
    """How far the mean log-probability of an answer moved whose text stayed."""
    return [
        abs(sum(b.logprobs) / len(b.logprobs) - sum(a.logprobs) / len(a.logprobs))
        for _, a, b in facts.pairs(left, right)
        if a.logprobs and b.logprobs and a.output == b.output
    ]


def _by_wording(facts: Facts) -> str | None:
    changed, both = _reworded(facts, facts.before, facts.now)
    usual, _ = _reworded(facts, facts.earlier, facts.before)
    if both < _FEWEST_PAIRS or changed < 0.5 * both or changed < 2 * usual + FEWEST:
        return None
    return f"{share(changed, both)} answers are worded a little differently (usual: {usual})"


def _reworded(facts: Facts, left: Side | None, right: Side | None) -> tuple[int, int]:
    """How many answers of several words differ a little, of how many."""
    pairs = [
        ((a.output or "").strip()[:_LONGEST], (b.output or "").strip()[:_LONGEST])
        for _, a, b in facts.pairs(left, right)
    ]
    several = [(a, b) for a, b in pairs if len(a.split()) >= 5]
    return sum(a != b and fuzz.ratio(a, b) >= _ALIKE for a, b in several), len(several)


RULE = Rule("many_small_changes", "many small changes", _find, _needs)
