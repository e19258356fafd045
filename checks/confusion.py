"""Which label is taken for which, and which pair moved? The confusion matrix of a run beside its baseline's.

Rows are the labels that are expected, columns those that the answers named; an answer that names none, or several,
counts as :data:`NONE`. The baseline's matrix is the mean over its runs. A pair (expected, named) moved where more
examples are answered that way than were in most baseline runs, beyond chance: a sign test over the examples that
changed, in the manner of McNemar (*Psychometrika* 12, 1947). It describes, after a check has found a change, and spends
none of the false-alarm budget.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from checks.causes.facts import rose
from checks.types import Example, FloatArray

NONE = ""
"""The column of the answers that name no label, or several."""

MOST_LABELS = 12
"""Labels that are shown; the rest is too much for a table."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run named: a label by position, and scores float [examples], NaN where nothing could be scored."""

    labels: Mapping[int, str]
    scores: FloatArray


@dataclass(frozen=True, slots=True)
class Moved:
    """A pair that moved: so many of ``of`` answers are named so ``now``, in the mean of the baseline ``was``."""

    expected: str
    named: str
    was: float
    now: int
    of: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """The matrix. ``labels`` are the rows, the most frequent first; ``columns`` are they and, where seen, others.

    ``now`` and ``was`` are float [rows, columns]: examples in this run, and in the mean of the baseline's runs.
    ``moved`` are the pairs off the diagonal that grew, the most first.
    """

    labels: tuple[str, ...]
    columns: tuple[str, ...]
    now: FloatArray
    was: FloatArray
    moved: tuple[Moved, ...]


def expected_label(example: Example) -> str | None:
    """The label that is expected, the first of several; None where it is no text."""
    wanted = example.expected
    if isinstance(wanted, list | tuple) and wanted:
        wanted = wanted[0]
    return wanted if isinstance(wanted, str) else None


def confusion(examples: Sequence[Example], now: Seen, baseline: Sequence[Seen]) -> Confusion | None:
    """The confusion matrix of a run beside its baseline's; None where the answers name no expected label.

    Args:
        examples: the golden set's.
        now: the run.
        baseline: the runs that say what is usual; none is no comparison.
    """
    named = {word.casefold(): word for seen in (*baseline, now) for word in seen.labels.values()}
    wanted = [expected_label(example) for example in examples]
    truth = {i: named.get(w.strip().casefold(), w) for i, w in enumerate(wanted) if w is not None}
    if not named or not set(truth.values()) & set(named.values()):
        return None
    answered = [i for i in truth if not np.isnan(now.scores[i])]
    counts = Counter(truth[i] for i in answered)
    labels = tuple(
        word for word, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MOST_LABELS]
    )
    said = {i: now.labels.get(i, NONE) for i in answered}
    usual = {i: _usual(i, baseline) for i in answered}
    cells = Counter((truth[i], said[i]) for i in answered)
    before = [
        Counter((truth[i], seen.labels.get(i, NONE)) for i in answered if not np.isnan(seen.scores[i]))
        for seen in baseline
    ]
    others = {column for counter in (cells, *before) for _, column in counter} - set(labels)
    columns = (*labels, *sorted(others - {NONE})[: MOST_LABELS - len(labels)], *({NONE} & others))
    was = {pair: sum(c[pair] for c in before) / max(len(before), 1) for pair in set(cells).union(*before)}
    moved = []
    for pair, count in cells.items():
        gained = sum(1 for i in answered if (truth[i], said[i]) == pair and usual[i] != pair[1])
        lost = sum(1 for i in answered if (truth[i], usual[i]) == pair and said[i] != pair[1])
        if baseline and pair[0] != pair[1] and rose(gained, lost):
            moved.append(Moved(*pair, was[pair], count, counts[pair[0]]))
    moved.sort(key=lambda one: (one.was - one.now, one.expected, one.named))
    return Confusion(
        labels, columns, _table(labels, columns, cells), _table(labels, columns, was), tuple(moved)
    )


def _usual(position: int, baseline: Sequence[Seen]) -> str | None:
    """What the example is mostly named in the baseline; None where that is not known."""
    names = Counter(
        seen.labels.get(position, NONE) for seen in baseline if not np.isnan(seen.scores[position])
    )
    name, count = names.most_common(1)[0] if names else (None, 0)
    return name if 2 * count > names.total() else None


def _table(
    labels: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[str, str], float]
) -> FloatArray:
    return np.array([[cells.get((row, column), 0) for column in columns] for row in labels], dtype=float)
