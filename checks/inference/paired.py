"""Did the second set of answers get better or worse than the first, on the same examples?

Each example gives one difference d = score in B - score in A. Examples that belong together (one
``group``: one document, one conversation) form a cluster; an example without a group is a cluster of its
own.

**The test.** Null hypothesis: within every cluster it is arbitrary which answers came from A and which
from B, so each cluster's weighted sum of differences is as likely to have the other sign. The statistic
is the size of the total; the p-value is the share of all 2^m sign assignments (m clusters whose sum is
not zero) that give a total at least as large. It is two-sided and exact, with no assumption about the
scores' distribution, and nothing is random:

- where all sums have one size, as for right/wrong scores without groups, the count is binomial and this
  *is* McNemar's exact test (not its mid-p form, which can exceed its level);
- up to 14 clusters are enumerated;
- otherwise the sums are whole multiples of some unit (right/wrong scores in groups, shares such as 3 of
  4 fields), or are rounded to a fine grid, and the distribution of the total is computed whole: its
  characteristic function is the product of cos(k w) over the clusters, and one Fourier transform inverts
  it. Rounding keeps the test exact, because it does not touch the symmetry; it costs less than 0.1% of
  the statistic's precision. So there is no Monte-Carlo error, no seed, and no p-value that more draws
  would change.

Examples' weights weigh both the mean and the test's sums. A p-value from the transform is at least 1e-12,
because its rounding errors are of that order.

**The interval** of the mean difference, on the scores' own scale, in [-1, 1]:

- right/wrong scores without groups and weights: Bonett and Price's adjusted Wald interval (one pair
  added on each side) with Student's t for the normal quantile. Over a grid of truths its coverage at 95%
  is at least .934 from 30 pairs on (Tango's score interval: .930) and at least .96 at 10; it never holds
  0 where the exact test has p <= .05, and where it excludes 0 the exact p-value is at most .066. It has
  no degenerate case.
- otherwise Miller's clustered t-interval on m - 1 degrees of freedom. Where most differences are exactly
  zero, as with an endpoint that repeats itself, a plain t-interval is too short; the same two pairs are
  added to its variance, scaled by the share of clusters that did not change.
- where nothing varies (one cluster; all differences alike) no variance can be estimated. A share of q =
  1 - (alpha/2)^(1/m) of the population could still have been missed, and it could lie anywhere: the
  interval reaches from the mean q of the way to both ends of the scale.

A false alarm is a "different" for two versions that answer alike. Do not use the test on a stream that
is looked at again and again, nor on two sets of different examples.

References: Q. McNemar, Psychometrika 12 (1947); E. Miller, *Adding Error Bars to Evals*,
arXiv:2411.00640 (2024); D. Bonett and R. Price, *Adjusted Wald confidence interval for a difference of
binomial proportions based on paired data*, J. Educ. Behav. Stat. 37 (2012); M. Fagerland, S. Lydersen
and P. Laake, Statist. Med. 33 (2014), who recommend it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from checks.inference.student import t_quantile
from checks.types import FloatArray

P_FLOOR = 1e-12
"""The smallest p-value from the Fourier transform: below it rounding shows."""

_ENUMERATED = 14
_VANISHED = 1e-19
"""A transform so small adds less than rounding does; most frequencies vanish after a few factors."""
_LARGEST_LATTICE = 2**20

Groups = Sequence[Hashable | None] | NDArray[np.int64] | None


@dataclass(frozen=True, slots=True)
class PairedTest:
    """What the pairs say. ``effect`` is the weighted mean difference; ``interval`` holds it.

    ``clusters`` counts what can flip its sign independently; ``changed`` those whose sum is not zero.
    """

    pairs: int
    clusters: int
    changed: int
    effect: float
    interval: tuple[float, float]
    p_value: float


def paired_test(
    differences: ArrayLike,
    groups: Groups = None,
    weights: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> PairedTest:
    """Test and estimate a mean paired difference.

    >>> result = paired_test([-1] * 9 + [1] + [0] * 90)
    >>> round(result.effect, 2), round(result.p_value, 4), result.changed
    (-0.08, 0.0215, 10)

    Args:
        differences: one number per example, B minus A, in [-1, 1].
        groups: one cluster name or number per example; None for an example on its own.
        weights: one positive number per example.
        level: of the interval.

    Raises:
        ValueError: no differences, one that is not finite or lies outside [-1, 1], a weight that is not
            positive, or lengths that differ.
    """
    data = _Pairs.read(differences, groups, weights)
    if np.abs(data.d).max() > 1.0:
        raise ValueError("differences of scores lie in [-1, 1]")
    return PairedTest(
        pairs=data.d.size,
        clusters=data.size.size,
        changed=int(np.count_nonzero(data.total)),
        effect=data.mean,
        interval=_interval(data, level, (-1.0, 1.0)),
        p_value=sign_flip_p(data.total),
    )


def paired_interval(
    differences: ArrayLike,
    groups: Groups = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    *,
    bounds: tuple[float, float] = (-1.0, 1.0),
) -> tuple[float, float]:
    """The confidence interval (low, high) of the mean difference. Never NaN; it holds the sample's mean.

    >>> tuple(round(end, 3) for end in paired_interval([-1] * 9 + [1] + [0] * 90))
    (-0.144, -0.013)

    Args:
        differences: one finite number per example; leave out pairs without two scores.
        groups: one cluster name or number per example; None for an example on its own.
        weights: one positive number per example.
        level: the coverage, in (0, 1).
        bounds: where a difference can lie; with infinite ones (differences of log latencies) a single pair
            says nothing and the interval is infinite.

    Raises:
        ValueError: as for :func:`paired_test`.
    """
    return _interval(_Pairs.read(differences, groups, weights), level, bounds)


def fewest_clusters(alpha: float) -> int:
    """The least number of clusters with which a two-sided test at level ``alpha`` can find anything.

    With m clusters that all change in one direction the p-value is 2^(1 - m).

    >>> fewest_clusters(0.05)
    6
    """
    return max(1, math.ceil(1 - math.log2(alpha)))


def sign_flip_p(sums: ArrayLike) -> float:
    """The two-sided p-value of the total of ``sums`` when every sign is a fair coin. 1 where all are zero.

    >>> sign_flip_p([0.5, 0.25, 0.125])  # only one of four pairs of assignments is as far out
    0.25
    """
    values = np.asarray(sums, dtype=np.float64)
    sizes = np.abs(values[values != 0])
    total = abs(float(values.sum()))
    m = sizes.size
    largest = float(sizes.max()) if m else 0.0
    if total <= 1e-12 * m * largest:
        return 1.0
    if float(sizes.min()) >= largest * (1 - 1e-9):
        return _binomial_p(m, round(total / largest))
    if m <= _ENUMERATED:
        return _enumerated_p(sizes, total)
    units = _lattice(values[values != 0])
    return _fourier_p(np.abs(units), abs(int(units.sum())))


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Checked input: per example d; per cluster its ``total`` weighted difference and its weight ``size``."""

    d: FloatArray
    total: FloatArray
    size: FloatArray
    simple: bool
    mean: float

    @classmethod
    def read(cls, differences: ArrayLike, groups: Groups, weights: ArrayLike | None) -> _Pairs:
        d = np.asarray(differences, dtype=np.float64)
        if d.ndim != 1 or d.size == 0:
            raise ValueError("differences: at least one pair is needed, in one dimension")
        if not np.isfinite(d).all():
            raise ValueError("differences must be finite: leave out pairs that lack a score")
        w = np.ones(d.size) if weights is None else np.asarray(weights, dtype=np.float64)
        if w.shape != d.shape or not (np.isfinite(w) & (w > 0)).all():
            raise ValueError("weights: one positive number per difference")
        even = bool((w == w[0]).all())
        w = np.ones(d.size) if even else w
        if groups is None:
            total, size = w * d, w
        else:
            cluster = _numbered(groups, d.size)
            total = np.bincount(cluster, w * d).astype(np.float64)
            size = np.bincount(cluster, w).astype(np.float64)
        total = np.where(np.abs(total) <= 1e-12 * size, 0.0, total)  # sums that cancel leave dust
        simple = even and size.size == d.size and bool(np.isin(d, (-1.0, 0.0, 1.0)).all())
        return cls(d, total, size, simple, float(total.sum() / size.sum()))


