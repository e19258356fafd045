"""What do checks say, run after run? Folds over runs, for the tests of several checks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from checks import judge
from checks.base import Answer
from checks.types import Measurement, Subject

PERIOD_H = 50.0
"""Hours per false page that the tests of the budget allow."""


def answers(check, subject: Subject, runs: Iterable[Measurement], *, share: float) -> list[Answer]:
    """One check's answer after each run."""
    state, found = check.initial(subject), []
    for one in runs:
        state, answer = check.update(subject, state, one, share=share, learn=True)
        found.append(answer)
    return found


def judgements(subject: Subject, runs: Iterable[Measurement]):
    """The state of all checks after the last run, and the judgement after each."""
    state, said = judge.initial(subject), []
    for one in runs:
        state, judgement = judge.judge(subject, state, one)
        said.append(judgement)
    return state, said


def pages(found: Iterable[Answer]) -> int:
    """How often an answer stands where the one before did not."""
    standing = [False, *(answer.standing for answer in found)]
    return sum(now and not before for before, now in pairwise(standing))


def healthy_pages(check, subject: Subject, run, family: str, drawn, *, salt: int, hours: int) -> int:
    """How often a check with the whole budget pages over a run an hour of a healthy family.

    Args:
        check: as it is registered.
        subject: what it watches.
        run: makes a measurement of a number, a seed and what was drawn.
        family: its length seeds the draws too.
        drawn: gives what ``run`` is told of each hour, from a generator.
        salt: a seed of the test's own.
        hours: how many runs.
    """
    rng = np.random.default_rng([salt, len(family)])
    runs = (run(t, seed=len(family), **drawn(rng)) for t in range(1, hours + 1))
    return pages(answers(check, subject, (replace(one, period_h=PERIOD_H) for one in runs), share=1.0))


def kept_and_folded(subject: Subject, runs: Iterable[Measurement]):
    """The judgements of a state that is dumped and loaded before every run, and those of one that never is."""
    kept, mine = judge.initial(subject), []
    runs = list(runs)
    for one in runs:
        before = judge.load(judge.dump(kept))
        assert before is not None
        kept, judgement = judge.judge(subject, before, one)
        mine.append(judgement)
    return mine, judgements(subject, runs)[1]
