"""Does the target answer like its base model? An adapter that never loaded must not become the baseline.

A sample of golden examples is asked of the target once and of its base model twice. Every request may well return
200 under the right name; only the answers tell.

**Null hypothesis**: the target *is* the base model. Then its answer and the base model's two are exchangeable within
each example. Take the examples where exactly two of the three answers are the same text: under the null hypothesis
each of the three is equally likely to be the odd one out, so the number of times that the target is, of ``n``, is
Binomial(n, 1/3), and ``p_differs`` is its upper tail. That the base model disagrees with itself (batching,
temperature) is accounted for: it is the yardstick. It differs where ``p_differs`` is at most :data:`ALPHA` over the
number of looks.

**Gain**: for each scorer a sign test over examples, the target's score against that of the base model's first answer;
``p_gain`` is the upper tail of Binomial(better + worse, 1/2). A gain counts at :data:`ALPHA` over the number of
looks and of scorers. For right/wrong scores this is the exact one-sided McNemar test.

**Two looks**: a sample that does not show a difference is followed by twice as many examples more, and the whole is
judged once again. A fine-tune that does much is seen with few requests; one that does little gets a second chance.

**Rule**:

* ``different`` (quiet) if the answers differ or a scorer gains;
* ``alike`` (a warning) if neither, ``p_differs`` is above one tenth, and the base model repeats itself in at least
  half of the examples: the target's answers are (nearly) all as near to the base model's as those are to each other;
* ``undecided`` (a warning) else: too few examples, some sign of a difference but not enough, or a base model that
  hardly ever repeats itself and scorers that show no gain.

**A wrong answer** means: quiet although the adapter is not applied, in at most 2% of all such cases (1% by the texts,
1% by the scorers); a warning about a fine-tune that is applied, where it changes few answers of the sample. That one
costs a look; more examples decide it. Do not use it where the two are asked different questions: the prompt would
be what differs.

Reference: exact conditional tests after McNemar, *Psychometrika* 12 (1947) 153-157.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from checks.scorers import Scorer, score
from checks.types import Example, Response, Served
from service.doctor import Diagnosis, Level, Part
from service.text import safe

if TYPE_CHECKING:
    import httpx

    from service.config import Target
    from service.endpoints import Endpoint
    from service.records import Golden

ALPHA = 0.01
LOOKS = 2
SAMPLE = 20
"""How many examples are asked at the first look where nothing else is said."""

_GROWTH = 3

_NO_SIGN = 0.1
_FEWEST = 8
"""Nothing is concluded from fewer examples that were answered all three times: at best 5 must tell for a p-value
below :data:`ALPHA` (1/3 to the fifth), and not all do."""

_PROMPT = frozenset({"system", "messages"})
"""Two ways to say the same, so that one of the reference's own leaves no room for the endpoint's other."""


class Likeness(StrEnum):
    """What the answers say; see the module."""

    DIFFERENT = "different"
    ALIKE = "alike"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Triple:
    """One example's three answers: the target's, and the base model's two."""

    example: Example
    tuned: Response
    base: Response
    again: Response

    @property
    def answered(self) -> bool:
        """Whether all three are there."""
        return self.tuned.answered and self.base.answered and self.again.answered


@dataclass(frozen=True, slots=True)
class Gain:
    """One scorer's means in [0, 1] over the examples that it scored for both, and how many got better or worse."""

    scorer: str
    tuned_mean: float
    base_mean: float
    better: int
    worse: int
    p_gain: float
    p_loss: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was seen. Of ``asked`` examples ``answered`` have all three answers; the counts are over those.

    ``identical``: the target's answer is the base model's first. ``repeated``: the base model's two are the same.
    ``odd`` of ``pairs``: exactly two are the same, and the target's is the third.
    """

    likeness: Likeness
    asked: int
    answered: int
    identical: int
    repeated: int
    odd: int
    pairs: int
    p_differs: float
    gains: tuple[Gain, ...]


def compare(triples: Sequence[Triple], scorers: Sequence[Scorer]) -> Comparison:
    """Judge a sample by the module's rule, as one of its looks. Texts are compared without surrounding white space."""
    whole = [triple for triple in triples if triple.answered]
    texts = [tuple((r.output or "").strip() for r in (t.tuned, t.base, t.again)) for t in whole]
    two_alike = [text for text in texts if len(set(text)) == 2]
    odd = sum(base == again for _, base, again in two_alike)
    identical = sum(tuned == base for tuned, base, _ in texts)
    repeated = sum(base == again for _, base, again in texts)
    gains = tuple(gain for scorer in scorers if (gain := _gain(scorer, whole)) is not None)
    p_differs = upper_tail(odd, len(two_alike), 1 / 3)
    if len(whole) < _FEWEST:
        likeness = Likeness.UNDECIDED
    elif p_differs <= ALPHA / LOOKS or any(gain.p_gain <= ALPHA / LOOKS / len(gains) for gain in gains):
        likeness = Likeness.DIFFERENT
    elif 2 * repeated >= len(whole) and p_differs > _NO_SIGN:
        likeness = Likeness.ALIKE
    else:
        likeness = Likeness.UNDECIDED
    return Comparison(
        likeness, len(triples), len(whole), identical, repeated, odd, len(two_alike), p_differs, gains
    )


