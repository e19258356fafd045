"""Is a judge that changed, or went away, told as that, and never as a change of the model?"""

from __future__ import annotations

import asyncio
from zipfile import ZipFile

import numpy as np
import pytest

from checks import judge
from checks.judge_drift import COUNTS, SCORES
from checks.types import Verdict
from service.acceptance import accept
from service.alerting import AlertKind
from service.bundle.read import opened
from service.bundle.recompute import recompute
from service.bundle.write import export
from service.challengers import ask_due
from service.conclude import subject_of
from service.config import load
from service.demo.endpoint import BASE_MODEL
from service.doctor import Level, Part
from service.doctor.examine import examine
from service.golden import check_lock
from service.history import state_before
from service.metrics_findings import of_judges
from service.pipeline import Shell
from service.rescoring import REASON
from tests.service.pipeline.judged import LABELS, judged, quiet_hours

AGREES = "goldwatch_judge_agreement"


def watched(more: str = ""):
    """A test that is a story of one watch; ``more`` are further lines of the configuration."""

    def made(story):
        def test(tmp_path) -> None:
            async def told():
                async with judged(tmp_path, more) as bench:
                    await story(bench)

            asyncio.run(told())

        test.__name__, test.__doc__ = story.__name__, story.__doc__
        return test

    return made


@pytest.fixture(scope="module")
def go_on(tmp_path_factory):
    """Goes on from five healthy hours."""
    with quiet_hours(tmp_path_factory.mktemp("quiet")) as going_on:
        yield going_on


def after_quiet_hours(story):
    """A test that is a story of one watch, after five healthy hours."""

    def test(go_on, tmp_path) -> None:
        go_on(story, tmp_path)

    test.__name__, test.__doc__ = story.__name__, story.__doc__
    return test


def drift(run):
    return next(f for f in run.judgement.findings if f.check == "judge_drift")


@after_quiet_hours
async def test_a_judge_that_changed_is_told_as_judge_drift_and_not_as_a_regression(bench) -> None:
    """Its findings are inconclusive from the first changed run on, and the alert is one of its own kind."""
    (run,) = await bench.hour()
    assert run.judgement.verdict is Verdict.OK
    assert "agreement with people 100% of 20 anchors" in drift(run).reason
    bench.judge.strict = True
    first, second = await bench.hour()
    assert [r.judgement.verdict for r in (first, second)] == [Verdict.INCONCLUSIVE] * 2
    for run in (first, second):
        quality = {f.verdict for f in run.judgement.findings if f.check == "quality"}
        assert quality == {Verdict.INCONCLUSIVE}
    assert drift(second).onset_run == first.run.id
    assert drift(second).evidence >= 1.0
    assert set(bench.firing()) == {AlertKind.JUDGE}
    assert "the judge changed, not the model" in second.run.reason
    told = {
        labels: value
        for name, labels, value in of_judges(bench.store.judged(second.run.id))
        if name == AGREES
    }
    assert told.keys() == {("judge", "ac1"), ("judge", "kappa")}
    assert all(0.0 < value < 1.0 for value in told.values())


@after_quiet_hours
async def test_a_judge_that_is_itself_again_resolves_its_alert(bench) -> None:
    """Two runs with the anchors scored as before, and its scores count again."""
    bench.judge.strict = True
    await bench.hour()
    bench.judge.strict = False
    for _ in range(6):
        runs = await bench.hour()
        if not bench.firing():
            break
    assert bench.firing() == {}
    assert runs[-1].judgement.verdict is Verdict.OK


@after_quiet_hours
async def test_the_model_that_changed_is_still_a_regression_by_its_judge(bench) -> None:
    """With an unchanged judge, a model that lost its adapter regresses."""
    bench.endpoint.drop_adapter()
    for _ in range(4):
        runs = await bench.hour()
        if runs[-1].judgement.verdict is Verdict.REGRESSED:
            break
    assert runs[-1].judgement.verdict is Verdict.REGRESSED
    assert set(bench.firing()) == {AlertKind.REGRESSION}
    assert drift(runs[-1]).verdict is Verdict.OK


