"""How did this verdict come about? The same fold that judged, led through history once more and watched at every step.

Nothing is judged here: each step is ``judge.judge``, so that evidence and verdict are those that were stored; what each
run added is read off the states before and after it. Memory grows with ``last`` runs kept, not with history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from checks import judge, quality
from checks.base import SECONDS_PER_HOUR, mean
from checks.inference import counts, group, noise, reference
from checks.quality import Watched, plan_for
from checks.types import ALL, Finding, FloatArray, Measurement, Subject, Verdict

MODELS = ("constant", "slow noise", "daily cycle", "slow noise and daily cycle")
"""The noise models of ``noise.py`` in its order."""

RARE = "rare failures"
"""The stream that counts right answers that fail."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What one stream of one scorer said in one run.

    ``stream`` is ``"all"``, a slice's name or :data:`RARE`. ``evidence`` is its part of the scorer's, relative to the
    page. ``factor``: what this run multiplied it by (the bets' mixture), None while learning or under a page.
    ``surprise``: standard deviations below what the noise models expected, None for rare failures or an unseen stream.
    """

    stream: str
    evidence: float
    factor: float | None = None
    surprise: float | None = None


@dataclass(frozen=True, slots=True)
class ScorerStep:
    """One scorer in one run.

    ``believed`` maps a noise model to its weight before the run; ``capped``: as bad as one run may count; ``alone``:
    at its cap with no bad run before it, so that it could not page.
    """

    scorer: str
    mean: float | None
    streams: tuple[Stream, ...]
    believed: dict[str, float]
    capped: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One run: what was judged, and what it did to every scorer's streams."""

    run: int
    started_at: float
    verdict: Verdict
    reason: str | None
    findings: tuple[Finding, ...]
    scorers: tuple[ScorerStep, ...]


@dataclass(frozen=True, slots=True)
class Mover:
    """An example that moved a scorer: its score less what was expected, summed over the runs looked at."""

    example: int
    expected: float
    now: float | None
    moved: float


@dataclass(frozen=True, slots=True)
class ScorerStory:
    """One scorer at the end.

    ``band``: the lowest and highest mean of the baseline's runs; ``onset_set``: the 90% set of first bad runs;
    ``movers``: the examples that moved it over the last ``moved_runs`` runs, the worst first.
    """

    scorer: str
    band: tuple[float, float] | None
    onset_run: int | None
    onset_set: tuple[int, ...]
    paged_run: int | None
    led_by: str | None
    moved_runs: int
    movers: tuple[Mover, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The last steps, oldest first, and each scorer's story. ``judged`` counts all runs of the fold."""

    steps: tuple[Step, ...]
    scorers: tuple[ScorerStory, ...]
    judged: int


def explain(
    subject: Subject, runs: Iterable[Measurement], *, last: int = 120, movers: int = 10
) -> Explanation | None:
    """Fold the runs as they were judged, and tell what happened; None where there is no run.

    Args:
        subject: what was judged.
        runs: all runs of the segment up to the one to be explained, oldest first, aligned to the subject.
        last: how many steps are kept.
        movers: how many examples are named per scorer.
    """
    state = judge.initial(subject)
    steps: deque[Step] = deque(maxlen=last)
    rows: deque[Measurement] = deque(maxlen=last)
    baseline: dict[str, list[float]] = {scorer: [] for scorer in subject.scorers}
    paged: dict[str, tuple[int, str | None]] = {}
    for run in runs:
        before = state
        state, judgement = judge.judge(subject, before, run)
        told = []
        for scorer in subject.scorers:
            old, new = _watched(before, scorer), _watched(state, scorer)
            told.append(_scorer_step(subject, scorer, run, old, new, judgement.findings))
            if old.down.learning and new.baseline_runs > old.baseline_runs and told[-1].mean is not None:
                baseline[scorer].append(told[-1].mean)
            if new.down.page is None:
                paged.pop(scorer, None)
            elif old.down.page is None:
                lead = max(told[-1].streams, key=lambda stream: stream.evidence, default=None)
                paged[scorer] = (run.run, None if lead is None else lead.stream)
        steps.append(
            Step(
                run.run, run.started_at, judgement.verdict, judgement.reason, judgement.findings, tuple(told)
            )
        )
        rows.append(run)
    if not steps:
        return None
    stories = tuple(
        _story(scorer, _watched(state, scorer), baseline[scorer], paged.get(scorer), rows, movers)
        for scorer in subject.scorers
    )
    return Explanation(tuple(steps), stories, state.runs)


def _watched(state: judge.State, scorer: str) -> Watched:
    found: Watched = state.checks[quality.CHECK.name].scorers[scorer]
    return found


def _scorer_step(
    subject: Subject, scorer: str, run: Measurement, old: Watched, new: Watched, findings: tuple[Finding, ...]
) -> ScorerStep:
    row = run.scores[scorer]
    seen = new.down.seen > old.down.seen
    now = mean(row) if seen or (old.down.learning and new.down.seen) else None
    if old.down.learning or not seen:
        return ScorerStep(scorer, now if seen else None, (), {})
    key = sorted(subject.scorers).index(scorer)
    plan = plan_for(subject, key)
    parts = _parts(plan, new.down)
    whole = sum(parts)
    total = _evidence(findings, scorer, plan.names)
    scale = total / whole if whole > 0.0 and total is not None else 0.0
    believed, surprise = _noise(plan, old.down, row, run.started_at / SECONDS_PER_HOUR)
    factors = _factors(plan, old.down, new.down)
    names = (*plan.names, RARE)[: len(parts)]
    streams = tuple(
        Stream(name, part * scale, factor, z)
        for name, part, factor, z in zip(names, parts, factors, [*surprise, None], strict=False)
    )
    return ScorerStep(scorer, now, streams, believed, new.down.hot, new.down.hot and not old.down.hot)


def _evidence(findings: tuple[Finding, ...], scorer: str, names: tuple[str, ...]) -> float | None:
    """A scorer's whole evidence as its findings have it: the page's while it stands, else the sum over its streams."""
    own = [
        f for f in findings if f.check == quality.CHECK.name and f.scorer == scorer and f.evidence is not None
    ]
    standing = [f.evidence for f in own if f.verdict is Verdict.REGRESSED and f.evidence is not None]
    if standing:
        return max(standing)
    return sum(f.evidence for f in own if f.slice in names and f.evidence is not None) if own else None


def _parts(plan: group.Plan, state: group.State) -> list[float]:
    """R by stream in any unit: mean streams, then rare failures."""
    weighed = plan.bets * state.evidence
    size = len(noise.THETAS)
    means = [float(weighed[i * size : (i + 1) * size].sum()) for i in range(plan.streams)]
    return [*means, float(weighed[plan.streams * size :].sum())] if plan.rare else means


def _noise(
    plan: group.Plan, old: group.State, row: FloatArray, at_h: float
) -> tuple[dict[str, float], list[float | None]]:
    """What the noise models were believed before the run, and how far each stream lay below their expectation."""
    if old.fitted is None or old.noise is None:
        return {}, []
    weights = np.exp(old.noise.log_w[0] - np.logaddexp.reduce(old.noise.log_w[0]))
    believed = {name: float(w) for name, w in zip(MODELS, weights, strict=True)}
    y = reference.statistic(plan.masks, old.fitted, row[None], ~np.isnan(row)[None])[0]
    clean = np.where(np.isnan(y), old.noise.mean, y)
    prediction = noise.predict(old.noise, clean, at_h)
    share = np.exp(old.noise.log_w - np.logaddexp.reduce(old.noise.log_w, axis=1, keepdims=True))
    low = -(share * prediction.error / prediction.scale).sum(axis=1)
    return believed, [None if np.isnan(a) else float(b) for a, b in zip(y, low, strict=True)]


def _factors(plan: group.Plan, old: group.State, new: group.State) -> list[float | None]:
    """What the run multiplied each stream's evidence by: the mixture of its bets, before the cap."""
    if old.page is not None or not len(new.past_log_e):
        return [None] * (plan.streams + 1)
    log_e = new.past_log_e[-1].astype(np.float64)
    size = len(noise.THETAS)
    found: list[float | None] = [
        float(noise.THETA_WEIGHTS @ np.exp(np.minimum(log_e[i * size : (i + 1) * size], 50.0)))
        for i in range(plan.streams)
    ]
    rare = log_e[plan.streams * size :]
    return [*found, float(counts.GAMMA_WEIGHTS @ np.exp(np.minimum(rare, 50.0))) if len(rare) else None]


def _story(
    scorer: str,
    watched: Watched,
    baseline: list[float],
    paged: tuple[int, str | None] | None,
    rows: deque[Measurement],
    movers: int,
) -> ScorerStory:
    page = watched.down.page
    onset_set: tuple[int, ...] = ()
    onset = watched.onset_run
    if page is not None:
        known = [watched.down.seen - start for start in page.onset_set]
        onset_set = tuple(int(watched.runs[-back]) for back in known if 0 < back <= len(watched.runs))
    since = [r for r in rows if onset is not None and r.run >= onset] or [rows[-1]]
    since = [r for r in since if r.measured and bool((~np.isnan(r.scores[scorer])).any())]
    return ScorerStory(
        scorer=scorer,
        band=(min(baseline), max(baseline)) if baseline else None,
        onset_run=onset,
        onset_set=onset_set,
        paged_run=paged and paged[0],
        led_by=paged and paged[1],
        moved_runs=len(since),
        movers=_movers(watched, scorer, since, movers) if since else (),
    )


def _movers(watched: Watched, scorer: str, since: list[Measurement], limit: int) -> tuple[Mover, ...]:
    """The examples whose scores lie furthest below what was expected, over the runs looked at."""
    fitted = watched.down.fitted
    if fitted is None:
        return ()
    stacked = np.array([r.scores[scorer] for r in since])
    known = ~np.isnan(stacked)
    moved = np.where(known, stacked - fitted.rate, 0.0).sum(axis=0)
    answered = known.sum(axis=0)
    now = np.where(known, stacked, 0.0).sum(axis=0) / np.maximum(answered, 1)
    order = np.argsort(moved, kind="stable")[:limit]
    return tuple(
        Mover(int(i), float(fitted.rate[i]), float(now[i]) if answered[i] else None, float(moved[i]))
        for i in order
        if moved[i] < 0.0
    )


def series(explanation: Explanation, check: str, scorer: str | None, name: str = ALL) -> list[float | None]:
    """The evidence of one subject over the steps, as the findings have it; None where a run says nothing."""
    return [
        next(
            (f.evidence for f in step.findings if (f.check, f.scorer, f.slice) == (check, scorer, name)), None
        )
        for step in explanation.steps
    ]
