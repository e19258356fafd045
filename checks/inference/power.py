"""How small a drop would be found, and how soon? A seeded simulation of the clock on what a run can show.

Before anything is armed there are no runs to judge, but the law of the run statistics is known: with pass rates p
before and q after a drop, K repeats, n examples and N past runs, one run shows

    y    ~ Normal(-sum(p - q) / s, v)        s^2 = sum p (1 - p) / K, v from q likewise, times the dispersion
    x_k  ~ Binomial(m_k, mean chance to fail in stratum k)      rare failures, strata as ``counts.py`` fits them

``STREAMS`` histories are drawn with fixed seeds, the mean is learnt late while they run on (recursive residuals: Brown,
Durbin, Evans 1975), bets, weights, caps and the two-runs rule are the engine's own, and the smallest drop is the
one at which ``POWER`` of them page in time; it is found by bisection with common random numbers. What the engine
does beyond it (learning cycles and autocorrelation beside the constant) is not simulated:
``tests/bench/detectability.py`` holds the figures against the engine itself.

A drop has one of two shapes. ``fade``: a common shift of all logits, so that examples on the fence lose most.
``loss``: every right answer is lost with the same chance (a broken format, a bad adapter), which is found sooner.

Not to be used for: judging anything. It is a forecast, good to about a quarter of its figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Literal

import numpy as np

from checks.inference import clock, conformal, counts, group, noise, overshoot
from checks.types import BoolArray, FloatArray

Shape = Literal["fade", "loss"]

POWER = 0.8
"""The share of drops that is found in time: "finds" means at least this."""

STREAMS, PASTS = 96, 12
_OF = np.arange(STREAMS) % PASTS
"""Histories, and pasts that strata are fitted to: history i goes on from past ``_OF[i]``."""

CONFIRM_H = 1.0 / 60.0
"""How long after a bad run its confirmation starts, hours."""

_WARM_UP = 48
_STRIDE, _PRECISE = 1.5, 1.06
_NEGLIGIBLE = 1e-6
_MOST_STEPS = 100
_QUANTILES = np.concatenate(
    [np.geomspace(1e-6, 0.02, 60), np.linspace(0.025, 0.975, 77), 1 - np.geomspace(0.02, 1e-6, 60)]
)
_NORMALS = np.array([NormalDist().inv_cdf(float(p)) for p in _QUANTILES])
_LEAST_RATE = 1e-4
_RANKED_BELOW = 2.5
_LEAST_VARIANCE = 0.5


@dataclass(frozen=True, slots=True)
class Setting:
    """What is watched, and how.

    ``rates`` [examples]: how often each is answered rightly when all is well. ``threshold_h``: A over this group's
    share of the budget, hours. ``history_runs``: healthy runs before the drop, the baseline included.
    ``dispersion``: the run statistic's standard deviation over what ``rates`` alone would give. ``persistence``: the
    part of a lasting shift that the learnt noise model explains away as slow noise, in [0, 1). ``cv2``
    [strata]: the squared coefficient of variation of the rate of rare failures from run to run. ``masks``: the slices.
    ``rare``: rare failures are counted too; left out where scores are graded by nature, which errs on the modest
    side. ``confirm``: a bad run is replayed at once.
    """

    rates: FloatArray
    interval_h: float
    threshold_h: float
    history_runs: int
    repeats: int = 1
    dispersion: float = 1.0
    persistence: float = 0.0
    cv2: FloatArray = field(default_factory=lambda: np.zeros(counts.STRATA))
    masks: tuple[BoolArray, ...] = ()
    rare: bool = True
    confirm: bool = True

    def __post_init__(self) -> None:
        for name, low in (("interval_h", 0.0), ("threshold_h", 0.0), ("dispersion", 0.0)):
            if not getattr(self, name) > low:
                raise ValueError(f"{name} must be above {low:g}, not {getattr(self, name)!r}")
        if self.history_runs < 2 or self.repeats < 1 or not len(self.rates):
            raise ValueError("a setting needs an example, a repeat and two past runs")
        if not 0.0 <= self.persistence < 1.0:
            raise ValueError(f"persistence lies in [0, 1), not {self.persistence!r}")


def smallest_drop(
    setting: Setting,
    horizon_h: float,
    *,
    shape: Shape = "fade",
    mask: BoolArray | None = None,
    near: float | None = None,
) -> float | None:
    """The smallest drop of the mean score that is found within the horizon, POWER of the times.

    >>> import numpy as np
    >>> often = Setting(np.full(200, 0.8), interval_h=1.0, threshold_h=2160.0, history_runs=178)
    >>> day, week = smallest_drop(often, 24.0), smallest_drop(often, 168.0)
    >>> 0.005 < week < day < 0.05
    True

    Args:
        setting: what is watched.
        horizon_h: hours from the first bad run's due time.
        shape: how the drop is spread over the examples.
        mask: bool [examples], where only a slice drops: the answer is then the slice's own drop.
        near: where to begin the search, for speed; the answer to a similar question.

    Returns:
        The drop on the score's scale, or None where nothing is found in time, however much is lost.
    """
    runs = math.floor(horizon_h / setting.interval_h + 1e-9)
    where = np.ones(len(setting.rates), dtype=bool) if mask is None else mask
    level = float(setting.rates[where].mean())
    if runs < 1 or level <= 0.0:
        return None
    past = _Past(setting, mask)
    whole = level * (1.0 - 1e-3)

    def found(drop: float) -> bool:
        return _found(past, runs, after_drop(setting.rates, drop, shape, where)) >= POWER

    guess = min(near or 2.0 * _rough(past, runs, where), whole)
    up = not found(guess)
    low = high = guess
    while up and high < whole:
        low, high = high, min(high * _STRIDE, whole)
        if found(high):
            break
    else:
        if up:
            return None
    while not up and low > _NEGLIGIBLE:
        low, high = low / _STRIDE, low
        if not found(low):
            break
    while high / low > _PRECISE:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def found_within(
    setting: Setting, drop: float, horizon_h: float, *, shape: Shape = "fade", mask: BoolArray | None = None
) -> float:
    """The probability that a drop of the mean score (of the slice ``mask``) pages within the horizon."""
    runs = math.floor(horizon_h / setting.interval_h + 1e-9)
    where = np.ones(len(setting.rates), dtype=bool) if mask is None else mask
    after = after_drop(setting.rates, drop, shape, where)
    return _found(_Past(setting, mask), runs, after, 1.0) if runs else 0.0


def after_drop(rates: FloatArray, drop: float, shape: Shape, where: BoolArray) -> FloatArray:
    """The rates [examples] after the mean over ``where`` has fallen by ``drop``.

    >>> import numpy as np
    >>> round(float(after_drop(np.array([0.9, 0.5]), 0.1, "fade", np.ones(2, dtype=bool)).mean()), 6)
    0.6
    """
    level = float(rates[where].mean())
    if shape == "loss":
        return np.where(where, rates * (1.0 - drop / level), rates)
    kept = np.clip(rates, _LEAST_RATE, 1.0 - _LEAST_RATE)
    logits = np.log(kept / (1.0 - kept))
    low, high = 0.0, 40.0
    for _ in range(50):
        middle = (low + high) / 2.0
        lost = float(np.mean(kept[where] - 1.0 / (1.0 + np.exp(middle - logits[where]))))
        low, high = (middle, high) if lost < drop else (low, middle)
    return np.where(where, 1.0 / (1.0 + np.exp(high - logits)), rates)


class _Past:
    """What the healthy past has left: the fitted strata, the weights, and the clock of every simulated history."""

    def __init__(self, setting: Setting, mask: BoolArray | None) -> None:
        self.setting = setting
        everything = np.ones(len(setting.rates), dtype=bool)
        self.masks = np.array([everything] if mask is None else [everything, mask])
        self.weights = self._weights(sliced=mask is not None)
        spread = setting.rates * (1.0 - setting.rates) / setting.repeats
        within = self.masks @ spread
        self.unit = np.sqrt(np.maximum(within, _LEAST_VARIANCE)) * setting.dispersion
        self.ranked = within < _RANKED_BELOW
        fits, bars = zip(*(self._strata(seed) for seed in range(PASTS)), strict=True)
        self.member = np.array([fit.member for fit in fits])
        self.failures = np.array([fit.failures for fit in fits])
        self.answers = np.array([fit.answers for fit in fits])
        self.known, self.bar = self.member.sum(axis=1), np.array(bars)
        _, self.sd = _law(self, setting.rates)
        rng = np.random.default_rng(13)
        drawn = [
            self.counted(rng, setting.rates, min(setting.history_runs, conformal.POOL)) for _ in range(4)
        ]
        self.pool = np.sort(np.concatenate(drawn), axis=0)
        runs = min(_WARM_UP, setting.history_runs)
        self.clock = np.zeros((STREAMS, len(self.weights)))
        _, self.clock = _simulate(self, setting.rates, runs, clock_at=self.clock, healthy=True)

    def _weights(self, *, sliced: bool) -> FloatArray:
        """Of the bets simulated: the headline's, the slice's, and rare failures'."""
        slices = len(self.setting.masks)
        names = tuple(str(i) for i in range(slices + 1))
        plan = group.Plan(np.ones((slices + 1, 1), dtype=bool), names, self.setting.history_runs)
        all_bets, each = plan.bets, len(noise.THETAS)
        chosen = [all_bets[:each]]
        if sliced:
            chosen.append(all_bets[each : 2 * each])
        if self.setting.rare:
            chosen.append(all_bets[plan.streams * each :])
        past = np.array(self.setting.history_runs), np.array(self.setting.persistence)
        return np.concatenate(chosen) * float(overshoot.of(*past))

    def _strata(self, seed: int) -> tuple[counts.Counts, FloatArray]:
        """The strata as a past drawn from the rates would fit them; and each example's bar in right repeats."""
        setting, rng = self.setting, np.random.default_rng((11, seed))
        past, repeats = setting.history_runs, setting.repeats
        answers = np.full(len(setting.rates), float(past))
        if repeats == 1:
            wrong = rng.binomial(past, 1.0 - setting.rates).astype(float)
            return counts.fit_binary(wrong, answers, None).state, np.ones(len(answers))
        drawn = np.sort(rng.binomial(repeats, setting.rates, (past, len(answers))), axis=0) / repeats
        fit = counts.fit_graded(drawn[0], drawn[1], answers, None)
        return fit.state, np.round(drawn[0] * repeats)

    def counted(self, rng: np.random.Generator, rates: FloatArray, size: int) -> FloatArray:
        """Y [size, streams] of nearly deterministic examples: surprises are Poisson but for the few on the fence."""
        healthy, repeats = self.setting.rates, self.setting.repeats
        fence = (healthy > 0.05) & (healthy < 0.95)
        sure, never = ~fence & (healthy > 0.5), ~fence & (healthy <= 0.5)
        lost = self.masks[:, sure] @ (1.0 - rates[sure])
        won = self.masks[:, never] @ rates[never]
        right = rng.poisson(won * repeats, (size, len(lost))) - rng.poisson(lost * repeats, (size, len(lost)))
        drawn = rng.binomial(repeats, rates[fence], (size, int(fence.sum()))) - repeats * healthy[fence]
        right = right + drawn @ self.masks[:, fence].T
        out: FloatArray = right / repeats / self.unit
        return out

    def failing(self, rates: FloatArray) -> FloatArray:
        """The chance [pasts, strata] of an answer to fail in one run, as the rare-failure stream counts it."""
        repeats, chance = self.setting.repeats, np.zeros(self.bar.shape)
        for right in range(repeats):
            mass = math.comb(repeats, right) * rates**right * (1.0 - rates) ** (repeats - right)
            chance += np.where(right < self.bar, mass, 0.0)
        out: FloatArray = np.einsum("pe,pes->ps", chance, self.member) / np.maximum(self.known, 1.0)
        return out


