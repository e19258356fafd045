"""Does the server put other words around the same questions? It counts other input tokens than before.

The questions are frozen, so the number of input tokens of an example may only change if a chat template, a system
prompt, a gateway's preamble or the tokenizer did. The same difference everywhere speaks of a template.
"""

from __future__ import annotations

from collections import Counter

from checks.causes import Cause, Rule
from checks.causes.facts import FEWEST, Facts, Side, share

_MOSTLY = 0.5
_ALL = 0.9


def _needs(facts: Facts) -> bool:
    return bool(_differences(facts, facts.before, facts.now))


def _find(facts: Facts) -> Cause | None:
    found = _differences(facts, facts.before, facts.now)
    moved = [d for d in found if d]
    if len(moved) < max(FEWEST, _MOSTLY * len(found)):
        return None
    usual = [d for d in _differences(facts, facts.earlier, facts.before) if d]
    if len(usual) >= FEWEST:
        return None  # this server's counts never stand still
    amount, count = Counter(moved).most_common(1)[0]
    if count >= _ALL * len(moved):
        how = "more" if amount > 0 else "less"
        fact = f"{share(count, len(found))} questions cost {abs(amount)} input tokens {how}"
        title = "another prompt reaches the model (chat template or system prompt)"
    else:
        fact = f"{share(len(moved), len(found))} questions are counted as another number of input tokens"
        title = "another tokenizer or chat template"
    return Cause(
        name="prompt_changed",
        title=title,
        strength=0.86,
        facts=(fact, "the golden set and the configured prompt are as they were"),
        next="compare the server's chat template, system prompt and tokenizer files with the last good ones",
    )


def _differences(facts: Facts, left: Side | None, right: Side | None) -> list[int]:
    return [
        b.input_tokens - a.input_tokens
        for _, a, b in facts.pairs(left, right)
        if a.input_tokens is not None and b.input_tokens is not None
    ]


RULE = Rule("prompt_changed", "input tokens of the same questions", _find, _needs)
