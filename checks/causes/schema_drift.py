"""Which fields of a JSON answer changed? By path: what was there, and what stands there now.

The answers of the bad run and of the good one are read as JSON, and every path is held against itself: a field that is
gone, one that is new, one of another type. A field that is gone while a new one holds its value was renamed. Items of a
list share a path, ``items[].price``. What differs as much between two good runs is no drift. Field names are the
model's words, so they are hidden where no answers are shown.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from checks.causes import Cause, Rule
from checks.causes.facts import FEWEST, Facts, Side, named, share

ROOT = "$"
"""The path of the whole answer."""

_LONGEST = 20_000
_MOST_PATHS = 200
_MOSTLY, _USUALLY = 0.5, 3
_MOST_TOLD = 4
_GONE = "is gone"


def _needs(facts: Facts) -> bool:
    return facts.comparable and any(shape(b.output) is not None for _, b, _ in _some(facts))


def _some(facts: Facts) -> list[Any]:
    return facts.pairs(facts.before, facts.now)[:FEWEST]


def _find(facts: Facts) -> Cause | None:
    seen, drifted, renamed = _drift(facts, facts.before, facts.now)
    if seen < FEWEST:
        return None
    _, usual, _ = _drift(facts, facts.earlier, facts.before)
    told = [
        (count, path, what)
        for (path, what), count in drifted.items()
        if count >= max(FEWEST, _USUALLY * usual[path, what])
    ]
    told.sort(key=lambda one: (-one[0], one[1] == ROOT, one[1], one[2]))
    moved = {
        old: (new, count)
        for (old, new), count in renamed.most_common()
        if count >= _MOSTLY * drifted[old, _GONE]
    }
    new_names = {new for new, _ in moved.values()}
    said = [
        f"{named(path)} is now {named(moved[path][0])} in {share(count, seen)} answers"
        if what == _GONE and path in moved
        else f"{named(path)} {what} in {share(count, seen)} answers"
        for count, path, what in told
        if path not in new_names
    ]
    if not said:
        return None
    most = told[0][0] / seen
    more = len(said) - _MOST_TOLD
    return Cause(
        name="schema_drift",
        title="the fields of the answers changed",
        strength=0.84 if most >= _MOSTLY else 0.6,
        facts=(*said[:_MOST_TOLD], *((f"and {more} more paths",) if more > 0 else ())),
        next="compare the schema that the model was trained on, guided decoding and the prompt with what is asked",
        names_labels=True,
    )


def _drift(
    facts: Facts, left: Side | None, right: Side | None
) -> tuple[int, Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """How many answers were JSON in both runs, and how often each path changed, and was renamed to another."""
    seen, changed, renamed = 0, Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for _, a, b in facts.pairs(left, right):
        was, now = shape(a.output), shape(b.output)
        if was is None or now is None:
            continue
        seen += 1
        gone, new = was.keys() - now.keys(), now.keys() - was.keys()
        changed.update((path, _GONE) for path in gone if _parent(path) not in gone)
        changed.update((path, "is new") for path in new if _parent(path) not in new)
        for path in was.keys() & now.keys():
            if was[path][0] != now[path][0]:
                changed[path, f"was {was[path][0]} and is {now[path][0]}"] += 1
        renamed.update((old, other) for old in gone for other in new if was[old] == now[other])
    return seen, changed, renamed


def shape(text: str | None) -> Mapping[str, tuple[str, str]] | None:
    """Each path of a JSON answer with its type and its value; None if the answer is no object or list.

    >>> {path: kind for path, (kind, _) in shape('{"a": {"b": [1, 2]}}').items()}
    {'$': 'an object', 'a': 'an object', 'a.b': 'a list', 'a.b[]': 'a number'}
    """
    try:
        value = json.loads((text or "")[:_LONGEST].strip())
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict | list):
        return None
    found: dict[str, tuple[str, str]] = {}
    for path, one in _walk(value, ""):
        if len(found) >= _MOST_PATHS:
            break
        found.setdefault(path or ROOT, (_kind(one), "" if isinstance(one, dict | list) else repr(one)))
    return found


def _walk(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    yield path, value
    if depth > 20:
        return
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _walk(inside, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list):
        for inside in value[:_MOST_PATHS]:
            yield from _walk(inside, f"{path}[]", depth + 1)


def _parent(path: str) -> str:
    return path.removesuffix("[]") if path.endswith("[]") else path.rpartition(".")[0]


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a number"


RULE = Rule("schema_drift", "the fields of JSON answers", _find, _needs)