@watched()
async def test_an_answer_that_was_judged_before_costs_nothing(bench) -> None:
    """Of what was asked before, the second run asks the anchors only; all that is asked counts in the day's tokens."""
    await bench.hour()
    before = set(bench.judge.asked)
    bench.judge.asked.clear()
    tokens, _ = bench.store.usage_since("router", 0.0)
    await bench.hour()
    assert len(before.intersection(bench.judge.asked)) == 20
    assert bench.store.usage_since("router", 0.0)[0] - tokens >= 20 * 11


@after_quiet_hours
async def test_a_judge_that_is_out_leaves_scores_missing_and_is_told(bench) -> None:
    """The run is inconclusive, no outage of the model; a second one fires an alert about the judge, which resolves."""
    bench.judge.down = True
    (first,) = await bench.hour()
    assert first.judgement.verdict is Verdict.INCONCLUSIVE
    assert "says nothing about the model" in first.run.reason
    assert first.run.requests.failed == 0
    assert bench.firing() == {}
    (second,) = await bench.hour()
    assert set(bench.firing()) == {AlertKind.JUDGE}
    assert drift(second).onset_run == first.run.id
    bench.judge.down = False
    (third,) = await bench.hour()
    assert third.judgement.verdict is Verdict.OK
    assert bench.firing() == {}


@watched(f"      - {{kind: label, labels: [{', '.join(LABELS)}]}}")
async def test_beside_another_scorer_a_drifting_judge_does_not_hide_the_model(bench) -> None:
    """The other scorer's verdict stands; the judge's findings are inconclusive."""
    for _ in range(5):
        await bench.hour()
    bench.judge.strict = True
    runs = await bench.hour()
    assert runs[-1].judgement.verdict is Verdict.OK
    by_scorer = {(f.scorer, f.verdict) for f in runs[-1].judgement.findings if f.check == "quality"}
    assert ("judge", Verdict.INCONCLUSIVE) in by_scorer
    assert ("label", Verdict.OK) in by_scorer
    assert set(bench.firing()) == {AlertKind.JUDGE}


@after_quiet_hours
async def test_what_was_seen_of_a_judge_is_kept_and_folds_to_the_same_state(bench) -> None:
    """The anchors' scores come back from the store, and history folded anew judges as the live runs did."""
    bench.judge.strict = True
    await bench.hour()
    runs = list(bench.store.measurements("router", bench.store.last_run("router").segment))
    assert len(runs[0].judged[SCORES + "judge"]) == 20
    assert runs[0].judged[COUNTS + "judge"][1:].tolist() == [60.0, 60.0]
    target = bench.config.targets[0]
    about = subject_of(bench.store, target, check_lock(target.golden))
    segment = bench.store.last_run("router").segment
    kept = state_before(bench.store, "router", segment, about)
    fresh = state_before(bench.store, "router", segment, about, fresh=True)
    assert judge.dump(kept) == judge.dump(fresh)


@after_quiet_hours
async def test_a_bundle_of_a_judged_run_is_verified_without_its_judge(bench) -> None:
    """The verdict is made again from what the judge said; the bundle names neither its address nor its model."""
    bench.judge.strict = True
    runs = await bench.hour()
    path, address = bench.folder / "run.zip", bench.judge.address
    target = bench.config.targets[0]
    export(bench.store, target, runs[-1].run.id, path, texts=True, clean=lambda text: text)
    with opened(path) as bundle:
        found = recompute(bundle)
    assert found.differences == ()
    assert found.verdict is Verdict.INCONCLUSIVE
    with ZipFile(path) as archive:
        assert address not in archive.read("subject.json").decode()


