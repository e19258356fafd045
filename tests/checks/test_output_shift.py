"""Length, refusals, labels and format, judged two-sided."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from checks.output_shift import CHECK
from checks.types import Measurement, Subject, Verdict
from tests.checks.folds import judgements, kept_and_folded

EXAMPLES = 100
NAMES = ("billing", "bug", "login", "shipping")
USUAL = np.random.default_rng(5).dirichlet(np.full(4, 0.15), EXAMPLES)
LENGTHS = np.random.default_rng(6).normal(4.0, 0.8, EXAMPLES)


def about(**more):
    return Subject(**{"examples": EXAMPLES, "scorers": ("label",), "slices": {}, "baseline_runs": 10, **more})


def run(
    number,
    *,
    towards=None,
    longer=1.0,
    refused=0.01,
    broken=0.0,
    silent=0.0,
    seed=0,
    drift=0.0,
    scorer="label",
):
    """A run whose scores never change; ``towards`` moves the labels of that share of examples to the first label."""
    rng = np.random.default_rng([number, seed])
    odds = USUAL * np.exp(drift * np.array([1.0, 0.0, 0.0, 0.0]))
    named = (rng.random((EXAMPLES, 1)) > (odds / odds.sum(1, keepdims=True)).cumsum(1)).sum(1).clip(max=3)
    named[rng.random(EXAMPLES) < (towards or 0.0)] = 0
    answered = rng.random(EXAMPLES) >= silent
    nan = np.where(answered, 0.0, np.nan)
    malformed = answered & (rng.random(EXAMPLES) < broken)
    labelled = np.flatnonzero(answered & ~malformed)
    chars = np.exp(LENGTHS + 0.1 * rng.standard_normal(EXAMPLES) + 0.2 * drift) * longer
    return Measurement(
        run=number,
        started_at=3600.0 * number,
        measured=True,
        scores={scorer: np.ones(EXAMPLES) + nan},
        answered=answered,
        latency_s=np.full(EXAMPLES, np.nan),
        observed={"length": chars + nan, "refusal": (rng.random(EXAMPLES) < refused) + nan},
        labels={scorer: {int(i): NAMES[named[i]] for i in labelled}},
        malformed={scorer: tuple(np.flatnonzero(malformed).tolist())},
    )


def healthy(count, start=1, **more):
    return [run(start + i, **more) for i in range(count)]


def finding(judgement, name):
    return next(f for f in judgement.findings if f.check == "output_shift" and f.scorer == name)


def after(subject=None, count=10, **broken):
    """What is said after 20 healthy runs and some broken ones."""
    return judgements(subject or about(), [*healthy(20), *[run(21 + i, **broken) for i in range(count)]])[1]


@pytest.mark.parametrize(
    ("broken", "name", "words", "sign"),
    [
        ({"longer": 1.6}, "length", "longer answers", 1),
        ({"longer": 0.6}, "length", "shorter answers", -1),
        ({"refused": 0.3}, "refusal", "more refusals", 1),
        ({"broken": 0.3}, "label.format", "more answers that cannot be read in the expected form", 1),
        ({"towards": 0.5}, "label.labels", 'names "billing" more often', 1),
    ],
)
def test_a_change_of_the_outputs_pages_by_itself(broken, name, words, sign):
    """With every score as before, the one stream that moved is regressed, from its first bad run, and says how."""
    said = after(**broken)
    assert said[-1].verdict is Verdict.REGRESSED
    regressed = {f.scorer: f for f in said[-1].findings if f.verdict is Verdict.REGRESSED}
    assert set(regressed) == {name}
    found = regressed[name]
    assert found.onset_run in (21, 22)
    assert found.reason == f"{words}, since run {found.onset_run}"
    assert found.effect * sign > 0
    assert found.interval[0] <= found.effect <= found.interval[1]
    assert (found.current - found.baseline) * sign > 0


def test_fewer_refusals_page_too():
    """A model that answers what it used to refuse is found: the other side of the same stream."""
    runs = [*healthy(30, refused=0.4), *healthy(12, start=31, refused=0.02)]
    found = finding(judgements(about(), runs)[1][-1], "refusal")
    assert (found.verdict, found.effect < 0) == (Verdict.REGRESSED, True)
    assert found.reason.startswith("fewer refusals")


def test_length_is_told_relative_and_in_characters():
    """Sixty percent longer is +0.6, and what it was and is are characters."""
    found = finding(after(longer=1.6)[-1], "length")
    assert found.effect == pytest.approx(0.6, abs=0.1)
    assert found.current > found.baseline > 30


def test_a_twentieth_longer_is_granted():
    """Nobody is woken for five percent."""
    assert not any(j.verdict is Verdict.REGRESSED for j in after(longer=1.05, count=40))


def test_no_single_run_pages():
    """However far one run lies off, a second must agree."""
    said = after(longer=3.0, refused=1.0, towards=1.0, count=1)
    assert said[-1].verdict is Verdict.SUSPECT
    assert said[-1].suspect


def test_what_never_happened_is_not_spoken_of():
    """No refusal and no format failure was ever seen: no finding of them stands in the way of the rest."""
    said = judgements(about(), healthy(12, refused=0.0))[1]
    assert {f.scorer for f in said[-1].findings if f.check == "output_shift"} == {"length", "label.labels"}


def test_lengths_that_were_not_kept_are_learnt_later():
    """An imported baseline holds no lengths: the run's verdict is that of its scores, and lengths learn from there."""
    imported = [replace(one, observed={}) for one in healthy(10)]
    said = judgements(about(), [*imported, *healthy(14, start=11)])[1]
    assert finding(said[11], "length").verdict is Verdict.LEARNING
    assert said[11].verdict is Verdict.OK
    assert finding(said[-1], "length").verdict is Verdict.OK


