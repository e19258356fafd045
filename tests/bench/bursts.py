"""What do bursts buy, what do they cost, and does the budget hold with them? Healthy years and known shifts.

200 examples, hourly, a baseline of ten runs of which every second is a burst, confirmation replays, one false
page allowed per 2,160 h. The rules are the service's own (``service/bursts.py``,
``checks/inference/bursts.py``), the test of independence included: a stream starts with what its baseline's
pairs say. A page is followed by a restart of the clock.

Families whose noise lasts for the hour (``shared``) are what bursts could harm: twelve replays would then tell
of one bad hour twelve times. A glitch lasts for one run, so a replay minutes later is healthy.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from checks.inference import group
from checks.inference.bursts import Closeness, Dependence, closeness
from checks.types import FloatArray
from service.bursts import MOST_PAIRS, RISING, TEST_EVERY_S
from service.pipeline import CONFIRMATIONS

EXAMPLES, BASELINE, BUDGET_H, YEAR_H, EVERY_H, PER_HOUR = 200, 10, 2160.0, 8760, 1 / 12, 11
YEARS, STREAMS = 4, 60
GOALS = {0.35: 0.56, 0.68: 0.55, 1.35: 0.60, 3.4: 0.71}
"""Hours to a page over those without bursts, by the shift in sd of one run's noise, as a prototype reached."""

CONFIRM_H = 1 / 60

Law = Callable[[float], FloatArray]
"""The examples' pass probabilities at a time, hours."""


def _rates(seed: int) -> FloatArray:
    return np.clip(np.random.default_rng(seed).beta(0.30, 0.075, EXAMPLES), 1e-4, 1 - 1e-4)


def _moved(p: FloatArray, by: float) -> FloatArray:
    moved: FloatArray = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + by)))
    return moved


def shifted(p: FloatArray, sd: float) -> FloatArray:
    """The rates after a common loss that moves the run's mean by ``sd`` standard deviations of its noise."""
    wanted, low, high = sd * math.sqrt(float((p * (1 - p)).sum())), 0.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (p - _moved(p, -middle)).sum() < wanted else (low, middle)
    return _moved(p, -low)


@dataclass
class Stream:
    """One watched endpoint: the engine's state, the clock, and what bursts have shown so far."""

    rng: np.random.Generator
    bursts: bool
    plan: group.Plan = field(
        default_factory=lambda: group.Plan(np.ones((1, EXAMPLES), dtype=bool), ("all",), BASELINE)
    )
    means: list[float] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    asked: list[bool] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    runs: int = 0
    close: Dependence = Dependence.UNKNOWN
    tested: int = 0
    tested_at: float = -math.inf

    def __post_init__(self) -> None:
        self.state = group.initial(self.plan)

    def run(self, law: Law, at_h: float) -> tuple[bool, bool]:
        """One run: whether it asks for bursts, and whether it was at its cap."""
        row = (self.rng.random(EXAMPLES) < law(at_h)).astype(float)
        self.state, trace = group.advance(
            self.plan, self.state, row[None], np.array([at_h]), np.array([BUDGET_H])
        )
        self.runs += 1
        asks, capped, paged = bool(trace.evidence[0] >= RISING), bool(trace.capped[0]), bool(trace.paged[0])
        self.means.append(float(row.mean()))
        self.at.append(at_h)
        self.asked.append(asks or capped)
        if paged:
            self.pages.append(at_h)
            self.state = replace(
                self.state, page=None, hot=False, evidence=np.zeros_like(self.state.evidence),
                past_log_e=self.state.past_log_e[:0], past_dt=self.state.past_dt[:0],
                past_shift=self.state.past_shift[:0],
            )  # fmt: skip
            return False, False
        return asks or capped, capped

    def known(self) -> Closeness:
        """What the stream's own runs say of runs minutes apart."""
        calm = ~np.array(self.asked)
        return closeness(np.array(self.means), np.array(self.at), calm)

    def hour(self, law: Law, at_h: float) -> None:
        """A scheduled run and what follows from it until the next."""
        learning = self.state.learning
        asks, capped = self.run(law, at_h)
        made, now, confirmed = 0, at_h, 0
        if learning:
            if self.bursts and self.state.learning:
                self.run(law, at_h + EVERY_H)
            return
        if self.bursts and self.close is not Dependence.INDEPENDENT and not asks and self.tested < MOST_PAIRS:
            found = self.known() if at_h - self.tested_at >= TEST_EVERY_S / 3600 else None
            if found is not None:
                self.close, self.tested = found.dependence, found.pairs
            if found is not None and found.dependence is Dependence.UNKNOWN:
                self.tested_at, now, made = at_h, at_h + EVERY_H, 1
                asks, capped = self.run(law, now)
        while asks and not self.pages_since(at_h):
            if capped and confirmed < CONFIRMATIONS:
                now, confirmed = now + CONFIRM_H, confirmed + 1
            elif not self.bursts or self.close is not Dependence.INDEPENDENT:
                break
            else:
                now, made = now + EVERY_H, made + 1
                if made > PER_HOUR or at_h + 1 - now < EVERY_H / 2:
                    break
            asks, capped = self.run(law, now)

    def pages_since(self, at_h: float) -> bool:
        """Whether there was a page at or after that time."""
        return bool(self.pages) and self.pages[-1] >= at_h


