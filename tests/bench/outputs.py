"""How often do healthy outputs page, and how soon is a shift found? Length, refusals, labels and format together.

    python -m tests.bench outputs

The whole check is folded over 100 examples, hourly, a baseline of ten runs reused for ever, with all of the budget
(4.06 pages a year). The delays are those of a shift of one of four labels after a week, 12 streams each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from checks import output_shift
from checks.inference import two_sided
from checks.types import Measurement, Subject

EXAMPLES, NAMES, WEEK = 100, ("billing", "bug", "login", "shipping"), 168
HOURS, STREAMS = 2190, 16
BUDGET_A_YEAR = 8760 / 2160
FAMILIES = ("independent", "missing", "AR(.6)", "daily cycle", "glitches: 1% of runs")
SHIFTS = ((0.01, 90.0), (0.02, 30.0), (0.05, 6.0), (0.10, 3.0))


def _drift(family: str, hours: int, rng: np.random.Generator) -> np.ndarray:
    walk = np.zeros(hours)
    if family == "AR(.6)":
        for t in range(1, hours):
            walk[t] = 0.6 * walk[t - 1] + 0.25 * math.sqrt(1 - 0.36) * rng.standard_normal()
    if family == "daily cycle":
        walk = 0.3 * np.sin(2 * np.pi * np.arange(hours) / 24)
    if family.startswith("glitches"):
        walk = np.where(rng.random(hours) < 0.01, 1.0, 0.0)
    return walk


def runs(family: str, hours: int, seed: int) -> Iterator[Measurement]:
    """Runs of a healthy endpoint whose labels, lengths, refusals and format drift together, as the family says."""
    rng = np.random.default_rng([seed, 21])
    odds = rng.dirichlet(np.full(4, 0.15), EXAMPLES) * 0.999 + 0.00025
    centre, spread = rng.normal(4, 0.8, EXAMPLES), rng.uniform(0.02, 0.3, EXAMPLES)
    refusing = np.where(rng.random(EXAMPLES) < 0.1, rng.uniform(0.05, 0.5, EXAMPLES), 0.001)
    breaking = rng.choice([0, 0.001, 0.02], EXAMPLES)
    drift = _drift(family, hours, rng)
    for t in range(hours):
        tilted = odds * np.exp(drift[t] * np.array([1.0, 0, 0, 0]))
        named = (rng.random((EXAMPLES, 1)) > (tilted / tilted.sum(1, keepdims=True)).cumsum(1)).sum(1)
        answered = rng.random(EXAMPLES) >= (rng.uniform(0, 0.1) if family == "missing" else 0.0)
        broken = answered & (rng.random(EXAMPLES) < breaking * math.exp(drift[t]))
        nan = np.where(answered, 0.0, np.nan)
        chars = np.exp(centre + spread * rng.standard_normal(EXAMPLES) + 0.2 * drift[t])
        refused = rng.random(EXAMPLES) < refusing * math.exp(drift[t])
        labels = {int(i): NAMES[min(named[i], 3)] for i in np.flatnonzero(answered & ~broken)}
        yield Measurement(
            run=t + 1,
            started_at=3600.0 * t,
            measured=True,
            scores={"label": np.ones(EXAMPLES) + nan},
            answered=answered,
            latency_s=np.full(EXAMPLES, np.nan),
            observed={"length": chars + nan, "refusal": refused + nan},
            labels={"label": labels},
            malformed={"label": tuple(np.flatnonzero(broken).tolist())},
        )


def pages(family: str, hours: int, seed: int) -> int:
    """The false pages of one stream; after each its clock starts again, as after an explained change."""
    subject, found = Subject(EXAMPLES, ("label",), {}), 0
    state = output_shift.CHECK.initial(subject)
    for run in runs(family, hours, seed):
        state, _ = output_shift.CHECK.update(subject, state, run, share=1.0, learn=True)
        for name, stream in state.streams.items():
            if stream.sides.page is not None:
                found += 1
                quiet = two_sided.State(
                    *(side and _quiet(side) for side in (stream.sides.down, stream.sides.up))
                )
                state.streams[name] = replace(stream, sides=quiet, onset_run=None, size=None)
    return found


def _quiet(side: two_sided.group.State) -> two_sided.group.State:
    return replace(
        side,
        page=None,
        evidence=np.zeros_like(side.evidence),
        past_log_e=side.past_log_e[:0],
        past_dt=side.past_dt[:0],
        past_shift=side.past_shift[:0],
    )


def delay(points: float, seed: int, longest: int = 200) -> int:
    """Runs until the labels page once the first label takes ``points`` from the others, after a week."""
    subject, state = Subject(EXAMPLES, ("label",), {}), None
    rng = np.random.default_rng([seed, 4])
    state = output_shift.CHECK.initial(subject)
    for run in runs("independent", WEEK + longest, seed):
        labels = dict(run.labels["label"])
        if run.run > WEEK:
            others = [i for i, name in labels.items() if name != NAMES[0]]
            moved = points * EXAMPLES / max(len(others), 1)
            labels |= {i: NAMES[0] for i in others if rng.random() < moved}
        shown = replace(run, labels={"label": labels}, observed={})
        state, _ = output_shift.CHECK.update(subject, state, shown, share=1.0, learn=True)
        if run.run > WEEK and state.streams["label.labels"].sides.page is not None:
            return run.run - WEEK
    return longest


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """Pages a year by family, then mean delays by size of the shift."""
    for family in FAMILIES:
        a_year = sum(pages(family, HOURS, seed) for seed in range(STREAMS)) / (HOURS * STREAMS / 8760)
        goal = f"at most {BUDGET_A_YEAR:.2f} by the mean"
        yield f"healthy outputs, {family}", f"{a_year:.2f} pages a year", goal, a_year <= BUDGET_A_YEAR
    for points, most in SHIFTS:
        mean = float(np.mean([delay(points, seed) for seed in range(12)]))
        yield (
            f"one of four labels takes {points:.0%} of the answers",
            f"{mean:.1f} runs",
            f"{most:g} runs",
            mean <= most,
        )
