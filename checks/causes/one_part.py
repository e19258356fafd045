"""Is it one part of the golden set only: one slice, or one group of examples?

A slice stands out if it holds most of what broke although it is no more than half of the set, and if so many would
fall into it by chance less than once in a thousand slices (binomial tail, times the number of slices looked at).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from checks.causes import Cause, Rule
from checks.causes.facts import FEWEST, UNLIKELY, Facts, named, share, upper_tail

_MOST = 0.8
_LARGEST = 0.6


def _needs(facts: Facts) -> bool:
    return facts.comparable and any(e.slices or e.group is not None for e in facts.examples)


def _find(facts: Facts) -> Cause | None:
    broke = [int(i) for i in facts.broke().nonzero()[0]]
    if len(broke) < FEWEST:
        return None
    sizes = Counter(name for i in range(len(facts.examples)) for name in _parts(facts, i))
    hits = Counter(name for i in broke for name in _parts(facts, i))
    telling = [
        (upper_tail(count, len(broke), sizes[part] / len(facts.examples)), -count, part)
        for part, count in hits.items()
        if count >= _MOST * len(broke) and sizes[part] <= _LARGEST * len(facts.examples)
    ]
    if not telling:
        return None
    chance, _, (kind, name) = min(telling)
    if chance * len(sizes) > UNLIKELY:
        return None
    inside, size = hits[kind, name], sizes[kind, name]
    outside = f"outside it {share(len(broke) - inside, len(facts.examples) - size)}"
    return Cause(
        name="one_part",
        title=f"only {kind} {named(name)} broke",
        strength=0.58,
        facts=(f"{share(inside, size)} of it broke, {outside}",),
        next="look for what only these requests pass through: a route, a prompt variant, a data source, a language",
    )


def _parts(facts: Facts, position: int) -> Iterator[tuple[str, str]]:
    example = facts.examples[position]
    for name in example.slice_names:
        yield "slice", name
    if example.group is not None:
        yield "group", example.group


RULE = Rule("one_part", "slices and groups", _find, _needs)
