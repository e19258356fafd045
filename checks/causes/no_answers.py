"""Are there no answers any more? Empty texts, timeouts, errors: nearer to an outage than to a worse model."""

from __future__ import annotations

from collections import Counter

from checks.causes import Cause, Rule
from checks.causes.facts import Facts, Side, rose, share

_WORDS = {
    "timeout": "timed out",
    "rate_limited": "were rate limited",
    "server_error": "met a server error",
    "connect": "could not connect",
}


def _needs(facts: Facts) -> bool:
    return facts.comparable


def _find(facts: Facts) -> Cause | None:
    empty, was_empty = _empty(facts, facts.now), _empty(facts, facts.before)
    if rose(len(empty - was_empty), len(was_empty - empty)):
        broke = {int(i) for i in facts.broke().nonzero()[0]}
        explained = len(broke & empty) / len(broke) if broke else 0.0
        return Cause(
            name="no_answers",
            title="answers are empty",
            strength=0.55 + 0.32 * explained,
            facts=(f"{share(len(empty), len(facts.examples))} answers are empty (usual: {len(was_empty)})",),
            next="look at the server's log for stop tokens, filters, or a reasoning budget that eats the answer",
        )
    failed, was_failed = _failed(facts, facts.now), _failed(facts, facts.before)
    if not rose(len(failed.keys() - was_failed.keys()), len(was_failed.keys() - failed.keys())):
        return None
    kinds = Counter(failed.values()).most_common(2)
    how = ", ".join(f"{count} {_WORDS.get(kind, f'failed ({kind})')}" for kind, count in kinds)
    return Cause(
        name="no_answers",
        title="the endpoint is in trouble",
        strength=0.64,
        facts=(f"{share(len(failed), len(facts.examples))} requests got no answer: {how}",),
        next="see the server's health and load; what did answer is judged by itself",
    )


def _empty(facts: Facts, side: Side | None) -> set[int]:
    if side is None:
        return set()
    return {i for i, example in enumerate(facts.examples) if side.text(example.id) == ""}


def _failed(facts: Facts, side: Side | None) -> dict[int, str]:
    if side is None:
        return {}
    return {
        i: str(response.error.kind)
        for i, example in enumerate(facts.examples)
        for response in side.responses.get(example.id, ())
        if response.error is not None
    }


RULE = Rule("no_answers", "missing and empty answers", _find, _needs)
