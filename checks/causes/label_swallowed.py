"""Did one label swallow another? Most of what broke went from one label to one other.

A changed label list in the prompt, a new class in the training data, a mapping after the model that is off by one.
"""

from __future__ import annotations

from collections import Counter

from checks.causes import Cause, Rule
from checks.causes.facts import FEWEST, Facts, named, share

_MOSTLY = 0.5


def _needs(facts: Facts) -> bool:
    return (
        facts.comparable
        and facts.scorer is not None
        and bool(facts.now and facts.now.labels.get(facts.scorer))
    )


def _find(facts: Facts) -> Cause | None:
    if facts.now is None or facts.before is None or facts.scorer is None:
        return None
    was, now = facts.before.labels.get(facts.scorer, {}), facts.now.labels.get(facts.scorer, {})
    broke = [int(i) for i in facts.broke().nonzero()[0]]
    moved = [(was[i], now[i]) for i in broke if i in was and i in now and was[i] != now[i]]
    if len(moved) < FEWEST:
        return None
    (old, new), pair = Counter(moved).most_common(1)[0]
    sink, sunk = Counter(to for _, to in moved).most_common(1)[0]
    labels = len(set(was.values()))
    before = sum(label == sink for label in was.values())
    after = sum(label == sink for label in now.values())
    if pair >= _MOSTLY * len(broke) and labels > 2:
        held = sum(label == old for label in was.values())
        title = f"{named(new)} swallowed {named(old)}"
        said = (
            f"{share(pair, len(broke))} of those that broke went from {named(old)} to {named(new)}",
            f"{named(old)} is answered {sum(x == old for x in now.values())} times (usual: {held})",
        )
    elif sunk >= 0.8 * len(broke) and labels > 2:
        title = f"nearly all that broke is answered {named(sink)}"
        said = (
            f"{share(sunk, len(broke))} of those that broke",
            f"{named(sink)}: {after} times (usual: {before})",
        )
    else:
        return None
    return Cause(
        name="label_swallowed",
        title=title,
        strength=0.62,
        facts=said,
        next="compare the label list, its order and the mapping after the model with what it was trained on",
        names_labels=True,
    )


RULE = Rule("label_swallowed", "labels that swallow others", _find, _needs)
