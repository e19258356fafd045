"""Do answers fail that used not to? Rare-failure streams, counted in strata of past failure rate.

Null hypothesis: in stratum k an answered example fails at the stratum's own past rate, times a multiplier g_k
that one run's answers share (frailty: a run on a bad minute of the server). With x_k failures out of
m_k answers, past failures a_k out of b_k answers::

    p0(x) = E_u prod_k NB(x_k; shape a_k, mean m_k g_k a_k/b_k)               g_k = exp(s_k u - s_k^2 / 2)
    p1(x) = E_u prod_k NB(x_k; shape a_k, mean m_k (g_k a_k/b_k + gamma))     e_gamma = p1 / p0

that is Gamma(a, b) rates integrated out, and a bet that every answer is lost with an added probability
gamma. g_k is log-normal with mean 1, u standard normal and integrated by Gauss-Hermite; each stratum's s_k is learnt
from how much its past counts scattered beyond their expectation. Sharing u over the strata matters: strata that
fall together in a bad minute are one piece of evidence, not four.

A false alarm: a healthy endpoint whose failures became more frequent without its quality having
changed, which a frozen rate would call a regression; a and b therefore go on learning.

Right/wrong scores: narrow strata by past failure rate (``EDGES``), since a failure says the more the rarer it was. The
rate of a stratum is estimated by leaving each past failure out and asking whether its example would still stand here
(Good 1953; Robbins 1956), since choosing examples for having failed rarely would bias the plain rate down.
Graded scores: one stratum; a failure is a score below the example's past minimum, whose rate by the
same argument is one per past answer.

Not to be used for: examples that fail more than half of the time; the mean stream sees those.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from checks.types import BoolArray, FloatArray

EDGES = (0.002, 0.004, 0.007, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.15, 0.25, 0.5)
GAMMAS = np.array([0.01, 0.02, 0.05, 0.10, 0.20, 0.40])
GAMMA_WEIGHTS = np.array([0.35, 0.30, 0.20, 0.10, 0.03, 0.02])
STRATA = len(EDGES)
TOLERANCE = 1e-9
"""Scores closer than this are the same score."""

# Gauss-Hermite of 15 nodes, as hermegauss(15) gives them: written out, every machine has the same bits, and an idle
# daemon does not load linear algebra for them.
# fmt: off
_HALF = np.array([
    0.799129068324548, 1.6067100690287297, 2.432436827009758, 3.2890824243987664, 4.1962077112690155,
    5.190093591304781, 6.363947888829839,
])
_HALF_WEIGHTS = np.array([
    0.5826965579477281, 0.2241371742044197, 0.04352954135285795, 0.003928782634853378, 0.00014142763708854477,
    1.4978155716931977e-06, 2.1531059307602043e-09,
])
# fmt: on
_NODES = np.concatenate([-_HALF[::-1], [0.0], _HALF])
_NODE_WEIGHTS = np.concatenate([_HALF_WEIGHTS[::-1], [0.7977583071397493], _HALF_WEIGHTS])
_LOG_NODE_WEIGHTS = np.log(_NODE_WEIGHTS / _NODE_WEIGHTS.sum())
_EXCESS_PRIOR = 1.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What has been learnt of rare failures.

    ``member`` [examples, strata]; ``bar`` [examples], a score below it is a failure; ``failures`` and
    ``answers`` [strata], a and b; ``excess`` and ``scale`` estimate the run-level variance of g.
    """

    member: BoolArray
    bar: FloatArray
    failures: FloatArray
    answers: FloatArray
    excess: FloatArray
    scale: FloatArray

    @property
    def cv2(self) -> FloatArray:
        """The squared coefficient of variation of each stratum's run-level multiplier [strata]."""
        out: FloatArray = np.maximum(self.excess, 0.0) / (self.scale + _EXCESS_PRIOR)
        return out


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted state, and which examples' past failures were left out into which stratum.

    ``returning`` [examples, strata]; ``left_out`` [examples]: a past score below it was such a failure.
    """

    state: Counts
    returning: BoolArray
    left_out: FloatArray


def fit_binary(wrong: FloatArray, answers: FloatArray, previous: Counts | None) -> Fit:
    """Strata for right/wrong scores from past failures and answers, both [examples].

    The excess of ``previous`` is kept: how restless the server is does not depend on the strata.
    """
    member, back = np.zeros((2, len(wrong), STRATA), dtype=bool)
    failures, exposure = np.ones(STRATA), np.zeros(STRATA)
    below = np.full(len(wrong), -1.0)
    for k, edge in enumerate(EDGES):
        top = np.floor(edge * answers)
        seen = answers > 0
        inside = seen & (wrong > below) & (wrong <= top)
        returning = seen & (wrong - 1 > below) & (wrong - 1 <= top) & (wrong > 0)
        member[:, k], back[:, k] = inside, returning
        failures[k] += wrong[returning].sum()
        exposure[k] = answers[inside].sum()
        below = np.maximum(below, top)
    bar, calm = np.full(len(wrong), 1.0 - TOLERANCE), np.zeros(STRATA)
    state = _keep(Counts(member, bar, failures, np.maximum(exposure, 1.0), calm, calm), previous)
    return Fit(state, back, bar)


def fit_graded(low: FloatArray, second: FloatArray, answers: FloatArray, previous: Counts | None) -> Fit:
    """One stratum for graded scores; ``low`` and ``second`` are the two least past scores [examples]."""
    member, back = np.zeros((2, len(low), STRATA), dtype=bool)
    seen = answers > 0
    member[:, 0], back[:, 0] = seen, seen & (second > low + TOLERANCE)
    failures, exposure = np.ones(STRATA), np.ones(STRATA)
    failures[0] += back[:, 0].sum()
    exposure[0] = max(float(answers.sum()), 1.0)
    bar, calm = np.where(seen, low - TOLERANCE, -np.inf), np.zeros(STRATA)
    state = _keep(Counts(member, bar, failures, exposure, calm, calm), previous)
    return Fit(state, back, np.where(seen, low + TOLERANCE, -np.inf))


def _keep(fitted: Counts, previous: Counts | None) -> Counts:
    return fitted if previous is None else replace(fitted, excess=previous.excess, scale=previous.scale)


def settle(fit: Fit, scores: FloatArray, answered: BoolArray) -> Counts:
    """The fitted state with its run-level scatter estimated from the rows [runs, examples] it was fitted on.

    Each past failure counts where it would have stood had it been left out, so that choosing
    examples for having failed rarely does not hide the scatter.
    """
    x = ((scores < fit.left_out) & answered).astype(float) @ fit.returning.astype(float)
    m = answered.astype(float) @ fit.state.member.astype(float)
    state = fit.state
    for row, exposure in zip(x, m, strict=True):
        state = _scatter(state, row, exposure)
    return state


def count(state: Counts, scores: FloatArray, answered: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Failures and answers per stratum: scores, answered are [runs, examples]; both out [runs, strata]."""
    failed = (scores < state.bar) & answered
    member = state.member.astype(float)
    return failed.astype(float) @ member, answered.astype(float) @ member


