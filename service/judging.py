"""What do the judges say? The answers of a run and the anchors, put to the models that scorers ask.

A reply is kept by the model that was asked and the text that it was asked, so that an answer that was judged before
costs nothing. The anchors of a scorer are asked anew in every run: they tell whether the judge is still the same
(``checks/judge_drift.py``). Asking is a replay like any other: with the target's concurrency, timeouts, retries, rate
and daily limits. A judge that does not answer leaves scores missing, never wrong.

Replies from before the baseline in force are not used: whoever accepts a new baseline after a judge changed accepts the
judge as it is now.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from checks.judge_drift import COUNTS, HUMAN, SCORES
from checks.scorers import Scorer, score
from checks.scorers._asking import AskingScorer, Replies
from checks.types import Example, FloatArray, Response, Served
from service.anchors import Anchors, load

if TYPE_CHECKING:
    from service.config import Target
    from service.pipeline import Shell
    from service.records import Golden


@dataclass(frozen=True, slots=True)
class Judged:
    """The target's scorers, those that ask knowing their replies, and what was seen of the judges, by name.

    ``asking`` holds how each was asked, by scorer. ``interrupted``: the process was asked to stop before all was asked.
    """

    scorers: tuple[Scorer, ...]
    seen: Mapping[str, FloatArray] = field(default_factory=dict)
    interrupted: bool = False
    asking: Mapping[str, Asking] = field(default_factory=dict)

    @property
    def served(self) -> dict[str, Served]:
        """What the judges said they are, by scorer, where one said anything."""
        return {name: one.served for name, one in self.asking.items() if one.served != Served()}


@dataclass(frozen=True, slots=True)
class Asking:
    """How a judge was asked in a run: ``asked`` texts, of which some failed (counted by kind of error)."""

    served: Served = field(default_factory=Served)
    asked: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)


def asking(scorers: Sequence[Scorer]) -> tuple[AskingScorer, ...]:
    """The scorers that ask a model of their own."""
    return tuple(scorer for scorer in scorers if isinstance(scorer, AskingScorer))


def anchors_of(target: Target) -> dict[str, Anchors]:
    """The anchors of each scorer that names some.

    Raises:
        AnchorsError: a file cannot be used.
    """
    return {s.scorer_name: load(s.anchors) for s in asking(target.scorers) if s.anchors is not None}


async def ask_judges(
    shell: Shell, target: Target, golden: Golden, run_id: int, anchors: Mapping[str, Anchors], *, since: float
) -> Judged:
    """Put a run's answers and the anchors to every scorer's model.

    Args:
        shell: store, clock, stop sign.
        target: whose scorers.
        golden: the golden set that was replayed.
        run_id: the run, its answers saved.
        anchors: by scorer, as :func:`anchors_of` gives them.
        since: kept replies that are older are not used, seconds since 1970.
    """
    responses = await asyncio.to_thread(shell.store.responses, run_id)
    return await put_to_judges(shell, target, golden, responses, anchors, since=since)


async def put_to_judges(
    shell: Shell,
    target: Target,
    golden: Golden,
    responses: Sequence[Response],
    anchors: Mapping[str, Anchors],
    *,
    since: float,
) -> Judged:
    """The same for any responses to the golden set; see :func:`ask_judges`."""
    known: dict[str, AskingScorer] = {}
    seen: dict[str, FloatArray] = {}
    how: dict[str, Asking] = {}
    for scorer in asking(target.scorers):
        name, held = scorer.scorer_name, anchors.get(scorer.scorer_name)
        wanted = questions(scorer, golden.examples, responses)
        frozen = anchor_questions(scorer, held)
        kept = await asyncio.to_thread(shell.store.replies, scorer.fingerprint, wanted - frozen, since=since)
        texts = [*sorted(frozen), *sorted(wanted - frozen - kept.keys())]
        asked = await _asked(shell, target, scorer, texts, kept_as=scorer.fingerprint)
        if asked is None:
            return Judged(target.scorers, interrupted=True)
        replies, how[name] = asked
        known[name] = scorer.having(replace(replies, said={**kept, **replies.said}))
        seen |= observed(known[name], golden.examples, responses, held)
    scorers = tuple(known.get(scorer.scorer_name, scorer) for scorer in target.scorers)
    return Judged(scorers, seen, asking=how)


async def judged_again(
    shell: Shell,
    target: Target,
    scorer: AskingScorer,
    examples: Sequence[Example],
    responses: Sequence[Response],
    *,
    since: float,
) -> AskingScorer | None:
    """The scorer, knowing what its model says of these responses now; None if that was interrupted.

    What was asked once more since ``since`` (seconds since 1970) is not asked a third time. These replies are kept
    apart from those that runs are scored with.
    """
    kept_as = hashlib.sha256(f"again\0{scorer.fingerprint}".encode()).hexdigest()[:32]
    wanted = questions(scorer, examples, responses)
    kept = await asyncio.to_thread(shell.store.replies, kept_as, wanted, since=since)
    asked = await _asked(shell, target, scorer, sorted(wanted - kept.keys()), kept_as=kept_as)
    return None if asked is None else scorer.having(replace(asked[0], said={**kept, **asked[0].said}))


def questions(scorer: AskingScorer, examples: Sequence[Example], responses: Sequence[Response]) -> set[str]:
    """All that the scorer's model must be asked for these responses."""
    by_id = {example.id: example for example in examples}
    found: set[str] = set()
    for response in responses:
        example = by_id.get(response.example_id)
        if example is not None and response.answered and scorer.problem(example) is None:
            found.update(scorer.questions(example, response.output or ""))
    return found


