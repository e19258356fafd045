"""Is it over? A CUSUM of e-values against "the model is still at least half as bad".

Null hypothesis: the run statistic still lies at least m/2 standard deviations below its healthy mean, m being
the shift that paged. With d the statistic in those units, positive when worse::

    E <- max(E, 1) * exp(lambda (m/2 - d) - lambda^2 / 2),   lambda = m/2     resolved when E >= 168

At least two runs are asked for, however good the first one looks. A run that was not measured says
nothing and changes nothing: an outage never resolves a regression.
"""

from __future__ import annotations

import math

THRESHOLD_H = 168.0
LEAST_RUNS = 2
LEAST_SHIFT = 0.5


def log_e(d: float, shift: float) -> float:
    """Log e of one run at ``d`` standard deviations below the healthy mean; ``shift`` is m."""
    bet = shift / 2.0
    return bet * (shift / 2.0 - d) - bet * bet / 2.0


def step(log_total: float, d: float, shift: float) -> float:
    """The new log E after one measured run.

    >>> step(0.0, d=0.0, shift=7.0) > math.log(THRESHOLD_H)
    True
    >>> step(0.0, d=7.0, shift=7.0) < 0
    True
    """
    return max(log_total, 0.0) + min(log_e(d, shift), 2.0 * math.log(THRESHOLD_H))
