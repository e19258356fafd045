"""What would this watch find, before it is armed? The detectability card: smallest drops within a day, week, month.

Computed by ``inference/power.py`` from what the target's own runs have taught (pass rates, run-to-run noise, slow
noise, the restlessness of rare failures), or else from assumptions, which the card then names. It is a forecast, good
to about a quarter of each figure; judging does not use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from checks import judge
from checks import quality as quality_check
from checks.inference import group, noise, power
from checks.quality import Watched
from checks.types import BoolArray, FloatArray, Subject

LEAST_RUNS = 3
"""Own runs from which the noise is taken; below, it is assumed."""

THINNEST = 6
"""Slices on the card, the thinnest first."""

_WEEK_H = 168.0
_MOST_PERSISTENCE = 0.9


@dataclass(frozen=True, slots=True)
class Drop:
    """The smallest drop of the mean score found within ``hours``; None where nothing is found in time.

    ``fade``: a common weakening, so that examples on the fence lose most. ``loss``: every right answer is lost with
    the same chance; found sooner.
    """

    within: str
    hours: float
    fade: float | None
    loss: float | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """What more would buy. ``factor`` multiplies requests, tokens and money."""

    name: str
    examples: int
    repeats: int
    factor: float
    drops: tuple[Drop, ...]


@dataclass(frozen=True, slots=True)
class SliceDrop:
    """The smallest drop within a slice alone, found within a week."""

    name: str
    examples: int
    week: float | None


@dataclass(frozen=True, slots=True)
class Card:
    """What one scorer's watch finds, ``power`` of the times.

    ``own_runs`` is how many runs of the target itself the figures rest on, 0 where all is assumed; ``assumed`` names
    what was. ``dispersion`` is the run noise over what chance alone gives; ``slow_noise`` the part of a lasting shift
    that looks like the endpoint's slow noise.
    """

    scorer: str
    examples: int
    repeats: int
    interval_h: float
    accuracy: float
    own_runs: int
    history_runs: int
    assumed: tuple[str, ...]
    dispersion: float
    slow_noise: float
    drops: tuple[Drop, ...]
    options: tuple[Option, ...]
    slices: tuple[SliceDrop, ...]
    slices_left_out: int
    power: float = power.POWER


@dataclass(frozen=True, slots=True)
class Plan:
    """How a target is watched. ``share`` and ``period_h`` are its part of the false-alarm budget, hours per page."""

    interval_h: float
    repeats: int = 1
    share: float = 1.0
    period_h: float = 2160.0
    confirm: bool = True
    accuracy: float = 0.8


def cards(subject: Subject, plan: Plan, state: judge.State | None = None) -> tuple[Card, ...]:
    """One card per scorer.

    Args:
        subject: what is judged: examples, slices, scorers.
        plan: how often, and at which share of the budget.
        state: the fold over the target's own runs, None where there are none.
    """
    quality = None if state is None else state.checks.get(quality_check.CHECK.name)
    known: Mapping[str, Watched] = {} if quality is None else quality.scorers
    return tuple(
        _card(subject, plan, scorer, known[scorer]) if scorer in known else _assumed(subject, plan, scorer)
        for scorer in subject.scorers
    )


def threshold_h(subject: Subject, plan: Plan) -> float:
    """A for one scorer's group, hours: the budget's period over its share.

    >>> subject = Subject(examples=10, scorers=("label",), slices={})
    >>> threshold_h(subject, Plan(1.0)) >= 2160.0
    True
    """
    applied = judge.initial(subject).checks
    whole = sum(check.weight for name, check in judge.all_checks().items() if name in applied) or 1.0
    return plan.period_h / (plan.share * quality_check.CHECK.weight / whole / len(subject.scorers))


def _assumed(subject: Subject, plan: Plan, scorer: str) -> Card:
    slices = tuple((name, mask.tobytes()) for name, mask in subject.slices.items())
    applied = (subject.baseline_runs, tuple(sorted(subject.floors)), len(subject.scorers))
    made = _assumed_once(subject.examples, slices, applied, threshold_h(subject, plan), plan)
    return replace(made, scorer=scorer)


@lru_cache(maxsize=32)
def _assumed_once(
    examples: int,
    slices: tuple[tuple[str, bytes], ...],
    applied: tuple[int, tuple[str, ...], int],
    threshold: float,
    plan: Plan,
) -> Card:
    """A card without own runs, which sets of the same form share; ``threshold`` is in the key, and so in the card."""
    del threshold
    masks = {name: np.frombuffer(packed, dtype=bool) for name, packed in slices}
    scorers = ("", *(str(i) for i in range(1, applied[2])))
    floors = dict.fromkeys(applied[1], 0.5)
    return _card(Subject(examples, scorers, masks, None, floors, applied[0]), plan, "", None)


def _card(subject: Subject, plan: Plan, scorer: str, watched: Watched | None) -> Card:
    names, masks = _slices(subject)
    history = subject.baseline_runs + round(_WEEK_H / plan.interval_h)
    base = power.Setting(
        power.assumed_rates(subject.examples, plan.accuracy),
        plan.interval_h,
        threshold_h(subject, plan),
        history,
        repeats=plan.repeats,
        masks=masks,
        confirm=plan.confirm,
    )
    own = 0 if watched is None else watched.down.runs
    assumed: tuple[str, ...] = ()
    if watched is not None and own >= LEAST_RUNS:
        base = replace(_own(base, watched.down), history_runs=max(own, history))
        if watched.down.learning:
            assumed = ("no noise beyond chance from run to run",)
    else:
        own = 0
        rng = np.random.default_rng(23)
        base = replace(base, rates=rng.permutation(base.rates))
        assumed = (
            f"{plan.accuracy:.0%} right",
            "most examples always answered the same way",
            "no noise beyond chance from run to run",
        )
    drops = _drops(base, month=True)
    return Card(
        scorer=scorer,
        examples=subject.examples,
        repeats=plan.repeats,
        interval_h=plan.interval_h,
        accuracy=float(base.rates.mean()),
        own_runs=own,
        history_runs=base.history_runs,
        assumed=assumed,
        dispersion=base.dispersion,
        slow_noise=base.persistence,
        drops=drops,
        options=_options(base, drops),
        slices=_thin(base, names, masks, own_known=own > 0),
        slices_left_out=max(len(names) - THINNEST, 0),
    )


def _slices(subject: Subject) -> tuple[tuple[str, ...], tuple[BoolArray, ...]]:
    """The slices that are watched, the thinnest first."""
    proper = {n: m for n, m in subject.slices.items() if 0 < m.sum() < subject.examples}
    names = tuple(sorted(proper, key=lambda n: (int(proper[n].sum()), n)))
    return names, tuple(proper[n] for n in names)


def _own(base: power.Setting, state: group.State) -> power.Setting:
    """The setting with what the target's own runs have taught."""
    answers = state.answers
    overall = float(state.total.sum() / max(answers.sum(), 1.0))
    rates = np.clip((state.total + 0.5 * overall) / (answers + 0.5), 0.0, 1.0)
    fitted, learnt = state.fitted, state.noise
    graded = fitted.graded if fitted is not None else bool(np.any(state.squares < state.total - 1e-9))
    base = replace(base, rates=rates, rare=not graded or base.repeats > 1)
    if fitted is None or learnt is None:
        return base
    weight = np.exp(learnt.log_w[0] - np.logaddexp.reduce(learnt.log_w[0]))
    variance = (4.0 + learnt.ss[0]) / (3.0 + learnt.runs[0])
    chance = float((rates * (1.0 - rates)).sum()) / base.repeats
    return replace(
        base,
        dispersion=max(float(fitted.unit[0] * np.sqrt(weight @ variance)) / np.sqrt(max(chance, 0.5)), 0.05),
        persistence=float(np.clip(noise.persistence(learnt)[0], 0.0, _MOST_PERSISTENCE)),
        cv2=base.cv2 if state.counts is None else state.counts.cv2,
    )


