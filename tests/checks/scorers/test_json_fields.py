"""json_fields."""

from __future__ import annotations

import pytest

EXPECTED = {"label": "Refund", "total": 12.5, "address": {"city": "Bonn"}, "tags": ["a", "b"]}


@pytest.mark.parametrize(
    ("output", "config", "value"),
    [
        ('{"label": "Refund", "total": 12.5, "address": {"city": "Bonn"}, "tags": ["a", "b"]}', {}, 1),
        (
            '{"tags": ["a", "b"], "address": {"city": "Bonn"}, "total": 12.50, "label": "Refund", "x": 1}',
            {},
            1,
        ),
        ('{"label": "refund", "total": 12.5, "address": {"city": "Bonn"}, "tags": ["b", "a"]}', {}, 0.5),
        ('{"label": "refund", "total": 12.5}', {"all_or_nothing": True}, 0),
        ('{"label": " REFUND "}', {"fields": ["label"], "compare": "ignore_case"}, 1),
        ('{"total": "12.49"}', {"fields": ["total"], "compare": "numeric", "abs_tol": 0.01}, 1),
        ('{"total": 12.48}', {"fields": [{"path": "total", "compare": "numeric", "abs_tol": 0.01}]}, 0),
        ('{"total": 12.4}', {"fields": [{"path": "total", "compare": "numeric", "rel_tol": 0.01}]}, 1),
        ('{"address": {"city": "Bonn"}}', {"fields": ["address.city"]}, 1),
        ('{"tags": ["x", "b"]}', {"fields": ["tags.1", "tags.0"]}, 0.5),
        ("{}", {}, 0),
    ],
)
def test_the_share_of_right_fields(rate, output, config, value) -> None:
    """The score is the share of the compared fields that are right."""
    assert rate("json_fields", EXPECTED, output, **config).value == value


def test_true_is_not_one(rate) -> None:
    """Booleans and numbers are different values, at any depth."""
    assert rate("json_fields", {"a": 1, "b": [True]}, '{"a": true, "b": [1]}').value == 0


def test_wrong_fields_are_named(rate) -> None:
    """The reason lists the wrong fields."""
    assert rate("json_fields", {"a": 1, "b": 2, "c": 3}, '{"b": 2}').reason == 'wrong: "a", "c"'


@pytest.mark.parametrize(
    ("output", "reason"),
    [("[]", "not an object but an empty list"), ("x", "not JSON: Expecting value (line 1, column 1)")],
)
def test_what_is_no_object_is_a_format_failure(rate, output, reason) -> None:
    """An answer that is not a JSON object scores 0 as a format failure."""
    result = rate("json_fields", EXPECTED, output)
    assert (result.value, result.reason, result.format_failure) == (0.0, reason, True)


def test_an_example_without_the_fields_is_unscored(rate) -> None:
    """An example whose expected object lacks a listed field, or is none, cannot be scored."""
    assert rate("json_fields", {"a": 1}, "{}", fields=["a", "b.c"]).reason == 'expected lacks "b.c"'
    assert rate("json_fields", "text", "{}").reason == "expected is a text; an object is needed"
    assert rate("json_fields", {}, "{}").reason == "expected has no field to compare"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"fields": []}, "at least 1 item"),
        ({"fields": ["a", "a"]}, 'field "a" is listed twice'),
        ({"fields": [{"path": "a", "compare": "near"}]}, "'exact', 'ignore_case' or 'numeric'"),
        ({"fields": [{"name": "a"}]}, "path"),
    ],
)
def test_bad_fields_are_refused(make, config, message) -> None:
    """An empty list, a field listed twice or an unknown way to compare is refused."""
    with pytest.raises(ValueError, match=message):
        make("json_fields", **config)
