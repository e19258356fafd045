"""How soon could anybody page? A CUSUM that knows both laws exactly, at the same rate of false pages.

It knows every example's pass rate before and after the change, the law of the run-level noise, and its parameters; the
only things unknown to it are when the change comes and the noise's present value. Without run-level noise it is
Page's CUSUM on the exact log likelihood ratio, which is optimal (Moustakides 1986). With it, the
shift u is hidden and Markov: both laws' likelihoods are filtered on a grid of u, and the statistic is the CUSUM of
Fuh (2003) for hidden Markov models::

    f_t(u') = sum_u f_{t-1}(u) P(u, u') p(x_t | u') / norm           healthy filter, norm = p(x_t | past)
    V_t(u') = sum_u V_{t-1}(u) P(u, u') q(x_t | u') / norm           V_{t-1} = f_{t-1} wherever its mass is below 1
    W_t     = sum_u V_t(u)                                           page when W_t >= h

The threshold h is set by simulation: by renewal the mean time to a false page is the time simulated over the number of
excursions that rise above h, so h is a quantile of the excursions' heights.

References: Page (1954); Moustakides, *Optimal stopping times for detecting changes in distributions* (1986);
Fuh, *SPRT and CUSUM in hidden Markov models* (2003); Siegmund, *Sequential Analysis* (1985) for the check in the tests.
"""

from __future__ import annotations

import math

import numpy as np

from checks.types import FloatArray
from tests.bench.engine.families import BUDGET_H, World, logit, sigmoid

_POINTS = 33


def _grid(world: World) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values of u [G], their stationary law [G], and the transition matrix [G, G]."""
    if not world.sd:
        return np.zeros(1), np.ones(1), np.ones((1, 1))
    u = np.linspace(-4, 4, _POINTS)
    law = np.exp(-0.5 * u**2)
    step = np.exp(-0.5 * (u[None] - world.phi * u[:, None]) ** 2 / (1 - world.phi**2))
    return u * world.sd, law / law.sum(), step / step.sum(axis=1, keepdims=True)


def _log_likelihood(world: World, p: FloatArray, scores: FloatArray, hours: FloatArray) -> FloatArray:
    """Of every row [..., examples] at every u: [..., G]. ``hours`` is [rows], the second to last axis of scores."""
    u = _grid(world)[0]
    out = np.empty((*scores.shape[:-1], len(u)))
    phase = hours % world.period_h if world.wave else np.zeros_like(hours)
    for value in np.unique(phase):
        shift = u + world.cycle(np.array([value]))
        chance = np.clip(sigmoid(logit(p)[:, None] + shift), 1e-12, 1 - 1e-12)
        rows = phase == value
        out[..., rows, :] = scores[..., rows, :] @ logit(chance) + np.log1p(-chance).sum(axis=0)
    return out


def path(
    world: World, p: FloatArray, q: FloatArray, scores: FloatArray, log_h: float = math.inf
) -> tuple[FloatArray, FloatArray]:
    """Log W [streams, rows], and where a new excursion began; after reaching ``log_h`` it starts again.

    ``scores`` [streams, rows, examples]; row t is hour t.
    """
    hours = np.arange(scores.shape[1], dtype=float)
    healthy = _log_likelihood(world, p, scores, hours)
    changed = _log_likelihood(world, q, scores, hours)
    _, law, step = _grid(world)
    f = np.tile(law, (len(scores), 1))
    v, log_w = f, np.zeros(len(scores))
    out, fresh = np.empty(scores.shape[:2]), np.zeros(scores.shape[:2], dtype=bool)
    for t in range(scores.shape[1]):
        restart = (log_w < 0.0) | (log_w >= log_h)
        fresh[:, t] = restart
        v, log_w = np.where(restart[:, None], f, v), np.where(restart, 0.0, log_w)
        top = healthy[:, t].max(axis=1, keepdims=True)
        f = (f @ step) * np.exp(healthy[:, t] - top)
        norm = f.sum(axis=1, keepdims=True)
        f = f / norm
        high = changed[:, t].max(axis=1, keepdims=True)
        v = (v @ step) * np.exp(changed[:, t] - high)
        mass = np.maximum(v.sum(axis=1, keepdims=True), 1e-300)
        v = v / mass
        log_w = log_w + (np.log(mass / norm) + high - top)[:, 0]
        out[:, t] = log_w
    return out, fresh


def threshold(
    world: World,
    p: FloatArray,
    q: FloatArray,
    rng: np.random.Generator,
    *,
    streams: int = 64,
    rows: int = 3000,
) -> float:
    """Log h at which healthy streams page once in the budget's period on average; at least 0."""
    heights: list[FloatArray] = []
    for _ in range(0, streams, 16):
        scores = np.array([world.draw(rng, p, rows) for _ in range(16)])
        log_w, fresh = path(world, p, q, scores)
        for one, begins in zip(log_w, fresh, strict=True):
            starts = np.union1d([0], np.flatnonzero(begins))
            heights.append(np.maximum.reduceat(one, starts))
    sorted_heights = np.sort(np.concatenate(heights))[::-1]
    allowed = round(streams * rows / BUDGET_H)
    return max(float(sorted_heights[allowed - 1]), 1e-9)


def delays(
    world: World, p: FloatArray, q: FloatArray, scores: FloatArray, since: int, log_h: float
) -> FloatArray:
    """Changed runs needed [streams], the paging one included; the horizon where it did not page."""
    log_w, _ = path(world, p, q, scores, log_h)
    hit = log_w[:, since:] >= log_h
    out: FloatArray = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1.0, float(hit.shape[1]))
    return out
