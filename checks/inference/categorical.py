"""Which categories do the answers name, as numbers? Labels of runs to rows that mean streams can watch.

A run names a label per example. For every category c the block ``x_ic = 1 if example i names c else 0`` is a row over
the examples, NaN where no label was named; the residual sum of a block (``reference.py``) is how many answers more or
fewer than usual name c, example by example, so that the spread between examples (which is the golden set's, not the
model's) drops out. Categories that are rare in the baseline are one: ``other``. Those that nobody had named are seen by
what they take from the others. Rows are centred on each category's share in the baseline, so that the shrinking of the
examples' rates pulls no category towards the mean of all, and a run with missing answers has no bias.

Null hypothesis of what is built on it: every example goes on naming each category as often as it did.
When not to use it: for free text; a category that is named once says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from checks.types import FloatArray

MOST = 8
"""Categories that are watched one by one; the rest is one."""

LEAST_SHARE = 0.01
"""Of the baseline's answers: what is named less often belongs to the rest."""

OTHER = ""
"""The name of the rest: no label is empty."""

NONE = -1


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The labels that were named, in order of first appearance, and which [runs, examples]; -1: none.

    ``at_h`` [runs]: when the runs started, hours.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]
    at_h: FloatArray


def empty(examples: int) -> Vocabulary:
    """No run seen."""
    return Vocabulary((), np.zeros((0, examples), dtype=np.int64), np.zeros(0))


def collect(known: Vocabulary, labels: Mapping[int, str], at_h: float) -> Vocabulary:
    """The vocabulary with one more run; ``labels`` maps an example's position to its label."""
    names = dict.fromkeys(known.names)
    for position in sorted(labels):
        names.setdefault(labels[position])
    code = {name: i for i, name in enumerate(names)}
    row = np.full((1, known.codes.shape[1]), NONE, dtype=np.int64)
    for position, label in labels.items():
        row[0, position] = code[label]
    return Vocabulary(tuple(names), np.vstack([known.codes, row]), np.append(known.at_h, at_h))


def categories(known: Vocabulary) -> tuple[str, ...]:
    """What is watched: the most frequent labels, at most :data:`MOST`, sorted; then :data:`OTHER` if it is frequent."""
    counts = np.bincount(known.codes[known.codes >= 0], minlength=len(known.names))
    least = LEAST_SHARE * counts.sum()
    ranked = sorted((-int(count), name) for count, name in zip(counts, known.names, strict=True))
    single = sorted(name for count, name in ranked[:MOST] if -count >= least)
    rest = counts.sum() - sum(-count for count, name in ranked if name in single)
    return (*single, OTHER) if rest >= max(least, 1.0) else tuple(single)


def indicators(watched: tuple[str, ...], labels: Mapping[int, str], examples: int) -> FloatArray:
    """The row [categories * examples] of one run; a label of no category counts as none of them.

    >>> indicators(("a", OTHER), {0: "a", 2: "new"}, 3)
    array([ 1., nan,  0.,  0., nan,  1.])
    """
    place = {name: i for i, name in enumerate(watched)}
    rows = np.full((len(watched), examples), np.nan)
    for position, label in labels.items():
        rows[:, position] = 0.0
        at = place.get(label, place.get(OTHER))
        if at is not None:
            rows[at, position] = 1.0
    return rows.ravel()


def shares(rows: FloatArray, categories: int) -> FloatArray:
    """The share of each category among the answers of rows [runs, categories * examples]: one per column of them.

    >>> shares(np.array([[1.0, 0.0, 0.0, np.nan]]), 2)
    array([0.5, 0.5, 0. , 0. ])
    """
    blocks = rows.reshape(len(rows), categories, -1)
    out: FloatArray = np.repeat(np.nanmean(blocks, axis=(0, 2)), blocks.shape[2])
    return out
