"""Is it over? A CUSUM of e-values against "the model is still at least half as bad".

Null hypothesis: the run statistic still lies at least m/2 standard deviations below its healthy mean, m being
the shift that paged. With d the statistic in those units, positive when worse::

    E <- max(E, 1) * exp(lambda (m/2 - d) - lambda^2 / 2),   lambda = m/2     resolved when E >= 168

Where rare failures led, the mean hardly moved, and the same is asked of them: E grows by p0 / p1 of the bet on half the
loss (``counts.py``), the bet that paged, or the next smaller one that nearly did.

At least two runs are asked for, however good the first one looks. A run that was not measured says
nothing and changes nothing: an outage never resolves a regression.
"""

from __future__ import annotations

import math

import numpy as np

from checks.types import FloatArray

THRESHOLD_H = 168.0
LEAST_RUNS = 2
LEAST_SHIFT = 0.5
NEARLY = 0.1
"""A bet whose evidence is so much of the leading one's may be the right one too."""


def log_e(d: float, shift: float) -> float:
    """Log e of one run at ``d`` standard deviations below the healthy mean; ``shift`` is m."""
    bet = shift / 2.0
    return bet * (shift / 2.0 - d) - bet * bet / 2.0


def half(log_evidence: FloatArray) -> int:
    """Which bet on lost answers says "still half as bad", by the log e of each since the onset [gammas], not capped.

    >>> half(np.array([2.0, 7.0, 8.0, 1.0])), half(np.array([3.0, 1.0]))
    (0, 0)
    """
    return max(int(np.argmax(log_evidence >= log_evidence.max() + math.log(NEARLY))) - 1, 0)


def step(log_total: float, d: float, shift: float) -> float:
    """The new log E after one measured run.

    >>> step(0.0, d=0.0, shift=7.0) > math.log(THRESHOLD_H)
    True
    >>> step(0.0, d=7.0, shift=7.0) < 0
    True
    """
    return add(log_total, log_e(d, shift))


def add(log_total: float, log_one: float) -> float:
    """The new log E after a run that multiplies it by ``exp(log_one)``."""
    return max(log_total, 0.0) + min(log_one, 2.0 * math.log(THRESHOLD_H))
