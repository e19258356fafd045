"""Do this endpoint's e-values average to one while it is healthy? What they exceed it by is taken off.

Null hypothesis: an e-value has a mean of at most 1. The noise models see to that where noise is as they say. Where it
is skewed (a server that loses a few answers in most runs and many in some), a bet on a downward shift gains a little in
every run, and a little in every run is a false page in the end. With the mean ``a`` of a bet's past e-values, shrunk
towards 1, and its standard error ``s``::

    e <- e / max(1, a - .6 s)

Where noise is slower than the models' memory each e-value may be fair and a dozen in a row not: they rise together. So
the products of every 12 runs are averaged too, shrunk towards 1 by 60 such blocks, since the mean of few products says
little; with ``b`` that mean, ``e <- e / max(1, b)^(1/12)`` where that is less.

Runs count after a lag of 48, so that a new drop does not testify against itself, an e-value counts for 20 at most and
a product for 50.
On normal noise next to nothing is taken off. Lowering an e-value keeps its mean at most 1.

Kept are sums, and the runs that wait, so memory does not grow.

Reference: the idea of an empirical check of calibration is that of probability forecasts (Dawid 1982).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from checks.types import FloatArray

LAG = 48
ERRORS = 0.6
BLOCK = 12
_TOP, _BLOCK_TOP = float(np.log(20.0)), float(np.log(50.0))
_PRIOR_RUNS, _PRIOR_BLOCKS = 80.0, 60.0


@dataclass(frozen=True, slots=True)
class Record:
    """The past e-values of B bets.

    ``runs`` that count; ``total`` and ``squares`` [bets], the sums of their e-values and of the squares; ``waiting``
    [runs, bets]: log e of the newest, oldest first, which do not count yet. ``block`` [bets]: log of the product of
    the runs since the last full block; ``products`` [bets], the sum of the full blocks' products.
    """

    runs: int
    total: FloatArray
    squares: FloatArray
    waiting: FloatArray
    block: FloatArray
    products: FloatArray


def initial(bets: int) -> Record:
    """No run seen."""
    none = np.zeros(bets)
    return Record(0, none, none, np.zeros((0, bets)), none, none)


def excess(record: Record) -> FloatArray:
    """By how much log e [bets] must be lowered for its past to be fair; 0 where it was."""
    if record.runs < 2:
        return np.zeros_like(record.total)
    mean = record.total / record.runs
    error = np.sqrt(np.maximum(record.squares / record.runs - mean * mean, 0.0) / record.runs)
    shrunk = (record.total + _PRIOR_RUNS) / (record.runs + _PRIOR_RUNS)
    single = np.log(np.maximum(shrunk - ERRORS * error, 1.0))
    blocks = record.runs // BLOCK + _PRIOR_BLOCKS
    together = np.log(np.maximum((record.products + _PRIOR_BLOCKS) / blocks, 1.0)) / BLOCK
    lowered: FloatArray = np.maximum(single, together)
    return lowered


def learn(record: Record, log_e: FloatArray) -> Record:
    """The record after a healthy run with log e [bets], before anything was taken off."""
    waiting = np.concatenate([record.waiting, log_e[None]])
    if len(waiting) <= LAG:
        return replace(record, waiting=waiting)
    e, runs = np.exp(np.minimum(waiting[0], _TOP)), record.runs + 1
    block, products = record.block + waiting[0], record.products
    if runs % BLOCK == 0:
        block, products = np.zeros_like(block), products + np.exp(np.minimum(block, _BLOCK_TOP))
    return Record(runs, record.total + e, record.squares + e * e, waiting[1:], block, products)
