"""How much below the bound may the threshold lie? What the bound leaves unused, given back where noise is known.

That pages are at most one in A hours is a bound: evidence jumps over its threshold instead of meeting it, no run may
say more than its cap, and single bad runs are held down. On healthy streams of thirty kinds the clock paged a third of
what it might (``README.md``). So a stream's weights are multiplied by a factor, which is a threshold
lower by as much:

- 1.75 once 150 runs have shown that the stream's noise is not slow (``noise.settled``);
- .5 once they have shown that it is: noise that wanders for days is the one kind that pages nearly as often as the
  bound says, since a few hours of it look like a small drop;
- 1 until then.

The factor depends on past runs only. It is no theorem but a measured correction; ``tests/bench/engine`` holds the
budget to it on every family.

Reference: Siegmund, *Sequential Analysis* (1985), for the correction of a boundary for its overshoot.

>>> from dataclasses import replace
>>> factor(replace(noise.initial(2), seen=np.array([149.0, 150.0]))).tolist()
[1.0, 1.75]
"""

from __future__ import annotations

import numpy as np

from checks.inference import noise
from checks.types import FloatArray

SETTLED, SLOW = 1.75, 0.5


def factor(learnt: noise.Noise) -> FloatArray:
    """The factor [S] on the weights of each stream's bets."""
    return of(learnt.seen, noise.persistence(learnt))


def of(seen: FloatArray, persistence: FloatArray) -> FloatArray:
    """The factor after so many runs, where so much of a lasting shift would pass for slow noise; any one shape."""
    known = seen >= noise.SETTLED_RUNS
    return np.where(noise.is_settled(seen, persistence), SETTLED, np.where(known, SLOW, 1.0))
