"""regex."""

from __future__ import annotations

import pytest

PRIME = r"(?s)\b(yes|no(?!.*\byes\b))\b"


@pytest.mark.parametrize(
    ("expected", "output", "config", "value"),
    [
        ("B", "The answer is (B).", {"pattern": r"\(([A-D])\)"}, 1),
        ("(B)", "The answer is (B).", {"pattern": r"\([A-D]\)"}, 1),
        ("(B)", "The answer is (B).", {"pattern": r"\(([A-D])\)", "group": 0}, 1),
        ("d", "a-d", {"pattern": r"(\w)-(\w)", "group": 2}, 1),
        ("d", "a-d", {"pattern": r"(\w)-(?P<right>\w)", "group": "right"}, 1),
        ("1", "1 2 3", {"pattern": r"\d"}, 1),
        ("3", "1 2 3", {"pattern": r"\d", "match": "last"}, 1),
        ("yes", "YES", {"pattern": "yes", "ignore_case": True}, 1),
        (" yes ", "-yes -", {"pattern": "-([^-]*)-"}, 1),
        (["x", "2"], "2", {"pattern": r"\d"}, 1),
        ("Yes", "No, no. [Yes]", {"pattern": PRIME, "ignore_case": True}, 1),
        ("No", "No, it is not.", {"pattern": PRIME, "ignore_case": True}, 1),
        ("b", "a b", {"pattern": r"a|(b)"}, 1),
        ("", "x", {"pattern": r"y*"}, 1),
    ],
)
def test_what_is_taken_out_is_compared(rate, expected, output, config, value) -> None:
    """The chosen group of the chosen match, stripped, is compared with the stripped expected text."""
    assert rate("regex", expected, output, **config).value == value


def test_no_match_is_a_format_failure(rate) -> None:
    """An answer in which the pattern does not match scores 0 with the contract's reason."""
    result = rate("regex", "1", "none", pattern=r"\d")
    assert (result.value, result.reason, result.format_failure) == (0.0, "no_match", True)


def test_a_wrong_answer_is_shown(rate) -> None:
    """The reason of a wrong answer shows what was taken out, and it is no format failure."""
    result = rate("regex", "1", "say 2", pattern=r"\d")
    assert (result.value, result.reason, result.format_failure) == (0.0, 'took out "2"', False)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"pattern": "("}, "is no regular expression: missing \\)"),
        ({"pattern": ""}, "the pattern is empty"),
        ({"pattern": "(a)", "group": 2}, "the pattern has 1 groups, so group 2 does not exist"),
        ({"pattern": "(?P<a>x)", "group": "b"}, 'no group named "b"; its named groups: a'),
        ({"pattern": "a", "match": "middle"}, "'first' or 'last'"),
        ({"pattern": "a", "group": True}, "valid integer"),
    ],
)
def test_a_bad_option_is_refused(make, config, message) -> None:
    """A pattern that does not compile, or a group that is not there, is refused when the scorer is made."""
    with pytest.raises(ValueError, match=message):
        make("regex", **config)


@pytest.mark.parametrize("match", ["first", "last"])
def test_a_catastrophic_pattern_ends_unscored(rate, match, monkeypatch) -> None:
    """A pattern that would backtrack for ages leaves the score unscored and says what to do."""
    monkeypatch.setattr("checks.scorers._patterns.TIME_LIMIT_S", 0.05)
    result = rate("regex", "x", "a" * 60 + "b", pattern=r"(a|aa)+$", match=match)
    assert result.value is None
    assert "took more than 0.05 s" in result.reason
    assert "nested repetition" in result.reason


def test_the_ends_are_searched(rate) -> None:
    """Of a long answer the first match looks at the start and the last match at the end."""
    output = "1" + "x" * 200_000 + "2"
    assert rate("regex", "1", output, pattern=r"\d").value == 1
    assert rate("regex", "2", output, pattern=r"\d", match="last").value == 1
    assert rate("regex", "1", "x" * 100_000 + "1", pattern=r"\d").reason == "no_match"
