"""Is a state that was bad before told when it comes again, and never by chance?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from checks.known_bad import AGAIN, CHECK, STATE_RUN
from checks.types import Measurement, Subject, Verdict
from tests.checks import folds

EXAMPLES = 60
SUBJECT = Subject(EXAMPLES, ("label",), {}, reference=True, baseline_runs=6)


def run(number, share=0.0, *, known=EXAMPLES, after_h=1.0):
    """A run of which this share of the answers that were bad in run 7 are bad so again; ``after_h`` apart."""
    row = np.full(EXAMPLES, np.nan)
    row[:known] = np.arange(known) < round(share * known)
    return Measurement(
        run=number,
        started_at=3600.0 * number * after_h,
        measured=True,
        scores={"label": np.ones(EXAMPLES)},
        answered=np.ones(EXAMPLES, dtype=bool),
        latency_s=np.full(EXAMPLES, np.nan),
        observed={AGAIN: row},
        judged={STATE_RUN: np.array([7.0])},
    )


def answers(runs):
    return folds.answers(CHECK, SUBJECT, runs, share=0.05)


def test_the_state_is_told_at_the_third_run() -> None:
    """One run and the two replays that follow it: suspect, suspect, regressed since the first of them."""
    found = answers([*(run(i, 0.01) for i in range(10, 20)), *(run(i, 1.0) for i in (20, 21, 22))])
    assert [a.findings[0].verdict for a in found[-4:]] == [
        Verdict.OK, Verdict.SUSPECT, Verdict.SUSPECT, Verdict.REGRESSED
    ]  # fmt: skip
    assert (found[-1].onset_run, found[-2].suspect) == (20, True)
    assert found[-1].findings[0].reason == (
        "back in a state that was bad before: 60 of 60 answers that changed in run 7, which had regressed, are as "
        "they were there"
    )


def test_it_ends_when_the_answers_are_others() -> None:
    """Half of them at least keep the page; fewer end it."""
    shares = [0.0] * 10 + [1.0] * 4 + [0.6, 0.1, 0.0]
    found = answers([run(10 + i, share) for i, share in enumerate(shares)])
    assert [a.standing for a in found[-4:]] == [True, True, False, False]


def test_part_of_the_state_does_not_page() -> None:
    """However long it lasts: a part is another state."""
    found = answers([run(i, 0.0 if i < 20 else 0.7) for i in range(10, 60)])
    assert not any(a.standing for a in found)


def test_nothing_is_said_where_too_few_answers_tell() -> None:
    """No earlier regression, an outage, texts that are gone: no finding, and what stood stands."""
    runs = [run(10 + i, float(i > 9)) for i in range(14)]
    found = answers([*runs, run(24, 0.0, known=4), replace(run(25), observed={})])
    assert [a.findings for a in found[-2:]] == [(), ()]
    assert found[-1].standing
    assert CHECK.initial(replace(SUBJECT, reference=False)) is None


@pytest.mark.parametrize("usual", [0.0, 0.05, 0.3])
def test_healthy_answers_page_no_oftener_than_the_budget(usual: float) -> None:
    """A model that answers so now and then, sometimes in most of a run: within one page per 50 hours."""
    rng, hours, runs = np.random.default_rng(3), 2000, []
    for t in range(1, hours + 1):
        share = 1.0 if rng.random() < 0.01 else rng.binomial(EXAMPLES, usual) / EXAMPLES
        runs.append(replace(run(t, share), period_h=folds.PERIOD_H))
    assert folds.pages(folds.answers(CHECK, SUBJECT, runs, share=1.0)) <= hours / folds.PERIOD_H
