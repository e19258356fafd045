"""Which samples are most worth a label? Those that stand for most of what no golden example represents.

Greedy facility location: of the samples, take the one that brings all of them nearest to something chosen (the sum of
their cosines to the nearest chosen one grows most); repeat. The golden set counts as chosen already. The sum has
diminishing returns, so greedy reaches at least 63% of the best choice (Nemhauser, Wolsey, Fisher 1978). A new language
with many requests comes before one odd message, and its different questions before the same one twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from checks.traffic.coverage import Anchors, weighted_vectors
from checks.types import FloatArray

_LEAST_GAIN = 1e-3


@dataclass(frozen=True, slots=True)
class Picked:
    """``position`` in the texts that were given, and the share of their weight that it newly represents.

    It represents those that are as near to it as golden inputs typically are to their nearest.
    """

    position: int
    represents_ratio: float


def pick(
    anchors: Anchors, texts: Sequence[str], most: int, weights: FloatArray | None = None
) -> tuple[Picked, ...]:
    """At most ``most`` of the texts, the most worth a label first; fewer where fewer represent all of them.

    ``weights``: how many requests each stands for, float [N]; by default one.
    """
    held = np.ones(len(texts)) if weights is None else weights
    vectors = weighted_vectors(anchors, texts)
    near = np.maximum(vectors @ vectors.T, 0.0)
    reached = np.maximum(vectors @ anchors.matrix.T, 0.0).max(axis=1, initial=0.0)
    left = np.ones(len(texts), dtype=bool)
    chosen: list[Picked] = []
    while len(chosen) < min(most, len(texts)):
        gains = np.maximum(near - reached, 0.0) @ held
        best = int(np.argmax(gains))
        if gains[best] < _LEAST_GAIN:
            break
        like = left & (near[best] >= anchors.typical)
        like[best] = left[best]
        chosen.append(Picked(best, float(held[like].sum() / held.sum())))
        left &= ~like
        reached = np.maximum(reached, near[best])
    return tuple(chosen)
