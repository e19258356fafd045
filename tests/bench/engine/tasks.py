"""What is measured? Pages on healthy streams, and delays of drops beside the oracle's and the peers'.

Every task is a value that names its own seed, so the figures do not depend on how many processes share the work.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass, field

import numpy as np

from checks.inference import group
from checks.types import FloatArray
from tests.bench.engine import fold, oracle, peers
from tests.bench.engine.families import (
    BUDGET_H,
    DAILY,
    FAMILIES,
    INDEPENDENT,
    OVERDISPERSED,
    SLOW,
    WEEK,
    YEAR_H,
    Family,
    World,
    golden,
    logit,
    sigmoid,
)

BASELINE = 10
EXAMPLES = 200
BURST_AT, BURST_H, BURSTS_PER_H = 1 / 20, 5 / 60, 11
VARIANTS = {"10 slices": (10, 1.0), "one of 60 targets": (0, 60.0)}
"""How else an independent stream is watched: slices, and the factor on the threshold."""


_NAMED = {f.name: f for f in FAMILIES}
_TUNED_ON = 4, 4000


def _seed(*parts: object) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(str(p).encode()) for p in parts])


@dataclass(frozen=True, slots=True)
class Healthy:
    """One endpoint-year (or its share) of one family."""

    family: str
    year: int

    @property
    def work(self) -> float:
        """About how long it takes, in years of one plain stream."""
        f = _NAMED[self.family]
        return f.years * f.targets * (1 + f.slices / 25)


@dataclass(frozen=True, slots=True)
class Drops:
    """Every drop of one world and one golden set, ``streams`` streams each."""

    world: World
    golden: int
    streams: int

    @property
    def work(self) -> float:
        """About how long it takes, in years of one plain stream."""
        return self.streams / 2.5 if self.world == INDEPENDENT else self.streams / 5


@dataclass(frozen=True, slots=True)
class Found:
    """Delays in runs by (drop, rule), what stood on the horizon, and what else was asked of the same pages."""

    delays: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    horizons: dict[str, int] = field(default_factory=dict)
    onset: dict[str, list[bool]] = field(default_factory=dict)
    resolve: dict[str, list[float]] = field(default_factory=dict)
    minutes: list[float] = field(default_factory=list)
    rates: dict[str, list[float]] = field(default_factory=dict)


Task = Healthy | Drops


def drops_of(world: World) -> tuple[tuple[str, str, float, int], ...]:
    """Name, kind, points and horizon of the drops that are measured in a world."""
    if world == INDEPENDENT:
        return (
            ("ability -1", "ability", 0.01, 500),
            ("ability -2", "ability", 0.02, 250),
            ("ability -5", "ability", 0.05, 100),
            ("ability -20", "ability", 0.20, 40),
            ("1 point lost", "lost", 0.01, 150),
            ("2 points lost", "lost", 0.02, 100),
        )
    return (
        ("ability -2", "ability", 0.02, 500),
        ("ability -5", "ability", 0.05, 250),
        ("2 points lost", "lost", 0.02, 250),
    )


WORLDS = (INDEPENDENT, OVERDISPERSED, SLOW, DAILY)


def run(task: Task) -> tuple[Task, object]:
    """Do one task: the number of pages and the years of a healthy one, or what was found."""
    return task, _healthy(task) if isinstance(task, Healthy) else _drops(task)


def _healthy(task: Healthy) -> tuple[int, float]:
    f = _NAMED[task.family]
    rng, found = _seed("healthy", f.name, task.year), 0
    p = golden(1000 + task.year, f.examples)
    if f.targets > 1:
        return _targets(f, p, rng)
    rows = round(YEAR_H * f.years / f.continuations)
    first = f.draw(rng, p, f.baseline)
    for _ in range(f.continuations):
        # one stream from end to end, so that slow noise is not broken; only what shares a baseline is glued
        later = f.draw(rng, p, rows + f.baseline)
        scores = np.vstack([first, later[f.baseline :]]) if f.continuations > 1 else later
        found += len(fold.pages(fold.plan_of(f.examples, f.baseline, f.slices), scores))
    return found, rows * f.continuations / YEAR_H


def _targets(f: Family, p: FloatArray, rng: np.random.Generator) -> tuple[int, float]:
    """Many targets of one endpoint: one shift for all, answers of their own, each with its part of the budget."""
    rows = round(YEAR_H * f.years)
    shifts, found = OVERDISPERSED.shifts(rng, rows + f.baseline), 0
    for key in range(f.targets):
        own = golden(5000 + key, f.examples)
        scores = OVERDISPERSED.answers(rng, own, shifts)
        found += len(fold.pages(fold.plan_of(len(p), f.baseline, key=key), scores, BUDGET_H * f.targets))
    return found, f.years


def changed(p: FloatArray, how: str, drop: float) -> FloatArray:
    """Pass rates after a loss of ability (a common shift of the logits) or after right answers get lost at random."""
    if how == "lost":
        return p * (1 - drop / p.mean())
    low, high = 0.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if p.mean() - sigmoid(logit(p) - middle).mean() < drop else (low, middle)
    return sigmoid(logit(p) - low)


def _drops(task: Drops) -> Found:
    out, p, world = Found(), golden(task.golden), task.world
    since = BASELINE + WEEK
    rng = _seed("tuning", world.name, task.golden)
    healthy = [world.draw(rng, p, _TUNED_ON[1]) for _ in range(_TUNED_ON[0])]
    rules = [(f"{peer.name}", peer, peer.usual) for peer in peers.PEERS]
    rules += [(f"{peer.name}, tuned", peer, peers.tuned(peer, healthy, BASELINE)) for peer in peers.PEERS]
    for name, peer, limit in rules:
        out.rates[name] = [peers.rate(peer, limit, healthy, BASELINE) * YEAR_H]
    for name, how, drop, horizon in drops_of(world):
        q = changed(p, how, drop)
        log_h = oracle.threshold(world, p, q, _seed("oracle", world.name, task.golden, name))
        scores = np.array(
            [_stream(world, p, q, horizon, (name, task.golden, k)) for k in range(task.streams)]
        )
        out.horizons[name] = horizon
        out.delays[name, "oracle"] = oracle.delays(world, p, q, scores, since, log_h).tolist()
        for rule, peer, limit in rules:
            out.delays[name, rule] = [peers.delay(peer, limit, x, BASELINE, since) for x in scores]
        for number, x in enumerate(scores):
            _ours(out, name, x, since, _seed("resolve", name, task.golden, number), p, world)
            if world == INDEPENDENT:
                for variant, (slices, factor) in VARIANTS.items():
                    plan = fold.plan_of(EXAMPLES, BASELINE, slices)
                    _, row = fold.first_page(plan, x, since, BUDGET_H * factor)
                    out.delays.setdefault((name, variant), []).append(
                        len(x) - since if row is None else row - since + 1
                    )
        if drop >= 0.2:
            out.minutes.extend(_minutes(task, p, q, k) for k in range(task.streams))
    return out


def _stream(world: World, p: FloatArray, q: FloatArray, horizon: int, seed: tuple[object, ...]) -> FloatArray:
    rng = _seed("drop", world.name, *seed)
    since = BASELINE + WEEK
    shifts = world.shifts(rng, since + horizon)
    return np.vstack([world.answers(rng, p, shifts[:since]), world.answers(rng, q, shifts[since:])])


def _ours(
    out: Found, name: str, x: FloatArray, since: int, rng: np.random.Generator, p: FloatArray, world: World
) -> None:
    plan = fold.plan_of(EXAMPLES, BASELINE)
    state, row = fold.first_page(plan, x, since)
    out.delays.setdefault((name, "goldwatch"), []).append(len(x) - since if row is None else row - since + 1)
    if row is None or state.page is None:
        return
    out.onset.setdefault(name, []).append(since in state.page.onset_set)
    if world != INDEPENDENT:
        return
    limit = 300
    better, at = world.draw(rng, p, limit), row + 1
    for i in range(limit):
        state, _ = group.advance(
            plan, state, better[i : i + 1], np.array([at + i + 0.0]), np.array([BUDGET_H])
        )
        if state.page is None:
            break
    out.resolve.setdefault(name, []).append(float(i + 1))


def _minutes(task: Drops, p: FloatArray, q: FloatArray, number: int) -> float:
    """From the first bad run's start to the page, when rising evidence brings the next run forward to 5 minutes."""
    rng = _seed("bursts", task.golden, number)
    plan, at, extra = fold.plan_of(EXAMPLES, BASELINE), float(BASELINE + WEEK), 0
    state = fold.watched(plan, INDEPENDENT.draw(rng, p, BASELINE + WEEK))
    begun = at
    while True:
        bad = (rng.random((1, EXAMPLES)) < q).astype(float)
        state, trace = group.advance(plan, state, bad, np.array([at]), np.array([BUDGET_H]))
        if trace.paged[0] or at - begun > 48:
            return (at - begun) * 60
        hot = (trace.capped[0] or trace.evidence[0] >= BURST_AT) and extra < BURSTS_PER_H
        extra = extra + 1 if hot else 0
        at = at + BURST_H if hot else np.floor(at + 1e-6) + 1.0


def speed() -> tuple[float, float]:
    """Seconds to judge the 20th and the 2,000th run of 1,000 examples x 20 slices: medians, side by side."""
    rng, p, plan = _seed("speed"), golden(1, 1000), fold.plan_of(1000, BASELINE, slices=20)
    x = INDEPENDENT.draw(rng, p, 2040)

    def at(rows: int) -> group.State:
        hours = np.arange(rows, dtype=float)
        return group.advance(plan, group.initial(plan), x[:rows], hours, np.full(rows, 1e12))[0]

    states = {20: at(20), 2000: at(2000)}
    spans: dict[int, list[float]] = {20: [], 2000: []}
    for i in range(16):
        for rows in (20, 2000):
            begun = time.perf_counter()
            row, hour = x[rows + i : rows + i + 1], np.array([rows + i + 0.0])
            states[rows], _ = group.advance(plan, states[rows], row, hour, np.array([1e12]))
            spans[rows].append(time.perf_counter() - begun)
    return float(np.median(spans[20])), float(np.median(spans[2000]))