def _numbered(groups: Sequence[Hashable | None] | NDArray[np.int64], n: int) -> NDArray[np.int64]:
    if len(groups) != n:
        raise ValueError("groups: one per difference")
    if isinstance(groups, np.ndarray):
        return np.asarray(np.unique(groups, return_inverse=True)[1], dtype=np.int64)
    numbers: dict[object, int] = {}
    keys = (("alone", i) if g is None else ("group", g) for i, g in enumerate(groups))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _interval(data: _Pairs, level: float, bounds: tuple[float, float]) -> tuple[float, float]:
    m = data.size.size
    if m == 1:
        return _unvaried(data, level, bounds)
    t = t_quantile(level, m - 1)
    mean = data.mean
    if data.simple:
        centre = data.total.sum() / (m + 2)
        width = t * math.sqrt(((np.abs(data.total).sum() + 2) / (m + 2) - centre**2) / (m + 2))
    else:
        centre = mean
        changed = data.total != 0
        squares = float(np.sum((data.total - mean * data.size) ** 2))
        if changed.any():
            step = np.sqrt(np.mean((data.total[changed] / data.size[changed]) ** 2)) * (1 - changed.mean())
            squares += 2 * float(step * data.size.mean()) ** 2
        if squares <= (1e-9 * float(data.size.sum())) ** 2:
            return _unvaried(data, level, bounds)
        width = t * math.sqrt(squares * m / (m - 1)) / float(data.size.sum())
    low, high = max(bounds[0], centre - width), min(bounds[1], centre + width)
    return min(float(low), mean), max(float(high), mean)


