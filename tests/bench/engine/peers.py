"""What do other rules do with the same runs? Five that are in use, as they come and tuned to the budget.

Each says which rows alarm, and has one limit. As they come: "5 points below the baseline"; McNemar's exact test
against the first run at p < .05; the unpaired two-proportion z-test against the baseline at p < .05; ADWIN (Bifet,
Gavalda 2007) and Page-Hinkley (Page 1954) of ``river`` on the run's mean with river's settings. Tuned: the one limit
moved until healthy streams of the same world page at the budget's rate, which nobody outside of a simulation can do.
Only falls count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from checks.types import BoolArray, FloatArray
from tests.bench.engine.families import BUDGET_H

Alarms = Callable[[FloatArray, int, float], BoolArray]
"""Scores [rows, examples], the baseline's length and the limit give the rows that alarm."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A rule: its limit as it comes, and limits between which the tuned one lies, from many alarms to none."""

    name: str
    alarms: Alarms
    usual: float
    loosest: float
    strictest: float


def _below(scores: FloatArray, baseline: int, limit: float) -> BoolArray:
    mean = scores.mean(axis=1)
    return mean <= mean[:baseline].mean() - limit + 1e-12


def _mcnemar(scores: FloatArray, baseline: int, limit: float) -> BoolArray:
    del baseline
    worse, better = (scores < scores[0]).sum(axis=1), (scores > scores[0]).sum(axis=1)
    p = 2 * stats.binom.cdf(better, worse + better, 0.5)
    return (worse > better) & (-np.log10(np.maximum(p, 1e-300)) > limit)


def _unpaired(scores: FloatArray, baseline: int, limit: float) -> BoolArray:
    n, mean = scores.shape[1], scores.mean(axis=1)
    known = mean[:baseline].mean()
    pooled = (mean + known * baseline) / (1 + baseline)
    se = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-9) * (1 / n + 1 / (n * baseline)))
    return (known - mean) / se > limit


def _adwin(scores: FloatArray, baseline: int, limit: float) -> BoolArray:
    from river.drift import ADWIN

    del baseline
    detector, out = ADWIN(delta=10.0**-limit), np.zeros(len(scores), dtype=bool)
    for i, value in enumerate(scores.mean(axis=1).tolist()):
        before = detector.estimation
        detector.update(value)
        out[i] = detector.drift_detected and detector.estimation < before
    return out


def _page_hinkley(scores: FloatArray, baseline: int, limit: float) -> BoolArray:
    from river.drift import PageHinkley

    del baseline
    detector, out = PageHinkley(threshold=limit, mode="down"), np.zeros(len(scores), dtype=bool)
    for i, value in enumerate(scores.mean(axis=1).tolist()):
        detector.update(value)
        out[i] = detector.drift_detected
    return out


PEERS = (
    Peer("5 points below", _below, 0.05, 0.0, 0.3),
    Peer("McNemar a run, p < .05", _mcnemar, -math.log10(0.05), 0.5, 12.0),
    Peer("unpaired z, p < .05", _unpaired, 1.96, 0.5, 8.0),
    Peer("ADWIN", _adwin, -math.log10(0.002), 0.3, 30.0),
    Peer("Page-Hinkley", _page_hinkley, 50.0, 0.01, 5.0),
)


def rate(peer: Peer, limit: float, healthy: list[FloatArray], baseline: int) -> float:
    """Alarms an hour on healthy streams."""
    rows = sum(len(x) - baseline for x in healthy)
    return sum(int(peer.alarms(x, baseline, limit)[baseline:].sum()) for x in healthy) / rows


def tuned(peer: Peer, healthy: list[FloatArray], baseline: int) -> float:
    """The smallest limit that keeps the budget on these healthy streams."""
    low, high = peer.loosest, peer.strictest
    for _ in range(12):
        middle = math.sqrt(max(low, 1e-3) * high)
        low, high = (low, middle) if rate(peer, middle, healthy, baseline) <= 1 / BUDGET_H else (middle, high)
    return high


def delay(peer: Peer, limit: float, scores: FloatArray, baseline: int, since: int) -> float:
    """Changed runs needed, the alarming one included; the horizon where there is none."""
    hit = peer.alarms(scores, baseline, limit)[since:]
    return float(hit.argmax() + 1) if hit.any() else float(len(hit))
