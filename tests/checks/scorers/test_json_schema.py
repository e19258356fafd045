"""json_schema."""

from __future__ import annotations

import json
import socket

import pytest

SCHEMA = {
    "type": "object",
    "required": ["label"],
    "properties": {
        "label": {"enum": ["a", "b"]},
        "items": {"type": "array", "items": {"type": "object", "properties": {"price": {"type": "number"}}}},
    },
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ('{"label": "c"}', "$.label: 'c' is not one of ['a', 'b']"),
        ("{}", "$: 'label' is a required property"),
        ("[]", "$: [] is not of type 'object'"),
        (
            '{"label": "a", "items": [{"price": 1}, {"price": "free"}]}',
            "$.items[1].price: 'free' is not of type 'number'",
        ),
        (
            '{"label": "c", "more": 1}',
            "$: Additional properties are not allowed ('more' was unexpected) (and 1 more)",
        ),
    ],
)
def test_a_wrong_shape_names_path_and_fault(rate, output, reason) -> None:
    """JSON of another shape scores 0 with the path and the fault, and is no format failure."""
    result = rate("json_schema", None, output, schema=SCHEMA)
    assert (result.value, result.reason, result.format_failure) == (0.0, reason, False)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("", "not JSON: the answer is empty"),
        ('Sure! Here it is: {"label": "a"}', 'not JSON: prose before "{"'),
        ('```json\n{"label": "a"}\n```', "not JSON: a code fence (```) around it"),
        ('{"label": "a"} Done.', 'not JSON: text after it, from character 16: "Done."'),
        ('{"label": NaN}', "not JSON: NaN is no JSON number"),
        ('{"label": }', "not JSON: Expecting value (line 1, column 11)"),
        ("[" * 100_000, "not JSON: nested too deeply"),
        ("1" * 5_000, "not JSON: a number has too many digits"),
    ],
)
def test_what_is_not_json_is_a_format_failure(rate, output, reason) -> None:
    """An answer that is not JSON as a whole scores 0 as a format failure and says why."""
    result = rate("json_schema", None, output, schema=SCHEMA)
    assert (result.value, result.reason, result.format_failure) == (0.0, reason, True)


@pytest.mark.parametrize(
    ("output", "fence", "prose"),
    [
        ('```json\n{"label": "a"}\n```', 1, 1),
        ('```{"label": "a"}```', 1, 1),
        ('Here: {"label": "a"} Done [1].', 0, 1),
        ('Here:\n```json\n{"label": "a"}\n```\nDone.', 0, 1),
        ('As [1] says {"label": "a"}', 0, 1),
        ("No JSON here { at all [", 0, 0),
    ],
)
def test_tolerance_is_asked_for(rate, output, fence, prose) -> None:
    """``strict: false`` tolerates one code fence, ``extract: true`` also prose around the JSON."""
    assert rate("json_schema", None, output, schema=SCHEMA).value == 0
    assert rate("json_schema", None, output, schema=SCHEMA, strict=False).value == fence
    assert rate("json_schema", None, output, schema=SCHEMA, strict=False, extract=True).value == prose


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"schema": {"type": "text"}}, r"not a JSON Schema: \$.type: 'text' is not valid"),
        ({"schema": {"$ref": "#/$defs/none"}}, r'\$.\$ref: "#/\$defs/none" does not stand in the schema'),
        (
            {"schema": {"items": {"$ref": "https://example.com/s"}}},
            r"\$.items.\$ref: .* put what it refers to",
        ),
        ({"schema": {"pattern": "("}}, "is no regular expression"),
        ({"schema": {"patternProperties": {"[": {}}}}, "is no regular expression"),
        ({"schema": {"$ref": "#"}}, "refers to itself without end"),
        ({"schema": {"$schema": "https://example.com/draft"}}, "is no draft of JSON Schema"),
        ({"schema": {}, "extract": True}, "needs strict: false"),
        ({}, "schema"),
    ],
)
def test_a_bad_schema_is_refused(make, config, message) -> None:
    """A schema that is none, or that refers to what is not there, is refused when the scorer is made."""
    with pytest.raises(ValueError, match=message):
        make("json_schema", **config)


def test_no_connection_is_opened(make, monkeypatch) -> None:
    """A reference to an address is refused without asking that address."""

    def forbidden(*_args: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    with pytest.raises(ValueError, match="does not stand in the schema"):
        make("json_schema", schema={"properties": {"a": {"$ref": "http://127.0.0.1:9/s"}}})


def test_recursive_schemas_work(rate) -> None:
    """A schema may refer to itself; an answer that is too deep for it is unscored, not wrong."""
    tree = {"type": "array", "items": {"$ref": "#"}}
    assert rate("json_schema", None, "[[], [[]]]", schema=tree).value == 1
    assert rate("json_schema", None, "[[], [1]]", schema=tree).value == 0
    assert rate("json_schema", None, "[" * 400 + "]" * 400, schema=tree).value is None


def test_references_within_nested_resources_work(rate) -> None:
    """A reference to a nested ``$id`` is found."""
    schema = {"$id": "https://example.com/a", "$ref": "b", "$defs": {"b": {"$id": "b", "type": "integer"}}}
    assert rate("json_schema", None, "1", schema=schema).value == 1
    assert rate("json_schema", None, "1.5", schema=schema).value == 0


def test_older_drafts_are_read_as_such(rate) -> None:
    """The draft that ``$schema`` names decides what a keyword means."""
    schema = {"items": [{"type": "integer"}], "additionalItems": False}
    seventh = {"$schema": "http://json-schema.org/draft-07/schema#", **schema}
    assert rate("json_schema", None, "[1, 2]", schema=seventh).value == 0
    assert rate("json_schema", None, "[1]", schema=seventh).value == 1


def test_unique_items_are_counted_at_once(rate) -> None:
    """Uniqueness tells 1 from true but not from 1.0, also among many objects."""
    schema = {"uniqueItems": True}
    assert rate("json_schema", None, '[1, true, "1", {"a": 1}]', schema=schema).value == 1
    assert rate("json_schema", None, '[{"a": 1}, {"a": 1.0}]', schema=schema).value == 0
    many = json.dumps([{"a": i} for i in range(20_000)])
    assert rate("json_schema", None, many, schema=schema).value == 1


def test_patterns_have_a_time_limit(rate, monkeypatch) -> None:
    """A catastrophic pattern in a schema leaves the score unscored."""
    monkeypatch.setattr("checks.scorers._patterns.TIME_LIMIT_S", 0.05)
    result = rate("json_schema", None, json.dumps("a" * 60 + "b"), schema={"pattern": "^(a|aa)+$"})
    assert result.value is None
    assert "took more than" in result.reason


def test_patterns_work(rate) -> None:
    """``pattern`` searches a text and ``patternProperties`` applies to the keys it matches."""
    schema = {"properties": {"id": {"pattern": "^T-"}}, "patternProperties": {"^n_": {"type": "number"}}}
    assert rate("json_schema", None, '{"id": "T-1", "n_a": 1}', schema=schema).value == 1
    assert rate("json_schema", None, '{"id": "1"}', schema=schema).reason == "$.id: '1' does not match '^T-'"
    assert (
        rate("json_schema", None, '{"n_a": "x"}', schema=schema).reason
        == "$.n_a: 'x' is not of type 'number'"
    )
