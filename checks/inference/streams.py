"""What is a group of streams? The plan that never changes, the state that runs leave, and what each run showed.

The values of ``group.py``, which says how they come about. A state is plain arrays and numbers, so that it can be
kept (``packing.py``) and taken up again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from checks.inference import calibration, counts, noise, reference, tails
from checks.types import BoolArray, FloatArray

Float32Array: TypeAlias = NDArray[np.float32]

REMEMBERED = 256
"""Runs whose e-values are kept for the onset (as they were, not capped: the onset asks when, not whether)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What never changes in a group.

    ``masks`` [streams, examples], the first one all true; ``names`` the streams' names, the first "all";
    ``key`` numbers the group for the counter-based generator; ``margin`` is a drop that is granted, in
    units of the score; ``least_variance`` floors PB, and below ``conformal_below`` the mean stream is conformal;
    ``remembered`` runs are kept for the onset; ``corrected``: the threshold may lie below the bound (``overshoot.py``).
    """

    masks: BoolArray
    names: tuple[str, ...]
    baseline_runs: int
    key: int = 0
    rare: bool = True
    margin: float = 0.0
    least_variance: float = 0.5
    conformal_below: float = 2.5
    remembered: int = REMEMBERED
    corrected: bool = True

    @property
    def streams(self) -> int:
        """The number of mean streams."""
        return len(self.names)

    @property
    def bets(self) -> FloatArray:
        """The weight of every bet [bets], summing to 1: mean streams' thetas in order, then the gammas."""
        slices = self.streams - 1
        parts = {"mean": 0.36 if slices else 0.55, "rare": (0.39 if slices else 0.45) * self.rare}
        parts["slices"] = 0.25 if slices else 0.0
        whole = sum(parts.values())
        shares = [parts["mean"] / whole, *[parts["slices"] / whole / max(slices, 1)] * slices]
        means = np.concatenate([share * noise.THETA_WEIGHTS for share in shares])
        return np.concatenate([means, parts["rare"] / whole * counts.GAMMA_WEIGHTS]) if self.rare else means


@dataclass(frozen=True, slots=True)
class Page:
    """A standing page: ``run`` paged, ``onset`` is the first bad run; both count judged runs from 0.

    ``stream`` is the one that led; ``shift`` its mean distance from health in standard deviations;
    ``evidence`` the highest seen; ``onset_set`` the 90% set of starts. ``gamma`` numbers the bet on lost answers
    (``counts.GAMMAS``) whose refutation ends a page that rare failures led.
    """

    run: int
    onset: int
    onset_set: tuple[int, ...]
    stream: str
    shift: float
    evidence: float
    recovery: float = 0.0
    good_runs: int = 0
    gamma: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Everything that the past has left. ``seen`` counts measured runs, ``runs`` those that were learnt.

    ``held`` [0 or 1, 2, strata]: the failures and answers of a run at its cap, not learnt yet. ``hot``: the
    newest judged run was at its cap.
    """

    seen: int
    runs: int
    refit_at: int
    total: FloatArray
    squares: FloatArray
    answers: FloatArray
    low: FloatArray
    second: FloatArray
    rows: FloatArray
    times: FloatArray
    last_at_h: float | None
    evidence: FloatArray
    past_log_e: Float32Array
    past_dt: FloatArray
    past_shift: Float32Array
    pool: FloatArray
    held: FloatArray
    tails: tails.Tails
    record: calibration.Record
    hot: bool = False
    fitted: reference.Reference | None = None
    noise: noise.Noise | None = None
    counts: counts.Counts | None = None
    page: Page | None = None

    @property
    def learning(self) -> bool:
        """True until the baseline is complete."""
        return self.fitted is None


@dataclass(frozen=True, slots=True)
class Trace:
    """What each row showed.

    ``evidence`` [rows], 1 pages; ``parts`` [rows, streams + 1], its split over mean streams and
    rare failures; ``capped`` [rows], a bad run that wants a second; ``paged`` [rows], the page began here.
    """

    evidence: FloatArray
    parts: FloatArray
    capped: BoolArray
    paged: BoolArray


def initial(plan: Plan) -> State:
    """No run seen yet."""
    n, bets = plan.masks.shape[1], len(plan.bets)
    return State(
        seen=0,
        runs=0,
        refit_at=plan.baseline_runs,
        total=np.zeros(n),
        squares=np.zeros(n),
        answers=np.zeros(n),
        low=np.full(n, np.inf),
        second=np.full(n, np.inf),
        rows=np.zeros((0, n)),
        times=np.zeros(0),
        last_at_h=None,
        evidence=np.zeros(bets),
        past_log_e=np.zeros((0, bets), dtype=np.float32),
        past_dt=np.zeros(0),
        past_shift=np.zeros((0, plan.streams), dtype=np.float32),
        pool=np.zeros((plan.streams, 0)),
        held=np.zeros((0, 2, counts.STRATA)),
        tails=tails.initial(plan.streams + 1),
        record=calibration.initial(bets),
    )
