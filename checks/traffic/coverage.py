"""Does any golden example represent this text? The nearest one, and a threshold that the golden set itself teaches.

Every golden input is a vector (``features.py``), its places weighted by how rare they are in the golden set
(``log((1 + m) / (1 + df)) + 1``). A text is *represented* if its cosine to the nearest golden input reaches the
threshold. The threshold is the :data:`STRAYS` quantile of what golden inputs have to their own nearest neighbour, each
left out in turn: so a text counts as new if it lies further from the set than 95 of 100 of the set's own members lie
from the others. Were production like the golden set, about one sample in twenty would count as new by construction;
what is above that is debt.

The inputs are also sorted into at most :data:`CLUSTERS` kinds (spherical k-means from a fixed start), so that a shift
between kinds that are all represented is seen, too. More than :data:`MOST_ANCHORS` inputs are thinned evenly.

New terms inside familiar sentences lie near the set all the same. So the share of a text's words that the golden set
never uses is taken, too (:func:`unknown_words`); its mean over a window is a stream, what it is above that of golden
inputs (each left out in turn) adds to the debt (``debt.py``), and texts with more of them than three in four golden
inputs have are worth keeping for a draft.

When not to use it: for sets of fewer than :data:`LEAST_EXAMPLES` inputs; the threshold would be a guess. It is lexical:
the same question in other words is far away, which errs on the side of asking for a label.

Reference: the leave-one-out nearest-neighbour rule is that of one-class classification; Tax, *One-class
classification* (2001), ch. 3.4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from checks.traffic.features import SIZE, vector, words
from checks.types import FloatArray

STRAYS = 0.05
CLUSTERS = 6
MOST_ANCHORS = 1000
LEAST_EXAMPLES = 20
_ROUNDS = 12
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the golden set represents.

    ``matrix`` float32 [anchors, SIZE], rows of length 1; ``weights`` [SIZE]; ``kinds`` the cluster of each anchor,
    0 to ``clusters`` - 1; ``threshold`` the least cosine at which a text is represented, ``typical`` the median of what
    golden inputs have to their own nearest; ``shares`` [clusters] how much of the golden set is of each kind;
    ``words`` the hashes of its words; ``many_unknown`` the share of unknown words above which a text is worth keeping;
    ``usual_unknown`` the mean share of golden inputs, each held against the others.
    """

    matrix: NDArray[np.float32]
    weights: FloatArray
    kinds: NDArray[np.int64]
    threshold: float
    typical: float
    shares: FloatArray
    words: frozenset[int]
    many_unknown: float
    usual_unknown: float

    @property
    def clusters(self) -> int:
        """How many kinds of input there are."""
        return len(self.shares)


def learn(texts: Sequence[str]) -> Anchors | None:
    """What these golden inputs represent; None where there are too few to say."""
    if len(texts) < LEAST_EXAMPLES:
        return None
    step = max(len(texts) / MOST_ANCHORS, 1.0)
    chosen = [texts[int(i * step)] for i in range(int(len(texts) / step))]
    plain = np.array([vector(text) for text in chosen])
    frequency = (plain != 0.0).sum(axis=0)
    weights: FloatArray = np.log((1.0 + len(plain)) / (1.0 + frequency)) + 1.0
    matrix = _unit(plain * weights).astype(np.float32)
    near = matrix @ matrix.T
    np.fill_diagonal(near, -1.0)
    threshold, typical = np.quantile(near.max(axis=1).astype(float), [STRAYS, 0.5])
    kinds = _kinds(matrix, min(CLUSTERS, len(chosen) // 10))
    shares: FloatArray = np.bincount(kinds) / len(kinds)
    known, many, usual = _vocabulary(chosen)
    return Anchors(matrix, weights, kinds, float(threshold), float(typical), shares, known, many, usual)


def nearest(anchors: Anchors, text: str) -> tuple[float, int]:
    """The cosine to the nearest golden input, and that input's kind.

    An empty text has nothing in common with any: its cosine is 0.
    """
    return next(nearest_of(anchors, [text]))


def nearest_of(anchors: Anchors, texts: Sequence[str]) -> Iterator[tuple[float, int]]:
    """The same of many texts: one product of matrices per :data:`_AT_ONCE` texts is several times as fast."""
    for start in range(0, len(texts), _AT_ONCE):
        cosines = weighted_vectors(anchors, texts[start : start + _AT_ONCE]) @ anchors.matrix.T
        best = np.argmax(cosines, axis=1)
        kinds = np.where(cosines.any(axis=1), anchors.kinds[best], 0)
        yield from zip(cosines.max(axis=1).tolist(), kinds.tolist(), strict=True)


def unknown_words(anchors: Anchors, text: str) -> float | None:
    """The share of the text's distinct words that the golden set never uses; None for a text without words."""
    held = words(text)
    return len(held - anchors.words) / len(held) if held else None


def new_words(anchors: Anchors, unknown: float | None) -> float | None:
    """How far a share of unknown words is above the usual one, 1 for a text of nothing else; negative below it.

    The mean over many texts, a share ``p`` of which brings new terms, is at most ``p``: each adds 1 at most.
    """
    if unknown is None or anchors.usual_unknown >= 1.0:
        return None
    return (unknown - anchors.usual_unknown) / (1.0 - anchors.usual_unknown)


def _vocabulary(texts: Sequence[str]) -> tuple[frozenset[int], float, float]:
    """Every word; of the texts' shares held against the others' words the upper quartile, and the mean."""
    held = [words(text) for text in texts]
    counts = Counter(word for one in held for word in one)
    alone = [sum(counts[word] == 1 for word in one) / len(one) for one in held if one]
    if not alone:
        return frozenset(counts), 1.0, 1.0
    return frozenset(counts), float(np.quantile(alone, 0.75)), float(np.mean(alone))


def weighted_vectors(anchors: Anchors, texts: Sequence[str]) -> NDArray[np.float32]:
    """The texts as the anchors see them, float32 [texts, SIZE], rows of length 1 (or all zero)."""
    if not texts:
        return np.zeros((0, SIZE), dtype=np.float32)
    return _unit(np.array([vector(text) for text in texts]) * anchors.weights).astype(np.float32)


def _unit(rows: FloatArray) -> FloatArray:
    length = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    made: FloatArray = rows / np.where(length > 0.0, length, 1.0)
    return made


def _kinds(matrix: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Spherical k-means; each next centre begins furthest from those before it. Kinds without a member are dropped."""
    centres = [matrix.mean(axis=0)]
    for _ in range(count):
        closest = (matrix @ np.array(centres).T).max(axis=1)
        centres.append(matrix[int(np.argmin(closest))])
    means = np.array(centres[1:])
    kinds = np.zeros(len(matrix), dtype=np.int64)
    for _ in range(_ROUNDS):
        kinds = np.argmax(matrix @ means.T, axis=1)
        sums = np.array([matrix[kinds == kind].sum(axis=0) for kind in range(len(means))])
        means = _unit(sums.astype(float)).astype(np.float32)
    _, numbered = np.unique(kinds, return_inverse=True)
    return numbered.astype(np.int64)
