"""Was it broken like this before? The answers of a bad run held against those of earlier regressions.

Among the examples whose answer is no longer the good run's, the share whose answer is, to the letter, what an earlier
regression answered. Nearly all of them: the target is in a state that is known to be bad, and whatever ended it then
may end it now. A state whose answers were mostly the good run's own says nothing.
"""

from __future__ import annotations

from checks.causes import Cause, Rule
from checks.causes.facts import FEWEST, Facts, Side, share

NEARLY_ALL = 0.8


def _needs(facts: Facts) -> bool:
    return facts.comparable and bool(facts.known_bad)


def _find(facts: Facts) -> Cause | None:
    if facts.now is None or facts.before is None:
        return None
    best: tuple[float, int, int, Side] | None = None
    for state in facts.known_bad:
        same = changed = 0
        for _, there, here in facts.pairs(facts.before, facts.now):
            was, now = (there.output or "").strip(), (here.output or "").strip()
            known = state.text(here.example_id)
            if was == now or known is None:
                continue
            changed += 1
            same += known == now
        if changed >= FEWEST and (best is None or same / changed > best[0]):
            best = (same / changed, same, changed, state)
    if best is None or best[0] < NEARLY_ALL:
        return None
    _, same, changed, state = best
    return Cause(
        name="known_bad",
        title=f"the same as in run {state.run}",
        strength=0.86,
        facts=(
            f"{share(same, changed)} answers that changed are those of run {state.run}, which had regressed",
        ),
        next=f"see what ended it then: goldwatch explain TARGET --run {state.run}",
    )


RULE = Rule("known_bad", "earlier regressions", _find, _needs)
