"""Is a gap between new and known wording told, and paged when it widens, and only then?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from checks import judge
from checks.generalization import CHECK, TWINS, gaps_of
from checks.types import Example, Gap, Measurement, Origin, Subject, Verdict
from tests.checks import folds

KNOWN, NEW = 120, 60
EXAMPLES = [
    *(Example(f"t{i}", f"t{i}", origin=Origin.TRAIN) for i in range(KNOWN)),
    *(Example(f"n{i}", f"n{i}", origin=Origin.NOVEL) for i in range(NEW)),
]
NAME = "origin=novel"
USUAL = np.random.default_rng(3).beta(8.0, 0.8, KNOWN + NEW)


def about(**more) -> Subject:
    return Subject(
        **{"examples": len(EXAMPLES), "scorers": ("label",), "slices": {}, "gaps": gaps_of(EXAMPLES), **more}
    )


def run(number, *, new=0.0, known=0.0, both=0.0, seed=0, silent=()) -> Measurement:
    """A run; ``new``, ``known`` and ``both`` are the shares of right answers that are lost there."""
    rng = np.random.default_rng([number, seed])
    lost = np.where(np.arange(len(EXAMPLES)) < KNOWN, known, new)
    scores = (rng.random(len(EXAMPLES)) < USUAL * (1.0 - lost) * (1.0 - both)).astype(float)
    scores[list(silent)] = np.nan
    return Measurement(
        run=number,
        started_at=3600.0 * number,
        measured=True,
        scores={"label": scores},
        answered=~np.isnan(scores),
        latency_s=np.full(len(EXAMPLES), np.nan),
    )


def told(runs, subject=None):
    """The finding after each run."""
    return [answer.findings[0] for answer in folds.answers(CHECK, subject or about(), runs, share=0.2)]


def test_a_widening_gap_pages() -> None:
    """New wording that loses a third is found within a few runs, with the run it began at and both gaps in words."""
    found = told([run(i) for i in range(1, 21)] + [run(i, new=0.3) for i in range(21, 30)])
    first = next(i for i, f in enumerate(found, 1) if f.verdict is Verdict.REGRESSED)
    assert 22 <= first <= 25
    last = found[-1]
    assert last.slice == NAME
    assert last.onset_run == pytest.approx(21, abs=1)
    assert last.current < last.baseline
    assert last.effect == pytest.approx(last.current - last.baseline)
    assert "novel wording fell behind" in last.reason


def test_what_moves_both_kinds_alike_is_no_gap() -> None:
    """A loss of a fifth everywhere is quality's to tell: the gap stands."""
    found = told([run(i) for i in range(1, 21)] + [run(i, both=0.2) for i in range(21, 41)])
    assert all(f.verdict is not Verdict.REGRESSED for f in found)


def test_a_gap_from_the_beginning_is_told_and_does_not_page() -> None:
    """A fine-tune that never knew other words: the gap with its interval, in words, as a fact."""
    found = told([run(i, new=0.3) for i in range(1, 31)])
    assert {f.verdict for f in found[10:]} <= {Verdict.OK, Verdict.SUSPECT}
    last = found[-1]
    assert last.interval[0] < last.effect < last.interval[1] < 0.0
    assert "novel wording is answered worse by" in last.reason


def test_no_single_run_pages() -> None:
    """One run with a gap wide open is suspect at most."""
    found = told([run(i) for i in range(1, 21)] + [run(21, new=0.9)])
    assert found[-1].verdict is Verdict.SUSPECT


def test_one_kind_alone_says_nothing() -> None:
    """Where only known wording was answered, there is no gap to tell."""
    silent = range(KNOWN, KNOWN + NEW)
    assert told([run(1, silent=silent)])[0].verdict is Verdict.INCONCLUSIVE


def test_it_ends_when_the_gap_is_as_before() -> None:
    """The page goes once the new wording is answered as in the baseline."""
    runs = [run(i) for i in range(1, 21)] + [run(i, new=0.4) for i in range(21, 27)]
    found = told(runs + [run(i) for i in range(27, 60)])
    assert found[25].verdict is Verdict.REGRESSED
    assert found[-1].verdict is Verdict.OK


def test_a_set_without_two_kinds_is_not_watched() -> None:
    """Fewer than 20 of either kind, or no origin at all: the check does not apply and takes no budget."""
    assert gaps_of(EXAMPLES[: KNOWN + 19]) == {}
    assert CHECK.initial(about(gaps={})) is None
    assert CHECK.name not in judge.initial(about(gaps={})).checks


def test_twins_are_held_against_their_originals() -> None:
    """Disturbed examples are new, undisturbed ones of the same group known; the rest takes no part."""
    examples = [Example(f"o{i}", "x", group=f"g{i}") for i in range(20)]
    examples += [Example(f"w{i}", "x", group=f"g{i}", slices={"twin": "typo"}) for i in range(20)]
    gap = gaps_of([*examples, Example("other", "x", group="h")])[TWINS]
    assert (list(gap.new), list(gap.known)) == (list(range(20, 40)), list(range(20)))


def test_twins_that_fail_with_their_originals_leave_little_doubt() -> None:
    """What both of a pair get wrong is no gap: the interval is that of the pairs' differences, by groups."""
    pairs = 200
    gap = Gap(np.arange(pairs, 2 * pairs), np.arange(pairs))
    groups = np.tile(np.arange(pairs), 2)
    subject = Subject(
        examples=2 * pairs, scorers=("label",), slices={}, gaps={TWINS: gap}, groups=groups, baseline_runs=2
    )
    right = np.arange(pairs) % 2 == 0
    scores = np.concatenate([right, right]).astype(float)
    scores[pairs] = 0.0
    one = replace(run(1), scores={"label": scores}, answered=np.ones(2 * pairs, dtype=bool))
    low, high = told([replace(one, run=i, started_at=3600.0 * i) for i in (1, 2, 3)], subject)[-1].interval
    assert -0.02 < low < -0.005 < high < 0.01


def test_a_kept_state_goes_on_like_the_fold_that_was_never_kept() -> None:
    """Dumped and loaded after any run, the judgement is the same."""
    kept, folded = folds.kept_and_folded(about(), (run(i, new=0.5 if i > 20 else 0.0) for i in range(1, 25)))
    assert kept == folded


FAMILIES = {
    "independent": lambda rng: {},
    "shared losses": lambda rng: {"both": rng.gamma(1.0, 0.03)},
    "noisy gap": lambda rng: {"new": max(0.03 * rng.standard_normal() + 0.04, 0.0)},
    "glitches": lambda rng: {"new": 0.4 * (rng.random() < 0.01)},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_healthy_gaps_page_no_oftener_than_the_budget(family: str) -> None:
    """A baseline of ten runs is reused for ever; pages stay within one per 50 hours."""
    hours = 600
    found = folds.healthy_pages(CHECK, about(), run, family, FAMILIES[family], salt=17, hours=hours)
    assert found <= hours / folds.PERIOD_H