def _rough(past: _Past, runs: int, where: BoolArray) -> float:
    """A first guess at the drop: sqrt(2 log(A / w) / runs) standard deviations of one run."""
    setting = past.setting
    needed = 2.0 * math.log(setting.threshold_h / setting.interval_h / 0.2 + 10.0)
    unit = float(past.unit[-1])
    return max(math.sqrt(needed / min(runs, setting.history_runs)), 0.3) * unit / float(where.sum())


def _found(past: _Past, runs: int, rates: FloatArray, enough: float = POWER) -> float:
    paged, _ = _simulate(past, rates, runs, clock_at=past.clock, healthy=False, enough=enough)
    return paged


def _simulate(
    past: _Past,
    rates: FloatArray,
    runs: int,
    *,
    clock_at: FloatArray,
    healthy: bool,
    enough: float = 1.0,
) -> tuple[float, FloatArray]:
    """The share of histories that page within ``runs`` runs at these rates, and R [histories, bets] at the end.

    Once ``enough`` of them have paged nothing more is asked. More than ``_MOST_STEPS`` runs are taken ``size`` at a
    time: a bet's evidence is linear in the sum of their z, so that only starts within a step are lost.
    """
    setting, rng = past.setting, np.random.default_rng(5 if healthy else 7)
    size = math.ceil(runs / _MOST_STEPS)
    threshold, dt_h = setting.threshold_h, clock.counted(setting.interval_h, setting.threshold_h)
    shift, sd = _law(past, rates)
    seen = float(setting.history_runs)
    learnt = _Learnt(
        mean=np.random.default_rng(3).standard_normal((STREAMS, len(shift))) * past.sd / math.sqrt(seen),
        ss=np.tile(seen * past.sd**2, (STREAMS, 1)),
        failures=past.failures[_OF],
        answers=past.answers[_OF],
        seen=seen,
    )
    evidence, paged, hot = clock_at.copy(), np.zeros(STREAMS, dtype=bool), np.zeros(STREAMS, dtype=bool)
    caps = size * clock.log_caps(past.weights, dt_h, threshold)
    again = clock.log_caps(past.weights, CONFIRM_H, threshold)
    late, chance = _late(setting), past.failing(rates)[_OF]
    for step in range(runs // size):
        log_e, after = _one_step(past, learnt, rates, chance, shift, sd, size, rng)
        before, evidence, capped = evidence, *_clocked(evidence, log_e, caps, size * dt_h)
        level = evidence @ past.weights
        alone = capped & ~hot & (before @ past.weights < _warm(threshold, dt_h)) & (size == 1)
        held = np.where(alone, group.HELD, 0.5 if healthy else np.inf) * threshold
        evidence = evidence * np.minimum(1.0, held / np.maximum(level, 1e-300))[:, None]
        if not healthy and setting.confirm and size == 1 and bool((capped & ~paged).any()):
            log_e, _ = _one_step(past, learnt, rates, chance, shift, sd, 1, rng)
            confirmed, _ = _clocked(evidence, log_e, again, CONFIRM_H)
            evidence = np.where(capped[:, None], confirmed, evidence)
        hot = capped
        learnt = (
            after if step * size >= late else replace(after, mean=learnt.mean, ss=learnt.ss, seen=learnt.seen)
        )
        paged |= evidence @ past.weights >= threshold * (1.0 - 1e-9)
        if not healthy and paged.mean() >= enough:
            break
    return float(paged.mean()), evidence


def _late(setting: Setting) -> float:
    """Runs of the drop before the first of them is learnt."""
    past = np.array(setting.history_runs), np.array(setting.persistence)
    return noise.late(setting.history_runs, is_slow=not noise.is_settled(*past))


@dataclass(frozen=True, slots=True)
class _Learnt:
    """What the histories have learnt: mean and squares of y [histories, streams], a and b [histories, strata]."""

    mean: FloatArray
    ss: FloatArray
    failures: FloatArray
    answers: FloatArray
    seen: float


def _one_step(
    past: _Past,
    learnt: _Learnt,
    rates: FloatArray,
    chance: FloatArray,
    shift: FloatArray,
    sd: FloatArray,
    size: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, _Learnt]:
    """Log e [histories, bets] of ``size`` runs together, and what they taught; chance [histories, strata] to fail."""
    setting, seen = past.setting, learnt.seen
    lasting = shift * (1.0 - setting.persistence)
    y = -lasting + sd / math.sqrt(size) * rng.standard_normal(learnt.mean.shape)
    df = 3.0 + seen
    spread = 1.0 / size + 1.0 / seen
    scale = np.sqrt(spread * (4.0 + learnt.ss) / df)
    error = y - learnt.mean
    t = -error / scale
    z = np.sign(t) * (8.0 * df + 1.0) / (8.0 * df + 3.0) * np.sqrt(df * np.log1p(t * t / df))
    if past.ranked.any():
        z = np.where(past.ranked, _ranks(past, rates, size, rng), z)
    total = math.sqrt(size) * z[..., None]
    log_e = (total * noise.THETAS - 0.5 * size * noise.THETAS**2).reshape(len(z), -1)
    taken = np.clip(error, -noise.WINSOR * scale, noise.WINSOR * scale)
    mean = learnt.mean + taken * size / (seen + size)
    ss = learnt.ss * (1.0 + (size - 1) / seen) + taken**2 / spread
    if not setting.rare:
        return log_e, _Learnt(mean, ss, learnt.failures, learnt.answers, seen + size)
    known = past.known[_OF]
    x = _failures(rng, known * size, chance, setting.cv2 / size)
    shape = 1.0 / (1.0 / learnt.failures + setting.cv2 / size)
    rare = rare_log_e(shape, learnt.answers * shape / learnt.failures, x, known * size)
    after = _Learnt(mean, ss, learnt.failures + x, learnt.answers + known * size, seen + size)
    return np.concatenate([log_e, rare], axis=1), after


def _law(past: _Past, rates: FloatArray) -> tuple[FloatArray, FloatArray]:
    """By how much y falls [streams], and its standard deviation then, both in today's standard deviations."""
    setting = past.setting
    shift = past.masks @ (setting.rates - rates) / past.unit
    after = past.masks @ (rates * (1.0 - rates) / setting.repeats)
    sampling = np.sqrt(np.maximum(after, 1e-12)) * min(setting.dispersion, 1.0) / past.unit
    beyond = max(setting.dispersion**2 - 1.0, 0.0) / setting.dispersion**2
    return shift, np.sqrt(sampling**2 + beyond)


def _ranks(past: _Past, rates: FloatArray, size: int, rng: np.random.Generator) -> FloatArray:
    """Z [histories, streams] by smoothed ranks among the pool, as ``conformal.py`` has it; of ``size`` runs, summed."""
    y = past.counted(rng, rates, STREAMS * size)
    z = np.zeros((STREAMS, y.shape[1]))
    known = min(past.setting.history_runs, conformal.POOL)
    share = known / len(past.pool)
    for k in np.flatnonzero(past.ranked):
        worse = np.searchsorted(past.pool[:, k], y[:, k] - 1e-9) * share
        equal = np.searchsorted(past.pool[:, k], y[:, k] + 1e-9, side="right") * share - worse
        p = (worse + rng.random(len(y)) * (equal + 1.0)) / (known + 1.0)
        each = np.interp(p, _QUANTILES, _NORMALS)
        z[:, k] = -each.reshape(STREAMS, size).sum(axis=1) / math.sqrt(size)
    return z


def _failures(rng: np.random.Generator, known: FloatArray, chance: FloatArray, cv2: FloatArray) -> FloatArray:
    """Failures by stratum [histories, strata] in one run; known, chance are of that shape too."""
    sigma2 = np.log1p(cv2)
    shared = rng.standard_normal((STREAMS, 1))
    drawn = np.exp(np.sqrt(sigma2) * shared - 0.5 * sigma2) * chance
    return rng.binomial(known.astype(int), np.clip(drawn, 0.0, 1.0)).astype(float)


def rare_log_e(a: FloatArray, b: FloatArray, x: FloatArray, m: FloatArray) -> FloatArray:
    """Log e [..., gammas] of x failures out of m answers, with a out of b before: ``counts.log_bets`` without frailty.

    All are [..., strata]; a is smaller where frailty is to be accounted for.
    """
    rate = m[..., None, :] + counts.GAMMAS[:, None] * (m * b / a)[..., None, :]
    grown = np.log((rate + b[..., None, :]) / (m + b)[..., None, :])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(m[..., None, :] > 0, np.log(rate / m[..., None, :]), 0.0)
    out: FloatArray = (x[..., None, :] * ratio - (a + x)[..., None, :] * grown).sum(-1)
    return out


def _clocked(
    evidence: FloatArray, log_e: FloatArray, caps: FloatArray, dt_h: float
) -> tuple[FloatArray, BoolArray]:
    """R after one run and whether any bet was at its cap, for every history."""
    return (evidence + dt_h) * np.exp(np.minimum(log_e, caps)), np.any(log_e >= caps, axis=1)


def _warm(threshold_h: float, dt_h: float) -> float:
    return max(group.WARM * threshold_h, group.REST * dt_h)


def assumed_rates(n: int, accuracy: float) -> FloatArray:
    """Pass rates [n] where no run is known: quantiles of a Beta of concentration .375 with this mean.

    So most examples are always or never answered rightly and a few are on the fence: three quarters of the variance
    lies between examples.

    >>> rates = assumed_rates(400, 0.8)
    >>> round(float(rates.mean()), 2), bool((np.diff(rates) >= 0).all())
    (0.8, True)
    """
    drawn = np.random.default_rng(17).beta(0.375 * accuracy, 0.375 * (1.0 - accuracy), 20_001)
    middles = (np.arange(n) + 0.5) / n
    rates: FloatArray = np.asarray(np.quantile(drawn, middles), dtype=np.float64).clip(0.0, 1.0)
    return rates


def horizons(day: float = 24.0) -> Sequence[tuple[str, float]]:
    """A day, a week and a month, in hours."""
    return (("day", day), ("week", 7 * day), ("month", 30 * day))
