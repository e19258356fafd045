"""How does this run rank among the past ones? Conformal z-values, for statistics that are far from normal.

Null hypothesis: the runs are exchangeable. With n past values and U uniform on (0, 1)::

    p = (#{past worse} + U (#{past equal} + 1)) / (n + 1)      z = inverse normal of 1 - p

p is exactly uniform, so z is exactly standard normal, whatever the distribution (Vovk, Gammerman, Shafer 2005).
The price is power: the first bad run after n healthy ones has a z of at most about that of 1/(n + 1). Used
where the run statistic has next to no spread of its own (a nearly deterministic endpoint); there the
rare-failure stream has the power.

Ranks know nothing of noise that lasts: under it two bad runs in a row are no two surprises. So they are believed
as far as the noise models (``noise.py``) believe that nothing lasts, and beyond that only where the models agree
(:func:`doubted`).

U comes from a counter-based generator keyed by stream and run number, never by the data.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from checks.types import FloatArray

POOL = 512
"""Past values kept per stream."""

_NORMAL = NormalDist()
_TIE = 1e-9


def uniforms(key: int, streams: int, run: int) -> FloatArray:
    """One uniform in (0, 1) per stream for a run: SplitMix64 (Steele, Lea, Flood 2014) of the three numbers.

    >>> bool((uniforms(1, 3, 7) == uniforms(1, 3, 7)).all())
    True
    """
    mask = (1 << 64) - 1
    base = (key * 0xD1342543DE82EF95 + run * 0x9E3779B97F4A7C15) & mask
    x: NDArray[np.uint64] = np.arange(1, streams + 1, dtype=np.uint64) * np.uint64(0xBF58476D1CE4E5B9)
    x = x + np.uint64(base)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    x = x ^ (x >> np.uint64(31))
    out: FloatArray = ((x >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return out


def z_values(pool: FloatArray, y: FloatArray, u: FloatArray) -> FloatArray:
    """Z [streams], positive when y [streams] is lower than the past values pool [streams, n]; NaN in it: not seen."""
    worse = (pool < y[:, None] - _TIE).sum(axis=1)
    equal = (pool <= y[:, None] + _TIE).sum(axis=1) - worse
    p = (worse + u * (equal + 1.0)) / ((~np.isnan(pool)).sum(axis=1) + 1.0)
    return np.array([-_NORMAL.inv_cdf(min(max(float(v), 1e-12), 1.0 - 1e-12)) for v in p])


def doubted(ranked: FloatArray, modelled: FloatArray, log_constant: FloatArray) -> FloatArray:
    """Log e [streams, bets] by ranks as far as runs are believed exchangeable; beyond that the lesser of the two.

    The lesser of two e-values is fair where either is, and so is a mixture by what was believed before the run.

    Args:
        ranked: float [streams, bets], log e of the bets on the ranks' z.
        modelled: float [streams, bets], log e of the noise models' own.
        log_constant: float [streams], log of the belief before the run that the noise has no memory and no cycle.
    """
    constant = log_constant[:, None]
    otherwise = np.log(np.maximum(-np.expm1(constant), 1e-12))
    out: FloatArray = np.logaddexp(constant + ranked, otherwise + np.minimum(ranked, modelled))
    return out
