"""What changes from run to run while a stretch of runs is judged? The moving part of a group's state.

A state (``streams.py``) is a value; copying all of it for every run of a long history would cost more than judging. So
``group.py`` judges a stretch on a :class:`Now`, and the state takes it over at the stretch's end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from checks.inference import calibration, conformal, counts, noise, tails
from checks.inference.streams import Page, Plan, State
from checks.types import FloatArray


class Past:
    """The newest ``keep`` rows of something, oldest first: an array that grows by a row at a time."""

    def __init__(self, rows: NDArray[Any], keep: int) -> None:
        self._rows, self._keep, self._more = rows, keep, list[Any]()

    def add(self, row: FloatArray | np.float64) -> None:
        """One row more."""
        self._more.append(row)

    def clear(self) -> None:
        """Forget every row."""
        self._rows, self._more = self._rows[:0], []

    def array(self) -> NDArray[Any]:
        """The rows, at most ``keep``."""
        if self._more:
            added = np.asarray(self._more[-self._keep :]).astype(self._rows.dtype)
            whole = np.concatenate([self._rows, added])
            self._rows, self._more = whole[-self._keep :], []
        return self._rows


@dataclass(slots=True)
class Now:
    """What changes from run to run while a stretch is judged; the state takes it over at the stretch's end."""

    seen: int
    last_at_h: float | None
    evidence: FloatArray
    noise: noise.Noise
    counts: counts.Counts | None
    held: FloatArray
    tails: tails.Tails
    record: calibration.Record
    hot: bool
    page: Page | None
    log_e: Past
    dt: Past
    shift: Past
    pool: Past

    @classmethod
    def of(cls, plan: Plan, state: State) -> Now:
        """What an armed state says before the stretch."""
        assert state.noise is not None  # noqa: S101  # only an armed group judges
        return cls(
            state.seen,
            state.last_at_h,
            state.evidence,
            state.noise,
            state.counts,
            state.held,
            state.tails,
            state.record,
            state.hot,
            state.page,
            Past(state.past_log_e, plan.remembered),
            Past(state.past_dt, plan.remembered),
            Past(state.past_shift, plan.remembered),
            Past(state.pool.T, conformal.POOL),
        )

    def into(self, state: State) -> State:
        """The state with what the stretch has changed."""
        return replace(
            state,
            seen=self.seen,
            last_at_h=self.last_at_h,
            evidence=self.evidence,
            noise=self.noise,
            counts=self.counts,
            held=self.held,
            tails=self.tails,
            record=self.record,
            hot=self.hot,
            page=self.page,
            past_log_e=self.log_e.array(),
            past_dt=self.dt.array(),
            past_shift=self.shift.array(),
            pool=np.ascontiguousarray(self.pool.array().T),
        )
