"""When does the engine page? The code that judges live runs, fed with simulated hours.

A page is followed by a restart of the clock, as after a change that was explained: the hardest reading of a budget of
pages, because nothing is spared while a page stands.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from checks.inference import group
from checks.types import FloatArray
from tests.bench.engine.families import BUDGET_H

CHUNK = 128


def plan_of(examples: int, baseline: int, slices: int = 0, key: int = 0) -> group.Plan:
    """A group over all examples and slices that take turns."""
    masks = [np.ones(examples, dtype=bool), *[np.arange(examples) % slices == k for k in range(slices)]]
    return group.Plan(np.array(masks), ("all", *[f"s{k}" for k in range(slices)]), baseline, key=key)


def restarted(state: group.State) -> group.State:
    """The state after a page was explained: what was learnt stays, the evidence goes."""
    return replace(
        state,
        page=None,
        hot=False,
        evidence=np.zeros_like(state.evidence),
        past_log_e=state.past_log_e[:0],
        past_dt=state.past_dt[:0],
        past_shift=state.past_shift[:0],
    )


def watched(plan: group.Plan, healthy: FloatArray) -> group.State:
    """The state after hourly healthy rows, in which no page stands."""
    rows = len(healthy)
    hours = np.arange(rows, dtype=float)
    state, _ = group.advance(plan, group.initial(plan), healthy, hours, np.full(rows, BUDGET_H))
    return state if state.page is None else restarted(state)


def until_page(
    plan: group.Plan, state: group.State, scores: FloatArray, start: int, budget_h: float
) -> tuple[group.State, int | None]:
    """Judge rows from ``start`` (each an hour) up to a page: the state there, and the row that paged."""
    at = start
    while at < len(scores):
        end = min(at + CHUNK, len(scores))
        hours, budget = np.arange(at, end, dtype=float), np.full(end - at, budget_h)
        after, trace = group.advance(plan, state, scores[at:end], hours, budget)
        hits = np.flatnonzero(trace.paged)
        if len(hits):
            stop = int(hits[0]) + 1
            state, _ = group.advance(plan, state, scores[at : at + stop], hours[:stop], budget[:stop])
            return state, at + stop - 1
        state, at = after, end
    return state, None


def pages(plan: group.Plan, scores: FloatArray, budget_h: float = BUDGET_H) -> list[int]:
    """The rows that page."""
    state, at, found = group.initial(plan), 0, []
    while True:
        state, row = until_page(plan, state, scores, at, budget_h)
        if row is None:
            return found
        found.append(row)
        state, at = restarted(state), row + 1


def first_page(
    plan: group.Plan, scores: FloatArray, since: int, budget_h: float = BUDGET_H
) -> tuple[group.State, int | None]:
    """The first page at or after row ``since``, and the state in which it stands."""
    state, at = group.initial(plan), 0
    while True:
        state, row = until_page(plan, state, scores, at, budget_h)
        if row is None or row >= since:
            return state, row
        state, at = restarted(state), row + 1
