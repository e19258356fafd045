"""What do healthy endpoints look like? Streams on which every page is false, and the noise that drops are seen through.

A golden set is a vector of pass rates p, most of them near 0 or 1 with mean .8. A world says how runs differ from each
other: a common shift u of all logits, autoregressive with coefficient phi and standard deviation sd, plus a daily wave.
A family is a healthy stream of any kind: a function of a generator, p and the number of rows gives scores [rows,
examples] in [0, 1], NaN where unanswered.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from checks.types import FloatArray

YEAR_H = 8760
BUDGET_H = 2160.0
ALLOWED_PER_YEAR = YEAR_H / BUDGET_H
WEEK = 168

Draw = Callable[[np.random.Generator, FloatArray, int], FloatArray]


def logit(p: FloatArray) -> FloatArray:
    """The log odds."""
    out: FloatArray = np.log(p / (1 - p))
    return out


def sigmoid(x: FloatArray) -> FloatArray:
    """The inverse of :func:`logit`."""
    out: FloatArray = 1 / (1 + np.exp(-x))
    return out


def golden(seed: int, examples: int = 200) -> FloatArray:
    """Pass rates [examples] like those of a real golden set."""
    rates = np.random.default_rng([seed, 77]).beta(0.30, 0.075, examples)
    return np.clip(rates, 1e-4, 1 - 1e-4)


@dataclass(frozen=True, slots=True)
class World:
    """How healthy runs differ from one another; ``sd`` and ``wave`` in logits."""

    name: str
    sd: float = 0.0
    phi: float = 0.0
    wave: float = 0.0
    period_h: int = 24

    def cycle(self, hours: FloatArray) -> FloatArray:
        """The known part of the shift at each hour."""
        out: FloatArray = self.wave * np.sin(2 * np.pi * hours / self.period_h)
        return out

    def shifts(self, rng: np.random.Generator, rows: int) -> FloatArray:
        """The logit shift of every run, [rows, 1]."""
        u = self.sd * rng.standard_normal(rows)
        for t in range(1, rows) if self.phi else ():
            u[t] = self.phi * u[t - 1] + math.sqrt(1 - self.phi**2) * u[t]
        return (u + self.cycle(np.arange(rows)))[:, None]

    def answers(self, rng: np.random.Generator, p: FloatArray, shifts: FloatArray) -> FloatArray:
        """Right/wrong scores at the given shifts."""
        chance = sigmoid(logit(p) + shifts) if self.sd or self.wave else p
        return (rng.random((len(shifts), len(p))) < chance).astype(float)

    def draw(self, rng: np.random.Generator, p: FloatArray, rows: int) -> FloatArray:
        """A healthy stream."""
        return self.answers(rng, p, self.shifts(rng, rows))


INDEPENDENT = World("independent")
OVERDISPERSED = World("over-dispersed", sd=0.25)
SLOW = World("AR(.6)", sd=0.25, phi=0.6)
DAILY = World("daily cycle", wave=0.3)


@dataclass(frozen=True, slots=True)
class Family:
    """A healthy stream, how it is watched, and how many of the bench's years it is worth.

    ``targets`` streams of the family share one endpoint's noise and one budget; ``continuations``: every baseline is
    followed by so many different futures, which together last a year.
    """

    name: str
    draw: Draw
    examples: int = 200
    baseline: int = 10
    slices: int = 0
    targets: int = 1
    continuations: int = 1
    years: float = 1.0


def _right(rng: np.random.Generator, chance: FloatArray, rows: int) -> FloatArray:
    return (rng.random((rows, chance.shape[-1])) < chance).astype(float)


def _shifted(law: Callable[[np.random.Generator, int], FloatArray]) -> Draw:
    return lambda rng, p, rows: _right(rng, sigmoid(logit(p) + law(rng, rows)), rows)


def _losing(law: Callable[[np.random.Generator, int], FloatArray]) -> Draw:
    """Right answers get lost independently at a rate that differs from run to run, [rows, 1]."""
    return lambda rng, p, rows: _right(rng, p * (1 - np.minimum(law(rng, rows), 1.0)), rows)


def _deterministic(rng: np.random.Generator, p: FloatArray, rows: int) -> FloatArray:
    return _right(rng, np.where(p > 0.5, 0.9995, 0.0005), rows)


def _missing(share: float, *, hard: float = 1.0, varied: bool = False) -> Draw:
    """A share of the answers is missing; examples that are often failed ``hard`` times as often."""

    def draw(rng: np.random.Generator, p: FloatArray, rows: int) -> FloatArray:
        x = _right(rng, p, rows)
        weight = np.where(p < 0.9, hard, 1.0)
        rate = rng.uniform(0, 2 * share, (rows, 1)) if varied else share
        x[rng.random(x.shape) < rate * weight / weight.mean()] = np.nan
        return x

    return draw


def _repeats(rng: np.random.Generator, p: FloatArray, rows: int) -> FloatArray:
    return rng.binomial(3, np.tile(p, (rows, 1))) / 3.0


def _graded(rng: np.random.Generator, p: FloatArray, rows: int) -> FloatArray:
    return np.clip(p + 0.1 * rng.standard_normal((rows, len(p))), 0, 1)


def _clustered(rng: np.random.Generator, p: FloatArray, rows: int) -> FloatArray:
    """Twenty documents, each with a logit shift of its own in every run."""
    cluster = np.arange(len(p)) % 20
    return _right(rng, sigmoid(logit(p) + 0.5 * rng.standard_normal((rows, 20))[:, cluster]), rows)


def _normal(sd: float) -> Callable[[np.random.Generator, int], FloatArray]:
    return lambda rng, rows: sd * rng.standard_normal((rows, 1))


def _t3(sd: float) -> Callable[[np.random.Generator, int], FloatArray]:
    return lambda rng, rows: sd * rng.standard_t(3, (rows, 1))


def _glitch(share: float, lost: float) -> Draw:
    return _losing(lambda rng, rows: np.where(rng.random((rows, 1)) < share, lost, 0.0))


FAMILIES = (
    Family("independent", INDEPENDENT.draw),
    Family("deterministic (.05% of answers flip)", _deterministic),
    Family("over-dispersed", OVERDISPERSED.draw),
    Family("heavy tails (t3)", _shifted(_t3(0.2))),
    Family("heavy tails (t3), stronger", _shifted(_t3(0.4))),
    Family("AR(.6)", SLOW.draw),
    Family("AR(.9)", World("AR(.9)", sd=0.25, phi=0.9).draw),
    Family("daily cycle, small", World("", wave=0.15).draw),
    Family("daily cycle, large", World("", wave=0.5).draw),
    Family("daily cycle with AR(.6)", World("", sd=0.25, phi=0.6, wave=0.3).draw),
    Family("weekly cycle", World("", wave=0.3, period_h=WEEK).draw),
    Family(
        "glitches: 2% of runs, 1.5 logits", _shifted(lambda r, n: np.where(r.random((n, 1)) < 0.02, -1.5, 0))
    ),
    Family("glitches: .2% of runs lose 30%", _glitch(0.002, 0.30)),
    Family("glitches: 1% of runs lose 10%", _glitch(0.01, 0.10)),
    Family("random loss rate, gamma, mean 2%", _losing(lambda r, n: r.gamma(1, 0.02, (n, 1)))),
    Family("20% missing", _missing(0.2)),
    Family("0 to 20% missing, hard ones 3 x", _missing(0.1, hard=3.0, varied=True)),
    Family("baseline of 3 runs", INDEPENDENT.draw, baseline=3),
    Family("baseline of 30 runs", INDEPENDENT.draw, baseline=30),
    Family("one baseline, 12 futures", INDEPENDENT.draw, continuations=12),
    Family("one baseline of 3, 12 futures", INDEPENDENT.draw, baseline=3, continuations=12),
    Family("one baseline, 12 futures, over-dispersed", OVERDISPERSED.draw, continuations=12),
    Family("three answers an example", _repeats),
    Family("20 examples", INDEPENDENT.draw, examples=20),
    Family("1,000 examples", INDEPENDENT.draw, examples=1000),
    Family("graded scores", _graded),
    Family("clustered examples", _clustered),
    Family("10 slices", INDEPENDENT.draw, slices=10),
    Family("10 slices, over-dispersed", OVERDISPERSED.draw, slices=10),
    Family("60 slices sharing noise", OVERDISPERSED.draw, slices=60),
    Family("60 targets sharing noise", OVERDISPERSED.draw, examples=100, targets=60, years=0.25),
)
"""Every null family of the promise; each is judged at the same budget."""
