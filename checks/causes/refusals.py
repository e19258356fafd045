"""Does the model refuse since the onset? A guard in front of it, another system prompt, another model."""

from __future__ import annotations

from checks.causes import Cause, Rule
from checks.causes.facts import Facts, rose, share
from checks.scorers import score
from checks.scorers.refusal import Refusal
from checks.types import Example, Response

_PLAIN = Refusal()


def _needs(facts: Facts) -> bool:
    return facts.comparable


def _find(facts: Facts) -> Cause | None:
    pairs = facts.pairs(facts.before, facts.now)
    refused = {i for i, _, here in pairs if refuses(facts.examples[i], here)}
    was = {i for i, there, _ in pairs if refuses(facts.examples[i], there)}
    new = refused - was
    if not rose(len(new), len(was - refused)):
        return None
    broke = {int(i) for i in facts.broke().nonzero()[0]}
    explained = len(broke & new) / len(broke) if broke else 0.0
    return Cause(
        name="refusals",
        title="the model refuses",
        strength=0.55 + 0.3 * explained,
        facts=(f"{share(len(refused), len(pairs))} answers are refusals (usual: {len(was)})",),
        next="look for a guard or filter in front of the model, and for a changed system prompt",
    )


def refuses(example: Example, response: Response) -> bool:
    """Whether an answer is a plain refusal, by the phrases of the scorer ``refusal``."""
    return score(_PLAIN, example, response).label == "refusal"


RULE = Rule("refusals", "refusals", _find, _needs)
