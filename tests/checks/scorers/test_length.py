"""length."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("expected", "output", "config", "value"),
    [
        (None, "abc", {"at_most": 3}, 1),
        (None, " abc\n", {"at_most": 3}, 1),
        (None, "abcd", {"at_most": 3}, 0),
        (None, "ab", {"at_least": 3}, 0),
        (None, "two words", {"unit": "words", "at_least": 2, "at_most": 2}, 1),
        (None, "abcdef", {"at_most": 3, "smooth": True}, 0.5),
        (None, "a", {"at_least": 4, "smooth": True}, 0.25),
        (None, "", {"at_least": 4, "smooth": True}, 0),
        (None, "x", {"at_most": 0, "smooth": True}, 0),
        ("abcd", "abcdef", {"ratio_at_most": 1.5}, 1),
        ("abcd", "abcdefg", {"ratio_at_most": 1.5}, 0),
        ("abcd", "a", {"ratio_at_least": 0.5}, 0),
        (["a", "abcd"], "abcde", {"ratio_at_most": 1.5}, 1),
        ("abcd", "abcdef", {"ratio_at_most": 2, "at_most": 5}, 0),
    ],
)
def test_bounds(rate, expected, output, config, value) -> None:
    """The score is 1 within all bounds, else 0, or the ratio to the bound if smooth."""
    assert rate("length", expected, output, **config).value == value


def test_the_reason_gives_length_and_bound(rate) -> None:
    """A wrong length is told beside the bound that it misses."""
    assert rate("length", None, "abcd", at_most=3).reason == "4 characters, should be at most 3"
    assert (
        rate("length", "ab cd", "x", unit="words", ratio_at_least=1).reason == "1 words, should be at least 2"
    )


def test_a_ratio_needs_an_expected_text(rate) -> None:
    """A relative bound without an expected length leaves the answer unscored."""
    assert rate("length", None, "x", ratio_at_most=2).value is None
    assert rate("length", " ", "x", ratio_at_most=2).reason.startswith("expected is empty")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "a bound is missing"),
        ({"at_least": 3, "at_most": 2}, r"at_least \(3\) is greater than at_most \(2\)"),
        ({"ratio_at_least": 3, "ratio_at_most": 2}, "is greater than"),
        ({"at_least": -1}, "greater than or equal to 0"),
    ],
)
def test_bad_bounds_are_refused(make, config, message) -> None:
    """No bound, or contradicting ones, are refused when the scorer is made."""
    with pytest.raises(ValueError, match=message):
        make("length", **config)
