"""Did something move, either way? A score that has no good direction, as two groups that look at it from both sides.

Null hypothesis: the rows go on as they did while the baseline was learnt. One group (``group.py``) looks for a fall of
every block, a second one at the mirrored row for a rise; each has half the weight, so that the two together keep the
promise of one (the union of two streams whose thresholds are doubled). Everything else is the group's: the learnt
noise, missing answers, two runs must agree, measured tails, onset, what ends a page.

A row may hold several blocks of the same examples side by side, one per category (``categorical.py``); each block is a
stream with the same weight. ``rare_part`` of the weight goes to answers that hardly ever did this before.

When not to use it: for a score where only a fall is bad; half the weight would be wasted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from checks.inference import counts, group, noise
from checks.types import FloatArray


@dataclass(frozen=True, slots=True)
class Blocks(group.Plan):
    """A group over blocks of equal weight. ``rare_part`` is the share of rare failures, 0 without them."""

    rare_part: float = 0.0

    @property
    def bets(self) -> FloatArray:
        """The weight of every bet [bets], summing to 1: the blocks' thetas in order, then the gammas."""
        means = np.tile(noise.THETA_WEIGHTS * (1.0 - self.rare_part) / self.streams, self.streams)
        return np.concatenate([means, self.rare_part * counts.GAMMA_WEIGHTS]) if self.rare else means


def blocks(
    examples: int,
    names: tuple[str, ...],
    *,
    baseline_runs: int,
    key: int,
    rare_part: float = 0.0,
    margin: float = 0.0,
    least_variance: float = 0.5,
    conformal_below: float = 2.5,
) -> Blocks:
    """The plan of one side: a block of ``examples`` per name. The other side has ``key + 1``."""
    masks = np.repeat(np.eye(len(names), dtype=bool), examples, axis=1)
    return Blocks(
        masks=masks,
        names=names,
        baseline_runs=baseline_runs,
        key=key,
        rare=rare_part > 0.0,
        margin=margin,
        least_variance=least_variance,
        conformal_below=conformal_below,
        rare_part=rare_part,
        corrected=False,
    )


@dataclass(frozen=True, slots=True)
class State:
    """Both sides; ``up`` is None where only a fall is watched."""

    down: group.State
    up: group.State | None

    @property
    def learning(self) -> bool:
        """True until the baseline is complete."""
        return self.down.learning

    @property
    def page(self) -> group.Page | None:
        """The page that stands, the fall's first."""
        return self.down.page or (self.up.page if self.up is not None else None)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one row showed: ``evidence`` relative to the threshold, the larger of the sides.

    ``capped``: a bad run that wants a second. ``lead`` is the block with the most evidence; ``rises`` the side that it
    is on.
    """

    evidence: float
    capped: bool
    lead: int
    rises: bool


def initial(plan: Blocks, *, both: bool = True) -> State:
    """No run seen yet."""
    fresh = group.initial(plan)
    return State(fresh, fresh if both else None)


def advance(
    plan: Blocks,
    state: State,
    row: FloatArray,
    mirrored: FloatArray,
    *,
    at_h: float,
    threshold_h: float,
    learn: bool = True,
) -> tuple[State, Seen]:
    """Take in one run.

    Args:
        plan: the falling side's.
        state: what the past left.
        row: float [blocks * examples], NaN where unknown.
        mirrored: the row seen from the other side (``1 - row`` for rates, ``-row``).
        at_h: when the run started, hours.
        threshold_h: A, the budget's period over the share of both sides together.
        learn: false while another finding of the target stands.
    """
    sides = 1 if state.up is None else 2
    hours, threshold = np.array([at_h]), np.array([threshold_h * sides])
    learn = learn and state.page is None
    down, trace = group.advance(plan, state.down, row[None], hours, threshold, learn=learn)
    parts, capped, evidence = [trace.parts[0]], bool(trace.capped[0]), [float(trace.evidence[0])]
    up = state.up
    if up is not None:
        other = replace(plan, key=plan.key + 1)
        learn = learn and down.page is None
        up, trace = group.advance(other, up, mirrored[None], hours, threshold, learn=learn)
        parts.append(trace.parts[0])
        evidence.append(float(trace.evidence[0]))
        capped = capped or bool(trace.capped[0])
    side = int(np.argmax(evidence))
    page = (down, up)[side].page if (down, up)[side] is not None else None  # type: ignore[union-attr]
    lead = plan.names.index(page.stream) if page is not None else int(np.argmax(parts[side][:-1]))
    return State(down, up), Seen(evidence[side], capped, lead, side == 1)
