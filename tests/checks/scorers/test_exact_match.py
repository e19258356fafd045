"""exact_match."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("expected", "output", "config", "value"),
    [
        ("yes", "yes", {}, 1),
        ("yes", " yes\n", {}, 1),
        ("yes", " yes\n", {"strip": False}, 0),
        ("yes", "Yes", {}, 0),
        ("Straße", "STRASSE", {"ignore_case": True}, 1),
        ("a b", "a \n b", {}, 0),
        ("a b", "a \n b", {"collapse_whitespace": True}, 1),
        ("a b", " a  b", {"collapse_whitespace": True, "strip": False}, 0),
        (" a b", "\ta  b", {"collapse_whitespace": True, "strip": False}, 1),
        ("caf\u00e9", "cafe\u0301", {}, 1),
        ("caf\u00e9", "cafe\u0301", {"normalize": "none"}, 0),
        ("fi", "\ufb01", {}, 0),
        ("fi", "\ufb01", {"normalize": "NFKC"}, 1),
        (42, "42", {}, 1),
        (["yes", "y"], "y", {}, 1),
        (["yes", 1], "no", {}, 0),
        ("", "", {}, 1),
    ],
)
def test_equality(rate, expected, output, config, value) -> None:
    """An answer is right exactly if it equals one of the expected texts under the options."""
    assert rate("exact_match", expected, output, **config).value == value


def test_a_near_miss_is_told_apart(rate) -> None:
    """The reason tells a difference in case, a longer answer and an empty one from a different answer."""
    reasons = [rate("exact_match", "yes", output).reason for output in ("YES", "Well, yes.", " ", "no")]
    assert reasons == [
        "differs only in case or white space",
        "the expected text stands inside a longer answer",
        "the answer is empty",
        "differs",
    ]


@pytest.mark.parametrize("expected", [None, {"a": 1}, [], ["a", None]])
def test_no_text_expected_is_unscored(rate, expected) -> None:
    """Without a text to compare with, the answer is unscored, not wrong."""
    result = rate("exact_match", expected, "yes")
    assert result.value is None
    assert "a text, a number or a list of them is needed" in result.reason