def _still(p: FloatArray, rng: np.random.Generator) -> Law:
    del rng
    return lambda at_h: p


def _shared(p: FloatArray, rng: np.random.Generator) -> Law:
    u = rng.standard_normal(YEAR_H + 200) * 0.25
    return lambda at_h: _moved(p, float(u[int(at_h + 1e-9)]))


def _slow(p: FloatArray, rng: np.random.Generator) -> Law:
    u, shocks = np.zeros(YEAR_H + 200), rng.standard_normal(YEAR_H + 200) * 0.25 * math.sqrt(1 - 0.36)
    for t in range(1, len(u)):
        u[t] = 0.6 * u[t - 1] + shocks[t]
    return lambda at_h: _moved(p, float(u[int(at_h + 1e-9)]))


def _own(p: FloatArray, rng: np.random.Generator) -> Law:
    return lambda at_h: _moved(p, float(rng.standard_normal() * 0.25))


def _glitches(p: FloatArray, rng: np.random.Generator) -> Law:
    return lambda at_h: p * (0.9 if rng.random() < 0.01 else 1.0)


def _losses(p: FloatArray, rng: np.random.Generator) -> Law:
    return lambda at_h: p * (1 - min(float(rng.gamma(1, 0.02)), 1.0))


FAMILIES: dict[str, Callable[[FloatArray, np.random.Generator], Law]] = {
    "independent": _still,
    "over-dispersed, noise of each run": _own,
    "over-dispersed, noise shared by the hour": _shared,
    "AR(.6) by the hour": _slow,
    "glitches, 1% of runs lose 10%": _glitches,
    "loss rate of each run, gamma(mean 2%)": _losses,
}


def healthy(name: str, years: int = YEARS, *, bursts: bool = True) -> tuple[float, float, float]:
    """Pages a year, the upper 95% limit, and the share of extra runs."""
    pages, runs = 0, 0
    for year in range(years):
        rng = np.random.default_rng([7, year])
        stream, law = (
            Stream(rng, bursts),
            FAMILIES[name](_rates(100 + year), np.random.default_rng([8, year])),
        )
        for hour in range(YEAR_H + BASELINE):
            stream.hour(law, float(hour))
        pages, runs = pages + len(stream.pages), runs + stream.runs
    upper = (pages + 1.645 * math.sqrt(max(pages, 1))) / years
    return pages / years, upper, runs / (years * (YEAR_H + BASELINE)) - 1.0


def delay(sd: float, streams: int = STREAMS, *, bursts: bool = True) -> float:
    """Mean hours from the first bad run to the page, after a week of history, where the test has its answer."""
    p, spans = _rates(1), []
    q = shifted(p, sd)
    for number in range(streams):
        stream, start = Stream(np.random.default_rng([9, number]), bursts), 168 + BASELINE
        stream.close = Dependence.INDEPENDENT
        for hour in range(start + 400):
            stream.hour((lambda at_h: q) if hour >= start else (lambda at_h: p), float(hour))
            if stream.pages_since(float(start)):
                break
        spans.append((stream.pages[-1] if stream.pages_since(float(start)) else start + 400.0) - start)
    return float(np.mean(spans))


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """Delays with and without bursts; then pages a year and extra runs on healthy streams."""
    for sd, goal in GOALS.items():
        without, found = delay(sd, bursts=False), delay(sd)
        figure = f"{found:.1f} h = {found / without:.2f} x {without:.1f} h without bursts"
        yield (
            f"shift of {sd} sd of run noise, hours to the page",
            figure,
            f"<= {goal} x",
            found <= goal * without,
        )
    for name in FAMILIES:
        rate, upper, extra = healthy(name)
        figure = f"{rate:.1f} pages/yr (<= {upper:.1f}), {extra:+.1%} runs"
        yield (
            f"healthy with bursts: {name}",
            figure,
            "<= 4.06 pages/yr, +6%",
            upper <= 4.06 and extra <= 0.065,
        )


if __name__ == "__main__":
    for row in measure():
        print("|", " | ".join(map(str, row)), "|")
        sys.stdout.flush()
