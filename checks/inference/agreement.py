"""How well do two raters agree, beyond chance? Gwet's AC1 and Cohen's kappa, with intervals.

Both raters give each of n items a score in [0, 1] (right 1, wrong 0; or steps between). Agreement on an item is
``w(a, b) = 1 - |a - b|``: for right and wrong alone that is whether they say the same. With ``p_a`` the mean agreement,
both coefficients are ``(p_a - p_e) / (1 - p_e)``: 1 is full agreement, 0 is what chance gives. They differ in ``p_e``:

- kappa: ``sum_kl w_kl p_k q_l``, as if each rater drew from its own shares p, q of the q categories (Cohen 1960; with
  weights 1968);
- AC1: ``T / (Q (Q - 1)) sum_k r_k (1 - r_k)`` with r the mean of the raters' shares, Q the number of categories and T
  the sum of all weights (Gwet 2008; with weights it is called AC2). Where nearly all items are of one category, kappa
  falls towards 0 though the raters agree (Feinstein and Cicchetti's paradox); AC1 does not.

The interval is Student's t on n - 1 degrees of freedom with the variance of the linearised coefficient over items.
Raters that never differ have no variance at all; then the lower end is what Wilson's lower bound of the agreement
gives. A coefficient whose ``p_e`` is 1 (kappa where both raters use one category only) is not defined: None.

References: K. Gwet, *Computing inter-rater reliability and its variance in the presence of high agreement*, Br. J.
Math. Stat. Psychol. 61 (2008) 29-48; J. Cohen, Educ. Psychol. Meas. 20 (1960) 37-46 and
Psychol. Bull. 70 (1968) 213-220.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from checks.inference.student import t_quantile
from checks.types import FloatArray

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A coefficient of agreement with its 95% interval, both in [-1, 1]."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Over ``n`` items: the mean agreement in [0, 1], and what of it is beyond chance; None where not defined."""

    n: int
    ratio: float
    ac1: Coefficient | None
    kappa: Coefficient | None


def agreement(a: FloatArray, b: FloatArray) -> Agreement | None:
    """How well two raters agree on the items that both rated; None for fewer than two.

    >>> import numpy as np
    >>> counts = [20, 5, 10, 15]
    >>> found = agreement(np.repeat([1.0, 1.0, 0.0, 0.0], counts), np.repeat([1.0, 0.0, 1.0, 0.0], counts))
    >>> found.n, round(found.ratio, 3), round(found.kappa.value, 3), round(found.ac1.value, 3)
    (50, 0.7, 0.4, 0.406)

    Args:
        a: float [items] in [0, 1], NaN where unknown.
        b: the other rater's, likewise.
    """
    known = ~np.isnan(a) & ~np.isnan(b)
    a, b = a[known], b[known]
    n = len(a)
    if n < 2:
        return None
    values, places = np.unique(np.concatenate([a, b]), return_inverse=True)
    first, second = places[:n], places[n:]
    weights = 1.0 - np.abs(values[:, None] - values[None, :])
    item = weights[first, second]
    p, q = (np.bincount(one, minlength=len(values)) / n for one in (first, second))
    # how much each item's own ratings agree with those of all the others
    own_kappa = (weights[first] @ q + weights[:, second].T @ p) / 2.0
    kappa = _coefficient(item, float(p @ weights @ q), own_kappa)
    categories = max(len(values), 2)
    total = float(weights.sum()) if len(values) > 1 else 2.0
    scale, mean = total / (categories * (categories - 1)), (p + q) / 2.0
    own_ac1 = scale * (1.0 - (mean[first] + mean[second]) / 2.0)
    ac1 = _coefficient(item, float(scale * (mean * (1.0 - mean)).sum()), own_ac1)
    return Agreement(n, float(item.mean()), ac1, kappa)


def _coefficient(item: FloatArray, chance: float, own: FloatArray) -> Coefficient | None:
    """(p_a - p_e) / (1 - p_e) and its interval.

    Args:
        item: float [items], the agreement on each.
        chance: p_e.
        own: float [items], whose mean is p_e: what each item's ratings contribute to it.
    """
    if chance >= 1.0 - 1e-12:
        return None
    n, left = len(item), 1.0 - chance
    value = (float(item.mean()) - chance) / left
    each = (item - chance) / left - 2.0 * (1.0 - value) * (own - chance) / left
    spread = t_quantile(LEVEL, n - 1) * math.sqrt(float(((each - value) ** 2).sum()) / (n * (n - 1)))
    low = value - spread
    if spread == 0.0:
        low = min(low, (_wilson(float(item.mean()), n) - chance) / left)
    return Coefficient(value, max(low, -1.0), min(value + spread, 1.0))


def _wilson(ratio: float, n: int) -> float:
    """Wilson's lower 95% bound of a share."""
    z2 = t_quantile(LEVEL, 10**9) ** 2
    centre = ratio + z2 / (2 * n)
    return (centre - math.sqrt(z2 * (ratio * (1.0 - ratio) / n + z2 / (4 * n * n)))) / (1.0 + z2 / n)