def test_it_is_over_when_the_outputs_are_as_before():
    """A change of length resolves after some runs at the old length, and an outage in between resolves nothing."""
    dark = replace(run(27), answered=np.zeros(EXAMPLES, dtype=bool))
    runs = [*healthy(20), *[run(21 + i, longer=2.0) for i in range(6)], dark, *healthy(6, start=28)]
    said = judgements(about(), runs)[1]
    assert said[26].standing
    assert [said[25].verdict, said[-1].verdict] == [Verdict.REGRESSED, Verdict.OK]


def test_a_change_below_the_smallest_effect_is_reported_and_not_paged():
    """Refusals of a tenth more are certain, and with a smallest effect of 30 points nobody is paged for them."""
    subject = about(smallest_effect=0.3)
    said = after(subject, refused=0.12, count=30)
    assert not any(j.verdict is Verdict.REGRESSED or j.standing for j in said)
    assert "less than the 30 points that are worth a page" in finding(said[-1], "refusal").reason
    assert after(about(smallest_effect=0.05), refused=0.3)[-1].verdict is Verdict.REGRESSED


def test_a_kept_state_goes_on_like_the_fold_that_was_never_kept():
    """Through bytes and back after every run, the judgements are the same to the last bit."""
    runs = [*healthy(16, silent=0.03, broken=0.02), *[run(17 + i, longer=1.6, towards=0.4) for i in range(4)]]
    kept, folded = kept_and_folded(about(), runs)
    assert kept == folded


def test_the_order_of_the_scorers_changes_nothing():
    """Two scorers in either order are judged alike."""
    runs = healthy(16, broken=0.02)
    both = [
        replace(
            one,
            scores={"a": one.scores["label"], "b": one.scores["label"] * 0.5},
            labels={"a": one.labels["label"]},
            malformed={"b": one.malformed["label"]},
        )
        for one in runs
    ]

    def said(scorers):
        last = judgements(about(scorers=scorers), both)[1][-1]
        return sorted(map(str, last.findings))

    assert said(("a", "b")) == said(("b", "a"))


FAMILIES = {
    "independent": lambda rng, t: {},
    "autoregressive": None,
    "daily cycle": lambda rng, t: {"drift": 0.3 * np.sin(2 * np.pi * t / 24)},
    "missing": lambda rng, t: {"silent": rng.uniform(0, 0.1)},
    "glitches": lambda rng, t: {"drift": 1.0 if rng.random() < 0.01 else 0.0},
}


@pytest.mark.parametrize("family", list(FAMILIES))
def test_healthy_outputs_page_no_oftener_than_the_budget(family):
    """A baseline of ten runs is reused for ever; the pages of all streams together stay within one per 50 hours."""
    subject, period_h, hours = about(), 50.0, 400
    rng = np.random.default_rng([17, len(family)])
    pages, walk, state = 0, 0.0, CHECK.initial(subject)
    standing: Counter[str] = Counter()
    for t in range(1, hours + 1):
        walk = 0.6 * walk + 0.2 * rng.standard_normal()
        more = {"drift": walk} if family == "autoregressive" else FAMILIES[family](rng, t)
        one = replace(run(t, seed=3, broken=0.01, **more), period_h=period_h)
        state, _ = CHECK.update(subject, state, one, share=1.0, learn=True)
        now = Counter({name: 1 for name, stream in state.streams.items() if stream.standing})
        pages += sum((now - standing).values())
        standing = now
    assert pages <= hours / period_h


def structured(one, *, drifted=0.0, other=0.0, text=0.0, seed=0):
    """The run with JSON answers: ``drifted`` of them have a new field; ``other`` one of two usual optional ones."""
    rng = np.random.default_rng([one.run, seed, 3])
    kinds = np.where(rng.random(EXAMPLES) < other, rng.integers(1, 3, EXAMPLES), 0.0)
    kinds = np.where(rng.random(EXAMPLES) < drifted, 9.0, kinds)
    kinds[rng.random(EXAMPLES) < text] = np.nan
    return replace(one, observed={**one.observed, "structure": kinds})


def test_a_field_that_nobody_scores_is_found() -> None:
    """All scores stay at 1; a field that appears in a tenth of the answers pages, and it is said what changed."""
    runs = [structured(one, other=0.3) for one in healthy(20)]
    runs += [structured(one, other=0.3, drifted=0.1) for one in healthy(6, 21)]
    _, said = judgements(about(), runs)
    assert not any(j.standing or j.suspect for j in said[:20])
    assert said[-1].standing
    (found,) = [f for f in said[-1].findings if f.scorer == "structure"]
    assert found.reason is not None
    assert (found.verdict, found.onset_run) == (Verdict.REGRESSED, 21)
    assert found.reason.startswith("more answers with other fields")
    assert found.baseline == pytest.approx(0.0, abs=0.01)


def test_a_structure_of_every_answer_pages_at_the_second_run() -> None:
    """One run is suspect; the second agrees."""
    runs = [structured(one) for one in healthy(12)] + [structured(one, drifted=1.0) for one in healthy(2, 13)]
    _, said = judgements(about(), runs)
    assert [j.standing for j in said[-2:]] == [False, True]
    assert said[-2].suspect


def test_usual_optional_fields_page_nobody() -> None:
    """Fields that come and go, and answers that are no JSON now and then, are usual where they were in the baseline."""
    runs = [structured(one, other=0.4, text=0.1, drifted=0.01) for one in healthy(300)]
    _, said = judgements(about(), runs)
    assert not any(j.standing for j in said)


def test_answers_that_are_no_json_have_no_structure() -> None:
    """Their streams keep the whole budget: none is added."""
    state, _ = judgements(about(), healthy(3))
    assert "structure" not in state.checks["output_shift"].streams
