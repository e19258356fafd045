"""Has this endpoint shown such bad runs before while it was healthy? Measured tails bound what one run may say.

Null hypothesis: the runs are exchangeable. Then a run whose e-value is exceeded by a share p of the past ones is no
more surprising than p says, whatever the noise model makes of it: an endpoint that loses a tenth of its answers once in
a hundred runs must not page when two such runs happen to meet. With n past runs of which k were at least as bad::

    e <- min(e, max(3, .1 (n + 1) / (k + 1)))        where k >= 2

Only what was seen at least twice is held against a run: without a record there is no bound, so a new kind of
break is found as fast after ten runs as after a year. Runs count after a lag of four, so that the runs of a new drop do
not testify against each other. On normal noise the bound is never reached (at p = .01 the mixture's e is 6, the bound
10). Lowering an e-value keeps its mean at most 1.

Kept is a histogram of log e per stream, so memory does not grow; values in one bin count as equal.

Reference: the idea of conformal e-values (Vovk, Wang 2021; Vovk, Gammerman, Shafer 2005), used as a bound only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from checks.types import BoolArray, FloatArray

FREE = float(np.log(3.0))
"""Log e up to which nothing is bounded."""

WIDTH, BINS = 0.25, 28
LAG = 4
_UNSEEN = -1
SEEN = 2
_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Tails:
    """The record of S streams.

    ``counts`` [streams, bins + 1]: past runs by log e, the first bin all below FREE; ``recent`` [runs, streams]: the
    bins of the newest runs, oldest first, which do not count yet.
    """

    counts: FloatArray
    recent: FloatArray


def initial(streams: int) -> Tails:
    """No run seen."""
    return Tails(np.zeros((streams, BINS + 1)), np.zeros((0, streams)))


def _bins(log_e: FloatArray) -> FloatArray:
    """0 below FREE, then one number per WIDTH up to BINS."""
    return np.minimum(np.maximum(np.floor((log_e - FREE) / WIDTH) + 1.0, 0.0), BINS)


def excess(tails: Tails, log_e: FloatArray) -> FloatArray:
    """How far log e [streams] lies above what the past allows; 0 where it does not."""
    bins = _bins(log_e).astype(int)
    n = tails.counts.sum(axis=1)
    at_least = tails.counts[:, ::-1].cumsum(axis=1)[:, ::-1][np.arange(len(bins)), bins]
    bound = np.maximum(FREE, np.log(_SHARE * (n + 1.0) / (at_least + 1.0)))
    return np.where((at_least >= SEEN) & (bins > 0), np.maximum(log_e - bound, 0.0), 0.0)


def learn(tails: Tails, log_e: FloatArray, *, seen: BoolArray | None = None) -> Tails:
    """The state after a healthy run with log e [streams] (not bounded).

    A stream that the run did not show (``seen`` [streams] false) learns nothing: a stand-in would pass for a calm run.
    """
    bins = _bins(log_e) if seen is None else np.where(seen, _bins(log_e), _UNSEEN)
    recent = np.concatenate([tails.recent, bins[None]])
    if len(recent) <= LAG:
        return Tails(tails.counts, recent)
    oldest, counts = recent[0].astype(int), tails.counts.copy()
    counts[np.arange(len(oldest)), oldest] += oldest != _UNSEEN
    return Tails(counts, recent[1:])
