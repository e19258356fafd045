"""How many fields of a JSON answer are right?"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from checks.scorers._json import JsonScorer, NotJsonError, look_up, same
from checks.scorers._numbers import decimal_of, within
from checks.scorers._texts import folded, kind_of, listing, quote, text_of
from checks.types import Example, Json, Response, Score

Compare = Literal["exact", "ignore_case", "numeric"]


class FieldRule(BaseModel):
    """One field, and how it is compared where that differs from the scorer's own ``compare``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[
        str,
        Field(
            min_length=1, description="The field's name, or a dotted path: `address.city`, `items.0.price`."
        ),
    ]
    compare: Annotated[Compare | None, Field(description="How this field is compared.")] = None
    abs_tol: Annotated[
        float | None, Field(ge=0, allow_inf_nan=False, description="Tolerance of this field, if numeric.")
    ] = None
    rel_tol: Annotated[
        float | None,
        Field(ge=0, lt=1, allow_inf_nan=False, description="Tolerance as a share of the expected number."),
    ] = None


def _rule(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class JsonFields(JsonScorer):
    """The share of the fields of ``expected`` that the answer has right.

    ``expected`` is an object. All its fields count, or only those listed in ``fields``. A field that is
    missing is wrong; further fields in the answer do not matter (``json_schema`` can forbid them). Compared
    are JSON values: ``exact`` (1 is 1.0, but never true; key order does not matter), ``ignore_case`` (texts
    at any depth without case and runs of white space) or ``numeric`` (numbers, or texts that are numbers,
    within a tolerance). An answer that is not a JSON object scores 0 and counts as a format failure.

    Example::

        scorer: {kind: json_fields, fields: [label, {path: order.total, compare: numeric, abs_tol: 0.01}]}
        expected: {label: refund, order: {total: 12.5}, note: not compared}
        right: '{"label": "refund", "order": {"total": "12.50"}}'
        wrong: '{"label": "refund"}'
    """

    kind: Literal["json_fields"] = "json_fields"
    fields: Annotated[
        tuple[Annotated[FieldRule, BeforeValidator(_rule)], ...] | None,
        Field(
            min_length=1,
            description="The fields that count: names, dotted paths, or `{path, compare, abs_tol, rel_tol}`. "
            "Default: every field of `expected`.",
        ),
    ] = None
    compare: Annotated[
        Compare,
        Field(description="How fields are compared that do not say: `exact`, `ignore_case` or `numeric`."),
    ] = "exact"
    abs_tol: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="The greatest difference of numeric fields.")
    ] = 0.0
    rel_tol: Annotated[
        float,
        Field(ge=0, lt=1, allow_inf_nan=False, description="The same as a share of the expected number."),
    ] = 0.0
    all_or_nothing: Annotated[
        bool, Field(description="1 only if every field is right, else 0, instead of the share.")
    ] = False

    @field_validator("fields")
    @classmethod
    def _distinct(cls, fields: tuple[FieldRule, ...] | None) -> tuple[FieldRule, ...] | None:
        seen: set[str] = set()
        for rule in fields or ():
            if rule.path in seen:
                raise ValueError(f"field {quote(rule.path)} is listed twice")
            seen.add(rule.path)
        return fields

    def problem(self, example: Example) -> str | None:
        """``expected`` must be an object that has every field that is compared."""
        expected = example.expected
        if not isinstance(expected, Mapping):
            return f"expected is {kind_of(expected)}; an object is needed"
        if self.fields is None:
            return None if expected else "expected has no field to compare"
        lacking = [rule.path for rule in self.fields if not look_up(expected, rule.path)[0]]
        return f"expected lacks {listing(lacking)}" if lacking else None

    def score(self, example: Example, response: Response) -> Score:
        """The share of right fields; the reason lists the wrong ones."""
        if problem := self.problem(example):
            return Score.unscored(problem)
        expected = example.expected
        assert isinstance(expected, Mapping)  # noqa: S101  # problem() has just said so
        try:
            answer = self.read(response.output or "")
        except NotJsonError as error:
            return error.score
        if not isinstance(answer, Mapping):
            return Score(0.0, f"not an object but {kind_of(answer)}", format_failure=True)
        rules = self.fields or tuple(FieldRule.model_construct(path=key) for key in expected)
        wrong = [
            rule.path
            for rule in rules
            if not self._right(rule, look_up(expected, rule.path)[1], *look_up(answer, rule.path))
        ]
        if not wrong:
            return Score(1.0)
        share = 0.0 if self.all_or_nothing else 1 - len(wrong) / len(rules)
        return Score(share, f"wrong: {listing(wrong, 5)}")

    def _right(self, rule: FieldRule, wanted: Json, there: bool, value: Json) -> bool:
        if not there:
            return False
        compare = rule.compare or self.compare
        if compare == "numeric":
            target, number = _number(wanted), _number(value)
            if target is not None and number is not None:
                abs_tol = self.abs_tol if rule.abs_tol is None else rule.abs_tol
                rel_tol = self.rel_tol if rule.rel_tol is None else rule.rel_tol
                return within(number, target, abs_tol=abs_tol, rel_tol=rel_tol)
        if compare == "ignore_case":
            return same(_folded(wanted), _folded(value))
        return same(wanted, value)


def _number(value: Json) -> Decimal | None:
    if isinstance(value, bool):
        return None
    text = text_of(value)
    return None if text is None else decimal_of(text.strip())


def _folded(value: Json) -> Json:
    if isinstance(value, str):
        return folded(value)
    if isinstance(value, Mapping):
        return {key: _folded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_folded(item) for item in value]
    return value
