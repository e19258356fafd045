"""entities."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.scorers.entities import Entities
from checks.types import Example, Response

TYPED = [{"type": "person", "text": "Ada"}, {"type": "place", "text": "London"}]


@pytest.mark.parametrize(
    ("expected", "output", "config", "value"),
    [
        (["Ada", "London"], '["London", "Ada"]', {}, 1),
        (["Ada", "London"], '["Ada"]', {}, 2 / 3),
        (["Ada", "London"], '["Ada", "Ada", "London"]', {}, 1),
        (["Ada"], '["ada"]', {}, 0),
        (["Ada"], '["ada"]', {"ignore_case": True}, 1),
        (["Ada  Lovelace"], '["Ada\\nLovelace"]', {}, 1),
        (["Ada"], '[{"type": "person", "text": "Ada"}]', {}, 1),
        (TYPED, '{"person": ["Ada"], "place": ["London"]}', {}, 1),
        (TYPED, '{"person": ["Ada", "London"]}', {}, 0.5),
        (TYPED, '["Ada", "London"]', {}, 0),
        ({"person": ["Ada"], "place": []}, '[{"type": "person", "text": "Ada"}]', {}, 1),
        (TYPED[:1], '[{"label": "person", "span": "Ada"}]', {"type_key": "label", "text_key": "span"}, 1),
        (["Ada"], '{"result": {"found": ["Ada"]}}', {"at": "result.found"}, 1),
        ([], "[]", {}, 1),
        ([], "{}", {}, 1),
        ([], '["Ada"]', {}, 0),
        (["Ada"], "[]", {}, 0),
    ],
)
def test_f1(rate, expected, output, config, value) -> None:
    """The score is F1 over distinct entities, typed where types are expected."""
    assert rate("entities", expected, output, **config).value == pytest.approx(value)


def test_missed_and_spurious_are_named(rate) -> None:
    """The reason lists what was missed and what is spurious."""
    result = rate("entities", TYPED, '{"person": ["Ada", "Bob"]}')
    assert result.reason == 'missed "place: London"; spurious "person: Bob"'


@pytest.mark.parametrize("output", ["", "Ada", '"Ada"', "[[1]]", '[{"type": "x"}]', '{"person": null}', "1"])
def test_another_shape_is_a_format_failure(rate, output) -> None:
    """An answer that is no JSON of entities scores 0 as a format failure."""
    result = rate("entities", ["Ada"], output)
    assert (result.value, result.format_failure) == (0.0, True)


@pytest.mark.parametrize("expected", [None, "Ada", 3, [["x"]], [{"type": "x"}]])
def test_no_entities_expected_is_unscored(rate, expected) -> None:
    """An ``expected`` that is no list of entities leaves the answer unscored."""
    assert rate("entities", expected, "[]").value is None


NAMES = st.sets(st.sampled_from("abcdefgh"))


@given(NAMES, NAMES)
def test_f1_is_the_harmonic_mean(wanted: set[str], listed: set[str]) -> None:
    """F1 is the harmonic mean of precision and recall."""
    right = len(wanted & listed)
    precision, recall = right / len(listed) if listed else 0, right / len(wanted) if wanted else 0
    f1 = 2 * precision * recall / (precision + recall) if right else float(not wanted and not listed)
    result = Entities().score(Example("1", "?", sorted(wanted)), Response("1", json.dumps(sorted(listed))))
    assert result.value == pytest.approx(f1)
