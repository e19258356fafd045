"""What outlives one run in the quality check: the baseline's runs, the onset, the size of a drop."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from checks import judge
from checks.inference import group
from checks.quality import CHECK
from checks.types import Measurement, Subject, Verdict
from tests.checks.folds import judgements

EXAMPLES = 200
RATES = np.clip(np.random.default_rng(3).beta(0.30, 0.075, EXAMPLES), 0.001, 0.999)


def about(**more):
    return Subject(**{"examples": EXAMPLES, "scorers": ("label",), "slices": {}, "baseline_runs": 10, **more})


def run(number, rate, scorers=("label",)):
    scores = {
        name: (np.random.default_rng([number, at]).random(EXAMPLES) < rate).astype(float)
        for at, name in enumerate(sorted(scorers))
    }
    return Measurement(
        number, 3600.0 * number, True, scores, np.ones(EXAMPLES, dtype=bool), np.full(EXAMPLES, np.nan)
    )


def headline(judgement):
    return next(f for f in judgement.findings if f.check == "quality" and f.slice == "all")


def drop(points, count, start=21):
    """Runs that lost so much of the mean."""
    return [run(start + i, RATES * (1 - points / RATES.mean())) for i in range(count)]


def test_a_drop_below_the_smallest_effect_is_reported_and_not_paged():
    """Three points lost for sixty runs are certain; with a smallest effect of eight points nobody is paged."""
    runs = [*[run(i, RATES) for i in range(1, 21)], *drop(0.03, 60)]
    plain, quiet = judgements(about(), runs)[1], judgements(about(smallest_effect=0.08), runs)[1]
    assert plain[-1].verdict is Verdict.REGRESSED
    assert not any(j.standing or j.verdict is Verdict.REGRESSED for j in quiet)
    assert any((headline(j).evidence or 0) >= 1 for j in quiet)
    assert "fell, by less than the 8 points that are worth a page" in {headline(j).reason for j in quiet}


def test_a_drop_that_grows_beyond_the_smallest_effect_pages_and_stays():
    """The small part is not paged, the grown one is, and one better run does not end it."""
    runs = [*[run(i, RATES) for i in range(1, 21)], *drop(0.03, 40), *drop(0.2, 12, 61), *drop(0.03, 1, 73)]
    said = judgements(about(smallest_effect=0.08), runs)[1]
    assert not any(j.standing for j in said[:58])
    assert [said[-2].verdict, said[-1].verdict] == [Verdict.REGRESSED] * 2


def test_a_large_drop_is_paged_as_soon_with_a_smallest_effect_as_without():
    """What is clearly larger is not held back."""
    runs = [*[run(i, RATES) for i in range(1, 21)], *drop(0.2, 4)]
    said = [judgements(about(smallest_effect=least), runs)[1] for least in (None, 0.05)]
    assert [[j.verdict for j in s] for s in said] == [[j.verdict for j in said[0]]] * 2


def test_a_slice_that_lost_much_pages_though_the_whole_lost_little():
    """The size that counts is that of what fell: a tenth of the set lost most of its answers."""
    part = np.arange(EXAMPLES) < 20
    broken = np.where(part, RATES * 0.1, RATES)
    runs = [*[run(i, RATES) for i in range(1, 21)], *[run(21 + i, broken) for i in range(10)]]
    subject = about(slices={"lang=de": part}, smallest_effect=0.2)
    assert judgements(subject, runs)[1][-1].verdict is Verdict.REGRESSED


def test_the_onset_is_known_for_as_long_as_the_drop_stands():
    """After more bad runs than are remembered the first one is still named."""
    state, said = judgements(about(), [*[run(i, RATES) for i in range(1, 21)], *drop(0.3, 4)])
    assert said[-1].onset_run == 21
    watched = state.checks["quality"].scorers["label"]
    many = np.arange(25, 25 + 5 * group.REMEMBERED)
    watched = replace(watched, runs=many, down=replace(watched.down, seen=watched.down.seen + len(many)))
    state = replace(
        state, checks={**state.checks, "quality": type(state.checks["quality"])({"label": watched})}
    )
    _, judged = judge.judge(about(), state, run(int(many[-1]) + 1, RATES * 0.6))
    assert (judged.standing, judged.onset_run) == (True, 21)


def test_the_baseline_names_only_runs_that_it_learnt():
    """Runs under a standing floor are seen and not learnt: they are none of the baseline's."""
    subject = about(floors={"label": 0.7})
    runs = [*[run(i, RATES) for i in (1, 2)], *[run(i, RATES * 0.2) for i in (3, 4, 5)]]
    runs += [run(i, RATES) for i in range(6, 30)]
    watched = judgements(subject, runs)[0].checks["quality"].scorers["label"]
    assert watched.baseline_runs == len(watched.learnt) == 10
    assert 5 not in watched.learnt
    assert watched.learnt.tolist() != watched.runs[:10].tolist()


def test_the_order_of_the_scorers_changes_nothing():
    """Reordering the configuration gives the same findings, to the last bit."""
    names = ("b", "a")
    runs = [run(i, np.round(RATES), names) for i in range(1, 15)] + [
        run(i, np.round(RATES) * 0.9, names) for i in (15, 16)
    ]

    def said(scorers):
        judged = judgements(about(scorers=scorers), runs)[1]
        return [sorted(map(str, j.findings)) for j in judged]

    assert said(("a", "b")) == said(("b", "a"))


def test_what_is_no_check_is_refused_by_name(monkeypatch):
    """An entry point that names something else is told, with what is missing."""
    entry = EntryPoint("mine", "collections:OrderedDict", "goldwatch.checks")
    monkeypatch.setattr(judge, "entry_points", lambda group: (entry,) if group == "goldwatch.checks" else ())
    judge.all_checks.cache_clear()
    try:
        with pytest.raises(TypeError, match=r"mine = collections:OrderedDict.*is no check: it is the class"):
            judge.all_checks()
    finally:
        judge.all_checks.cache_clear()
    assert judge.not_a_check(CHECK, "quality") == []
    assert judge.not_a_check(CHECK, "other") == ["name is not 'other'"]
