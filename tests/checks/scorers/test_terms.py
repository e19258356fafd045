"""terms."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("expected", "output", "config", "value"),
    [
        (None, "The invoice is due.", {"required": ["invoice", "due"]}, 1),
        (None, "The INVOICE", {"required": ["invoice", "due"]}, 0.5),
        (None, "The INVOICE", {"required": ["invoice", "due"], "all_or_nothing": True}, 0),
        (None, "The INVOICE", {"required": ["invoice"], "ignore_case": False}, 0),
        (None, "invoices", {"required": ["invoice"]}, 0),
        (None, "Rechnungsnummer", {"required": ["rechnung"], "whole_words": False}, 1),
        (None, "due\ndate", {"required": ["due date"]}, 1),
        (None, "fine", {"forbidden": ["bill"]}, 1),
        (None, "the bill", {"forbidden": ["bill"]}, 0),
        (None, "the invoice", {"confusable": [["invoice", "receipt"]]}, 1),
        (None, "the invoice, not the receipt", {"confusable": [["invoice", "receipt"]]}, 0),
        (None, "neither", {"confusable": [["invoice", "receipt"]]}, 0),
        (None, "a login error", {"confusable": [["login error", "login"]]}, 1),
        (None, "a login error at login", {"confusable": [["login error", "login"]]}, 0),
        ("invoice", "the invoice", {}, 1),
        (["invoice", "due"], "the invoice", {}, 0.5),
        ({"required": ["due"]}, "due", {"forbidden": ["bill"]}, 1),
        ({"forbidden": ["due"], "confusable": [["a", "b"]]}, "due a", {}, 0.5),
        ("billing", "fine", {"forbidden": ["bill"]}, 1),
        ({"label": "x"}, "fine", {"forbidden": ["bill"]}, 1),
    ],
)
def test_the_share_of_rules_kept(rate, expected, output, config, value) -> None:
    """The score is the share of rules kept, the scorer's own and the example's."""
    assert rate("terms", expected, output, **config).value == value


def test_broken_rules_are_named(rate) -> None:
    """The reason says which rules are broken and how."""
    result = rate(
        "terms",
        None,
        "the bill, a receipt",
        required=["due"],
        forbidden=["bill"],
        confusable=[["invoice", "receipt"]],
    )
    assert result.reason == 'lacks "due"; uses "bill"; lacks "invoice", uses "receipt"'


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        (None, "no terms"),
        ({"required": "due"}, "expected: required: Input should be a valid tuple"),
        ({"confusable": [["a"]]}, "expected: confusable.0.1: Field required"),
        (["a", 3], "expected: required.1: Input should be a valid string"),
        (" ", "expected: required.0"),
    ],
)
def test_an_example_without_sound_terms_is_unscored(rate, expected, reason) -> None:
    """Without terms, or with malformed ones, the answer is unscored and the fault is named."""
    result = rate("terms", expected, "due")
    assert result.value is None
    assert result.reason.startswith(reason)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"confusable": [["a", "A"]]}, "are the same"),
        ({"confusable": [["a"]]}, "Field required"),
        ({"required": [" "]}, "match pattern"),
        ({"required": ["Due"], "forbidden": ["due"]}, "required and forbidden at once"),
    ],
)
def test_bad_terms_are_refused(make, config, message) -> None:
    """Terms that are blank, or contradict each other, are refused when the scorer is made."""
    with pytest.raises(ValueError, match=message):
        make("terms", **config)
