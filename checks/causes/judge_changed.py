"""Did a judge change, and not the model? Who it says it is, and what it says of stored answers today.

Three things tell. The judge's server names another model, version or fingerprint than in the last good run. Answers of
that run, put to the judge once more, are scored otherwise than they were then: the model has no part in that. Or the
check ``judge_drift`` says so of the anchors. A judge with another name that scores
stored answers as before is no cause.

Null hypothesis of the asking again: a score is as likely to rise as to fall (a sign test, :func:`~.facts.rose`).
"""

from __future__ import annotations

import numpy as np

from checks.causes import Cause, Rule
from checks.causes.facts import AskedAgain, Facts, JudgeSeen, named, rose, share

NAME = "judge_changed"

_HALF = 0.5
_SAID = {
    "model": "model",
    "version": "server version",
    "fingerprint": "fingerprint",
    "root": "model files (root)",
}
_MEANT = "put it back; was it meant, change the scorer's version: stored answers are then scored again by the new judge"
_ANSWERS = (
    "see whether the judge's server answers, and whether its key and limits are in order: goldwatch doctor"
)


def _needs(facts: Facts) -> bool:
    return bool(facts.judges)


def _find(facts: Facts) -> Cause | None:
    found = [cause for judge in facts.judges if (cause := _of(facts, judge)) is not None]
    return max(found, key=lambda cause: cause.strength, default=None)


def _of(facts: Facts, judge: JudgeSeen) -> Cause | None:
    who, said = named(judge.scorer), (judge.told or "").partition(";")[0]
    if judge.told is not None and judge.silent:
        kinds = sorted(judge.failures.items(), key=lambda item: (-item[1], item[0]))
        counted = ", ".join(f"{kind} {count}" for kind, count in kinds)
        failed = f"{share(sum(judge.failures.values()), judge.asked)} questions to it failed: {counted}"
        facts_of_it = (failed, said) if kinds else (said,)
        return Cause(NAME, f"the judge of {who} gives no verdicts", 0.9, facts_of_it, _ANSWERS)
    moved, again = _moved(judge), judge.again
    scored = [] if again is None else [_scored(again)]
    changed = again is not None and (rose(again.fell, again.gained) or rose(again.gained, again.fell))
    if again is not None and changed and _explains(facts, judge.scorer, again):
        return Cause(NAME, f"the judge of {who} changed, not the model", 0.98, (*scored, *moved), _MEANT)
    if judge.told is not None:
        title = f"the judge of {who} " + ("changed" if moved else "changed behind the same name")
        return Cause(NAME, title, 0.95 if moved else 0.85, (*moved, said, *scored), _MEANT)
    if changed:
        return Cause(NAME, f"the judge of {who} changed too", 0.5, (*scored, *moved), _MEANT)
    if moved and again is None and facts.scorer == judge.scorer:
        return Cause(NAME, f"the judge of {who} changed", 0.8, tuple(moved), _MEANT)
    return None


def _moved(judge: JudgeSeen) -> list[str]:
    """What the judge's server says otherwise than in the last good run."""
    was, now = judge.before, judge.now
    if was is None or now is None:
        return []
    pairs = [(what, getattr(was, key), getattr(now, key)) for key, what in _SAID.items()]
    return [f"the judge's {what} {named(a)} → {named(b)}" for what, a, b in pairs if a and b and a != b]


def _scored(again: AskedAgain) -> str:
    means = f"{again.today:.1%} today, {again.was:.1%} then"
    counts = f"{again.fell} lower, {again.gained} higher"
    return f"{again.of} stored answers of run {again.run}, judged once more: {means} ({counts})"


def _explains(facts: Facts, scorer: str, again: AskedAgain) -> bool:
    """Whether the same answers lost at least half of what the run lost by this scorer."""
    if facts.now is None or facts.before is None:
        return False
    now, was = facts.now.scores.get(scorer), facts.before.scores.get(scorer)
    if now is None or was is None or np.isnan(now).all() or np.isnan(was).all():
        return False
    drop = float(np.nanmean(now) - np.nanmean(was))
    return drop < 0 and again.today - again.was <= _HALF * drop


RULE = Rule(NAME, "the judges (who they say they are; stored answers judged once more)", _find, _needs)
