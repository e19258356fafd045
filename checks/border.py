"""What do the border prompts say? Prompts whose answer sits on the fence, asked for one token in every run.

Where an endpoint gives no log-probabilities, another quantisation, server or model behind the same name shows itself
soonest in prompts that the model can only just decide: a small change of its odds turns the first token over. Such
prompts are found beside the golden set while the baseline is learnt (``service/border_search.py``). They are never
scored, and say nothing of quality.

Each prompt is held against its own tokens in the first run that asked it: the change is the total variation distance of
the two samples, ``sum |p - q| / 2`` over the tokens; with one request a prompt it is 0 or 1. ``identity.py`` watches
its mean and its rarities, with the noise that was learnt in the rest of the baseline.
"""

from __future__ import annotations

import numpy as np

from checks.types import FloatArray, Measurement

TOKENS, ABOUT = "border:tokens", "border:about"
"""Names in ``Measurement.judged``: a number for each first token, float [prompts * draws], NaN where there was no
answer; and float [2], a number made of the prompts and how many there are."""

FEWEST = 8
"""Border prompts that a run needs answers to."""

NAME = "border_prompts"
"""What findings call them."""


def asked(run: Measurement) -> tuple[float, FloatArray] | None:
    """Which prompts a run asked, and their tokens [prompts, draws]; None where it asked none, or too few answered."""
    about, tokens = run.judged.get(ABOUT), run.judged.get(TOKENS)
    if about is None or tokens is None or not len(tokens):
        return None
    rows = tokens.reshape(int(about[1]), -1)
    return (float(about[0]), rows) if int((~np.isnan(rows)).any(axis=1).sum()) >= FEWEST else None


def distance(first: FloatArray, now: FloatArray) -> FloatArray:
    """The total variation distance of each prompt's tokens, float [prompts] in [0, 1], NaN where either is missing.

    >>> nan = float("nan")
    >>> distance(np.array([[1.0, 1.0], [1.0, 1.0], [nan, nan]]), np.array([[1.0, 1.0], [1.0, 2.0], [3.0, 3.0]]))
    array([0. , 0.5, nan])

    Args:
        first: float [prompts, draws].
        now: float [prompts, any draws].
    """
    return np.array([_distance(a[~np.isnan(a)], b[~np.isnan(b)]) for a, b in zip(first, now, strict=True)])


def _distance(first: FloatArray, now: FloatArray) -> float:
    if not len(first) or not len(now):
        return float("nan")
    tokens = np.union1d(first, now)
    p, q = ((tokens[:, None] == sample).mean(axis=1) for sample in (first, now))
    return float(np.abs(p - q).sum() / 2.0)
