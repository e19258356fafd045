"""Is the answer JSON of the right shape?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator

from checks.scorers._json import JsonScorer, NotJsonError, same_key
from checks.scorers._patterns import compiled, found
from checks.scorers._texts import quote
from checks.types import Example, Response, Score

_COUNTED_FAULTS = 20
_DATA = frozenset({"enum", "const", "default", "examples"})


class JsonSchema(JsonScorer):
    """1 if the answer is JSON that fits ``schema``, else 0.

    The schema stands in the configuration; there is no reading of files or addresses, so a ``$ref`` points
    inside it. The draft is the one that ``$schema`` names, by default 2020-12; ``format`` is an annotation,
    as that draft says, and is not checked. An answer that is not JSON scores 0 with a reason that starts with
    ``not JSON`` and counts as a format failure; one of another shape scores 0 with the JSON path and the
    fault. ``expected`` is not looked at. A ``pattern`` in the schema is searched with a time limit, as
    ``regex`` is.

    Example::

        scorer: {kind: json_schema, schema: {type: object, properties: {label: {type: string}}}}
        expected: null
        right: '{"label": "billing"}'
        wrong: '{"label": 3}'
    """

    kind: Literal["json_schema"] = "json_schema"
    schema_: Annotated[
        Mapping[str, Any] | bool, Field(alias="schema", description="The JSON Schema that answers must fit.")
    ]

    _validator: Any = PrivateAttr()

    @field_validator("schema_")
    @classmethod
    def _sound(cls, schema: Mapping[str, Any] | bool) -> Mapping[str, Any] | bool:
        _validator(schema)
        return schema

    def model_post_init(self, _context: Any, /) -> None:
        """Build the validator once."""
        self._validator = _validator(self.schema_)

    def score(self, example: Example, response: Response) -> Score:  # noqa: ARG002  # the schema says it all
        """1 or 0; the reason names the first fault and counts the others.

        Raises:
            PatternTimeoutError: a pattern of the schema took too long.
        """
        try:
            value = self.read(response.output or "")
        except NotJsonError as error:
            return error.score
        try:
            faults = list(islice(self._validator.iter_errors(value), _COUNTED_FAULTS + 1))
        except RecursionError:
            return Score.unscored("the answer is nested too deeply to be checked against the schema")
        if not faults:
            return Score(1.0)
        first, more = (
            min(faults, key=lambda fault: (len(fault.absolute_path), fault.json_path)),
            len(faults) - 1,
        )
        others = f"{more} more" if more < _COUNTED_FAULTS else f"{_COUNTED_FAULTS} or more others"
        return Score(0.0, f"{_fault(first)} (and {others})" if more else _fault(first))


def _fault(error: Any) -> str:
    """The JSON path and what is wrong there, short and harmless."""
    message = str(error.message)
    instance = repr(error.instance)
    if message.startswith(instance):
        message = (instance if len(instance) <= 40 else instance[:40] + "…") + message[len(instance) :]
    path, message = quote(str(error.json_path), 80)[1:-1], quote(message, 160)[1:-1]
    return f"{path}: {message}"


def _validator(schema: Mapping[str, Any] | bool) -> Any:
    """A validator that is bounded in time and opens no connection.

    Raises:
        ValueError: the schema is none, or refers to something that is not there.
    """
    import jsonschema  # noqa: PLC0415  # 80 ms that only this scorer needs
    from referencing import Registry  # noqa: PLC0415

    draft: Any = jsonschema.validators.validator_for(schema, default=None)  # type: ignore[arg-type]  # may be None
    if draft is None:
        if isinstance(schema, Mapping) and "$schema" in schema:
            raise ValueError(
                f"$schema {quote(str(schema['$schema']), 80)} is no draft of JSON Schema that is known"
            )
        draft = jsonschema.Draft202012Validator
    for pattern in _patterns(schema):
        compiled(pattern)
    try:
        draft.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"not a JSON Schema: {_fault(error)}") from None
    except RecursionError:
        raise ValueError("not a JSON Schema: nested too deeply") from None
    validator = _bounded(draft)(schema, registry=Registry())
    _check_references(schema, draft)
    try:
        for value in (None, True, 0, "", [], [0], {}, {"": 0}):
            list(validator.iter_errors(value))
    except RecursionError:
        raise ValueError("the schema refers to itself without end") from None
    return validator


def _check_references(schema: Any, draft: Any) -> None:
    from referencing import Registry, Resource  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415
    from referencing.jsonschema import specification_with  # noqa: PLC0415

    specification = specification_with(draft.META_SCHEMA.get("$schema", draft.META_SCHEMA.get("id")))
    root = Resource.from_contents(schema, default_specification=specification)
    nested = any(path for path, node in _nodes(schema) if "$id" in node or "id" in node)
    resolver: Any = Registry().resolver_with_root(root)
    for path, node in _nodes(schema):
        reference = node.get("$ref")
        if not isinstance(reference, str) or (nested and reference.startswith("#")):
            continue
        try:
            resolver.lookup(reference)
        except Unresolvable:
            where = "".join(f".{step}" for step in path)
            raise ValueError(
                f"${where}.$ref: {quote(reference, 80)} does not stand in the schema; "
                "put what it refers to under $defs"
            ) from None


def _nodes(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every object of the schema with the keys that lead to it; data (``enum``, ``const`` ...) left out."""
    if isinstance(schema, Mapping):
        yield path, dict(schema)
        for key, value in schema.items():
            if key not in _DATA:
                yield from _nodes(value, (*path, str(key)))
    elif isinstance(schema, list | tuple):
        for position, value in enumerate(schema):
            yield from _nodes(value, (*path, str(position)))


def _patterns(schema: Any) -> Iterator[str]:
    for _, node in _nodes(schema):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        if isinstance(node.get("patternProperties"), Mapping):
            yield from node["patternProperties"]


@cache
def _bounded(draft: Any) -> Any:
    """The draft's validator with those keywords replaced that a hostile answer could make take hours."""
    import jsonschema  # noqa: PLC0415

    fault = jsonschema.ValidationError

    def pattern(validator: Any, wanted: str, instance: Any, _schema: Any) -> Iterator[Any]:
        if validator.is_type(instance, "string") and not found(compiled(wanted), instance):
            yield fault(f"{instance!r} does not match {wanted!r}")

    def pattern_properties(validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        if not validator.is_type(instance, "object"):
            return
        for expression, subschema in wanted.items():
            search = compiled(expression)
            for key, value in instance.items():
                if found(search, key):
                    yield from validator.descend(value, subschema, path=key, schema_path=expression)

    def unique_items(validator: Any, wanted: bool, instance: Any, _schema: Any) -> Iterator[Any]:
        if (
            wanted
            and validator.is_type(instance, "array")
            and len({same_key(item) for item in instance}) < len(instance)
        ):
            yield fault(f"{instance!r} has non-unique elements")

    extend: Any = jsonschema.validators.extend  # untyped
    return extend(
        draft, {"pattern": pattern, "patternProperties": pattern_properties, "uniqueItems": unique_items}
    )