def upper_tail(successes: int, trials: int, chance: float) -> float:
    """The probability of at least so many successes in independent trials.

    >>> upper_tail(0, 5, 0.5), round(upper_tail(5, 5, 1 / 3), 6)
    (1.0, 0.004115)
    """
    return min(
        1.0,
        sum(
            math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k)
            for k in range(successes, trials + 1)
        ),
    )


def sample_of(golden: Golden, size: int) -> tuple[Example, ...]:
    """So many examples drawn from the golden set, in its order: the same for the same content, at every call.

    A smaller sample lies within a larger one.
    """
    drawn = sorted(golden.examples, key=lambda e: (zlib.crc32(f"{golden.digest} {e.id}".encode()), e.id))[
        :size
    ]
    chosen = {example.id for example in drawn}
    return tuple(example for example in golden.examples if example.id in chosen)


def base_model_of(target: Target, served: Served) -> tuple[Endpoint, str] | None:
    """The endpoint to compare with, and how it is known: ``reference``, or the ``parent`` that the server names.

    The base model is asked the target's question: what a reference of the same kind leaves unsaid (prompt, parameters)
    is taken from the target's endpoint.
    """
    if target.reference is not None:
        return as_asked(target.endpoint, target.reference), "reference"
    parent, endpoint = served.parent, target.endpoint
    if parent is None or parent == endpoint.model_name or parent not in (served.models or ()):
        return None
    return endpoint.changed({"model": parent}), "parent"


def as_asked(endpoint: Endpoint, reference: Endpoint) -> Endpoint:
    """The reference, asked the endpoint's question where its own configuration says nothing of it.

    One that repeats the system prompt is asked with the endpoint's parameters all the same; one with a prompt or
    parameters of its own keeps those.
    """
    if endpoint.kind != reference.kind:
        return reference
    own = reference.model_fields_set | (_PROMPT if reference.model_fields_set & _PROMPT else frozenset())
    asked = endpoint.model_fields_set - endpoint.CONNECTION - own
    return reference.changed({name: getattr(endpoint, name) for name in asked}) if asked else reference


async def ask_both(
    client: httpx.AsyncClient, target: Target, base: Endpoint, examples: Sequence[Example]
) -> tuple[Triple, ...]:
    """The sample's answers, asked as a replay would: the target once, the base model twice.

    The target's rate limit holds for both.
    """
    from service.replay import ReplayPlan, replay  # noqa: PLC0415  # heavy

    async def ask(endpoint: Endpoint, repeats: int) -> dict[tuple[str, int], Response]:
        plan = ReplayPlan(
            repeats=repeats,
            concurrency=target.concurrency,
            timeout_s=target.timeout_s,
            deadline_s=target.deadline_s,
            retries=target.retries,
            requests_per_second=target.limits.requests_per_second,
        )
        result = await replay(examples, endpoint, plan, save=lambda _: None, client=client)
        return {(response.example_id, response.repeat): response for response in result.responses}

    tuned, bases = await ask(target.endpoint, 1), await ask(base, 2)
    return tuple(Triple(e, tuned[e.id, 0], bases[e.id, 0], bases[e.id, 1]) for e in examples)


