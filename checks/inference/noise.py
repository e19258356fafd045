"""How surprising is this run's mean, given what this endpoint's noise has looked like?

Null hypothesis: the run statistic y (the residual sum in units of its expected standard deviation) goes on
as one of four noise models says. They run side by side as recursive ridge regressions of y on

    constant | + lag 1 and ewma(.75) | + sin and cos of 24 h and of 12 h | all of these

with prior weights .6, .1, .2, .1 and prior coefficient sd .3 (lag, ewma: deviations from the running mean) and
.5 (cycles). Model m predicts y by a Student t with df = 3 + N, scale ``s^2 (1 + x'Px)``,
``s^2 = (4 + SS) / (3 + N)``; its t becomes a z by Wallace's formula. The weights follow Bayes' rule on the
predictive density with a fixed share of 1e-4 (Herbster and Warmuth 1998). A bet on a downward shift of
theta sd shares the mixture in numerator and denominator::

    e_theta = sum_m w_m(given y) exp(theta z_m - theta^2 / 2)

so its mean under the mixture is 1. z is positive when the run is *worse*.

A deviation from the textbook: an innovation beyond 4 sd is learnt as if it were 4 sd. A broken run then
does not teach the model that such runs are ordinary before the next one can confirm it.

**Runs are learnt late**: the coefficients learn a run after 16 more runs, an eighth of the runs so far at first, and
after 96 once 150 runs have shown that the noise is not slow (``settled``, by the first stream). A drop
of a point takes a day or more of runs to be sure of; learnt at once, it becomes the new mean, or passes for slow
noise, while the evidence is still growing. What a run is predicted *from* (the last run, the ewma) and which model is
believed (the weights) are never late: noise that has become slow is seen at once.

All S streams of a group are updated at once; arrays are [S, models, features].

References: Wallace (1959) for the t to normal map; Brown, Durbin, Evans (1975) for recursive residuals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from checks.types import BoolArray, FloatArray

MODELS = 4
FEATURES = 7  # constant, lag, ewma, sin 24 h, cos 24 h, sin 12 h, cos 12 h
PRIOR_WEIGHTS = np.array([0.6, 0.1, 0.2, 0.1])
SHARE = 1e-4
EWMA_KEEP = 0.75
WINSOR = 4.0
BETTER = 1.5
"""A run so many sd above the long-run mean is no evidence of a drop, whatever the slow models expected of it."""

LATEST, LATE_SHARE = 16, 0.125
"""A run is learnt after at most so many more runs, and at most so large a share of the runs so far."""

LATEST_SETTLED, SETTLED_SHARE = 96, 0.4
"""The same where the noise is known not to be slow: a small drop has to last so long before it is learnt."""

SETTLED_RUNS, SLOW = 150, 0.5
"""Noise is settled after so many runs, if less than this part of a lasting shift would pass for slow noise."""

THETAS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
THETA_WEIGHTS = np.array([0.05, 0.45, 0.35, 0.1, 0.05])

_LAG, _CYCLE, _Y = slice(1, 3), slice(3, 7), 2
_PRIOR_SS, _PRIOR_DF = 4.0, 3.0
_CONSTANT_VARIANCE = 1e4


@dataclass(frozen=True, slots=True)
class Noise:
    """What has been learnt of S streams' noise from ``runs`` [S] of the ``seen`` [S] runs that showed the stream.

    ``coef`` [S, M, F]; ``cov`` [S, M, F, F], in units of the noise variance; ``ss`` [S, M], the sum of
    squared standardised innovations; ``log_w`` [S, M]; ``mean`` [S] of the runs learnt; ``last``, ``ewma`` [S] of all.
    ``waiting`` [W, S, 3]: lag, ewma and y of the newest runs, oldest first, which are not learnt yet, y NaN where the
    stream was not seen; ``waiting_at`` [W], their hours.
    """

    runs: FloatArray
    seen: FloatArray
    coef: FloatArray
    cov: FloatArray
    ss: FloatArray
    log_w: FloatArray
    last: FloatArray
    ewma: FloatArray
    mean: FloatArray
    waiting: FloatArray
    waiting_at: FloatArray


def initial(streams: int) -> Noise:
    """Nothing learnt yet, for S streams."""
    variance = np.zeros((MODELS, FEATURES))
    variance[:, 0] = _CONSTANT_VARIANCE
    variance[1::2, _LAG] = 0.3**2
    variance[2:, _CYCLE] = 0.5**2
    cov = np.zeros((streams, MODELS, FEATURES, FEATURES))
    cov[:] = variance[:, :, None] * np.eye(FEATURES)
    return Noise(
        runs=np.zeros(streams),
        seen=np.zeros(streams),
        coef=np.zeros((streams, MODELS, FEATURES)),
        cov=cov,
        ss=np.zeros((streams, MODELS)),
        log_w=np.tile(np.log(PRIOR_WEIGHTS), (streams, 1)),
        last=np.zeros(streams),
        ewma=np.zeros(streams),
        mean=np.zeros(streams),
        waiting=np.zeros((0, streams, 3)),
        waiting_at=np.zeros(0),
    )


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the models say of one run before it is learnt; all [S, M] but ``x`` [S, F] and ``df`` [S, 1]."""

    x: FloatArray
    gain: FloatArray
    spread: FloatArray
    error: FloatArray
    scale: FloatArray
    df: FloatArray
    log_w: FloatArray


