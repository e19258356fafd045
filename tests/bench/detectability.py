"""Does the card tell the truth? The smallest drops it names, against the engine itself.

For each cell of a grid ``STREAMS`` golden sets' histories are judged by ``checks.inference.group`` with a baseline of
ten runs and a week of health; from there the model drops by several multiples of the card's figure. The drop that the
engine finds in 80 of 100 histories is interpolated on the probit scale. Goal: within a quarter of the card's figure.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from checks.inference import group, power
from checks.types import FloatArray

STREAMS, BASELINE, BUDGET_H = 48, 10, 2160.0
MULTIPLES = (0.55, 0.75, 1.0, 1.33, 1.8)
WEEK_H = 168.0

GRID: tuple[tuple[int, float, float, float, power.Shape], ...] = (
    (20, 0.8, 1.0, 24.0, "fade"),
    (20, 0.95, 1.0, 168.0, "fade"),
    (60, 0.6, 6.0, 168.0, "fade"),
    (60, 0.9, 0.25, 24.0, "fade"),
    (200, 0.8, 1.0, 24.0, "fade"),
    (200, 0.8, 1.0, 168.0, "fade"),
    (200, 0.8, 1.0, 24.0, "loss"),
    (200, 0.98, 1.0, 24.0, "fade"),
    (200, 0.9, 24.0, 168.0, "fade"),
    (200, 0.9, 24.0, 168.0, "loss"),
    (400, 0.9, 0.25, 24.0, "fade"),
    (1000, 0.6, 6.0, 168.0, "fade"),
    (1000, 0.9, 1.0, 24.0, "fade"),
    (1000, 0.9, 1.0, 24.0, "loss"),
    (1000, 0.98, 24.0, 720.0, "loss"),
)
"""Examples, accuracy, hours between runs, horizon in hours, shape."""


def engine_power(
    rates: FloatArray, after: FloatArray, *, interval_h: float, horizon_h: float, streams: int, seed: int
) -> float:
    """The share of histories in which the engine itself pages within the horizon."""
    plan = group.Plan(np.ones((1, len(rates)), dtype=bool), ("all",), BASELINE)
    healthy, bad = BASELINE + round(WEEK_H / interval_h), int(horizon_h / interval_h)
    hours = np.arange(healthy + bad) * interval_h
    budget = np.full(healthy + bad, BUDGET_H)
    hits = tried = 0
    for stream in range(streams):
        rng = np.random.default_rng((seed, stream))
        before = (rng.random((healthy, len(rates))) < rates).astype(float)
        state, trace = group.advance(plan, group.initial(plan), before, hours[:healthy], budget[:healthy])
        if trace.paged.any():
            continue  # a false page is another story
        drop = (rng.random((bad, len(rates))) < after).astype(float)
        _, trace = group.advance(plan, state, drop, hours[healthy:], budget[healthy:])
        hits, tried = hits + bool(trace.paged.any()), tried + 1
    return hits / max(tried, 1)


def engine_drop(
    rates: FloatArray, guess: float, *, interval_h: float, horizon_h: float, shape: power.Shape, streams: int
) -> float:
    """The drop found in 80 of 100 histories, by weighted least squares of probits on the log of the drop."""
    normal, everywhere = NormalDist(), np.ones(len(rates), dtype=bool)
    points = []
    for multiple in MULTIPLES:
        drop = min(guess * multiple, float(rates.mean()) * 0.999)
        after = power.after_drop(rates, drop, shape, everywhere)
        share = engine_power(
            rates, after, interval_h=interval_h, horizon_h=horizon_h, streams=streams, seed=1
        )
        kept = min(max(share, 0.5 / streams), 1.0 - 0.5 / streams)
        z = normal.inv_cdf(kept)
        points.append((np.log(drop), z, streams * normal.pdf(z) ** 2 / (kept * (1.0 - kept))))
    x, y, w = np.array(points).T
    slope, middle = np.polyfit(x, y, 1, w=np.sqrt(w))
    return float(np.exp((normal.inv_cdf(power.POWER) - middle) / slope))


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """The card's figure, the engine's, and their ratio."""
    for n, accuracy, interval_h, horizon_h, shape in GRID:
        rates = power.assumed_rates(n, accuracy)
        history = BASELINE + round(WEEK_H / interval_h)
        setting = power.Setting(rates, interval_h, BUDGET_H, history, confirm=False)
        card = power.smallest_drop(setting, horizon_h, shape=shape)
        name = f"n={n} {accuracy:.0%} every {interval_h:g} h, within {horizon_h:g} h, {shape}"
        if card is None:
            yield name, "nothing found", "a figure", False
            continue
        real = engine_drop(
            rates, card, interval_h=interval_h, horizon_h=horizon_h, shape=shape, streams=STREAMS
        )
        ratio = card / real
        said = f"card {100 * card:.2f}, engine {100 * real:.2f} points, ratio {ratio:.2f}"
        yield name, said, ".75 to 1.25", 0.75 <= ratio <= 1.25


if __name__ == "__main__":
    for row in measure():
        print("|", " | ".join(map(str, row)), "|")
        sys.stdout.flush()
