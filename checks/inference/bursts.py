"""Do replays minutes apart say as much as replays an hour apart? Only where their noise is independent.

Null hypothesis: the deviation of a run from the target's healthy mean has a conditional mean of 0, whatever the
run some minutes before it showed. With y the deviations and the sum over consecutive runs at most ``CLOSE_H``
apart::

    b = sum y_t y_(t+1) / sum y_t^2           the share of a deviation that is still there minutes later
    se(b) = sqrt(sum y_t^2 r_t^2) / sum y_t^2,   r_t = (y_(t+1) - b y_t) / (1 - y_t^2 / sum y^2)

the slope of a regression through 0 with a standard error that needs no constant variance (HC3). A pair counts only
where the earlier run raised no suspicion, whatever the later one showed: what a suspicion leads to is chosen by its
outcome, and pages would take the agreeing pairs away.

What it guards: m replays whose noise has the correlation b say as much as ``m / (1 + (m - 1) b)`` independent
ones. Twelve an hour at b = .25 say as much as three; at b = .9 as much as one, and their agreement would page.

``DEPENDENT``: b lies above .1 and its lower 99.5% limit above 0, from 8 pairs on; it is asked again and again,
hence the wide limit. ``INDEPENDENT``: the upper 95% limit is below .25, from 20 pairs on; some 60 are usual.
Otherwise ``UNKNOWN``: the caller makes more pairs.

When not to use it: over runs of a regression (a standing drop looks like dependence), and for latency, whose
load lasts.

Reference: MacKinnon and White (1985) for the standard error; Kish (1965) for the effective number.

>>> import numpy as np
>>> rng = np.random.default_rng(1)
>>> hours = np.repeat(np.arange(100.0), 2) + np.tile([0.0, 1 / 12], 100)
>>> closeness(rng.standard_normal(200), hours).dependence.value
'independent'
>>> closeness(np.repeat(rng.standard_normal(100), 2), hours).dependence.value
'dependent'
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from checks.types import BoolArray, FloatArray

CLOSE_H = 0.25
"""Runs at most so many hours apart are close."""

LEAST_PAIRS, ENOUGH_PAIRS = 8, 20
TOLERATED = 0.25
_CERTAIN, _SURE = 2.576, 1.645
_NEGLIGIBLE = 0.1


class Dependence(StrEnum):
    """What is known of runs minutes apart."""

    INDEPENDENT = "independent"
    DEPENDENT = "dependent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Closeness:
    """What the close pairs say. ``slope`` and its 95% ``interval`` are None where too few pairs vary."""

    dependence: Dependence
    pairs: int
    slope: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def words(self) -> str:
        """One sentence part for a person.

        >>> Closeness(Dependence.UNKNOWN, 3).words
        'whether runs minutes apart are independent is not known yet (3 pairs)'
        """
        if self.dependence is Dependence.UNKNOWN or self.slope is None:
            return f"whether runs minutes apart are independent is not known yet ({self.pairs} pairs)"
        share = f"{max(self.slope, 0.0):.0%} of a run's deviation is still there minutes later"
        if self.dependence is Dependence.DEPENDENT:
            return f"runs minutes apart repeat each other: {share} ({self.pairs} pairs)"
        return f"runs minutes apart are independent: {share} ({self.pairs} pairs)"


def closeness(
    values: FloatArray, at_h: FloatArray, calm: BoolArray | None = None, *, close_h: float = CLOSE_H
) -> Closeness:
    """Test whether runs minutes apart are independent.

    Args:
        values: float [runs], a run's mean score, oldest first; NaN breaks pairs.
        at_h: float [runs], when each started, hours.
        calm: bool [runs], those that raised no suspicion and may be the earlier of a pair; None: all.
        close_h: how far apart a pair may lie, hours.
    """
    known = ~np.isnan(values)
    # a burst weighs as one run in the mean, or one bad hour would shift all deviations
    apart = known & np.append(True, np.diff(at_h) > close_h)
    if not apart.any():
        return Closeness(Dependence.UNKNOWN, 0)
    y = values - float(values[apart].mean())
    first = known if calm is None else known & calm
    close = first[:-1] & known[1:] & (np.diff(at_h) <= close_h)
    before, after = y[:-1][close], y[1:][close]
    pairs, spread = len(before), float((before**2).sum())
    if pairs < 2 or spread <= 0.0:
        return Closeness(Dependence.UNKNOWN, pairs)
    slope = float((before * after).sum()) / spread
    alone = np.maximum(1.0 - before**2 / spread, 1e-6)
    error = math.sqrt(float((before**2 * ((after - slope * before) / alone) ** 2).sum())) / spread
    interval = (slope - 1.96 * error, slope + 1.96 * error)
    dependence = Dependence.UNKNOWN
    if pairs >= LEAST_PAIRS and slope > _NEGLIGIBLE and slope - _CERTAIN * error > 0.0:
        dependence = Dependence.DEPENDENT
    elif pairs >= ENOUGH_PAIRS and slope + _SURE * error < TOLERATED:
        dependence = Dependence.INDEPENDENT
    return Closeness(dependence, pairs, slope, interval)