def _drops(setting: power.Setting, *, month: bool, near: tuple[Drop, ...] = ()) -> tuple[Drop, ...]:
    found: list[Drop] = []
    guess = near[0].fade if near else None
    for name, hours in power.horizons():
        if name == "month" and not month:
            continue
        fade = power.smallest_drop(setting, hours, near=guess)
        loss = power.smallest_drop(setting, hours, shape="loss", near=fade and fade / 2.0) if month else None
        guess = fade and fade / 1.6
        found.append(Drop(name, hours, fade, loss))
    return tuple(found)


def _options(base: power.Setting, drops: tuple[Drop, ...]) -> tuple[Option, ...]:
    """Twice and four times the examples, and three repeats of each."""
    n, repeats = len(base.rates), base.repeats
    found = []
    for times, name in ((2, "twice the examples"), (4, "four times the examples")):
        more = replace(
            base, rates=np.tile(base.rates, times), masks=tuple(np.tile(m, times) for m in base.masks)
        )
        near = tuple(replace(d, fade=d.fade and d.fade / times**0.5) for d in drops)
        found.append(Option(name, n * times, repeats, float(times), _drops(more, month=False, near=near)))
    if repeats == 1 and base.rare:
        often = replace(base, repeats=3)
        found.append(Option("3 repeats of each", n, 3, 3.0, _drops(often, month=False, near=drops)))
    return tuple(found)


def _thin(
    base: power.Setting, names: tuple[str, ...], masks: tuple[BoolArray, ...], *, own_known: bool
) -> tuple[SliceDrop, ...]:
    by_size: dict[int, float | None] = {}
    found: list[SliceDrop] = []
    for name, mask in zip(names[:THINNEST], masks[:THINNEST], strict=True):
        size = int(mask.sum())
        if own_known or size not in by_size:
            chosen = mask if own_known else _typical(mask, base.rates)
            near = next((d for d in reversed([s.week for s in found]) if d is not None), None)
            by_size[size] = power.smallest_drop(base, _WEEK_H, mask=chosen, near=near)
        found.append(SliceDrop(name, size, by_size[size]))
    return tuple(found)


def _typical(mask: BoolArray, rates: FloatArray) -> BoolArray:
    """As many examples as the slice has, spread evenly over the assumed rates: a slice like the whole."""
    size = int(mask.sum())
    order = np.argsort(rates, kind="stable")
    chosen = np.zeros(len(rates), dtype=bool)
    chosen[order[((np.arange(size) + 0.5) * len(rates) / size).astype(int)]] = True
    return chosen
