"""Has enough evidence come together for a page? Shiryaev-Roberts on e-values, in hours.

Null hypothesis: the stream is healthy, so that each bet's e-value has a conditional mean of at most 1.
For bet j of weight ``w_j`` (the weights sum to at most 1 over everything that shares the budget)::

    R_j <- (R_j + dt) * e_j            dt: hours since the previous judged run
    M    = sum_j w_j R_j               page when M >= A, A = the budget's period in hours

``M - t`` is then a supermartingale, whatever the dependence between streams, so the mean time to a false
page is at least A hours and P(a page within h hours) <= h / A.

No single run may page: each e is capped at ``1.05 (A / (w_j dt))^.65``, so that one run lifts ``w_j R_j`` from rest to
at most about ``A^.65 (w_j dt)^.35``, while any two runs that agree reach A, however far apart they are, and a very
bad one needs a second that is only fairly bad. Capping an e-value keeps its mean at most 1.

When not to use it: for a stream whose e-values are not known to be (nearly) calibrated; the clock adds
no safety of its own.

A gap longer than 1/48 of A counts as that long: hours in which nobody looked are no evidence, and without the bound
the first healthy run after some months would page by itself. A smaller dt only makes R smaller, so the promise holds.

References: Shin, Ramdas, Rinaldo, *E-detectors* (2023), for the mixture and the bound; Roberts (1966) and
Shiryaev (1963) for the statistic.

>>> import numpy as np
>>> r, capped = step(np.zeros(1), np.array([50.0]), np.ones(1), dt_h=1.0, threshold_h=2160.0)
>>> bool(capped), bool(r.sum() < 2160.0)
(True, True)
>>> r, capped = step(r, np.array([50.0]), np.ones(1), dt_h=1.0, threshold_h=2160.0)
>>> bool(r.sum() >= 2160.0)
True
"""

from __future__ import annotations

import math

import numpy as np

from checks.types import FloatArray

AGREEMENT, ALONE = 1.05, 0.65
"""One run may reach this multiple of this power of the threshold; at .5 and more two such runs pass it."""

SHORTEST_DT_H = 1.0 / 3600.0
"""Runs closer than a second count as a second apart."""

LONGEST_SHARE = 1.0 / 48.0
"""Of the threshold: runs further apart count as so far apart."""


def log_caps(weights: FloatArray, dt_h: float, threshold_h: float) -> FloatArray:
    """The largest log e that one run may contribute, per bet: ``log(1.05 (A / (w dt))^.65)``.

    Args:
        weights: float [bets], each above 0.
        dt_h: hours since the previous judged run.
        threshold_h: A, hours.
    """
    caps: FloatArray = math.log(AGREEMENT) + ALONE * (
        math.log(threshold_h / max(dt_h, SHORTEST_DT_H)) - np.log(weights)
    )
    return caps


def counted(dt_h: float, threshold_h: float) -> float:
    """The hours that a gap counts for: at least a second, at most 1/48 of the threshold.

    >>> counted(-3.0, 2160.0) == SHORTEST_DT_H, counted(9000.0, 2160.0)
    (True, 45.0)
    """
    return min(max(dt_h, SHORTEST_DT_H), LONGEST_SHARE * threshold_h)


def step(
    evidence: FloatArray, log_e: FloatArray, weights: FloatArray, *, dt_h: float, threshold_h: float
) -> tuple[FloatArray, bool]:
    """One judged run: the new R, and whether any bet was at its cap (a bad run that wants a second).

    Args:
        evidence: R, float [bets], hours.
        log_e: float [bets].
        weights: float [bets].
        dt_h: hours since the previous judged run, unmeasured time included.
        threshold_h: A, hours.
    """
    dt_h = counted(dt_h, threshold_h)
    caps = log_caps(weights, dt_h, threshold_h)
    grown: FloatArray = (evidence + dt_h) * np.exp(np.minimum(log_e, caps))
    return grown, bool(np.any(log_e >= caps))
