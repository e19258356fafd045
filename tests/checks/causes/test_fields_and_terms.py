"""Is it told which field drifted, and which term took another's place?"""

from __future__ import annotations

import json

import pytest

from checks.causes import schema_drift, terms
from checks.causes.facts import BrokenTerm, Facts, Side
from checks.types import Example, Response

EXAMPLES = tuple(Example(f"T-{i}", f"question {i}") for i in range(40))
GOOD = {"label": "refund", "order": {"total": 12.5, "items": [{"price": 2}]}}


def side(run: int, *answers: object) -> Side:
    """A run whose answers are these, in turn."""
    said = {e.id: answers[i % len(answers)] for i, e in enumerate(EXAMPLES)}
    return Side(run, 100.0 * run, responses={k: (Response(k, json.dumps(v)),) for k, v in said.items()})


def drift(*now: object, before: tuple[object, ...] = (GOOD,), earlier: tuple[object, ...] = (GOOD,)):
    facts = Facts(examples=EXAMPLES, now=side(3, *now), before=side(2, *before), earlier=side(1, *earlier))
    assert schema_drift.RULE.needs(facts)
    return schema_drift.RULE.find(facts)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (
            {**GOOD, "order": {"total": "12.5", "items": [{"price": 2}]}},
            '"order.total" was a number and is a text in 40/40 answers',
        ),
        ({"order": GOOD["order"]}, '"label" is gone in 40/40 answers'),
        ({**GOOD, "comment": "hi"}, '"comment" is new in 40/40 answers'),
        ({"category": "refund", "order": GOOD["order"]}, '"label" is now "category" in 40/40 answers'),
        (
            {**GOOD, "order": {"total": 12.5, "items": [{"price": None}]}},
            '"order.items[].price" was a number and is null in 40/40 answers',
        ),
        ({"label": "refund", "order": None}, '"order" was an object and is null in 40/40 answers'),
    ],
)
def test_a_changed_field_is_told_by_its_path(now: object, said: str) -> None:
    """Which field, what it was, what it is now: one sentence first, and its names hidden where texts are."""
    found = drift(now)
    assert found is not None
    assert found.facts[0] == said
    assert found.names_labels


def test_what_a_part_of_the_answers_do_is_told_with_its_count() -> None:
    """Every second answer lost a field."""
    found = drift(GOOD, {"order": GOOD["order"]})
    assert found is not None
    assert found.facts == ('"label" is gone in 20/40 answers',)


def test_a_field_that_comes_and_goes_is_no_drift() -> None:
    """What differs as much between two good runs says nothing, and other values of the same type neither."""
    other = {**GOOD, "note": "x"}
    assert drift(other, GOOD, before=(GOOD, other), earlier=(other, GOOD)) is None
    assert drift({**GOOD, "label": "bug"}) is None


def test_answers_that_are_no_json_have_no_fields() -> None:
    """A target that answers with labels is not looked at."""
    plain = Facts(examples=EXAMPLES, now=side(3, "bug"), before=side(2, "bug"))
    assert not schema_drift.RULE.needs(plain)
    assert schema_drift.RULE.find(plain) is None


def test_the_term_that_took_anothers_place_is_told_with_its_count() -> None:
    """The most confused pair first; a rule that was always broken as often is not told."""
    facts = Facts(
        examples=EXAMPLES,
        now=side(3, "a"),
        before=side(2, "a"),
        terms=(
            BrokenTerm("uses 'please'", 9, 8, 40),
            BrokenTerm("lacks 'invoice', uses 'receipt'", 31, 2, 40),
        ),
    )
    found = terms.RULE.find(facts)
    assert found is not None
    assert found.facts == ("31/40 answers (usual: 2): lacks 'invoice', uses 'receipt'",)
