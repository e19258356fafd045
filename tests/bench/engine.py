"""Does the budget hold, and how soon is a drop found? Healthy streams of many kinds, and drops of known size.

200 examples, hourly, a baseline of ten runs that is reused for the whole year, one false page allowed per 2,160 h
(4.06 a year). A page is followed by a restart of the clock, as after an explained change. ``YEARS`` endpoint-years per
family, ``STREAMS`` streams per drop after a week of history.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from checks.inference import group
from checks.types import FloatArray

YEARS, STREAMS, EXAMPLES, BASELINE, HOURS = 8, 100, 200, 10, 8760
BUDGET_H = 2160.0
ORACLE = {("ability", 0.01): 21, ("ability", 0.02): 6.8, ("ability", 0.05): 1.6, ("ability", 0.20): 1.0,
          ("lost", 0.01): 2.0, ("lost", 0.02): 1.3}  # fmt: skip
"""Mean delay in runs of a CUSUM that knows both laws, at the same budget."""


def _logit(p: FloatArray) -> FloatArray:
    return np.log(p / (1 - p))


def _sigmoid(x: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-x))


def _rates(seed: int) -> FloatArray:
    return np.clip(np.random.default_rng(seed).beta(0.30, 0.075, EXAMPLES), 1e-4, 1 - 1e-4)


def _autoregressive(rng: np.random.Generator, phi: float, rows: int) -> FloatArray:
    u, shocks = np.zeros((rows, 1)), rng.standard_normal(rows) * 0.25 * math.sqrt(1 - phi**2)
    for t in range(1, rows):
        u[t] = phi * u[t - 1] + shocks[t]
    return u


def families(rng: np.random.Generator, p: FloatArray, rows: int) -> dict[str, object]:
    """Pass probabilities of healthy streams by name; each value is a function of nothing, [rows, examples]."""
    level, hours = _logit(p)[None], np.arange(rows)[:, None]
    return {
        "independent": lambda: np.tile(p, (rows, 1)),
        "deterministic": lambda: np.tile(np.where(p > 0.5, 0.9995, 0.0005), (rows, 1)),
        "over-dispersed": lambda: _sigmoid(level + 0.25 * rng.standard_normal((rows, 1))),
        "heavy tails (t3)": lambda: _sigmoid(level + 0.2 * rng.standard_t(3, (rows, 1))),
        "AR(.6)": lambda: _sigmoid(level + _autoregressive(rng, 0.6, rows)),
        "AR(.9)": lambda: _sigmoid(level + _autoregressive(rng, 0.9, rows)),
        "daily cycle": lambda: _sigmoid(level + 0.3 * np.sin(2 * np.pi * hours / 24)),
        "weekly cycle": lambda: _sigmoid(level + 0.3 * np.sin(2 * np.pi * hours / 168)),
        "glitches, .2% of runs lose 30%": lambda: p * np.where(rng.random((rows, 1)) < 0.002, 0.7, 1.0),
        "glitches, 1% of runs lose 10%": lambda: p * np.where(rng.random((rows, 1)) < 0.01, 0.9, 1.0),
        "run-level loss rate gamma(mean 2%)": lambda: p * (1 - np.minimum(rng.gamma(1, 0.02, (rows, 1)), 1)),
    }


def pages(scores: FloatArray, slices: int = 0) -> list[int]:
    """The rows that page."""
    masks = [np.ones(EXAMPLES, dtype=bool), *[np.arange(EXAMPLES) % slices == k for k in range(slices)]]
    plan = group.Plan(np.array(masks), ("all", *[f"s{k}" for k in range(slices)]), BASELINE)
    state, at, found = group.initial(plan), 0, []
    while at < len(scores):
        end = min(at + 256, len(scores))
        hours, budget = np.arange(at, end, dtype=float), np.full(end - at, BUDGET_H)
        after, trace = group.advance(plan, state, scores[at:end], hours, budget)
        hits = np.flatnonzero(trace.paged)
        if not len(hits):
            state, at = after, end
            continue
        stop = int(hits[0]) + 1
        state, _ = group.advance(plan, state, scores[at : at + stop], hours[:stop], budget[:stop])
        at += stop
        found.append(at - 1)
        state = replace(
            state,
            page=None,
            evidence=np.zeros_like(state.evidence),
            past_log_e=state.past_log_e[:0],
            past_dt=state.past_dt[:0],
            past_shift=state.past_shift[:0],
        )
    return found


def _weaker(p: FloatArray, drop: float) -> FloatArray:
    """The same golden set after a loss of ability: a common shift of the logits."""
    low, high = 0.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if p.mean() - _sigmoid(_logit(p) - middle).mean() < drop else (low, middle)
    return _sigmoid(_logit(p) - low)


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """Pages a year by family, with the upper 95% limit; then mean delays against the oracle's."""
    for name in families(np.random.default_rng(0), _rates(0), 1):
        rng = np.random.default_rng(7)
        counts = []
        for year in range(YEARS):
            p = _rates(100 + year)
            probability = families(rng, p, HOURS + BASELINE)[name]()  # type: ignore[operator]
            counts.append(len(pages((rng.random(probability.shape) < probability).astype(float))))
        rate, spread = float(np.mean(counts)), math.sqrt(max(np.sum(counts), 1)) / YEARS
        upper = rate + 1.645 * spread
        yield f"healthy: {name}", f"{rate:.1f} pages/yr (<= {upper:.1f})", "<= 4.06", upper <= 4.06
    for (how, drop), oracle in ORACLE.items():
        rng, delays = np.random.default_rng(3), []
        p = _rates(1)
        q = _weaker(p, drop) if how == "ability" else p * (1 - drop / p.mean())
        for _ in range(STREAMS):
            before, after = rng.random((BASELINE + 168, EXAMPLES)) < p, rng.random((200, EXAMPLES)) < q
            later = [a for a in pages(np.vstack([before, after]).astype(float)) if a >= BASELINE + 168]
            delays.append(later[0] - BASELINE - 168 + 1 if later else 200)
        goal = 1.5 * oracle if drop <= 0.01 else 1.3 * oracle + 1
        mean = float(np.mean(delays))
        yield f"drop: {how} -{drop:.0%}", f"{mean:.1f} runs (oracle {oracle})", f"<= {goal:.1f}", mean <= goal


if __name__ == "__main__":
    for row in measure():
        print("|", " | ".join(map(str, row)), "|")
        sys.stdout.flush()
