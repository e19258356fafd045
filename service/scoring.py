"""What did the answers score? Responses of one run to score vectors and their means. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from checks.adapter_applied import ALIKE, STEADY
from checks.causes.schema_drift import shape
from checks.identity import FIRST
from checks.output_shift import STRUCTURE
from checks.promises import FIRST_TOKEN_S, USD
from checks.scorers import Scorer, score
from checks.scorers.refusal import Refusal
from checks.types import ALL, BoolArray, Example, FloatArray, Response, ScoreSummary
from service.records import MAX_WORD, ScoreVector

_REFUSAL = Refusal()


@dataclass(frozen=True, slots=True)
class Scored:
    """One run, scored: a vector per scorer, means per scorer and slice, and per example whether and how fast.

    ``answered`` is bool [examples]: every repeat was answered; ``latency_s`` float [examples], the mean over
    repeats, NaN where unanswered or unknown. ``observed`` [examples] by name, means over the answered repeats, NaN
    where there is none: ``length`` in characters, ``refusal`` (1: refused), and, where any is known, a number for the
    ``structure`` of a JSON answer, ``first_logprob`` and ``ttft_s`` (the wait for the first token).
    ``judged``: what was seen of the judges and of border prompts.
    """

    vectors: tuple[ScoreVector, ...]
    summaries: tuple[ScoreSummary, ...]
    answered: BoolArray
    latency_s: FloatArray
    observed: Mapping[str, FloatArray]
    judged: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def labels(self) -> dict[str, Mapping[int, str]]:
        """The labels that the answers named, by scorer and position, as the store gives them back."""
        return {
            v.scorer: {i: word[:MAX_WORD] for i, word in sorted(v.labels.items())}
            for v in self.vectors
            if v.labels
        }

    @property
    def malformed(self) -> dict[str, Sequence[int]]:
        """The positions of format failures by scorer."""
        return {v.scorer: tuple(v.format_failures) for v in self.vectors if v.format_failures}


def slice_masks(examples: Sequence[Example]) -> dict[str, BoolArray]:
    """The slices of a golden set, ``key=value`` to a mask over its examples, sorted by name."""
    names = sorted({name for example in examples for name in example.slice_names})
    held = [frozenset(example.slice_names) for example in examples]
    return {name: np.array([name in one for one in held], dtype=bool) for name in names}


def score_run(
    examples: Sequence[Example], scorers: Sequence[Scorer], responses: Sequence[Response]
) -> Scored:
    """Score the responses of one run against their golden set; an example without a response is unanswered."""
    position = {example.id: i for i, example in enumerate(examples)}
    by_example: list[list[Response]] = [[] for _ in examples]
    for response in responses:
        at = position.get(response.example_id)
        if at is not None:
            by_example[at].append(response)
    answered = np.array([bool(rs) and all(r.answered for r in rs) for rs in by_example], dtype=bool)
    latency = np.array([_mean_latency(rs) for rs in by_example], dtype=float)
    vectors = tuple(_vector(scorer, examples, by_example) for scorer in scorers)
    masks = {ALL: np.ones(len(examples), dtype=bool), **slice_masks(examples)}
    summaries = tuple(_summary(vector, name, mask) for vector in vectors for name, mask in masks.items())
    return Scored(vectors, summaries, answered, latency, _observed(scorers, by_example))


def likeness(
    examples: Sequence[Example], responses: Sequence[Response], base: Mapping[str, Sequence[str]]
) -> dict[str, FloatArray]:
    """How like the base model's the answers of a run are, float [examples] by name; see ``checks/adapter_applied.py``.

    Texts are compared to the letter, without surrounding white space.

    Args:
        examples: the golden set's.
        responses: the run's.
        base: the base model's two answers by example id.
    """
    said: dict[str, list[str]] = {}
    for response in responses:
        if response.answered and response.output is not None:
            said.setdefault(response.example_id, []).append(response.output.strip())
    alike, steady = np.full(len(examples), np.nan), np.full(len(examples), np.nan)
    for i, example in enumerate(examples):
        both, mine = [text.strip() for text in base.get(example.id, ())], said.get(example.id)
        if len(both) > 1 and mine:
            alike[i] = sum(text in both for text in mine) / len(mine)
            steady[i] = float(both[0] == both[1])
    return {ALIKE: alike, STEADY: steady}


def _observed(scorers: Sequence[Scorer], by_example: Sequence[Sequence[Response]]) -> dict[str, FloatArray]:
    """How long the answers are, and which refuse: by the target's own ``refusal`` scorer where it has one."""
    refusal = next((s for s in scorers if isinstance(s, Refusal)), _REFUSAL)
    length, refused = np.full(len(by_example), np.nan), np.full(len(by_example), np.nan)
    for i, responses in enumerate(by_example):
        texts = [r.output for r in responses if r.answered and r.output is not None]
        if texts:
            length[i] = sum(map(len, texts)) / len(texts)
            refused[i] = sum(map(refusal.refuses, texts)) / len(texts)
    found = {"length": length, "refusal": refused}
    structure = np.array([_structure(responses) for responses in by_example], dtype=float)
    if not np.isnan(structure).all():
        found[STRUCTURE] = structure
    first = np.array([_first_logprob(responses) for responses in by_example], dtype=float)
    if not np.isnan(first).all():
        found[FIRST] = first
    waits = np.array([_first_wait(responses) for responses in by_example], dtype=float)
    if not np.isnan(waits).all():
        found[FIRST_TOKEN_S] = waits
    return found


