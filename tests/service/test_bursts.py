"""When is a target replayed between its ticks?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from checks.inference.bursts import Closeness, Dependence
from checks.types import Finding, ScoreSummary, Verdict
from service.bursts import MOST_PAIRS, Baselining, close_runs, next_burst, rising_at, room_for
from service.config.target_parts import Bursts, Limits, Schedule
from service.cost import Cost
from service.records import Requests, RunKind, RunRecord, RunState

T0 = 1_699_999_200.0  # a full hour
RULE, HOURLY = Bursts(), Schedule(every="1h")
FREE = Closeness(Dependence.INDEPENDENT, 60, 0.0, (-0.1, 0.1))
REPEATING = Closeness(Dependence.DEPENDENT, 20, 0.9, (0.8, 1.0))
UNTESTED = Closeness(Dependence.UNKNOWN, 3)


def run(at: float = T0, evidence: float = 0.3, **more) -> RunRecord:
    """A measured run that took ten seconds."""
    findings = (Finding("quality", "label", "all", Verdict.OK, evidence),)
    made = RunRecord(
        id=int(at - T0) + 1, target="t", kind=RunKind.SCHEDULED, state=RunState.DONE, scheduled_at=at,
        started_at=at, finished_at=at + 10, golden_digest="d", golden_version=1, golden_examples=9,
        segment="s", baseline_id=1, share=1.0, period_h=2160.0, repeats=1, verdict=Verdict.OK, reason=None,
        measured=True, requests=Requests(9), input_tokens=None, output_tokens=None, cost_usd=None, served=None,
        findings=findings,
    )  # fmt: skip
    return replace(made, **more)


def ask(*runs: RunRecord, rule=RULE, schedule=HOURLY, baseline=None, close=FREE, room=99, now=None):
    """The decision, at the time at which the newest run ended."""
    return next_burst(
        rule, schedule, runs, baseline, close, room=room, now=now or max(r.finished_at for r in runs)
    )


def test_rising_evidence_asks_for_a_burst_five_minutes_after_the_run_began() -> None:
    """Evidence of 1/20 brings a burst after `every`; less brings none."""
    assert ask(run()).at == T0 + 300
    assert ask(run(evidence=0.05)).at == T0 + 300
    assert ask(run(evidence=0.049)).at is None


def test_one_bad_run_asks_for_a_burst() -> None:
    """A suspect run asks whatever its evidence: one run alone lifts it to a few percent at most."""
    assert ask(run(evidence=0.03, verdict=Verdict.SUSPECT)).at == T0 + 300


def test_slices_count_together() -> None:
    """The evidence that counts is that of a scorer's streams together, and latency's does not count."""
    halves = tuple(Finding("quality", "label", name, Verdict.OK, 0.03) for name in ("all", "lang=de"))
    assert ask(run(findings=halves)).at == T0 + 300
    assert ask(run(findings=(Finding("latency", None, "all", Verdict.OK, 0.9),))).at is None


def test_no_more_than_eleven_an_hour() -> None:
    """Bursts follow each other to the end of the hour, eleven of them, and the tick has its own run."""
    runs, at, made = [run()], T0 + 10.0, 0
    while at < T0 + 3600:
        decision = ask(*runs, now=at)
        if decision.at is None:
            break
        at = max(at, decision.at)
        runs.insert(0, run(at, kind=RunKind.BURST))
        made, at = made + 1, at + 10
    assert made == 11
    assert runs[0].started_at < T0 + 3600 - 150


def test_a_smaller_cap_holds_over_any_hour() -> None:
    """With two an hour the third burst waits until the first is an hour old."""
    bursts = [run(T0 + 300 * i, kind=RunKind.BURST) for i in (2, 1)]
    assert ask(*bursts, run(), rule=Bursts(per_hour=2), schedule=Schedule(every="1d")).at == T0 + 300 + 3600


def test_until_the_independence_is_known_there_are_none() -> None:
    """An untested or dependent target gets no bursts on rising evidence, and the reason says why."""
    assert ask(run(), close=UNTESTED).at is None
    assert "not known yet (3 pairs)" in ask(run(), close=UNTESTED).reason
    refused = ask(run(), close=REPEATING)
    assert refused.at is None
    assert refused.reason == (
        "runs minutes apart repeat each other: 90% of a run's deviation is still there minutes later (20 pairs)"
    )


def test_the_independence_is_tested_on_calm_runs_every_four_hours() -> None:
    """A scheduled run without a suspicion is repeated once in four hours until the test has its answer."""
    calm = run(T0 + 3600 * 4, evidence=0.01)
    before = run(T0 + 3900, 0.01, kind=RunKind.BURST)
    assert ask(calm, close=UNTESTED).at == calm.started_at + 300
    assert ask(calm, before, close=UNTESTED).at is None
    assert ask(replace(calm, started_at=T0 + 3600 * 5, finished_at=T0 + 18_010), before, close=UNTESTED).at
    assert ask(replace(calm, kind=RunKind.BURST), close=UNTESTED).at is None
    assert ask(calm, close=FREE).at is None
    assert ask(calm, close=REPEATING).at is None
    assert ask(calm, close=Closeness(Dependence.UNKNOWN, MOST_PAIRS)).at is None


@pytest.mark.parametrize(
    ("more", "options", "why"),
    [
        ({"measured": False}, {}, "could not be measured"),
        ({"verdict": Verdict.REGRESSED}, {}, "a regression stands"),
        ({}, {"room": 0}, "limits of the day"),
        ({}, {"rule": Bursts(per_hour=0)}, "bursts are off"),
        ({}, {"schedule": Schedule(every="5m")}, "as quick"),
        ({"state": RunState.RUNNING, "finished_at": T0 + 5}, {}, "no run is finished"),
        ({}, {"now": T0 + 3590}, "comes as soon"),
    ],
)
def test_what_gets_no_burst(more, options, why) -> None:
    """An outage, a page, spent limits, bursts that are off, a quick schedule, a run under way, a near tick."""
    decision = ask(run(**more), **options)
    assert decision.at is None
    assert why in decision.reason


def test_the_endpoint_rests_as_long_as_a_run_takes() -> None:
    """A run of eight minutes is followed by eight minutes of rest."""
    assert ask(run(finished_at=T0 + 480)).at == T0 + 960


def test_a_sparse_schedule_asks_for_more_than_rest() -> None:
    """What time alone brings between two daily runs is no rising evidence."""
    daily = Schedule(every="1d")
    assert rising_at(86_400.0, 720.0, 1.0) > 0.08
    assert ask(run(evidence=0.07, period_h=720.0), schedule=daily).at is None
    assert ask(run(evidence=0.09, period_h=720.0), schedule=daily).at is not None


def test_each_scheduled_run_of_a_baseline_is_followed_by_one_burst() -> None:
    """Half of a baseline comes from bursts, never two in a row, unless that is turned off."""
    learning = run(evidence=0.0, verdict=Verdict.LEARNING)
    assert ask(learning, baseline=Baselining(10, 3, 1), close=UNTESTED).at == T0 + 300
    burst = replace(learning, kind=RunKind.BURST)
    assert ask(burst, baseline=Baselining(10, 3, 1)).at is None
    assert ask(learning, baseline=Baselining(10, 9, 5)).at is None
    assert ask(learning, baseline=Baselining(10, 3, 1), rule=Bursts(baseline=False)).at is None


def test_a_burst_never_eats_what_the_schedule_needs() -> None:
    """Room is what the day's limits leave beside the runs until midnight and two confirmations."""
    noon = 86_400.0 * 19_000 + 43_200
    cost = Cost(100, 1000, 0.5, 24.0)

    def room(used=(0, 0.0), **limits):
        return room_for(Limits(**limits), HOURLY, cost, used, noon, confirmations=2)

    assert room() > 1000
    assert room(tokens_per_day=16_000) == 3  # 11 ticks to come, 2 confirmations
    assert room(used=(13_000, 0.0), tokens_per_day=16_000) == 0
    assert room(tokens_per_day=16_000, usd_per_day=7.0) == 1


