"""Which label is taken for which, and which pair moved? The confusion matrix of a run beside its baseline's.

Rows are the labels that are expected, columns those that the answers named; an answer that names none, or several,
counts as :data:`NONE`. The baseline's matrix is the mean over its runs. A pair (expected, named) moved where more
examples are answered that way than were in most baseline runs, beyond chance: a sign test over the examples that
changed, in the manner of McNemar (*Psychometrika* 12, 1947). It describes, after a check has found a change, and spends
none of the false-alarm budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from checks.causes.facts import rose
from checks.types import BoolArray, Example, FloatArray

Codes: TypeAlias = NDArray[np.int64]

NONE = ""
"""The column of the answers that name no label, or several."""

MOST_LABELS = 12
"""Labels that are shown; the rest is too much for a table."""


_UNKNOWN = -1


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
    named = {word for seen in (*baseline, now) for word in seen.labels.values()}
    folded = {word.casefold(): word for word in sorted(named)}
    wanted = [expected_label(example) for example in examples]
    truth = {
        i: word if word in named else folded.get(word.strip().casefold(), word)
        for i, word in enumerate(wanted)
        if word is not None and word.strip()
    }
    if not named & set(truth.values()):
        return None
    words = sorted({*named, *truth.values()} - {NONE})
    code = {word: k for k, word in enumerate([NONE, *words])}
    wants = np.full(len(examples), _UNKNOWN)
    wants[list(truth)] = [code[word] for word in truth.values()]
    runs = np.array([_codes(seen, code) for seen in (now, *baseline)])
    known = (wants != _UNKNOWN) & (runs[0] != _UNKNOWN)
    size = len(code)
    usual = _usual(runs[1:], size)
    cells = _count(wants, runs[0], known, size)
    before = [_count(wants, row, known & (row != _UNKNOWN), size) for row in runs[1:]]
    was = np.sum(before, axis=0) / max(len(before), 1) if before else np.zeros((size, size))
    totals = cells.sum(axis=1)
    label_of = [NONE, *words]
    moved = []
    for wanted, said in zip(*np.nonzero(cells > was), strict=True):
        if wanted == said or not baseline:
            continue
        mine, now_so, was_so = known & (wants == wanted), runs[0] == said, usual == said
        gained, lost = int((mine & now_so & ~was_so).sum()), int((mine & ~now_so & was_so).sum())
        if rose(gained, lost):
            cell = wanted, said
            moved.append(
                Moved(
                    label_of[wanted], label_of[said], float(was[cell]), int(cells[cell]), int(totals[wanted])
                )
            )
    moved.sort(key=lambda one: (one.was - one.now, one.expected, one.named))
    rows: list[int] = np.flatnonzero(totals).tolist()
    rows = sorted(rows, key=lambda k: (-int(totals[k]), label_of[k]))[:MOST_LABELS]
    there: list[int] = np.flatnonzero((cells + was).any(axis=0)).tolist()
    others = [k for k in there if k not in rows and k]
    columns: list[int] = [*rows, *others[: MOST_LABELS - len(rows)], *([0] if 0 in there else [])]
    return Confusion(
        tuple(label_of[k] for k in rows),
        tuple(label_of[k] for k in columns),
        cells[np.ix_(rows, columns)].astype(float),
        was[np.ix_(rows, columns)].astype(float),
        tuple(moved),
    )


def _codes(seen: Seen, code: Mapping[str, int]) -> Codes:
    """What a run named, int64 [examples]: 0 for no label, :data:`_UNKNOWN` where nothing could be scored."""
    found = np.zeros(len(seen.scores), dtype=np.int64)
    found[list(seen.labels)] = [code[word] for word in seen.labels.values()]
    found[np.isnan(seen.scores)] = _UNKNOWN
    return found


def _usual(runs: Codes, size: int) -> Codes:
    """What each example is named in more than half of the runs that know it; :data:`_UNKNOWN` where none is."""
    if not len(runs):
        return np.full(runs.shape[1], _UNKNOWN)
    counts = np.array([(runs == k).sum(axis=0) for k in range(size)])
    best = counts.argmax(axis=0)
    return np.where(2 * counts.max(axis=0) > counts.sum(axis=0), best, _UNKNOWN)


def _count(wants: Codes, said: Codes, known: BoolArray, size: int) -> Codes:
    pairs = wants[known] * size + said[known]
    return np.bincount(pairs, minlength=size * size).reshape(size, size)
