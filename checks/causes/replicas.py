"""Is it only a part of the replicas behind the load balancer? One run then holds answers of two models.

Three signs, the strongest first:

* the answers of one run name two fingerprints or models, and what broke came from one of them;
* a part of the answers, neither few nor nearly all, is now the base model's to the letter;
* of the examples that broke in one bad run, only a part broke again in the next: a request meets the bad replica by
  chance. If it does with probability q, a broken example breaks again with probability q, so the share that does
  estimates q. Noise flips examples too; so many more than usual must have broken in both runs.
"""

from __future__ import annotations

from collections import defaultdict

from checks.causes import Cause, Rule
from checks.causes.base_model import NEARLY_ALL, likeness
from checks.causes.facts import FEWEST, UNLIKELY, Facts, Side, named, share, upper_tail
from checks.types import Response

_FEW, _MANY = 0.1, 0.85
_NEXT = "compare the replicas behind the load balancer: version, adapter and configuration of each"


def _needs(facts: Facts) -> bool:
    return facts.comparable


def _find(facts: Facts) -> Cause | None:
    said = [fact for fact in (_by_name(facts), _by_base_model(facts), _by_flips(facts)) if fact is not None]
    if not said:
        return None
    strength = max(strength for strength, _ in said)
    return Cause(
        name="replicas",
        title="a part of the replicas",
        strength=strength,
        facts=tuple(fact for _, fact in said),
        next=_NEXT,
    )


def _by_name(facts: Facts) -> tuple[float, str] | None:
    """What broke came from one of several fingerprints or models."""
    if facts.now is None or facts.before is None:
        return None
    broke = {int(i) for i in facts.broke().nonzero()[0]}
    known = {_name(r) for r in facts.before.every()}
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for position, example in enumerate(facts.examples):
        response = facts.now.first(example.id)
        if response is not None and _name(response) != (None, None):
            groups[_said(_name(response))].append(position)
    if len(groups) < 2 or len(groups) > 8 or len(broke) < FEWEST:
        return None
    total = sum(map(len, groups.values()))
    hits = {name: len(broke.intersection(members)) for name, members in groups.items()}
    name = max(hits, key=lambda one: (hits[one] / len(groups[one]), one))
    inside, size = hits[name], len(groups[name])
    if inside < 0.8 * len(broke) or upper_tail(inside, len(broke), size / total) > UNLIKELY / len(groups):
        return None
    fact = f"{share(inside, len(broke))} of those that broke were answered by {name}, as {share(size, total)} were"
    return (0.93 if not any(_said(one) == name for one in known) else 0.9), fact


def _by_base_model(facts: Facts) -> tuple[float, str] | None:
    like = likeness(facts)
    if like is None or like.turned_ratio is None or not like.moved:
        return None
    if not _FEW <= like.turned_ratio < NEARLY_ALL:
        return None
    return 0.9, (
        f"about {like.turned_ratio:.0%} of the requests are answered by the base model: {like.figures}"
    )


def _by_flips(facts: Facts) -> tuple[float, str] | None:
    """Of the examples that broke in either bad run, how many did in both."""
    if facts.again is None or facts.now is None or facts.before is None:
        return None
    here, there = facts.broke(), facts.broke(facts.again)
    usual = int(facts.broke(facts.before).sum())
    both, fewer = int((here & there).sum()), min(int(here.sum()), int(there.sum()))
    mean = (int(here.sum()) + int(there.sum())) / 2
    if fewer < 3 * max(usual, FEWEST) or mean == 0:
        return None
    again = both / mean
    if not _FEW <= again <= _MANY or both >= fewer - 3 or both <= 2:
        return None
    if _two_answers(facts, facts.again):
        return 0.6, (
            f"about {again:.0%} of the requests: of {int(there.sum())} examples that broke in run {facts.again.run}, "
            f"{both} broke again in run {facts.now.run}"
        )
    return None


def _two_answers(facts: Facts, other: Side) -> bool:
    """Whether examples that broke in one of the runs are answered in the other as they used to be, mostly."""
    if facts.now is None or facts.before is None:
        return False
    here, there = facts.broke(), facts.broke(other)
    same = flipped = 0
    for position in (here ^ there).nonzero()[0]:
        example = facts.examples[int(position)].id
        good = facts.before.text(example)
        flipped += 1
        same += good is not None and (other if here[position] else facts.now).text(example) == good
    return flipped >= FEWEST and same >= 0.7 * flipped


def _name(response: Response) -> tuple[str | None, str | None]:
    return response.served_model, response.fingerprint


def _said(name: tuple[str | None, str | None]) -> str:
    model, fingerprint = name
    parts = [named(model)] if model is not None else []
    return " ".join([*parts, f"fingerprint {named(fingerprint)}"] if fingerprint is not None else parts)


RULE = Rule("replicas", "a mixture of replicas", _find, _needs)