def predict(state: Noise, y: FloatArray, at_h: float) -> Prediction:
    """Each model's prediction error for y [S] at the time ``at_h`` (hours), and the weights given y."""
    x = _features(np.stack([state.last - state.mean, state.ewma - state.mean], axis=1), at_h)
    gain, spread, error, scale, df = _predict(state, y, x)
    log_density = -np.log(scale) - 0.5 * (df + 1.0) * np.log1p((error / scale) ** 2 / df)
    log_w = state.log_w + log_density
    log_w = log_w - np.logaddexp.reduce(log_w, axis=1, keepdims=True)
    return Prediction(x, gain, spread, error, scale, df, log_w)


def _features(slow: FloatArray, at_h: float) -> FloatArray:
    """X [S, F] from the lag and the ewma [S, 2], as deviations from the mean, and the hour."""
    x = np.empty((len(slow), FEATURES))
    x[:, 0] = 1.0
    x[:, _LAG] = slow
    day = math.tau * at_h / 24.0
    x[:, _CYCLE] = (math.sin(day), math.cos(day), math.sin(2 * day), math.cos(2 * day))
    return x


def _predict(
    state: Noise, y: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Gain, spread, error and scale of each model at x [S, F], and the degrees of freedom."""
    gain = (state.cov @ x[:, None, :, None])[..., 0]
    spread = 1.0 + (gain @ x[:, :, None])[..., 0]
    error = y[:, None] - (state.coef @ x[:, :, None])[..., 0]
    df = _PRIOR_DF + state.runs[:, None]
    return gain, spread, error, np.sqrt(spread * (_PRIOR_SS + state.ss) / df), df


def z_values(prediction: Prediction, margin: FloatArray) -> FloatArray:
    """Z [S, M], positive when worse, after granting a drop of ``margin`` [S] in units of y."""
    t = -(prediction.error + margin[:, None]) / prediction.scale
    df = prediction.df
    factor = (8.0 * df + 1.0) / (8.0 * df + 3.0)
    z: FloatArray = np.sign(t) * factor * np.sqrt(df * np.log1p(t * t / df))
    return z


def log_bets(z: FloatArray, log_w: FloatArray) -> FloatArray:
    """Log e [S, bets] of the mixture bets on a shift of theta: z, log_w are [S, M]."""
    grown = log_w[:, :, None] + z[:, :, None] * THETAS - 0.5 * THETAS**2
    top = grown.max(axis=1, keepdims=True)
    out: FloatArray = (top + np.log(np.exp(grown - top).sum(axis=1, keepdims=True)))[:, 0, :]
    return out


def better(z: FloatArray) -> BoolArray:
    """Streams [S] of which the run was clearly better than the constant model expects: z is [S, M].

    After an improvement the slow models look for more of it, and call the new level a drop from there.
    """
    out: BoolArray = z[:, 0] < -BETTER
    return out


def persistence(state: Noise) -> FloatArray:
    """The part [S] of a lasting shift that the models, as they are believed, explain away as slow noise."""
    out: FloatArray = (np.exp(state.log_w) * state.coef[..., _LAG].sum(axis=-1)).sum(axis=-1)
    return out


def settled(state: Noise) -> BoolArray:
    """Streams [S] that have been seen often enough to say that their noise is not slow, and whose noise is not."""
    return is_settled(state.seen, persistence(state))


def is_settled(seen: FloatArray, persists: FloatArray) -> BoolArray:
    """The same of so many runs, where so much of a lasting shift would pass for slow noise; any one shape."""
    out: BoolArray = np.logical_and(seen >= SETTLED_RUNS, persists < SLOW)
    return out


def late(runs: float, *, is_slow: bool) -> int:
    """After how many more runs one is learnt when there were ``runs`` of them; ``is_slow`` unless known not to be.

    >>> late(400, is_slow=True), late(200, is_slow=False), late(400, is_slow=False)
    (16, 80, 96)
    """
    most, share = (LATEST, LATE_SHARE) if is_slow else (LATEST_SETTLED, SETTLED_SHARE)
    return min(most, int(share * runs))


def learn(
    state: Noise, prediction: Prediction, y: FloatArray, at_h: float, *, seen: BoolArray | bool = True
) -> Noise:
    """The state after the run, whose innovation beyond 4 sd counts as 4 sd; runs that waited long enough are learnt.

    A stream that the run did not show (``seen`` [S] false) learns nothing: a stand-in would pass for a calm run.
    """
    begun = state.seen > 0
    weights = np.log(np.exp(prediction.log_w) * (1.0 - SHARE) + SHARE * PRIOR_WEIGHTS)
    error = prediction.error[:, 0]
    taken = np.where(begun, y - error + _winsorized(error, prediction.scale[:, 0]), y)
    ewma = np.where(begun, EWMA_KEEP * state.ewma + (1.0 - EWMA_KEEP) * taken, taken)
    row = np.empty((1, len(y), 3))
    row[0, :, :_Y], row[0, :, _Y] = prediction.x[:, _LAG], y
    if not np.all(seen):
        taken, ewma = np.where(seen, taken, state.last), np.where(seen, ewma, state.ewma)
        row[0, :, _Y] = np.where(seen, y, np.nan)
        weights = np.where(np.asarray(seen)[:, None], weights, state.log_w)
    waiting = np.concatenate([state.waiting, row])
    hours = np.append(state.waiting_at, at_h)
    counted = state.seen + seen
    ready = max(len(waiting) - late(float(counted.max()), is_slow=not settled(state)[0]), 0)
    state = replace(
        state,
        seen=counted,
        log_w=weights,
        last=taken,
        ewma=ewma,
        waiting=waiting[ready:],
        waiting_at=hours[ready:],
    )
    for i in range(ready):
        state = _absorb(state, waiting[i], float(hours[i]))
    return state


def _winsorized(error: FloatArray, scale: FloatArray) -> FloatArray:
    return np.clip(error, -WINSOR * scale, WINSOR * scale)


def _absorb(state: Noise, row: FloatArray, at_h: float) -> Noise:
    """A run [S, 3] that has waited is learnt, as the models of today predict it."""
    seen = ~np.isnan(row[:, _Y])
    y = np.where(seen, row[:, _Y], state.mean)
    gain, spread, error, scale, _ = _predict(state, y, _features(row[:, :_Y], at_h))
    begun = state.runs[:, None] > 0
    learnt = np.where(begun, _winsorized(error, scale), error)
    runs = state.runs + 1
    taken = y - error[:, 0] + learnt[:, 0]
    after = replace(
        state,
        runs=runs,
        coef=state.coef + gain * (learnt / spread)[..., None],
        cov=state.cov - gain[..., :, None] * (gain / spread[..., None])[..., None, :],
        ss=state.ss + learnt**2 / spread,
        mean=state.mean + (taken - state.mean) / runs,
    )
    return after if seen.all() else _where(seen, after, state)


_LEARNT = ("runs", "coef", "cov", "ss", "mean")


def _where(chosen: BoolArray, one: Noise, other: Noise) -> Noise:
    """What was learnt of ``one`` where chosen [S], of ``other`` elsewhere."""

    def pick(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.where(chosen.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return replace(one, **{name: pick(getattr(one, name), getattr(other, name)) for name in _LEARNT})


def rescale(state: Noise, shift: FloatArray, ratio: FloatArray) -> Noise:
    """The state that the same runs would have left, had y been ``ratio * (y + shift)``; both [S].

    Used when the reference rates are fitted anew: the run statistic changes by a known line, so
    nothing has to be replayed. Exact but for the priors, which keep their scale.
    """
    scale = np.ones((len(ratio), 1, FEATURES))
    scale[:, 0, _LAG] = (1.0 / ratio)[:, None]
    coef = state.coef * ratio[:, None, None] * scale
    coef[..., 0] += (ratio * shift)[:, None]
    return replace(
        state,
        coef=coef,
        cov=state.cov * scale[..., :, None] * scale[..., None, :],
        ss=state.ss * ratio[:, None] ** 2,
        last=ratio * (state.last + shift),
        ewma=ratio * (state.ewma + shift),
        mean=ratio * (state.mean + shift),
        waiting=np.concatenate([state.waiting[..., :_Y], state.waiting[..., _Y:] + shift[:, None]], axis=-1)
        * ratio[:, None],
    )
