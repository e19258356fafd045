"""Should a target be replayed again within minutes? Pure: from its stored runs, its schedule and the time.

Three reasons ask for a burst, a replay between the ticks of the schedule:

- **Rising evidence.** Evidence of 1/20 or more, or one bad run, asks whether something broke: replays answer
  within the hour. The clock counts hours, not runs, so the false-alarm budget holds however many there are, as
  long as the noise of runs minutes apart is independent. That is tested on the target's own runs
  (``checks/inference/bursts.py``): until it is known, or where runs repeat each other, there are none. Even one
  an hour would double the false pages of an endpoint whose hours differ.
- **The test itself.** Until it has an answer one scheduled run in four hours is followed by a burst, at most
  200 times.
- **A baseline that is being collected.** Each scheduled run is followed by one burst, so that it is complete in
  half the time. Half of its runs still come from different ticks: a baseline of one hour would not know how
  hours differ.

What never gets a burst: a target whose last run could not be measured, whose page stands, whose schedule is as
quick as the bursts, or whose limits of the day leave too little for the runs that are scheduled. Latency asks
for none, as load lasts longer than minutes; it does not judge those that others asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from checks.inference.bursts import Closeness, Dependence, closeness
from checks.types import ALL, Finding, Verdict
from service.records import RunKind, RunRecord, RunState
from service.schedule import next_tick

if TYPE_CHECKING:
    from service.config.target_parts import Bursts, Limits, Schedule
    from service.cost import Cost

RISING = 0.05
"""Evidence that asks for bursts."""

TEST_EVERY_S, MOST_PAIRS = 4 * 3600.0, 200
"""How often a run is repeated to test the independence, and how many pairs are made at most."""

LOOK_BACK = 300
"""Bursts that the independence is tested on, with the runs before them."""

UNLIMITED = 1_000_000
_AT_REST = 4.0
_LONGEST_SHARE = 1.0 / 48.0  # as checks.inference.clock counts a gap
_APART = frozenset({"latency", "promises", "availability"})
_DAY_S, _HOUR_S = 86_400.0, 3600.0


@dataclass(frozen=True, slots=True)
class Decision:
    """When the next burst is due, seconds since 1970; None if there is none. ``reason`` says why, in words."""

    at: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Baselining:
    """How far a baseline is: ``needed`` runs, of which ``bursts`` and ``runs`` (bursts included) are there."""

    needed: int
    runs: int
    bursts: int


def evidence_of(findings: Sequence[Finding]) -> float:
    """The most evidence that one group of streams has: of a check's scorer over all its slices; 1 pages.

    >>> evidence_of([Finding("quality", "label", "all", Verdict.OK, 0.03),
    ...              Finding("quality", "label", "lang=de", Verdict.OK, 0.04)])
    0.07
    """
    by_group: dict[tuple[str, str | None], float] = {}
    for f in findings:
        if f.evidence is not None and f.check not in _APART:
            by_group[f.check, f.scorer] = by_group.get((f.check, f.scorer), 0.0) + f.evidence
    return max(by_group.values(), default=0.0)


def rising_at(interval_s: float, period_h: float, share: float) -> float:
    """The evidence that asks for bursts: 1/20, or what a sparse schedule reaches at rest.

    Between two runs a day apart the clock gains 24 h by itself; four times the gap is more than rest.

    >>> rising_at(3600.0, 2160.0, 1.0), round(rising_at(86_400.0, 720.0, 1.0), 3)
    (0.05, 0.083)
    """
    gap = min(interval_s / _HOUR_S * share / period_h, _LONGEST_SHARE)
    return max(RISING, _AT_REST * gap)


def next_burst(
    rule: Bursts,
    schedule: Schedule,
    runs: Sequence[RunRecord],
    baseline: Baselining | None,
    close: Closeness,
    *,
    room: int,
    now: float,
) -> Decision:
    """When the target should be replayed between its ticks.

    Args:
        rule: the target's ``bursts``.
        schedule: its schedule.
        runs: its newest runs, newest first, at least those of the last hour; imported ones apart.
        baseline: how far its baseline is; None when it is pinned.
        close: what is known of runs minutes apart.
        room: bursts that the limits of the day leave beside the schedule.
        now: seconds since 1970.
    """
    if not rule.per_hour:
        return Decision(None, "bursts are off (bursts: false)")
    last = runs[0] if runs else None
    if last is None or last.state is not RunState.DONE or last.finished_at is None:
        return Decision(None, "no run is finished")
    tick = next_tick(schedule, now)
    following = None if tick is None else next_tick(schedule, tick)
    interval_s = math.inf if tick is None or following is None else following - tick
    if interval_s <= rule.every_s:
        return Decision(None, "the schedule is as quick as bursts would be")
    if not last.measured:
        return Decision(None, "the last run could not be measured")
    recent = [run.started_at for run in runs if run.kind is RunKind.BURST]
    rising = rising_at(interval_s, last.period_h, last.share)
    wanted = _wanted(rule, last, baseline, close, rising, recent[0] if recent else None)
    if wanted.at is None:
        return wanted
    if room < 1:
        return Decision(None, "the limits of the day leave room for the scheduled runs only")
    at = max(
        wanted.at, 2 * last.finished_at - last.started_at
    )  # the endpoint rests for as long as a run takes
    if len(recent) >= rule.per_hour:
        at = max(at, recent[rule.per_hour - 1] + _HOUR_S)
    if tick is not None and tick - max(at, now) < rule.every_s / 2:
        return Decision(None, "the next scheduled run comes as soon")
    return Decision(at, wanted.reason)


def _wanted(
    rule: Bursts,
    last: RunRecord,
    baseline: Baselining | None,
    close: Closeness,
    rising: float,
    last_burst_at: float | None,
) -> Decision:
    soon = last.started_at + rule.every_s
    if baseline is not None:
        half = baseline.needed // 2
        if not rule.baseline:
            return Decision(None, "the baseline is collected by the schedule alone (bursts.baseline: false)")
        if baseline.runs >= baseline.needed or baseline.bursts >= half or last.kind is not RunKind.SCHEDULED:
            return Decision(None, f"at most {half} of {baseline.needed} baseline runs come from bursts")
        return Decision(soon, f"{baseline.runs} of {baseline.needed} baseline runs")
    if last.verdict is Verdict.REGRESSED:
        return Decision(None, "a regression stands")
    evidence = evidence_of(last.findings)
    suspect = (
        last.verdict is Verdict.SUSPECT
    )  # one run at its cap: it alone lifts the evidence to a few percent
    if evidence < rising and not suspect:
        untested = close.dependence is Dependence.UNKNOWN and close.pairs < MOST_PAIRS
        rested = last_burst_at is None or last.started_at - last_burst_at >= TEST_EVERY_S - rule.every_s
        if untested and rested and last.kind is RunKind.SCHEDULED:
            return Decision(soon, close.words)
        return Decision(None, f"evidence {evidence:.2f} is below {rising:.2f}")
    if close.dependence is not Dependence.INDEPENDENT:
        return Decision(None, close.words)
    return Decision(soon, f"evidence {evidence:.2f}; {close.words}")


def asks(run: RunRecord) -> bool:
    """Whether a measured run raises a suspicion that bursts would settle."""
    return run.verdict is Verdict.SUSPECT or evidence_of(run.findings) >= RISING


def close_runs(runs: Sequence[RunRecord]) -> Closeness:
    """What a target's own runs say of runs minutes apart: the least favourable of its scorers.

    A pair is a burst and the run before it, where that was measured, no regression stood and it raised no
    suspicion.

    Args:
        runs: finished runs of one segment, newest first: bursts and the runs before them.
    """
    told = [run for run in reversed(runs) if run.state is RunState.DONE]
    calm = np.array([run.verdict is not Verdict.REGRESSED and not asks(run) for run in told], dtype=bool)
    at_h = np.array([run.started_at / _HOUR_S for run in told])
    found = []
    for scorer in dict.fromkeys(s.scorer for run in told for s in run.summaries):
        means = [
            next((s.mean for s in run.summaries if s.scorer == scorer and s.slice == ALL), None)
            for run in told
        ]
        values = [m if run.measured and m is not None else np.nan for m, run in zip(means, told, strict=True)]
        found.append(closeness(np.array(values, dtype=float), at_h, calm))
    order = (Dependence.DEPENDENT, Dependence.UNKNOWN, Dependence.INDEPENDENT)
    return min(found, key=lambda c: order.index(c.dependence), default=Closeness(Dependence.UNKNOWN, 0))


def room_for(
    limits: Limits, schedule: Schedule, cost: Cost, used: tuple[int, float], now: float, *, confirmations: int
) -> int:
    """How many bursts the limits of the UTC day leave beside every scheduled run and the ``confirmations``.

    Args:
        limits: the target's.
        schedule: its schedule.
        cost: what a run takes.
        used: tokens and US dollars of today.
        now: seconds since 1970.
        confirmations: replays that one bad run may ask for.
    """
    midnight = now - now % _DAY_S + _DAY_S
    ticks, at = 0, next_tick(schedule, now)
    while at is not None and at < midnight and ticks < 10_000:
        ticks, at = ticks + 1, next_tick(schedule, at)
    kept, room = ticks + confirmations, UNLIMITED
    for limit, spent, per_run in (
        (limits.tokens_per_day, used[0], cost.tokens_per_run),
        (limits.usd_per_day, used[1], cost.usd_per_run),
    ):
        if limit is not None and per_run:
            room = min(room, math.floor((limit - spent) / per_run) - kept)
    return max(room, 0)
