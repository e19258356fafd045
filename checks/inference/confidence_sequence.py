"""By how much do two models differ on the same examples, when one looks again every week?

Each look t asks both models the same n examples and gives a difference per example::

    x[t, i] = theta[i] + noise[t, i]

What is wanted is the mean of theta over the requests that the golden set was drawn from. Two things are uncertain, and
they behave differently when one looks again. Which examples were drawn is decided once: its error is the same at every
look, so that looking often costs nothing. The noise of the answers is new at every look: its running mean is watched
for ever and needs a bound that holds at all times. The interval at look T is therefore::

    paired interval of the examples' means, level 1 - .8 alpha          (clusters, weights: see paired.py)
    widened on both sides by  s sqrt(2 (T r + 1) / (T^2 r) log(sqrt(T r + 1) / (.2 alpha)))

s is the standard deviation of one look's mean: the larger of what the scatter within examples says (noise that is each
example's own) and of what the looks' means say (a good or bad day for all). The second line is the normal-mixture
confidence sequence; r is chosen so that it is tightest at the fourth look. By the union bound the probability that the
interval *ever* fails to hold the truth is at most alpha, asymptotically in the number of examples. Endpoints that
repeat themselves have s = 0: the interval is then the paired one, at every look.

A false alarm is an interval that leaves out the true difference at any of all looks. Do not use it where either
model was changed on the way: begin anew.

References: H. Robbins, Ann. Math. Statist. 41 (1970); S. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, *Time-uniform,
nonparametric, nonasymptotic confidence sequences*, Ann. Statist. 49 (2021); I. Waudby-Smith, D. Arbour, R. Sinha, E.
Kennedy and A. Ramdas, *Time-uniform central limit theory and asymptotic confidence sequences*, Ann. Statist. 52 (2024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from checks.inference.paired import Groups, paired_interval
from checks.types import BoolArray, FloatArray

TIGHTEST_AT = 4.0
_FOR_NOISE = 0.2
"""Part of alpha that the noise of the looks is given; the examples have the rest."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean difference over all looks, and the interval that holds it at every look at once.

    ``examples`` were seen on both sides in at least one look.
    """

    effect: float
    interval: tuple[float, float]
    looks: int
    examples: int


def difference(
    looks: FloatArray, groups: Groups = None, weights: FloatArray | None = None, *, alpha: float = 0.05
) -> Difference | None:
    """The mean difference so far with its time-uniform interval; None where no pair has both scores.

    >>> import numpy as np
    >>> found = difference(np.tile(np.r_[np.ones(12), -np.ones(4), np.zeros(184)], (3, 1)))
    >>> round(found.effect, 3), [round(end, 3) for end in found.interval]
    (0.04, [-0.003, 0.083])

    Args:
        looks: float [looks, examples], NaN where either model has no score; oldest first.
        groups: a cluster per example, as for :func:`checks.inference.paired.paired_test`.
        weights: a positive number per example.
        alpha: the probability that the interval ever leaves out the truth, in (0, 1).

    Raises:
        ValueError: alpha is out of its range, or the array is not two-dimensional.
    """
    if looks.ndim != 2:
        raise ValueError("looks is [looks, examples]")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha lies in (0, 1), not {alpha!r}")
    seen = ~np.isnan(looks)
    looks, seen = looks[seen.any(axis=1)], seen[seen.any(axis=1)]
    known: BoolArray = np.asarray(seen.any(axis=0))
    if not known.any():
        return None
    counts = seen.sum(axis=0)[known]
    means = np.where(seen, looks, 0.0).sum(axis=0)[known] / counts
    weigh = np.ones(int(known.sum())) if weights is None else np.asarray(weights, dtype=float)[known]
    members = None if groups is None else [g for g, kept in zip(groups, known.tolist(), strict=True) if kept]
    low, high = paired_interval(means, members, weigh, 1.0 - (1.0 - _FOR_NOISE) * alpha)
    total = len(looks)
    wider = _spread(looks[:, known], seen[:, known], means, weigh) * boundary(total, _FOR_NOISE * alpha)
    effect = float((means * weigh).sum() / weigh.sum())
    return Difference(effect, (max(low - wider, -1.0), min(high + wider, 1.0)), total, len(means))


def boundary(looks: int, alpha: float) -> float:
    """How far, in standard deviations of one look, the mean of the looks may stray; holds at all looks at once.

    >>> round(boundary(4, 0.01), 2), round(boundary(52, 0.01), 2)
    (1.79, 0.53)
    """
    size = -2.0 * math.log(alpha)
    r = (size + math.log(size) + 1.0) / TIGHTEST_AT
    grown = looks * r + 1.0
    return math.sqrt(2.0 * grown / (looks * looks * r) * math.log(math.sqrt(grown) / alpha))


def _spread(looks: FloatArray, seen: BoolArray, means: FloatArray, weights: FloatArray) -> float:
    """The standard deviation of one look's weighted mean; 0 where there is one look."""
    strayed = np.where(seen, looks - means, 0.0)
    degrees = int((seen.sum(axis=0) - 1).clip(0).sum())
    if degrees == 0:
        return 0.0
    own = float((strayed**2).sum()) / degrees * float((weights**2).sum()) / float(weights.sum()) ** 2
    held = (seen * weights).sum(axis=1)
    shared = float(np.var((strayed * weights).sum(axis=1) / held, ddof=1)) if len(looks) > 1 else 0.0
    return math.sqrt(max(own, shared))
