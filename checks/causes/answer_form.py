"""Is it the form of the answers that broke, and not their content? Fences and prose around JSON, text after a label.

Counted among the examples that broke: answers that cannot be read any more in the form that is asked. Where the
good run answered with JSON, what stands around it now is named: a code fence, prose before it, text after it.
The content is held apart: how many of these answers still say what the good run said.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from checks.causes import Cause, Rule
from checks.causes.facts import FEWEST, Facts, share

_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
_LONGEST = 20_000
_PLAIN = frozenset({"more words than asked for", "another form"})
_MOSTLY = 0.5


def _needs(facts: Facts) -> bool:
    return facts.comparable and facts.scorer is not None


def _find(facts: Facts) -> Cause | None:
    if facts.now is None or facts.before is None or facts.scorer is None:
        return None
    broke = {int(i) for i in facts.broke().nonzero()[0]}
    was = facts.before.format_failures.get(facts.scorer, frozenset())
    bad = facts.now.format_failures.get(facts.scorer, frozenset())
    malformed = sorted((broke & bad) - was)
    if len(malformed) < FEWEST or len(malformed) < _MOSTLY * len(broke):
        return None
    kinds: Counter[str] = Counter()
    same = 0
    for position in malformed:
        here = facts.now.text(facts.examples[position].id) or ""
        there = facts.before.text(facts.examples[position].id) or ""
        kind, inside = form(here, there)
        kinds[kind] += 1
        same += inside
    said = [
        f"{share(len(malformed), len(broke))} of those that broke cannot be read in the form that is asked"
    ]
    said += [f"{count} × {kind}" for kind, count in kinds.most_common(3)]
    only = same >= _MOSTLY * len(malformed)
    structured = any(kind not in _PLAIN for kind in kinds)
    if same:
        said.append(f"{share(same, len(malformed))} still hold what the model used to answer")
    main = kinds.most_common(1)[0][0]
    return Cause(
        name="answer_form",
        title=f"only the form of the answers changed ({main})" if only else f"answers are malformed ({main})",
        strength=0.82 if only else 0.66 if structured else 0.6,
        facts=tuple(said),
        next="look at the chat template, guided decoding and the system prompt of the server",
    )


def form(text: str, before: str) -> tuple[str, bool]:
    """How an answer differs in form from a good one, and whether it still holds it.

    >>> form('Sure! {"a": 1}', '{"a": 1}'), form("nonsense", '{"a": 1}')
    (('prose before the JSON', True), ('no JSON', False))
    """
    text, good = text[:_LONGEST], before[:_LONGEST].strip()
    value = _parsed(good)
    if not isinstance(value, dict | list):
        inside = bool(good) and len(text) > len(good) and good.casefold() in text.casefold()
        return ("more words than asked for" if len(text) > 2 * len(good) else "another form"), inside
    if not text.strip():
        return "empty", False
    fence = _FENCE.search(text)
    if fence is not None:
        return "code fence around the JSON", _parsed(fence.group(1).strip()) == value
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    if start < 0:
        return "no JSON", False
    try:
        found, end = json.JSONDecoder().raw_decode(text[start:])
    except (ValueError, RecursionError):
        return ("prose before the JSON" if text[:start].strip() else "broken JSON"), False
    if text[:start].strip():
        return "prose before the JSON", found == value
    return ("text after the JSON" if text[start + end :].strip() else "another JSON shape"), found == value


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


RULE = Rule("answer_form", "the form of the answers", _find, _needs)
