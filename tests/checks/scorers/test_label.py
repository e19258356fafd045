"""label."""

from __future__ import annotations

import pytest

LABELS = ["billing", "login", "login error", "C++", "(A)", "账单"]


@pytest.mark.parametrize(
    ("output", "named"),
    [
        ("billing", "billing"),
        (" **Billing.** \n", "billing"),
        ("`billing`", "billing"),
        ("“Billing”", "billing"),
        ("- _billing_", "billing"),
        ("It is _billing_ I think", "billing"),
        ("The category is: Login", "login"),
        ("This is a login error, clearly", "login error"),
        ("LOGIN\nERROR", "login error"),
        ("c++", "C++"),
        ("(a)", "(A)"),
        ("I pick (A) here", "(A)"),
        ("billing, yes: billing", "billing"),
        ("这是账单", "账单"),
    ],
)
def test_the_label_that_is_named(rate, output, named) -> None:
    """The label alone, or as a whole word in a longer answer, counts as named; the longest one wins."""
    result = rate("label", named, output, labels=LABELS)
    assert (result.value, result.label) == (1.0, named)


@pytest.mark.parametrize("output", ["", "rebilling", "billing_address", "relogin", "other", "?!"])
def test_no_label(rate, output) -> None:
    """An answer that names no label as a whole word scores 0 as a format failure, without a label."""
    result = rate("label", "billing", output, labels=LABELS)
    assert (result.value, result.reason, result.label) == (0.0, "no_label", None)
    assert result.format_failure


def test_several_labels_are_ambiguous(rate) -> None:
    """An answer that names several labels is wrong even if the right one is among them, and says which."""
    result = rate("label", "billing", "login or billing", labels=LABELS)
    assert (result.value, result.reason, result.label) == (0.0, 'ambiguous: "login", "billing"', None)


def test_a_wrong_label_goes_into_the_confusion_matrix(rate) -> None:
    """A wrong answer keeps the label that it named, as configured."""
    result = rate("label", "billing", "LOGIN.", labels=LABELS)
    assert (result.value, result.label, result.reason, result.format_failure) == (
        0,
        "login",
        'named "login"',
        False,
    )


def test_any_of_several_expected_labels_is_right(rate) -> None:
    """A list of expected labels accepts each of them."""
    assert rate("label", ["billing", "Login"], "login", labels=LABELS).value == 1


def test_aliases_name_their_label(rate) -> None:
    """Another spelling counts as the label, and naming a label twice over is not ambiguous."""
    config = {"labels": ["billing", "login"], "aliases": {"billing": ["payments", "invoice issue"]}}
    assert rate("label", "billing", "Payments", **config).label == "billing"
    assert rate("label", "billing", "payments, i.e. billing", **config).value == 1


def test_alone_only(rate) -> None:
    """With ``anywhere: false`` a longer answer names nothing."""
    assert rate("label", "login", "It is login", labels=LABELS, anywhere=False).reason == "no_label"
    assert rate("label", "login", "Login.", labels=LABELS, anywhere=False).value == 1


def test_case_may_count(rate) -> None:
    """With ``ignore_case: false`` labels that differ only in case are different labels."""
    config = {"labels": ["us", "US"], "ignore_case": False}
    assert rate("label", "US", "in the US", **config).label == "US"
    assert rate("label", "US", "tell us", **config).label == "us"


def test_an_expected_text_that_is_no_label_is_unscored(rate) -> None:
    """An example whose expected text is none of the labels cannot be scored, and says so."""
    assert rate("label", "refund", "billing", labels=["billing"]).reason == (
        'expected "refund" is none of the labels: "billing"'
    )
    assert rate("label", None, "billing", labels=["billing"]).value is None
    assert rate("label", "", "billing", labels=["billing"]).value is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"labels": []}, "at least 1 item"),
        ({"labels": ["a", " "]}, "a label is blank"),
        ({"labels": ["a", "b", "a"]}, 'label "a" is given twice'),
        ({"labels": ["Yes", "yes"]}, 'label "yes" is the same as "Yes" when case is ignored'),
        ({"labels": [True, False]}, "valid string"),
        ({"labels": ["a"], "aliases": {"b": ["c"]}}, '"b" is none of the labels: "a"'),
        ({"labels": ["a", "b"], "aliases": {"a": ["B"]}}, 'alias "B" of "a" also names another label'),
    ],
)
def test_bad_labels_are_refused(make, config, message) -> None:
    """No labels, blank, duplicate or wrongly typed ones are refused when the scorer is made."""
    with pytest.raises(ValueError, match=message):
        make("label", **config)