@after_quiet_hours
async def test_a_judge_changed_on_purpose_scores_stored_answers_again(bench) -> None:
    """With another ``version`` the baseline is scored by the new judge, and the next run is judged against that: ok."""
    before = bench.store.baseline("router")
    bench.judge.strict = True
    bench.configure(version="version: strict")
    (run,) = await bench.hour()
    assert run.judgement.verdict is Verdict.OK
    quality = next(f for f in run.judgement.findings if f.check == "quality")
    assert quality.baseline == pytest.approx(quality.current, abs=0.05)
    assert quality.current < 0.9
    baseline = bench.store.baseline("router")
    assert (baseline.reason, len(baseline.runs)) == (REASON, len(before.runs))
    assert drift(run).verdict is Verdict.LEARNING
    for _ in range(4):
        (run,) = await bench.hour()
    assert (run.judgement.verdict, drift(run).verdict) == (Verdict.OK, Verdict.OK)
    assert bench.firing() == {}


@after_quiet_hours
async def test_a_model_that_changes_after_its_judge_is_found_at_once(bench) -> None:
    """The baseline that was scored again is a baseline: nothing has to be learnt first."""
    bench.configure(version="version: '2'")
    await bench.hour()
    bench.endpoint.drop_adapter()
    for _ in range(4):
        runs = await bench.hour()
        if runs[-1].judgement.verdict is Verdict.REGRESSED:
            break
    assert set(bench.firing()) == {AlertKind.REGRESSION}


@after_quiet_hours
async def test_without_the_new_judge_stored_answers_are_not_scored_again(bench) -> None:
    """Where it gives no verdicts, the target learns anew; the run is told as the judge's outage."""
    bench.judge.down = True
    bench.configure(version="version: '2'")
    (run,) = await bench.hour()
    assert run.judgement.verdict is Verdict.INCONCLUSIVE
    assert bench.store.baseline("router").runs == ()


@after_quiet_hours
async def test_an_accepted_judge_is_learnt_anew(bench) -> None:
    """While a drift stands, accepting takes none of the runs that the old judge scored."""
    bench.judge.strict = True
    await bench.hour()
    taken = accept(bench.store, bench.config.targets[0], "a new judge", bench.now)
    assert taken.start.runs == 0
    for _ in range(4):
        (run,) = await bench.hour()
    assert run.judgement.verdict is Verdict.OK
    assert bench.firing() == {}


@watched()
async def test_doctor_tells_how_well_a_judge_agrees_with_people(bench) -> None:
    """The anchors are asked once; a judge that agrees is ok, one that gives no verdicts is warned about."""

    async def told():
        said = [d async for d in examine(bench.config, bench.config.targets, {}, examples=5)]
        return [d for d in said if d.part is Part.SCORERS and "anchors" in d.message]

    offline, asked = await told()
    assert offline.message.startswith("judge has 20 anchors: as many requests to its model in every run")
    assert asked.message.startswith("judge: agreement with people 100% of 20 anchors, AC1 1.00 (")
    assert {d.level for d in (offline, asked)} == {Level.OK}
    bench.judge.down = True
    assert [(d.level, d.message) for d in await told()][1] == (
        Level.WARNING,
        "judge gave a verdict on 0 of 20 anchors",
    )


@watched()
async def test_a_challenger_is_judged_by_the_same_judge(bench) -> None:
    """Its answers are put to the judge too, so that both have scores."""
    base = f"{{kind: openai_chat, base_url: '{bench.endpoint.url}', model: {BASE_MODEL}}}"
    path = bench.folder / "goldwatch.yaml"
    path.write_text(
        path.read_text().replace("    golden:", f"    challengers: {{base: {base}}}\n    golden:")
    )
    bench.config = load(path)
    await bench.hour()
    shell = Shell(bench.store, bench.config, clock=lambda: bench.now)
    assert await ask_due(shell, bench.config.targets[0]) == ["base"]
    (compared,) = bench.store.comparisons("router", "base")
    assert not np.isnan(compared.other.scores).any()
    assert compared.other.scores.mean() < compared.tuned.scores.mean()