async def look_at_base_model(
    client: httpx.AsyncClient, target: Target, golden: Golden, served: Served, size: int
) -> Diagnosis:
    """Whether the target answers like its base model.

    If a base model is known, asks ``3 x size`` requests, and where they show no difference ``6 x size`` more.
    """
    found = base_model_of(target, served)
    if found is None:
        message = "not compared: no base model is known, so an adapter that never loaded would go unseen"
        remedy = "name it: reference: {kind: ..., base_url: ..., model: BASE_MODEL}"
        return Diagnosis(Part.BASE_MODEL, target.name, Level.WARNING, message, remedy)
    base, how = found
    if base.question() != target.endpoint.question():
        message = "not compared: reference is asked with another prompt or other parameters than endpoint"
        remedy = "take the prompt and params away from reference: those of endpoint are used then"
        return Diagnosis(Part.BASE_MODEL, target.name, Level.WARNING, message, remedy)
    first = sample_of(golden, size)
    triples = await ask_both(client, target, base, first)
    seen = compare(triples, target.scorers)
    rest = [example for example in sample_of(golden, _GROWTH * size) if example not in first]
    if seen.likeness is not Likeness.DIFFERENT and seen.answered and rest:
        seen = compare([*triples, *await ask_both(client, target, base, rest)], target.scorers)
    return in_words(target.name, f"{safe(base.model_name or base.url, 80)} ({how})", seen)


def in_words(target: str, base: str, seen: Comparison) -> Diagnosis:
    """The diagnosis of a comparison; ``base`` names the base model."""
    facts: dict[str, Any] = {**asdict(seen), "likeness": str(seen.likeness), "base": base}
    facts["gains"] = [asdict(gain) for gain in seen.gains]
    if seen.answered < _FEWEST:
        message = (
            f"cannot be told: both answered {seen.answered} of {seen.asked} examples; {_FEWEST} are needed"
        )
        remedy = "see that reference answers, or ask more: goldwatch doctor --examples 40"
        return Diagnosis(Part.BASE_MODEL, target, Level.WARNING, message, remedy, facts)
    said = (
        f"{seen.identical}/{seen.answered} answers are those of {base}, "
        f"which repeats itself in {seen.repeated}/{seen.answered}"
    )
    scores = "; ".join(f"{g.scorer} {g.tuned_mean:.1%}, base model {g.base_mean:.1%}" for g in seen.gains)
    said += f"; {scores}" if scores else ""
    if seen.likeness is Likeness.ALIKE:
        message = f"ANSWERS LIKE ITS BASE MODEL: {said}, no gain"
        remedy = (
            "see whether the adapter is loaded (the server's LoRA settings, adapter key names, its log): "
            "an adapter that never loaded must not become the baseline"
        )
        return Diagnosis(Part.BASE_MODEL, target, Level.WARNING, message, remedy, facts)
    if seen.likeness is Likeness.UNDECIDED:
        message = f"cannot be told whether it differs from its base model: {said}"
        remedy = f"ask more: goldwatch doctor --examples {min(seen.asked * 3, 1000)}"
        return Diagnosis(Part.BASE_MODEL, target, Level.WARNING, message, remedy, facts)
    if worse := [g.scorer for g in seen.gains if g.p_loss <= ALPHA / LOOKS / len(seen.gains)]:
        message = f"differs from its base model, and scores below it in {', '.join(worse)}: {said}"
        remedy = "see that this is the model, the prompt and the golden set that you mean"
        return Diagnosis(Part.BASE_MODEL, target, Level.WARNING, message, remedy, facts)
    return Diagnosis(Part.BASE_MODEL, target, Level.OK, f"differs from its base model: {said}", facts=facts)


def _gain(scorer: Scorer, triples: Sequence[Triple]) -> Gain | None:
    scored = [
        (tuned, base)
        for t in triples
        if (tuned := score(scorer, t.example, t.tuned).value) is not None
        and (base := score(scorer, t.example, t.base).value) is not None
    ]
    if not scored:
        return None
    better, worse = sum(t > b for t, b in scored), sum(t < b for t, b in scored)
    return Gain(
        scorer=scorer.scorer_name,
        tuned_mean=sum(t for t, _ in scored) / len(scored),
        base_mean=sum(b for _, b in scored) / len(scored),
        better=better,
        worse=worse,
        p_gain=upper_tail(better, better + worse, 0.5),
        p_loss=upper_tail(worse, better + worse, 0.5),
    )
