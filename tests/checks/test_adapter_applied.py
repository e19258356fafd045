"""Is a fine-tune that answers like its base model found, before the baseline and after it, and only then?"""

from __future__ import annotations

import numpy as np
import pytest

from checks import judge
from checks.adapter_applied import ALIKE, CHECK, STEADY, indistinguishable, turned_ratio
from checks.types import Measurement, Subject, Verdict
from tests.checks import folds

EXAMPLES = 120
SAME = np.arange(EXAMPLES) % 3 == 0
"""Where the fine-tune has always answered what its base model answers."""


def about(**more) -> Subject:
    given = {"examples": EXAMPLES, "scorers": ("label",), "slices": {}, "reference": True, "baseline_runs": 5}
    return Subject(**{**given, **more})


def run(number, *, base=0.0, jitter=0.0, steady=1.0, known=EXAMPLES, seed=0) -> Measurement:
    """A run whose requests are answered by the base model at the rate ``base``; ``jitter`` turns answers by chance."""
    rng = np.random.default_rng([number, seed])
    turned = rng.random(EXAMPLES) < max(base, jitter)
    alike = np.where(SAME, rng.random(EXAMPLES) >= jitter, turned).astype(float)
    alike[known:] = np.nan
    repeats = np.where(np.isnan(alike), np.nan, np.random.default_rng(seed).random(EXAMPLES) < steady)
    right = (np.random.default_rng([number, seed, 1]).random(EXAMPLES) < 0.9).astype(float)
    return Measurement(
        run=number,
        started_at=3600.0 * number,
        measured=True,
        scores={"label": right},
        answered=np.ones(EXAMPLES, dtype=bool),
        latency_s=np.full(EXAMPLES, np.nan),
        observed={ALIKE: alike, STEADY: repeats},
    )


def answers(runs, subject=None):
    """The check's answer after each run."""
    return folds.answers(CHECK, subject or about(), runs, share=0.1)


HEALTHY = [run(i) for i in range(1, 9)]


def test_a_lost_adapter_is_found_at_the_second_run() -> None:
    """One run is suspect and asks for another; the second is a regression since the first, with the count in words."""
    found = answers([*HEALTHY, run(9, base=1.0), run(10, base=1.0)])
    assert [a.findings[0].verdict for a in found[5:]] == [
        *[Verdict.OK] * 3, Verdict.SUSPECT, Verdict.REGRESSED
    ]  # fmt: skip
    assert found[-2].suspect
    assert (found[-1].standing, found[-1].onset_run) == (True, 9)
    last = found[-1].findings[0]
    assert last.reason == "adapter not applied: 120 of 120 answers are the base model's (usual: 40)"
    assert last.interval[0] < last.effect < last.interval[1]


@pytest.mark.parametrize("part", [0.2, 0.5])
def test_a_part_of_the_requests_is_told_and_does_not_page(part: float) -> None:
    """Half the answers, as from one replica of two or a weaker adapter, is quality's to page; here it is only said."""
    found = answers([*HEALTHY, *(run(i, base=part) for i in range(9, 29))])
    assert not any(a.standing for a in found)
    assert "part of the requests, or a weaker adapter" in found[-1].findings[0].reason


def test_it_ends_when_the_adapter_is_back() -> None:
    """Loaded again, the regression is over within a few runs."""
    found = answers([*HEALTHY, *(run(i, base=1.0) for i in range(9, 13)), *(run(i) for i in range(13, 33))])
    assert found[11].standing
    assert not found[-1].standing
    assert found[-1].findings[0].verdict is Verdict.OK


def test_an_adapter_that_never_loaded_is_told_before_there_is_a_baseline() -> None:
    """The second run whose answers are all the base model's is a regression since the first."""
    found = answers([run(1, base=1.0), run(2, base=1.0)])
    assert [a.findings[0].verdict for a in found] == [Verdict.SUSPECT, Verdict.REGRESSED]
    assert found[-1].onset_run == 1
    assert "never applied" in found[-1].findings[0].reason
    assert all(a.unfit for a in found)


def test_nothing_is_learnt_from_runs_without_the_adapter() -> None:
    """Six runs of the base model leave every baseline empty; learning begins after the first run that is not."""
    subject = about()
    state, verdicts = judge.initial(subject), []
    for i in range(1, 14):
        state, judged = judge.judge(subject, state, run(i, base=1.0 if i < 7 else 0.0))
        verdicts.append(judged.verdict)
    assert verdicts == [Verdict.SUSPECT, *[Verdict.REGRESSED] * 5, *[Verdict.LEARNING] * 6, Verdict.OK]
    quality = state.checks["quality"]
    assert [int(r) for r in next(iter(quality.scorers.values())).learnt[:5]] == [8, 9, 10, 11, 12]


def test_a_fine_tune_that_changes_little_is_not_called_unloaded() -> None:
    """Four answers of 120 that are its own tell it from its base model."""
    alike = np.ones(EXAMPLES)
    alike[:4] = 0.0
    assert not indistinguishable(alike, np.ones(EXAMPLES))


def test_a_base_model_that_hardly_repeats_itself_tells_nothing() -> None:
    """Where even its own two answers differ, that a third does too is no sign of anything."""
    assert not indistinguishable(np.zeros(EXAMPLES), np.zeros(EXAMPLES))


def test_a_base_model_that_repeats_itself_half_the_time_is_the_yardstick() -> None:
    """The answers are its own twice as often as two of its answers are; that counts as all of them."""
    alike = np.tile([1.0, 0.0], EXAMPLES // 2)
    assert turned_ratio(alike, alike, np.zeros(EXAMPLES)) == 1.0


def test_without_the_base_models_answers_it_is_not_measured() -> None:
    """Too few answers to hold against are inconclusive, and change nothing."""
    found = answers([*HEALTHY, run(9, base=1.0, known=19), run(10, base=1.0, known=19)])
    assert [a.findings[0].verdict for a in found[-2:]] == [Verdict.INCONCLUSIVE] * 2
    assert not found[-1].standing


def test_without_a_reference_it_takes_no_budget() -> None:
    """No base model is known, or fewer than 20 examples: the check does not apply."""
    assert CHECK.initial(about(reference=False)) is None
    assert CHECK.initial(about(examples=19)) is None


def test_a_kept_state_goes_on_like_the_fold_that_was_never_kept() -> None:
    """Dumped and loaded after any run, the judgement is the same."""
    kept, folded = folds.kept_and_folded(about(), (run(i, base=1.0 if i > 10 else 0.0) for i in range(1, 15)))
    assert kept == folded


FAMILIES = {
    "independent": lambda rng: {"jitter": 0.05},
    "restless": lambda rng: {"jitter": 0.05 + rng.gamma(1.0, 0.05)},
    "unsteady base": lambda rng: {"jitter": 0.1, "steady": 0.6},
    "glitches": lambda rng: {"jitter": 0.02, "base": 0.7 * (rng.random() < 0.02)},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_healthy_answers_page_no_oftener_than_the_budget(family: str) -> None:
    """A baseline of five runs is reused for ever; pages stay within one per 50 hours."""
    hours = 600
    found = folds.healthy_pages(CHECK, about(), run, family, FAMILIES[family], salt=23, hours=hours)
    assert found <= hours / folds.PERIOD_H