def _unvaried(data: _Pairs, level: float, bounds: tuple[float, float]) -> tuple[float, float]:
    effective = float(data.size.sum() ** 2 / (data.size**2).sum())
    missed = 1 - ((1 - level) / 2) ** (1 / effective)
    return data.mean - missed * (data.mean - bounds[0]), data.mean + missed * (bounds[1] - data.mean)


def _binomial_p(m: int, surplus: int) -> float:
    """The sums have one size: McNemar's exact test of m discordant pairs, ``surplus`` more on one side."""
    from scipy.special import bdtr  # noqa: PLC0415  # only comparisons pay for loading it

    return max(sys.float_info.min, min(1.0, 2 * float(bdtr((m - surplus) // 2, m, 0.5))))


def _enumerated_p(sizes: FloatArray, total: float) -> float:
    reached = np.zeros(1)
    for size in sizes:
        reached = np.concatenate([reached - size, reached + size])
    return float(np.mean(np.abs(reached) >= total * (1 - 1e-9)))


def _lattice(values: FloatArray) -> NDArray[np.int64]:
    """The values as whole multiples of a unit: exactly where a small one fits, else of a fine grid."""
    extent = float(np.abs(values).sum())
    for parts in range(1, 101):
        if extent * parts > _LARGEST_LATTICE:
            break
        units = np.rint(values * parts)
        if np.all(np.abs(values * parts - units) <= 1e-9 * parts):
            return units.astype(np.int64)
    cells = min(max(16 * values.size, 2**13), _LARGEST_LATTICE)
    return np.rint(values * (cells / extent)).astype(np.int64)


def _fourier_p(sizes: NDArray[np.int64], total: int) -> float:
    if total == 0:
        return 1.0
    n = 1 << (2 * int(sizes.sum()) + 1).bit_length()
    cosine = np.cos(np.arange(n) * (2 * np.pi / n))
    frequency, value = np.arange(n // 2 + 1), np.ones(n // 2 + 1)
    for size, count in zip(*np.unique(sizes, return_counts=True), strict=True):
        value *= cosine[(size * frequency) & (n - 1)] ** count
        seen = np.abs(value) > _VANISHED
        frequency, value = frequency[seen], value[seen]
    transform = np.zeros(n // 2 + 1)
    transform[frequency] = value
    mass = np.fft.irfft(transform, n)
    return max(P_FLOOR, min(1.0, 2 * float(mass[total : n // 2].sum())))
