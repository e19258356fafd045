"""Which samples are most worth a label? Those that stand for most of what no golden example represents.

Greedy maximum coverage: of the samples that are new, take the one that represents most of those that nothing chosen
represents yet; repeat. Here a sample represents another if they are as near as golden inputs typically are to their
nearest: one golden example more should stand for its kind as well as the others do. Greedy reaches at least 63% of the
best choice's coverage (Nemhauser, Wolsey, Fisher 1978). So one new language with many requests comes before one odd
message, and the same question is not asked for twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from checks.traffic.coverage import Anchors, weighted_vectors


@dataclass(frozen=True, slots=True)
class Picked:
    """``position`` in the texts that were given, and the share of them that it newly represents, itself included."""

    position: int
    represents_ratio: float


def pick(anchors: Anchors, texts: Sequence[str], most: int) -> tuple[Picked, ...]:
    """At most ``most`` of the texts, the most worth a label first; fewer where fewer represent all of them."""
    vectors = weighted_vectors(anchors, texts)
    like = vectors @ vectors.T >= anchors.typical
    np.fill_diagonal(like, True)
    left = np.ones(len(texts), dtype=bool)
    chosen: list[Picked] = []
    while left.any() and len(chosen) < most:
        gains = (like & left).sum(axis=1) * left
        best = int(np.argmax(gains))
        chosen.append(Picked(best, int(gains[best]) / len(texts)))
        left &= ~like[best]
    return tuple(chosen)
