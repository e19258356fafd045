"""What is a run held against? The examples' past rates, and one number per run and stream.

The run statistic of a mean stream is the residual sum over the answered examples, in units of the standard deviation
that independent answers would give it::

    y = sum_answered (x_i - p_i) / sqrt(V_t / V) / sqrt(max(PB, least))

p_i: the example's past rate, shrunk towards the overall rate by half an answer; V_t / V: the share of the
within-example variance that was answered; PB: the sum of unbiased within-example variances. An unanswered
example drops out of the sum; counted as a failure it would inflate the run noise several times over.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from checks.types import BoolArray, FloatArray

_SPARE_VARIANCE = 0.003


@dataclass(frozen=True, slots=True)
class Reference:
    """Fitted on all runs learnt so far; a new fit replaces it, nothing changes it.

    ``rate`` and ``variance`` [examples]; ``whole`` (V) and ``unit`` (sqrt of PB) [streams]; ``ranked`` [streams]: the
    stream has next to no spread of its own and is judged by ranks; ``graded``: scores are not just right or wrong.
    ``known`` [examples]: the example was answered often enough to be judged; others count as unanswered.
    """

    rate: FloatArray
    variance: FloatArray
    whole: FloatArray
    unit: FloatArray
    ranked: BoolArray
    graded: bool
    known: BoolArray


def fit(
    masks: BoolArray,
    total: FloatArray,
    squares: FloatArray,
    answers: FloatArray,
    *,
    graded: bool,
    least_variance: float,
    conformal_below: float,
    known: BoolArray | None = None,
) -> Reference:
    """Fit the reference.

    Args:
        masks: bool [streams, examples].
        total: the sum of each example's past scores.
        squares: the sum of their squares.
        answers: how many there were.
        graded: whether scores are other than 0 and 1.
        least_variance: floors PB.
        conformal_below: streams with a smaller PB are judged by ranks.
        known: bool [examples], those to be judged; None: all that were answered.
    """
    overall = float(total.sum() / max(answers.sum(), 1.0))
    rate = (total + 0.5 * overall) / (answers + 0.5)
    spread = np.maximum(squares - total**2 / np.maximum(answers, 1.0), 0.0)
    freedom = np.maximum(answers - 1.0, 0.0)
    unbiased = np.where(freedom > 0, spread / np.maximum(freedom, 1.0), 0.0)
    typical = float(spread.sum() / max(freedom.sum(), 1.0))
    variance = (spread + typical) / (freedom + 1.0) + _SPARE_VARIANCE * max(typical, 1e-6 if graded else 1.0)
    known = answers > 0 if known is None else known
    within = masks @ np.where(known, unbiased, 0.0)
    return Reference(
        rate=rate,
        variance=variance,
        whole=np.maximum(masks @ np.where(known, variance, 0.0), 1e-12),
        unit=np.sqrt(np.maximum(within, least_variance)),
        ranked=within < conformal_below,
        graded=graded,
        known=known,
    )


def statistic(masks: BoolArray, fitted: Reference, scores: FloatArray, answered: BoolArray) -> FloatArray:
    """The run statistic y [rows, streams] of scores [rows, examples]; NaN where a stream has no known answer."""
    columns = masks.T.astype(float)
    answered = answered & fitted.known
    residual = np.where(answered, scores - fitted.rate, 0.0) @ columns
    share = ((answered * fitted.variance) @ columns) / fitted.whole
    with np.errstate(divide="ignore", invalid="ignore"):
        y: FloatArray = np.where(share > 0, residual / np.sqrt(share) / fitted.unit, np.nan)
    return y