def observed(
    scorer: AskingScorer, examples: Sequence[Example], responses: Sequence[Response], anchors: Anchors | None
) -> dict[str, FloatArray]:
    """What was seen of a judge, as ``checks/judge_drift.py`` reads it."""
    name = scorer.scorer_name
    by_id = {example.id: example for example in examples}
    asked = told = 0
    for response in responses:
        example = by_id.get(response.example_id)
        if example is not None and response.answered and scorer.problem(example) is None:
            asked += 1
            told += score(scorer, example, response).value is not None
    found = {COUNTS + name: np.array([0.0 if anchors is None else anchors.about, asked, told], dtype=float)}
    if anchors is not None:
        pairs = zip(anchors.examples, anchors.outputs, strict=True)
        given = [score(scorer, example, Response(example.id, output)).value for example, output in pairs]
        found[SCORES + name] = np.array([np.nan if v is None else v for v in given], dtype=float)
        found[HUMAN + name] = anchors.human
    return found


def anchor_questions(scorer: AskingScorer, anchors: Anchors | None) -> set[str]:
    """All that the scorer's model must be asked for the anchors; nothing without any."""
    if anchors is None:
        return set()
    pairs = zip(anchors.examples, anchors.outputs, strict=True)
    return {
        q
        for example, output in pairs
        if scorer.problem(example) is None
        for q in scorer.questions(example, output)
    }


async def _asked(
    shell: Shell, target: Target, scorer: AskingScorer, texts: Collection[str], *, kept_as: str
) -> tuple[Replies, Asking] | None:
    """What the scorer's model replies to these texts now, kept as it comes; None if it was stopped half-way."""
    from service.conclude import cost_usd  # noqa: PLC0415  # conclude is loaded by now, and must not be circular
    from service.pipeline import plan_of  # noqa: PLC0415
    from service.replay import replay  # noqa: PLC0415

    if not texts:
        return Replies(), Asking()
    by_id = {hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]: text for text in texts}
    came: list[Response] = []

    def save(batch: Sequence[Response]) -> None:
        came.extend(batch)
        answers = {by_id[r.example_id]: r.output for r in batch if r.answered and r.output is not None}
        shell.store.put_replies(kept_as, answers, shell.clock())

    plan = replace(await asyncio.to_thread(plan_of, shell, target), repeats=1)
    questions = [Example(key, text) for key, text in by_id.items()]
    result = await replay(questions, scorer.endpoint, plan, save=save, stop=shell.stop)
    tokens = result.input_tokens, result.output_tokens
    if any(count is not None for count in tokens):
        cost = cost_usd(scorer.endpoint.price, *tokens)
        await asyncio.to_thread(shell.store.put_asking, target.name, shell.clock(), *tokens, cost)
    said = {by_id[r.example_id]: r.output for r in came if r.answered and r.output is not None}
    missing = {
        by_id[r.example_id]: f"the judge gave no answer: {r.error.message if r.error else 'nothing'}"
        for r in came
        if not r.answered
    }
    failures = Counter(str(r.error.kind) for r in came if r.error is not None)
    return (
        None if result.interrupted else (Replies(said, missing), Asking(result.served, len(texts), failures))
    )
