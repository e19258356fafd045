"""Streams whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from checks.inference import group


@dataclass(frozen=True)
class Stream:
    """Golden sets and runs for a test; every array is [runs, examples]."""

    seed: int

    def rates(self, examples: int = 200) -> np.ndarray:
        """Pass rates like those of a real golden set: mean .8, most of them near 0 or 1."""
        return np.clip(np.random.default_rng([self.seed, 1]).beta(0.30, 0.075, examples), 1e-4, 1 - 1e-4)

    def runs(self, rates: np.ndarray, runs: int, salt: int = 0) -> np.ndarray:
        """Right/wrong scores of independent runs; ``rates`` is [examples] or [runs, examples]."""
        rng = np.random.default_rng([self.seed, 2, salt])
        return (rng.random((runs, np.shape(rates)[-1])) < rates).astype(float)


@pytest.fixture
def stream() -> type[Stream]:
    return Stream


def plan_of(examples: int, baseline_runs: int = 10, slices: int = 0, **more: object) -> group.Plan:
    """A group over so many examples, with slices that take turns."""
    masks = [np.ones(examples, dtype=bool), *[np.arange(examples) % slices == k for k in range(slices)]]
    names = ("all", *[f"s{k}" for k in range(slices)])
    return group.Plan(np.array(masks), names, baseline_runs, **more)  # type: ignore[arg-type]


def pages(plan: group.Plan, scores: np.ndarray, budget_h: float = 2160.0) -> list[int]:
    """The rows that page when the clock starts again after each page, as after an explained change."""
    state, at, found = group.initial(plan), 0, []
    while at < len(scores):
        end = min(at + 256, len(scores))
        hours, budget = np.arange(at, end, dtype=float), np.full(end - at, budget_h)
        after, trace = group.advance(plan, state, scores[at:end], hours, budget)
        hits = np.flatnonzero(trace.paged)
        if not len(hits):
            state, at = after, end
            continue
        stop = int(hits[0]) + 1
        state, _ = group.advance(plan, state, scores[at : at + stop], hours[:stop], budget[:stop])
        state = replace(
            state,
            page=None,
            evidence=np.zeros_like(state.evidence),
            past_log_e=state.past_log_e[:0],
            past_dt=state.past_dt[:0],
            past_shift=state.past_shift[:0],
        )
        at += stop
        found.append(at - 1)
    return found


@pytest.fixture
def make_plan():
    return plan_of


@pytest.fixture
def count_pages():
    return pages
