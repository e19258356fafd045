"""Is newer knowledge answered worse, and from when on too badly? Scores against the date that a question asks of.

A weighted line is fitted by least squares to the scores x_i of examples whose knowledge is of day d_i::

    x_i = a + b (d_i - mean d) + noise        b in score per day

The covariance of (a, b) is the heteroscedasticity-consistent HC3 sandwich, since scores near 0 and 1 scatter less than
those in between, with Student's t on n - 2 degrees of freedom (MacKinnon and White 1985; Long and Ervin 2000).
Examples of one ``group`` are one observation: their residuals are summed before they are squared (Liang and Zeger
1986).

The day on which the line crosses a floor is a ratio of two estimates; its interval is Fieller's (1954): the days t at
which ``a + b t`` cannot be told from the floor. Where the slope cannot be told from none, or rises, that set has no
end, and the crossing is unknown (None), never a far date.

Null hypothesis of a reader: b = 0. When not to use it: for fewer than :data:`LEAST` dated examples or one date only
(the answer is None); the line says nothing beyond what is asked of, so a crossing ahead of the newest date is a
forecast, and is called one.

>>> import numpy as np
>>> days = np.arange(100.0)
>>> found = fit(0.9 - 0.004 * days, days)
>>> round(found.per_day, 4), crossing(found, 0.3).at
(-0.004, 150.0)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from checks.inference.student import t_quantile
from checks.types import FloatArray

LEAST = 20
"""Dated and scored examples, below which nothing is said."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A line through scores by date: ``level`` at ``centre`` (days since 1970), ``per_day`` its slope.

    ``interval`` of the slope is at 95%; ``covariance`` is that of (level, per_day); ``n`` examples or groups.
    """

    level: float
    per_day: float
    centre: float
    interval: tuple[float, float]
    covariance: tuple[float, float, float]
    n: int


@dataclass(frozen=True, slots=True)
class Crossing:
    """The day (since 1970) on which the line reaches a floor, and the ends of its 95% interval; None: unknown.

    ``not_before`` alone may be known: by the data the floor is surely held until then.
    """

    at: float | None
    not_before: float | None
    not_after: float | None


def fit(scores: FloatArray, days: FloatArray, groups: NDArray[np.int64] | None = None) -> Slope | None:
    """The line; None where too few examples are dated and scored, or all are of one day.

    Args:
        scores: float [examples] in [0, 1], NaN where unscored.
        days: float [examples], days since 1970, NaN where not dated.
        groups: a cluster per example; None: each is its own.
    """
    known = ~(np.isnan(scores) | np.isnan(days))
    x, d = scores[known], days[known]
    if len(x) < LEAST or float(np.ptp(d)) == 0.0:
        return None
    centre = float(d.mean())
    design = np.column_stack([np.ones(len(d)), d - centre])
    bread = np.diag(1.0 / (design * design).sum(axis=0))
    level, per_day = bread @ design.T @ x
    left = x - design @ np.array([level, per_day])
    leverage = ((design @ bread) * design).sum(axis=1)
    parts = design * (left / np.maximum(1.0 - leverage, 1e-6))[:, None]
    if groups is not None:
        _, number = np.unique(groups[known], return_inverse=True)
        summed = np.zeros((int(number.max()) + 1, 2))
        np.add.at(summed, number, parts)
        parts = summed
    if len(parts) < 3:
        return None
    covariance = bread @ parts.T @ parts @ bread
    reach = t_quantile(0.95, len(parts) - 2) * math.sqrt(covariance[1, 1])
    return Slope(
        float(level),
        float(per_day),
        centre,
        (float(per_day - reach), float(per_day + reach)),
        (float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])),
        len(parts),
    )


def crossing(line: Slope, floor: float) -> Crossing:
    """When the line falls to the floor. All unknown where the slope is not surely downward.

    Fieller: ``(a - f + b t)^2 <= q^2 (v_aa + 2 v_ab t + v_bb t^2)``, a quadratic in t whose roots are the ends.
    """
    if line.interval[1] >= 0.0:
        return Crossing(None, None, None)
    above, slope = line.level - floor, line.per_day
    v_aa, v_ab, v_bb = line.covariance
    q = t_quantile(0.95, line.n - 2) ** 2
    square, linear, plain = slope**2 - q * v_bb, above * slope - q * v_ab, above**2 - q * v_aa
    root = math.sqrt(max(linear**2 - square * plain, 0.0))
    ends = sorted(((-linear - root) / square, (-linear + root) / square))
    return Crossing(round(line.centre - above / slope, 6), line.centre + ends[0], line.centre + ends[1])
