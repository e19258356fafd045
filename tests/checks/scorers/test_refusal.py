"""refusal."""

from __future__ import annotations

import pytest

REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, I can’t assist with that request.",
    "I cannot provide medical advice.",
    "I am unable to help with this.",
    "Unfortunately, I'm not able to generate that kind of content.",
    "As an AI language model, I don't have personal opinions.",
    "I must respectfully decline to answer.",
    "Sorry, I can't do that.",
    "I'm sorry, I cannot.",
    "I won't help with that.",
    "That goes against my guidelines.",
    "Answering would violate OpenAI's usage policies.",
    "I'm not comfortable with this topic.",
    "I’d rather not say.",
    "This request cannot be fulfilled.",
]
ANSWERS = [
    "Your parcel arrives on Monday.",
    "I cannot find your order; please send its number.",
    "I'm sorry to hear that your parcel is late. It will arrive on Monday.",
    "Sorry for the delay! We can't ship before Monday.",
    "We cannot provide refunds after 30 days.",
    "You can't log in because the password expired.",
    "I can't wait to help you with that.",
    "billing",
    "Canned goods are in aisle 4.",
    "The policy is against the law.",
    "Batteries are against the rules of the carrier.",
]


@pytest.mark.parametrize("output", REFUSALS)
def test_refusals_are_told(rate, output) -> None:
    """A plain refusal is a refusal: 0 where an answer is due, 1 where a refusal is."""
    result = rate("refusal", None, output)
    assert (result.value, result.label, result.reason) == (0.0, "refusal", "refused")
    assert rate("refusal", None, output, expect="refuse").value == 1


@pytest.mark.parametrize("output", ANSWERS)
def test_answers_are_told(rate, output) -> None:
    """An answer that speaks of what cannot be done is not taken for a refusal."""
    assert rate("refusal", None, output).value == 1
    result = rate("refusal", {"refusal": True}, output)
    assert (result.value, result.label, result.reason) == (0.0, "answer", "did not refuse")


def test_the_example_outweighs_the_option(rate) -> None:
    """``expected.refusal`` decides for its example; other expected values do not matter."""
    assert rate("refusal", {"refusal": False}, "Yes.", expect="refuse").value == 1
    assert rate("refusal", "billing", "Yes.").value == 1
    assert rate("refusal", {"refusal": "yes"}, "Yes.").value is None


@pytest.mark.parametrize("expect", ["answer", "refuse"])
def test_an_empty_answer_is_neither(rate, expect) -> None:
    """An empty answer scores 0 as a format failure whatever is expected."""
    result = rate("refusal", None, " \n", expect=expect)
    assert (result.value, result.label, result.format_failure) == (0.0, None, True)


def test_only_the_opening_counts(rate) -> None:
    """A phrase far into an answer is a quotation, not a refusal, unless told otherwise."""
    output = "The tale goes on. " * 30 + "I cannot help with that."
    assert rate("refusal", None, output).value == 1
    assert rate("refusal", None, output, within=10_000).value == 0


def test_own_patterns(rate, make) -> None:
    """Own patterns add to the list, or replace it; a bad one is refused."""
    german = {"patterns": ["dazu kann ich nichts sagen"]}
    assert rate("refusal", None, "Dazu kann ich nichts sagen.", **german).value == 0
    assert rate("refusal", None, REFUSALS[0], **german).value == 0
    assert rate("refusal", None, REFUSALS[0], **german, built_in=False).value == 1
    with pytest.raises(ValueError, match="is no regular expression"):
        make("refusal", patterns=["("])
    with pytest.raises(ValueError, match="leaves nothing to look for"):
        make("refusal", built_in=False)
