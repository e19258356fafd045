"""Is the answer JSON, and if not, why not? What the scorers of structured answers share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from checks.scorers import Scorer
from checks.scorers._texts import quote
from checks.types import Json, Score

_TRIED_STARTS = 50
_FENCE = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)


class NotJsonError(ValueError):
    """The answer cannot be read as JSON. ``reason`` says why, in a few harmless words."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not JSON: {reason}")

    @property
    def score(self) -> Score:
        """A score of 0 that counts as a format failure."""
        return Score(0.0, str(self), format_failure=True)


class JsonScorer(Scorer):
    """The base of scorers that read JSON answers. It is strict unless told otherwise, as programs are."""

    strict: Annotated[
        bool,
        Field(description="The whole answer must be JSON. If false, one code fence around it is tolerated."),
    ] = True
    extract: Annotated[
        bool,
        Field(
            description="Take the JSON out of the prose or code fences around it: the longest object or list "
            "in the answer counts. Needs `strict: false`."
        ),
    ] = False

    @field_validator("extract")
    @classmethod
    def _agrees(cls, extract: bool, info: ValidationInfo) -> bool:
        if extract and info.data.get("strict", True):
            raise ValueError("extract: true tolerates prose around the JSON, so it needs strict: false")
        return extract

    def read(self, output: str) -> Json:
        """The JSON in the answer.

        Raises:
            NotJsonError: there is none; its ``score`` is what the answer is worth.
        """
        if self.strict:
            return parse(output)
        text = _unfenced(output)
        try:
            return parse(text)
        except NotJsonError:
            if not self.extract:
                raise
            return _longest(output)


def parse(text: str) -> Json:
    """The value of a JSON text.

    Raises:
        NotJsonError: it is none, it is nested too deeply, or it holds NaN, Infinity or an endless number.
    """
    try:
        return _DECODER.decode(text)  # type: ignore[no-any-return]
    except RecursionError:
        raise NotJsonError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise NotJsonError(_why(text, error)) from None
    except ValueError as error:
        raise NotJsonError(_constant(error)) from None


def same(left: Json, right: Json) -> bool:
    """True if two JSON values are equal: 1 is 1.0, but never true; key order does not matter.

    >>> same({"a": 1, "b": 2}, {"b": 2.0, "a": 1}), same(1, True)
    (True, False)
    """
    return same_key(left) == same_key(right)


def same_key(value: Json) -> object:
    """A hashable value that is equal for equal JSON values only."""
    if isinstance(value, bool) or value is None:
        return ("constant", value)
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return frozenset((key, same_key(item)) for key, item in value.items())
    return tuple(map(same_key, value))


def look_up(value: Json, path: str) -> tuple[bool, Json]:
    """Whether the value has something at a dotted path, and what.

    A key that holds dots itself is found first; a number picks from a list.

    >>> look_up({"a": [{"b": 1}]}, "a.0.b"), look_up({"a.b": 2}, "a.b"), look_up({}, "a")
    ((True, 1), (True, 2), (False, None))
    """
    if isinstance(value, Mapping) and path in value:
        return True, value[path]
    for step in path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif (
            isinstance(value, list | tuple) and step.isdecimal() and len(step) < 9 and int(step) < len(value)
        ):
            value = value[int(step)]
        else:
            return False, None
    return True, value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _constant(error: ValueError) -> str:
    message = str(error)
    return message if message.endswith("is no JSON number") else "a number has too many digits"


def _why(text: str, error: json.JSONDecodeError) -> str:
    start = text.lstrip()
    if not start:
        return "the answer is empty"
    if start.startswith("```"):
        return "a code fence (```) around it"
    if error.pos == len(text) - len(start) and (opening := re.search(r"[{\[]", start)):
        return f"prose before {quote(opening.group())}"
    if error.msg == "Extra data":
        return f"text after it, from character {error.pos + 1}: {quote(text[error.pos :].lstrip(), 20)}"
    return f"{error.msg} (line {error.lineno}, column {error.colno})"


def _unfenced(output: str) -> str:
    text = output.strip()
    if not (text.startswith("```") and text.endswith("```") and len(text) > 6):
        return text
    head, newline, body = text[3:-3].partition("\n")
    return body if newline and not head.strip().startswith(("{", "[")) else text[3:-3]


def _longest(output: str) -> Json:
    best: tuple[int, Json] | None = None
    for fence in _FENCE.findall(output[:1_000_000])[:_TRIED_STARTS]:
        try:
            value = parse(fence)
        except NotJsonError:
            continue
        if isinstance(value, dict | list) and (best is None or len(fence) > best[0]):
            best = len(fence), value
    if best is not None:
        return best[1]
    position = 0
    for _ in range(_TRIED_STARTS):
        opening = re.compile(r"[{\[]").search(output, position)
        if opening is None:
            break
        try:
            value, position = _DECODER.raw_decode(output, opening.start())
        except (ValueError, RecursionError):
            position = opening.start() + 1
            continue
        if best is None or position - opening.start() > best[0]:
            best = position - opening.start(), value
    if best is None:
        raise NotJsonError("no object or list in the answer")
    return best[1]
