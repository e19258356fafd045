"""How well do the entities that the answer lists match the expected ones?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from checks.scorers._json import JsonScorer, NotJsonError, look_up
from checks.scorers._texts import folded, kind_of, listing, text_of
from checks.types import Example, Json, Response, Score

Entity = tuple[str | None, str]


class Entities(JsonScorer):
    """F1 of the entities in a JSON answer against those in ``expected``.

    Both sides are a list of texts, a list of objects with a type and a text, or an object that maps each type
    to its texts. An entity is right if its text and its type are expected; where ``expected`` gives no types,
    types in the answer do not count. A repeated entity counts once, runs of white space as one space. With
    nothing expected and nothing listed the score is 1. An answer that is not such JSON scores 0 and counts as
    a format failure.

    F1 = 2 TP / (2 TP + spurious + missed).

    Example::

        scorer: {kind: entities, ignore_case: true}
        expected: [{type: person, text: Ada Lovelace}, {type: place, text: London}]
        right: '{"person": ["Ada Lovelace"], "place": ["london"]}'
        wrong: '[{"type": "place", "text": "Ada Lovelace"}]'
    """

    kind: Literal["entities"] = "entities"
    ignore_case: Annotated[
        bool, Field(description="Upper and lower case are the same, in texts and types.")
    ] = False
    at: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Where the entities stand in the answer: a dotted path such as `result.entities`.",
        ),
    ] = None
    type_key: Annotated[
        str, Field(min_length=1, description="The key of an entity's type in the answer.")
    ] = "type"
    text_key: Annotated[
        str, Field(min_length=1, description="The key of an entity's text in the answer.")
    ] = "text"

    def problem(self, example: Example) -> str | None:
        """``expected`` must be a list of entities, or an object of lists; it may be empty."""
        if isinstance(example.expected, str) or not isinstance(example.expected, list | tuple | Mapping):
            return f"expected is {kind_of(example.expected)}; a list of entities is needed"
        if self._entities(example.expected, "type", "text") is None:
            return 'expected holds something other than texts, {"type", "text"} objects or lists of texts'
        return None

    def score(self, example: Example, response: Response) -> Score:
        """F1; the reason lists what was missed and what is spurious."""
        if problem := self.problem(example):
            return Score.unscored(problem)
        wanted = self._entities(example.expected, "type", "text") or set()
        try:
            answer = self.read(response.output or "")
        except NotJsonError as error:
            return error.score
        if self.at is not None:
            there, answer = look_up(answer, self.at)
            if not there:
                return Score(0.0, f"nothing at {self.at}", format_failure=True)
        listed = self._entities(answer, self.type_key, self.text_key)
        if listed is None:
            return Score(0.0, "not a list of entities", format_failure=True)
        if not any(kind for kind, _ in wanted) and wanted:
            listed = {(None, text) for _, text in listed}
        if wanted == listed:
            return Score(1.0)
        missed, spurious = wanted - listed, listed - wanted
        f1 = 2 * len(wanted & listed) / (len(wanted) + len(listed))
        faults = [f"missed {_named(missed)}"] * bool(missed) + [f"spurious {_named(spurious)}"] * bool(
            spurious
        )
        return Score(f1, "; ".join(faults))

    def _entities(self, value: Json, type_key: str, text_key: str) -> set[Entity] | None:
        """The distinct entities of a JSON value, None if it is not of a shape that holds them."""
        if not isinstance(value, list | tuple | Mapping):
            return None
        try:
            return set(self._each(value, type_key, text_key))
        except TypeError:
            return None

    def _each(self, value: Json, type_key: str, text_key: str) -> Iterator[Entity]:
        if isinstance(value, Mapping) and text_key in value:
            value = [value]
        groups = value.items() if isinstance(value, Mapping) else [(None, value)]
        for outer, items in groups:
            for item in items if isinstance(items, list | tuple) else [items]:
                kind, text = outer, item
                if isinstance(item, Mapping):
                    kind, text = text_of(item.get(type_key)) or outer, item.get(text_key)
                shown = text_of(text)
                if shown is None:
                    raise TypeError("not an entity")
                yield None if kind is None else self._form(kind), self._form(shown)

    def _form(self, text: str) -> str:
        return folded(text, ignore_case=self.ignore_case)


def _named(entities: set[Entity]) -> str:
    ordered = sorted(entities, key=lambda entity: (entity[0] or "", entity[1]))
    return listing([f"{kind}: {text}" if kind else text for kind, text in ordered])
