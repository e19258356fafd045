"""Does the string-kernel test tell models apart, and only models?"""

from __future__ import annotations

import numpy as np
import pytest

from checks.inference.string_kernel import alike, two_sample

WORDS = ("billing", "login", "shipping", "bug")


def asked(rng, after, *, questions=48, noise=0.15):
    """Four answers a question: a model that slips now and then, twice before; ``after`` of it is another's after."""

    def said(word, shift):
        return WORDS[rng.integers(4)] if rng.random() < noise else WORDS[(word + shift) % 4]

    found = []
    for i in range(questions):
        shift = 1 if rng.random() < after else 0
        found.append((said(i, 0), said(i, 0), said(i, shift), said(i, shift)))
    return found


@pytest.mark.parametrize("noise", [0.05, 0.3, 0.7])
def test_one_model_seems_two_no_oftener_than_chance(noise):
    """Of 200 pairs of samples of one model, at most some 5% have p of 5% or less."""
    small = [two_sample(asked(np.random.default_rng([k, 1]), 0.0, noise=noise)).p <= 0.05 for k in range(200)]
    assert sum(small) <= 20


def test_another_model_is_told_by_two_fifths_of_its_answers():
    """Though most answers stay, the discrepancy lies surely above 0."""
    found = two_sample(asked(np.random.default_rng(3), 0.4))
    assert found.p < 0.001
    assert 0.0 < found.discrepancy < 2.0


def test_the_same_answers_are_one_model():
    """Nothing differs: the discrepancy is 0 and p is 1; nothing asked is no answer."""
    found = two_sample([("a", "a", "a", "a")] * 30)
    assert (found.discrepancy, found.p) == (0.0, 1.0)
    assert two_sample([]) is None


def test_long_and_empty_answers_are_bounded():
    """A hostile answer costs no more than its first characters."""
    assert alike("x" * 10**6, "x" * 10**6) == 1.0
    assert alike("", "") == 1.0
