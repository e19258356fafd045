"""After how many requests of its first bad run is a drop of 20 points certain?

Answers come in a random order. After k of them the others are missing, and the engine judges such a run like any run
with missing answers. Certain is what would page if one run might page alone; that two runs must agree is a choice.
"""

from __future__ import annotations

import numpy as np

from checks.inference import group
from tests.bench.engine import fold, tasks
from tests.bench.engine.families import BUDGET_H, INDEPENDENT, WEEK, golden

KINDS = {"ability": "ability -20", "lost": "20 points lost"}
MOST = 100


def requests(how: str, sets: int = 12, streams: int = 8) -> list[int]:
    """The least number of requests that make it certain, of each stream; MOST where more are needed."""
    plan, out = fold.plan_of(tasks.EXAMPLES, tasks.BASELINE), []
    for number in range(1, sets + 1):
        p = golden(number)
        q = tasks.changed(p, how, 0.2)
        for k in range(streams):
            rng = np.random.default_rng([number, k, len(how)])
            state = fold.watched(plan, INDEPENDENT.draw(rng, p, tasks.BASELINE + WEEK))
            bad, order = INDEPENDENT.draw(rng, q, 1)[0], rng.permutation(tasks.EXAMPLES)
            out.append(_least(plan, state, bad[order], order))
    return out


def _least(plan: group.Plan, state: group.State, answers: np.ndarray, order: np.ndarray) -> int:
    assert state.noise is not None
    weights = group._weights(plan, state.noise)
    at, budget = np.array([float(tasks.BASELINE + WEEK)]), np.array([BUDGET_H])
    for k in range(1, MOST):
        row = np.full((1, len(order)), np.nan)
        row[0, order[:k]] = answers[:k]
        after, _ = group.advance(plan, state, row, at, budget)
        if (weights * (state.evidence + 1.0)) @ np.exp(after.past_log_e[-1].astype(float)) >= BUDGET_H:
            return k
    return MOST