def history(correlation: float, hours: int = 120) -> list[RunRecord]:
    """Scheduled runs and a burst after each, newest first; all share the part ``correlation`` of their variance."""
    rng, runs = np.random.default_rng(4), []
    for h in range(hours):
        shared = rng.standard_normal() * correlation**0.5
        for kind, at in ((RunKind.SCHEDULED, 0.0), (RunKind.BURST, 300.0)):
            mean = 0.8 + 0.02 * (shared + rng.standard_normal() * (1 - correlation) ** 0.5)
            one = run(
                T0 + 3600 * h + at, 0.01, kind=kind, summaries=(ScoreSummary("label", "all", mean, 9, 0),)
            )
            runs.insert(0, one)
    return runs


def test_the_targets_own_runs_tell_whether_they_repeat_each_other() -> None:
    """Noise of its own per run is told from noise that lasts an hour; few runs tell nothing."""
    assert close_runs(history(0.0)).dependence is Dependence.INDEPENDENT
    assert close_runs(history(0.9)).dependence is Dependence.DEPENDENT
    assert close_runs(history(0.9, hours=3)).dependence is Dependence.UNKNOWN
    assert close_runs([]).dependence is Dependence.UNKNOWN


def test_a_drop_is_not_taken_for_dependence() -> None:
    """What a suspicion led to, and runs under a page, are no pairs."""
    healthy = history(0.0)
    end = healthy[0].started_at
    low = (ScoreSummary("label", "all", 0.6, 9, 0),)
    rising = [run(end + 300 * i, 0.4, kind=RunKind.BURST, summaries=low) for i in range(30, 0, -1)]
    assert close_runs(rising + healthy).dependence is Dependence.INDEPENDENT
    paged = [replace(r, findings=(), verdict=Verdict.REGRESSED) for r in rising]
    assert close_runs(paged + healthy).dependence is Dependence.INDEPENDENT
