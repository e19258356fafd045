"""What holds for every scorer, whoever wrote it."""

from __future__ import annotations

import inspect
import json
import textwrap
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from checks.registry import find, kinds
from checks.scorers import ROOM, Scorer, score
from checks.scorers._asking import AskingScorer, Replies
from checks.types import Example, Response

KINDS = kinds(ROOM)
HOSTILE = {
    "empty": "",
    "white space": " \n\t ",
    "a megabyte": "a" * 1_000_000,
    "a megabyte of words": "no yes " * 150_000,
    "a megabyte of digits": "9" * 1_000_000,
    "NUL": "\x00",
    "right to left": "\u202ebilling\u202c \u2067x",
    "terminal escapes": "\x1b[31mbilling\x1b[0m",
    "lone surrogates": "\ud800 billing \udfff",
    "invalid JSON": '{"a": ',
    "NaN": "[NaN, Infinity]",
    "deep lists": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "deep and closed": "[" * 900 + "]" * 900,
    "huge integer": '{"a": ' + "7" * 10_000 + "}",
    "huge exponent": "1e999999999 and -1E-999999999",
    "many objects": "[" + "{}," * 50_000 + "{}]",
    "unclosed fences": "```json\n" * 10_000,
    "combining marks": "e" + "\u0301" * 50_000,
    "surrogate in JSON": '{"label": "\\ud800", "\\ud800": 1}',
}


def example_of(kind: str) -> dict[str, Any]:
    """The example that the class docstring shows: scorer, expected, right and wrong."""
    _, _, block = inspect.cleandoc(find(ROOM, kind).__doc__ or "").partition("Example::\n")
    lines = block.split("\n")
    indented = [line for line in lines if not line or line.startswith("    ")]
    shown: dict[str, Any] = yaml.safe_load(textwrap.dedent("\n".join(indented)))
    return shown


class Whatever(dict[str, str]):
    """Replies of a model that says the same to whatever it was not expected to be asked."""

    def get(self, key: str, _default: Any = None) -> Any:
        return self[key] if key in self else self["*"]  # that would call itself


def scorer_of(kind: str) -> Scorer:
    """The scorer of the example; one that asks a model knows the replies that the example shows."""
    shown = example_of(kind)
    scorer: Scorer = find(ROOM, kind).model_validate(shown["scorer"])
    if not isinstance(scorer, AskingScorer):
        return scorer
    said, example = Whatever({"*": shown["replies"]["right"]}), Example("1", "?", shown["expected"])
    for name in ("right", "wrong"):
        *others, last = scorer.questions(example, shown[name])
        said |= {last: shown["replies"][name], **dict.fromkeys(others, shown["replies"].get("expected", ""))}
    return scorer.having(Replies(said))


def test_the_contracts_scorers_are_there() -> None:
    """Every scorer of the contract that needs no extra is known."""
    contract = {"exact_match", "contains", "regex", "label", "numeric", "json_schema", "json_fields"}
    assert contract | {"entities", "terms", "text_similarity", "refusal", "length"} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_documented_example_is_true(kind: str) -> None:
    """The docstring's example can be scored, its right answer scores 1 and its wrong one less."""
    shown, scorer = example_of(kind), scorer_of(kind)
    assert set(shown) - {"replies"} == {"scorer", "expected", "right", "wrong"}
    example = Example("1", "?", shown["expected"])
    assert scorer.problem(example) is None
    assert score(scorer, example, Response("1", shown["right"])).value == 1.0
    wrong = score(scorer, example, Response("1", shown["wrong"]))
    assert wrong.value is not None
    assert wrong.value < 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_documented(kind: str) -> None:
    """Every option of a scorer has a description that ends like a sentence."""
    for name, field in find(ROOM, kind).model_fields.items():
        if name in Scorer.model_fields:
            continue
        assert field.description, f"{kind}.{name} has no description"
        assert field.description.endswith("."), f"{kind}.{name}: {field.description}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("output", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_output_is_scored_or_unscored(kind: str, output: str) -> None:
    """A hostile output never raises, gives the same score twice, and its reason is short, harmless UTF-8."""
    scorer, example = scorer_of(kind), Example("1", "?", example_of(kind)["expected"])
    first = score(scorer, example, Response("1", output))
    assert score(scorer, example, Response("1", output)) == first
    assert first.value is None or 0.0 <= first.value <= 1.0
    assert "failed" not in (first.reason or "")
    for text in (first.reason or "", first.label or ""):
        text.encode()
        assert text.isprintable()
        assert len(text) < 400


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(output=st.text(), expected=st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_any_text_against_anything_expected(kind: str, output: str, expected: Any) -> None:
    """Any output against any ``expected`` is scored, or unscored for a reason that was foreseen."""
    scorer, example = scorer_of(kind), Example("1", "?", expected)
    result = score(scorer, example, Response("1", output))
    assert "failed" not in (result.reason or "")
    assert (result.value is None) == (scorer.problem(example) is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scorer_is_frozen_and_forbids_unknown_keys(kind: str) -> None:
    """An unknown option is an error that names it, and no option can be changed afterwards."""
    config = example_of(kind)["scorer"]
    with pytest.raises(ValidationError, match="unknown_option"):
        find(ROOM, kind).model_validate({**config, "unknown_option": 1})
    with pytest.raises(ValidationError, match="frozen"):
        scorer_of(kind).name = "other"


@pytest.mark.parametrize("kind", KINDS)
def test_a_scorer_survives_a_round_trip_through_its_configuration(kind: str) -> None:
    """What a scorer dumps as JSON makes a scorer that dumps the same."""
    dumped = scorer_of(kind).model_dump(mode="json", by_alias=True)
    again = find(ROOM, kind).model_validate(json.loads(json.dumps(dumped)))
    assert again.model_dump(mode="json", by_alias=True) == dumped


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_of_the_configuration_names_every_option(kind: str) -> None:
    """An editor sees every option of the scorer."""
    cls = find(ROOM, kind)
    names = {field.alias or name for name, field in cls.model_fields.items()}
    assert set(cls.model_json_schema()["properties"]) == names


@pytest.mark.parametrize("kind", KINDS)
def test_the_name_and_floor_are_those_configured(kind: str) -> None:
    """Any scorer takes a name and a floor; its name is its kind by default."""
    config = example_of(kind)["scorer"]
    named = find(ROOM, kind).model_validate({**config, "name": "mine", "min": 0.9})
    assert (named.scorer_name, named.min) == ("mine", 0.9)
    assert scorer_of(kind).scorer_name == kind
