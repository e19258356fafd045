"""numeric."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.scorers.numeric import Numeric
from checks.types import Example, Response


@pytest.mark.parametrize(
    ("expected", "output", "config", "value"),
    [
        (42, "42", {}, 1),
        (42, "The answer is 42.", {}, 1),
        (42, "first 7, then 42", {}, 1),
        (42, "42 (see page 7)", {"match": "first"}, 1),
        (1234567, "1,234,567", {}, 1),
        (1234.5, "$1,234.50", {}, 1),
        (1234.5, "1.234,50 €", {"decimal": ","}, 1),
        (1234567, "1'234'567", {}, 1),
        (1234567, "1\u202f234\u202f567", {}, 1),
        (-5, "−5", {}, 1),
        (-5, "-5", {}, 1),
        (5, "10-5", {}, 1),
        (1500, "1.5e3", {}, 1),
        (0.5, ".5", {}, 1),
        (25, "25%", {}, 1),
        (0.25, "25 %", {"percent": "ratio"}, 1),
        ("25%", "0.25", {"percent": "ratio"}, 1),
        (0.3, "0.4", {"abs_tol": 0.1}, 1),
        (0.3, "0.41", {"abs_tol": 0.1}, 0),
        (200, "201.9", {"rel_tol": 0.01}, 1),
        (200, "202.1", {"rel_tol": 0.01}, 0),
        (-200, "-201.9", {"rel_tol": 0.01}, 1),
        (9007199254740993, "9007199254740992", {}, 0),
        ([1, 2], "2", {}, 1),
        ("about 12", "12", {}, 1),
        (3, "٣", {}, 1),
        (1e300, "1e999999999", {"rel_tol": 0.5}, 0),
    ],
)
def test_numbers(rate, expected, output, config, value) -> None:
    """The number that counts is read as a person would and compared within the tolerance."""
    assert rate("numeric", expected, output, **config).value == value


@pytest.mark.parametrize("output", ["", "none", "NaN", "Infinity", "GPT4", "v", "-"])
def test_no_number(rate, output) -> None:
    """An answer with no number scores 0 as a format failure."""
    result = rate("numeric", 4, output)
    assert (result.value, result.reason, result.format_failure) == (0.0, "no_number", True)


def test_the_number_that_was_read_is_shown(rate) -> None:
    """The reason of a wrong answer shows the number as it was written."""
    assert rate("numeric", 4, "so 1,005 it is").reason == 'read "1,005"'


@pytest.mark.parametrize("expected", [None, "none", True, {}, [], [1, "x"]])
def test_no_number_expected_is_unscored(rate, expected) -> None:
    """Without a number to compare with, the answer is unscored."""
    assert rate("numeric", expected, "1").value is None


@pytest.mark.parametrize("config", [{"abs_tol": -1}, {"rel_tol": 1}, {"abs_tol": float("nan")}])
def test_a_bad_tolerance_is_refused(make, config) -> None:
    """A tolerance is not negative, and a relative one is below 1."""
    with pytest.raises(ValueError, match=r"greater than or equal to 0|less than 1|finite"):
        make("numeric", **config)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_reads_back(number: float) -> None:
    """Any float that is written out is read as itself."""
    result = Numeric().score(Example("1", "?", number), Response("1", f"It is {number!r}."))
    assert result.value == 1.0
