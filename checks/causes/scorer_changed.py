"""Did the scorer change instead of the model? Stored answers of a good run are scored again today.

A scorer is a pure function of the answer: if the same stored answers score otherwise today than when they were
given, the scorer changed (an upgraded package, an edited plug-in), and the model may well be as it was.
"""

from __future__ import annotations

import numpy as np

from checks.causes import Cause, Rule
from checks.causes.facts import Facts, named, share

_HALF = 0.5


def _needs(facts: Facts) -> bool:
    return bool(facts.rescored)


def _find(facts: Facts) -> Cause | None:
    moved = [one for one in facts.rescored if one.changed]
    if not moved:
        return None
    worst = min(moved, key=lambda one: (one.scorer != facts.scorer, one.today - one.was))
    drop = _drop(facts, worst.scorer)
    explained = drop is not None and drop < 0 and (worst.today - worst.was) <= _HALF * drop
    then_and_today = f"score {worst.today:.1%} with {named(worst.scorer)} today (then: {worst.was:.1%})"
    said = (
        f"stored answers of run {worst.run} {then_and_today}",
        f"{share(worst.changed, worst.of)} stored answers are scored otherwise",
    )
    return Cause(
        name="scorer_changed",
        title="the scorer changed, not the model" if explained else "the scorer changed too",
        strength=0.98 if explained else 0.5,
        facts=said,
        next="see which package or plug-in was upgraded; then goldwatch baseline accept with that reason",
    )


def _drop(facts: Facts, scorer: str) -> float | None:
    """The bad run's mean minus the good one's."""
    if facts.now is None or facts.before is None:
        return None
    now, was = facts.now.scores.get(scorer), facts.before.scores.get(scorer)
    if now is None or was is None or np.isnan(now).all() or np.isnan(was).all():
        return None
    return float(np.nanmean(now) - np.nanmean(was))


RULE = Rule("scorer_changed", "the scorers (stored answers scored again)", _find, _needs)
