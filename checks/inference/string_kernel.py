"""Do two sets of answers to the same questions come from one model? A two-sample test with a string kernel.

Null hypothesis: for each question, the answers before and after are exchangeable. Two answers are as alike as the share
of characters that agree, place by place, over the longer of them (the Hamming kernel)::

    k(a, b) = #{i < L : a_i = b_i} / L          L = max(|a|, |b|), at most 400; k = 1 for two empty answers

Answers to different questions are never held against each other. With two answers before (a, a') and two after (b, b')
a question adds::

    t = k(a, a') + k(b, b') - (k(a, b) + k(a, b') + k(a', b) + k(a', b')) / 2

whose mean over questions is an unbiased estimate of the squared maximum mean discrepancy: 0 for one model, and at most
2. Of the three ways to part four answers into pairs each is as likely under the null hypothesis, so the p-value counts
how many random choices over all questions reach the sum that was seen. It is a diagnosis, asked once a check has found
a change, and spends nothing of the false-alarm budget.

When not to use it: for answers that repeat to the letter from run to run it is exact and says little more than a count
of those that changed; for one answer a side there is nothing that says how much they vary by themselves.

Reference: I. Gao, P. Liang, C. Guestrin, "Model Equality Testing: Which Model Is This API Serving?" (2024); A. Gretton
et al., "A Kernel Two-Sample Test", *JMLR* 13 (2012) 723-773.

>>> alike("billing", "billing"), alike("abcd", "abxx"), alike("", "no")
(1.0, 0.5, 0.0)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LONGEST = 400
"""Characters of an answer that are compared."""

SHUFFLES = 4000

Four = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class TwoSample:
    """What came of it over so many ``questions``: the squared discrepancy, and the p-value, at least 1 / 4,001."""

    questions: int
    discrepancy: float
    p: float


def alike(a: str, b: str) -> float:
    """The kernel, in [0, 1]."""
    a, b = a[:LONGEST], b[:LONGEST]
    longest = max(len(a), len(b))
    return sum(x == y for x, y in zip(a, b, strict=False)) / longest if longest else 1.0


def two_sample(answers: Sequence[Four], seed: int = 0) -> TwoSample | None:
    """Hold two answers before against two after, by question; None without a question.

    Args:
        answers: (before, before again, after, after again) of each question.
        seed: of the shuffles.
    """
    if not answers:
        return None
    parts = np.array([_partings(four) for four in answers])
    seen = float(parts[:, 0].sum())
    rng = np.random.default_rng(seed)
    reached = 0
    for _ in range(SHUFFLES):
        chosen = parts[np.arange(len(parts)), rng.integers(0, 3, len(parts))]
        reached += float(chosen.sum()) >= seen - 1e-9
    return TwoSample(len(answers), seen / len(answers), (1 + reached) / (1 + SHUFFLES))


def _partings(four: Four) -> tuple[float, float, float]:
    """The statistic of a question for each way to part its answers into pairs, the one that was seen first."""
    a, b, c, d = four
    within = (alike(a, b) + alike(c, d), alike(a, c) + alike(b, d), alike(a, d) + alike(b, c))
    whole = sum(within)
    return tuple(w - (whole - w) / 2.0 for w in within)  # type: ignore[return-value]  # three
