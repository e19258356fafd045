"""Are AC1, kappa and their intervals those of the literature?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.inference.agreement import agreement

RATINGS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0])), min_size=3, max_size=40
)


def table(both: int, first: int, second: int, neither: int):
    """Two raters' yes and no: both yes, only the first, only the second, both no."""
    counts = [both, first, second, neither]
    return np.repeat([1.0, 1.0, 0.0, 0.0], counts), np.repeat([1.0, 0.0, 1.0, 0.0], counts)


@pytest.mark.parametrize(
    ("cells", "kappa", "ac1"),
    [
        ((118, 5, 2, 0), -0.0234, 0.9408),  # the paradox: nearly all agree, and kappa is below 0
        ((20, 5, 10, 15), 0.4, 0.4059),
        ((40, 9, 6, 45), 0.6995, 0.7007),
    ],
)
def test_both_coefficients_are_those_computed_by_hand(cells, kappa: float, ac1: float) -> None:
    """(p_a - p_e) / (1 - p_e) with each coefficient's own p_e, to four digits."""
    found = agreement(*table(*cells))
    assert found is not None
    assert found.kappa is not None
    assert found.ac1 is not None
    assert found.kappa.value == pytest.approx(kappa, abs=6e-5)
    assert found.ac1.value == pytest.approx(ac1, abs=6e-5)


def test_the_interval_is_that_of_the_jackknife() -> None:
    """Leaving out one item after the other gives nearly the same standard error."""
    a, b = table(60, 9, 14, 37)
    found = agreement(a, b)
    assert found is not None
    for name in ("ac1", "kappa"):
        whole = getattr(found, name)
        without = np.array(
            [getattr(agreement(np.delete(a, i), np.delete(b, i)), name).value for i in range(len(a))]
        )
        n = len(a)
        spread = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
        assert (whole.high - whole.low) / 2 / 1.98 == pytest.approx(spread, rel=0.03)


def test_the_interval_holds_the_truth_in_95_percent() -> None:
    """Over 600 samples of 60 items of known agreement both intervals cover it in 92% or more."""
    rng = np.random.default_rng(7)
    cells = np.array([0.55, 0.08, 0.12, 0.25])
    big = agreement(*table(*(cells * 100_000).round().astype(int)))
    inside = {"ac1": 0, "kappa": 0}
    for _ in range(600):
        found = agreement(*table(*rng.multinomial(60, cells)))
        for name in inside:
            one = getattr(found, name)
            inside[name] += one.low <= getattr(big, name).value <= one.high
    assert min(inside.values()) >= 0.92 * 600


def test_raters_that_never_differ_are_not_known_to_agree_for_ever() -> None:
    """Twenty items of full agreement: the lower end is Wilson's, not 1."""
    found = agreement(*table(10, 0, 0, 10))
    assert found is not None
    assert found.ac1 is not None
    assert (found.ac1.value, found.ac1.high) == (1.0, 1.0)
    assert 0.6 < found.ac1.low < 0.75


def test_kappa_is_not_defined_where_both_use_one_category() -> None:
    """All yes: kappa is None, AC1 is 1."""
    found = agreement(*table(12, 0, 0, 0))
    assert found is not None
    assert found.kappa is None
    assert found.ac1 is not None
    assert found.ac1.value == 1.0


def test_unknown_ratings_are_left_out() -> None:
    """An item that one rater did not rate counts for nothing; fewer than two say nothing."""
    a, b = np.array([1.0, 0.0, np.nan, 1.0]), np.array([1.0, 0.0, 1.0, np.nan])
    found = agreement(a, b)
    assert found is not None
    assert found.n == 2
    assert agreement(a[2:], b[2:]) is None


@given(RATINGS)
def test_a_coefficient_lies_in_its_interval_and_does_not_know_who_is_first(pairs) -> None:
    """low <= value <= high, within [-1, 1]; swapping the raters changes nothing."""
    a, b = np.array(pairs).T
    found, swapped = agreement(a, b), agreement(b, a)
    assert found is not None
    assert swapped is not None
    for name in ("ac1", "kappa"):
        one, other = getattr(found, name), getattr(swapped, name)
        assert (one is None) == (other is None)
        if one is not None:
            assert -1.0 <= one.low <= one.high <= 1.0
            assert one.value == pytest.approx(other.value)