def _structure(responses: Sequence[Response]) -> float:
    """A number made of the paths and types of the fields of an example's JSON answer, of its first repeat."""
    text = next((r.output for r in responses if r.answered and r.output is not None), "").lstrip()
    if not text.startswith(("{", "[")):
        return float("nan")
    found = shape(text)
    if found is None:
        return float("nan")
    written = json.dumps(sorted((path, kind) for path, (kind, _) in found.items()))
    return float(int.from_bytes(hashlib.sha256(written.encode("utf-8", "surrogatepass")).digest()[:6]))


def _first_wait(responses: Sequence[Response]) -> float:
    """The mean over repeats, to a tenth of a millisecond."""
    known = [r.ttft_s for r in responses if r.answered and r.ttft_s is not None]
    return round(sum(known) / len(known), 4) if known else float("nan")


def spent(
    examples: Sequence[Example],
    responses: Sequence[Response],
    cost: Callable[[int | None, int | None], float | None],
) -> dict[str, FloatArray]:
    """What the requests of each example cost, US dollars, a mean over repeats: float [examples], NaN where unknown.

    Args:
        examples: the golden set's.
        responses: the run's.
        cost: what so many input and output tokens cost.
    """
    known: dict[str, list[float]] = {}
    for response in responses:
        usd = cost(response.input_tokens, response.output_tokens) if response.answered else None
        if usd is not None:
            known.setdefault(response.example_id, []).append(usd)
    row = [sum(k) / len(k) if (k := known.get(example.id)) else float("nan") for example in examples]
    return {USD: np.array(row, dtype=float)}


def _first_logprob(responses: Sequence[Response]) -> float:
    """The mean over repeats; a thousandth of what moves it is kept."""
    known = [r.logprobs[0] for r in responses if r.answered and r.logprobs]
    return round(sum(known) / len(known), 5) if known else float("nan")


def _mean_latency(responses: Sequence[Response]) -> float:
    known = [r.latency_s for r in responses if r.answered and r.latency_s is not None]
    return sum(known) / len(known) if known else float("nan")


def _vector(
    scorer: Scorer, examples: Sequence[Example], by_example: Sequence[Sequence[Response]]
) -> ScoreVector:
    values = np.full(len(examples), np.nan)
    reasons: dict[int, str] = {}
    labels: dict[int, str] = {}
    malformed: list[int] = []
    for i, (example, responses) in enumerate(zip(examples, by_example, strict=True)):
        got = [score(scorer, example, response) for response in responses]
        known = [s.value for s in got if s.value is not None]
        if known:
            values[i] = sum(known) / len(known)
        worst = min(got, key=lambda s: -1.0 if s.value is None else s.value, default=None)
        if worst is None:
            reasons[i] = "unanswered: not asked"
            continue
        if worst.reason is not None and (worst.value is None or worst.value < 1.0):
            reasons[i] = worst.reason
        if worst.label is not None:
            labels[i] = worst.label
        if any(s.format_failure for s in got):
            malformed.append(i)
    return ScoreVector(scorer.scorer_name, values, reasons, labels, tuple(malformed))


def _summary(vector: ScoreVector, name: str, mask: BoolArray) -> ScoreSummary:
    inside = vector.values[mask]
    known = inside[~np.isnan(inside)]
    mean = float(known.mean()) if len(known) else None
    return ScoreSummary(vector.scorer, name, mean, len(known), len(inside) - len(known))
