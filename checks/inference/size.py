"""Is what was found large enough to page for? The mean effect since the onset, against the least that the user minds.

Evidence says whether something moved; this says whether anyone wants to be woken for it. Since the onset the effects of
the runs are averaged, the newest :data:`WINDOW` counting most, so that one run that scatters far does not page a small
change. It only ever holds pages back: the false-alarm budget is kept with it as without it. Once large enough it stays
so until the page is over; a small change that grows is paged when it has grown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from checks.inference import group, noise
from checks.types import FloatArray

WINDOW = 8
"""Runs that the mean looks back, roughly: older ones fade by 1/8 a run."""

SURE = 4.0
"""Standard deviations of the mean that a subject which did not page itself must have moved to count."""


@dataclass(frozen=True, slots=True)
class Size:
    """How far each subject [subjects] has moved since the onset, a mean over how many runs, and whether it was enough.

    Positive is the way that paged.
    """

    moved: FloatArray
    runs: int
    enough: bool


def of_page(plan: group.Plan, state: group.State, page: group.Page) -> float:
    """How far the stream that paged has moved for the worse since the onset, a mean on the score's own scale."""
    fitted, learnt = state.fitted, state.noise
    assert fitted is not None and learnt is not None  # noqa: S101, PT018  # a page stands on a fitted reference
    at = plan.names.index(page.stream)
    spread = noise.predict(learnt, learnt.mean, state.last_at_h or 0.0).scale[at, 0]
    return page.shift * float(spread * fitted.unit[at]) / float(plan.masks[at].sum())


def begin(moved: FloatArray, runs: int, least: float | None, spread: FloatArray | float = 0.0) -> Size:
    """At a page: the mean ``moved`` [subjects] over the ``runs`` since the onset. ``least`` None: anything pages.

    ``spread`` [subjects]: the standard deviation of one run's effect; 0 for what paged itself and is sure already.
    """
    return _judged(Size(moved, max(runs, 1), False), least, np.asarray(spread), 1)


def step(size: Size, effect: FloatArray, least: float | None, spread: FloatArray | float = 0.0) -> Size:
    """After one more run with ``effect`` [subjects], NaN where the run does not tell.

    >>> import numpy as np
    >>> small = begin(np.array([0.005]), 4, 0.02)
    >>> small.enough, step(small, np.array([0.03]), 0.02).enough
    (False, False)
    >>> for _ in range(20):
    ...     small = step(small, np.array([0.03]), 0.02)
    >>> small.enough
    True
    """
    runs = size.runs + 1
    moved = size.moved + np.where(np.isnan(effect), 0.0, effect - size.moved) / min(runs, WINDOW)
    return _judged(replace(size, moved=moved, runs=runs), least, np.asarray(spread), min(runs, WINDOW))


def _judged(size: Size, least: float | None, spread: FloatArray, runs: int) -> Size:
    bar = None if least is None else np.maximum(least - 1e-12, SURE * spread / math.sqrt(runs))
    large = bar is None or bool(np.any(size.moved >= bar))
    return replace(size, enough=size.enough or large)