def log_bets(state: Counts, x: FloatArray, m: FloatArray) -> FloatArray:
    """Log e [gammas] of one run with x failures out of m answers, both [strata]."""
    a, b = state.failures, state.answers
    sigma2 = np.log1p(state.cv2)
    rate0 = m * np.exp(np.sqrt(sigma2) * _NODES[:, None] - 0.5 * sigma2)
    rates = np.concatenate([rate0[None], rate0[None] + GAMMAS[:, None, None] * (m * b / a)])
    failed = x > 0
    log_p = np.log(rates[..., failed]) @ x[failed] - np.log(rates + b) @ (a + x)
    log_p = np.logaddexp.reduce(log_p + _LOG_NODE_WEIGHTS, axis=1)
    out: FloatArray = log_p[1:] - log_p[0]
    return out


def learn(state: Counts, x: FloatArray, m: FloatArray) -> Counts:
    """The state after a run with x failures out of m answers, both [strata]."""
    scattered = _scatter(state, x, m)
    return Counts(
        state.member,
        state.bar,
        state.failures + x,
        state.answers + m,
        scattered.excess,
        scattered.scale,
    )


def _scatter(state: Counts, x: FloatArray, m: FloatArray) -> Counts:
    expected = m * state.failures / state.answers
    own = expected * (1.0 + m / state.answers)
    excess, scale = state.excess + (x - expected) ** 2 - own, state.scale + expected**2
    return Counts(state.member, state.bar, state.failures, state.answers, excess, scale)
