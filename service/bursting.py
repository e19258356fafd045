"""When is the next burst of a target due? Reads the store for the decision that ``bursts.py`` makes.

The daemon asks it after every run, ``explain`` and ``doctor`` say what it answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from checks.inference.bursts import Closeness, Dependence
from service.bursts import (
    LOOK_BACK,
    UNLIMITED,
    Baselining,
    Decision,
    close_runs,
    next_burst,
    room_for,
)
from service.pipeline import CONFIRMATIONS, DAY_S
from service.records import RunKind, RunRecord, RunState

if TYPE_CHECKING:
    from service.config import Target
    from service.store import Store

_RECENT = 128
"""More than an hour of runs: the schedule, bursts and confirmations."""


def burst_for(store: Store, target: Target, now: float) -> Decision:
    """When the target should be replayed between its ticks, and why (not)."""
    if not target.bursts.per_hour:
        return next_burst(target.bursts, target.schedule, (), None, _UNTESTED, room=0, now=now)
    runs = [r for r in store.runs(target.name, limit=_RECENT) if r.kind is not RunKind.IMPORTED]
    baseline = _baselining(store, target)
    last = runs[0] if runs else None
    close = _UNTESTED if last is None or baseline is not None else closeness_of(store, last)
    return next_burst(
        target.bursts, target.schedule, runs, baseline, close, room=_room(store, target, now), now=now
    )


def closeness_of(store: Store, last: RunRecord) -> Closeness:
    """What the target's runs in the segment of ``last`` say of runs minutes apart."""
    return close_runs(store.repeated_runs(last.target, last.segment, limit=LOOK_BACK))


_UNTESTED = Closeness(Dependence.UNKNOWN, 0)


def _baselining(store: Store, target: Target) -> Baselining | None:
    baseline = store.baseline(target.name)
    if baseline is None or baseline.runs:
        return None
    needed = target.baseline.runs
    recent = store.runs(target.name, limit=4 * needed + 16)
    mine = [r for r in recent if r.baseline_id == baseline.id and r.state is RunState.DONE and r.measured]
    return Baselining(needed, len(mine), sum(r.kind is RunKind.BURST for r in mine))


def _room(store: Store, target: Target, now: float) -> int:
    limits, price = target.limits, target.endpoint.price
    if limits.tokens_per_day is None and (limits.usd_per_day is None or price is None):
        return UNLIMITED
    from service.cost import cost_of  # noqa: PLC0415  # only where there are limits
    from service.golden import load  # noqa: PLC0415  # likewise

    cost = cost_of(target, load(Path(target.golden)).examples, store.last_measured(target.name), now)
    used = store.usage_since(
        target.name,
        now - now % DAY_S,
        input_usd_per_mtok=price.input_per_mtok if price else 0.0,
        output_usd_per_mtok=price.output_per_mtok if price else 0.0,
    )
    return room_for(limits, target.schedule, cost, used, now, confirmations=CONFIRMATIONS)
