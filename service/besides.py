"""What is asked besides the target itself? Judges, their anchors, the base model, challengers.

Estimates, on the high side:

* Judges and embedding models: each question that depends on an answer, with answers as long as the target's may be,
  and every anchor, in each run. What was judged before is not asked again, so that a model which repeats itself takes
  little more than the anchors. What does not depend on an answer (the vector of an expected text) is asked once for
  ever and not counted.
* The base model (``reference``): each example twice, a thousand at most, once a week.
* Challengers: each example once per ``worth.every``, but no more often than runs come, and the compared scorer's judge.

They share the target's limits of the day, as their counts do.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checks.scorers._asking import AskingScorer
from checks.types import Example
from service.cost import BYTES_PER_TOKEN, DAY_S, answer_tokens, estimated_tokens

if TYPE_CHECKING:
    from service.config import Target
    from service.endpoints import Endpoint


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests, input and output tokens, US dollars; ``unpriced`` names whom no price is known of: they add nothing."""

    requests: float = 0.0
    tokens: float = 0.0
    usd: float = 0.0
    unpriced: frozenset[str] = frozenset()

    def __add__(self, other: Asked) -> Asked:
        return Asked(
            self.requests + other.requests,
            self.tokens + other.tokens,
            self.usd + other.usd,
            self.unpriced | other.unpriced,
        )

    def times(self, factor: float) -> Asked:
        """So often."""
        return Asked(self.requests * factor, self.tokens * factor, self.usd * factor, self.unpriced)


def judges_of(target: Target, examples: Sequence[Example]) -> Asked:
    """What the scorers' models are asked in one run, at most; bad anchors are told where they are used."""
    from service.anchors import AnchorsError, load  # noqa: PLC0415  # only where one asks
    from service.judging import anchor_questions, asking  # noqa: PLC0415

    whole = Asked()
    for scorer in asking(target.scorers):
        whole += answers_of(target, scorer, examples).times(target.repeats)
        with suppress(AnchorsError):
            held = None if scorer.anchors is None else load(scorer.anchors)
            whole += _asked(scorer.endpoint, scorer.scorer_name, sorted(anchor_questions(scorer, held)))
    return whole


def answers_of(target: Target, scorer: AskingScorer, examples: Sequence[Example]) -> Asked:
    """What a scorer's model is asked for one answer to each example."""
    chars = BYTES_PER_TOKEN * answer_tokens(target.endpoint.question())
    one, other = "a" * chars, "b" * chars
    texts = [
        text
        for example in examples
        if scorer.problem(example) is None
        for text in set(scorer.questions(example, one)) - set(scorer.questions(example, other))
    ]
    return _asked(scorer.endpoint, scorer.scorer_name, texts)


def others_a_day(target: Target, examples: Sequence[Example], runs_per_day: float) -> Asked:
    """What the base model and the challengers are asked in a day, in the mean."""
    from service.base_answers import MOST, REFRESH_S  # noqa: PLC0415  # only where there is a cost to tell

    whole = Asked()
    if runs_per_day <= 0.0:
        return whole
    if target.reference is not None:
        sample = [example.input for example in examples[:MOST]]
        whole += _asked(target.reference, "reference", sample).times(2.0 * DAY_S / REFRESH_S)
    often = min(DAY_S / target.worth.every_s, runs_per_day)
    name = target.worth.scorer
    scorer = target.scorer(name) if name else target.scorers[0]
    for name, endpoint in target.challengers.items():
        asked = _asked(endpoint, f"challenger {name}", [example.input for example in examples])
        if isinstance(scorer, AskingScorer):
            asked += answers_of(target, scorer, examples)
        whole += asked.times(often)
    return whole


def _asked(endpoint: Endpoint, name: str, texts: Sequence[object]) -> Asked:
    from service.conclude import cost_usd  # noqa: PLC0415  # only where there is a cost to tell

    if not texts:
        return Asked()
    inputs, outputs = estimated_tokens(endpoint.question(), [Example("q", text) for text in texts])  # type: ignore[arg-type]  # texts or messages
    usd = cost_usd(endpoint.price, inputs, outputs)
    return Asked(len(texts), inputs + outputs, usd or 0.0, frozenset([name]) if usd is None else frozenset())
