"""How sure is one finding among many that were looked for? Holm's adjustment.

Null hypothesis of each test: no difference in this subject. Twenty tests at 5% find one difference on average
where there is none. Holm's step-down procedure bounds the probability of *any* false finding by alpha, under
every dependence between the tests, so slices that overlap are no problem. It rejects whatever Bonferroni
rejects, and more.

An adjusted p-value is compared with alpha itself. A false alarm here means: at least one subject is called
changed although none is. Not for streams that are looked at again and again: that is ``clock.py``'s work.

Reference: S. Holm, *A simple sequentially rejective multiple test procedure*, Scand. J. Statist. 6 (1979).
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order of the given ones, each in [0, 1].

    With the p-values sorted, ``adjusted[i] = max over j <= i of (m - j) p[j]`` (j from 0), at most 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]

    Raises:
        ValueError: a p-value lies outside [0, 1].
    """
    for p in p_values:
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"a p-value lies in [0, 1], not {p!r}")
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = worst
    return adjusted
