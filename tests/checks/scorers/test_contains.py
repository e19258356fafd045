"""contains."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("expected", "output", "config", "value"),
    [
        ("refund", "We refund it.", {}, 1),
        ("refund", "We Refund it.", {}, 0),
        ("refund", "We Refund it.", {"ignore_case": True}, 1),
        ("log", "login", {}, 1),
        ("log", "login", {"whole_words": True}, 0),
        ("two words", "two\n words", {}, 1),
        (["a1", "b1"], "b1", {}, 1),
        (["a1", "b1"], "b1", {"match": "all"}, 0),
        (["a1", "b1"], "b1 a1", {"match": "all"}, 1),
        (None, "hello", {"values": ["hell"]}, 1),
        ("other", "hello", {"values": ["hell"]}, 1),
        (7, "it is 7", {}, 1),
    ],
)
def test_containment(rate, expected, output, config, value) -> None:
    """An answer is right exactly if any, or all, of the texts stand in it."""
    assert rate("contains", expected, output, **config).value == value


def test_what_is_missing_is_named(rate) -> None:
    """The reason lists the texts that are missing."""
    assert rate("contains", ["a1", "b1"], "b1", match="all").reason == 'missing: "a1"'


def test_only_the_start_is_searched(rate) -> None:
    """What stands behind the first 100,000 characters is not found."""
    assert rate("contains", "needle", "x" * 99_000 + " needle").value == 1
    assert rate("contains", "needle", "x" * 100_000 + " needle").value == 0


def test_a_blank_text_is_refused(rate, make) -> None:
    """A blank text, which every answer contains, is a fault of the configuration or of the example."""
    with pytest.raises(ValueError, match="blank"):
        make("contains", values=["a", " "])
    assert rate("contains", " ", "x").reason == "expected is blank, which every answer contains"
