"""What does the past say of a run? The fold over a segment's history, kept between runs as a shortcut.

The shortcut is never the truth: :func:`state_before` takes it up where it fits and folds the rest, and
``fresh=True`` folds everything; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from checks import judge
from checks.generalization import gaps_of
from checks.scorers import Scorer
from checks.staleness import days_of
from checks.types import Example, Measurement, Subject
from service.scoring import slice_masks

if TYPE_CHECKING:
    from service.config import Target
    from service.records import Golden


class History(Protocol):
    """What the fold reads; the store has it."""

    def measurements(self, target: str, segment: str, *, after_run: int = 0) -> Iterator[Measurement]:
        """The runs of a segment, oldest first."""

    def snapshot(self, target: str, segment: str) -> tuple[int, bytes] | None:
        """The newest kept state: the run that it holds up to, and its bytes."""


def subject(
    examples: Sequence[Example],
    scorers: Sequence[Scorer],
    *,
    baseline_runs: int,
    min_answered: float,
    smallest_effect: float | None = None,
    reference: bool = False,
    logprobs: bool = False,
    border: bool = False,
    promises: Mapping[str, float] | None = None,
) -> Subject:
    """The facts about a segment that every check may use."""
    named = [example.group for example in examples]
    clusters: dict[str, int] = {}
    groups = None
    if any(g is not None for g in named):
        groups = np.array(
            [
                clusters.setdefault(g if g is not None else f"\0{i}", len(clusters))
                for i, g in enumerate(named)
            ],
            dtype=np.int64,
        )
    return Subject(
        examples=len(examples),
        scorers=tuple(s.scorer_name for s in scorers),
        slices=slice_masks(examples),
        groups=groups,
        floors={s.scorer_name: s.min for s in scorers if s.min is not None},
        baseline_runs=baseline_runs,
        min_answered=min_answered,
        smallest_effect=smallest_effect,
        gaps=gaps_of(examples),
        days=days_of(examples),
        reference=reference,
        logprobs=logprobs,
        border=border,
        judges=tuple(s.scorer_name for s in scorers if getattr(s, "asks", False)),
        promises=promises or {},
    )


def configured_subject(target: Target, golden: Golden, *, baseline_runs: int) -> Subject:
    """What the configuration says of a target, with a baseline of so many runs."""
    return subject(
        golden.examples,
        target.scorers,
        baseline_runs=baseline_runs,
        min_answered=target.min_answered,
        smallest_effect=target.smallest_effect,
        reference=target.reference is not None,
        logprobs=target.endpoint.gives_logprobs,
        border=target.asks_border_prompts,
        promises=target.promises.limits,
    )


def state_before(
    history: History, target: str, segment: str, about: Subject, *, fresh: bool = False
) -> judge.State:
    """The state after every finished run of the segment."""
    state, after = judge.initial(about), 0
    kept = None if fresh else history.snapshot(target, segment)
    if kept is not None:
        loaded = judge.load(kept[1])
        if loaded is not None and loaded.last_run == kept[0] and loaded.about == judge.fingerprint(about):
            state, after = loaded, kept[0]
    for run in history.measurements(target, segment, after_run=after):
        state, _ = judge.judge(about, state, aligned(about, run))
    return state


def aligned(about: Subject, run: Measurement) -> Measurement:
    """The run with a row for every scorer and example, NaN where it holds none (a run closed unread)."""
    nothing = np.full(about.examples, np.nan)
    scores = {name: run.scores.get(name, nothing) for name in about.scorers}
    answered = run.answered if len(run.answered) == about.examples else np.zeros(about.examples, dtype=bool)
    latency = run.latency_s if len(run.latency_s) == about.examples else nothing
    observed = {name: row for name, row in run.observed.items() if len(row) == about.examples}
    return replace(run, scores=scores, answered=answered, latency_s=latency, observed=observed)
