"""Which field of a row becomes which golden key? What ``--map`` says, else the names that people use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.errors import UserError
from service.imports import Imported, conversation, slices_of

USUAL: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "uid", "example_id"),
    "input": ("input", "prompt", "question", "instruction", "text", "messages"),
    "expected": (
        "expected",
        "completion",
        "answer",
        "output",
        "response",
        "target",
        "label",
        "expected_output",
    ),
    "group": ("group",),
    "as_of": ("as_of",),
    "origin": ("origin",),
    "weight": ("weight",),
}
"""Names that are taken for a golden key where nobody says, the first that is there."""


class Columns:
    """The map from golden keys to a row's fields.

    Args:
        given: what the user said; ``slices.KEY`` names a slice.

    Raises:
        UserError: a key is no golden key.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        for key in given:
            if key not in USUAL and not (key.startswith("slices.") and len(key) > len("slices.")):
                known = ", ".join([*USUAL, "slices.KEY"])
                raise UserError(f"--map {key}=...: {key!r} is no key of an example", f"one of: {known}")
        self._given = given

    def take(self, found: Imported, path: Path, where: str, row: Mapping[str, Any]) -> None:
        """Add a row as an example; fields that are not used are told as left behind.

        Raises:
            UserError: the row has no input, or not the field that ``--map`` names.
        """
        used: dict[str, str] = {}
        for key, name in self._given.items():
            if name not in row:
                raise UserError(
                    f"{path}, {where}: there is no field {name!r} (--map {key}={name})",
                    f"it has: {', '.join(map(str, row))}"[:300],
                )
            used[key] = name
        for key, names in USUAL.items():
            usual = next((n for n in names if n in row and n not in used.values()), None)
            if key not in used and usual is not None:
                used[key] = usual
        if "input" not in used:
            fields = ", ".join(map(str, row))
            raise UserError(
                f"{path}, {where}: nothing says what is asked", f"--map input=FIELD; it has: {fields}"[:300]
            )
        asked = conversation(row[used["input"]], found)
        if asked is None:
            found.left["rows whose input is empty or neither a text nor messages"] += 1
            return
        expected = row[used["expected"]] if "expected" in used else None
        if isinstance(asked, list) and asked[-1]["role"] == "assistant" and expected is None:
            expected, asked = (
                asked[-1]["content"],
                asked[:-1],
            )  # a chat data set: the last answer is the right one
            if not asked:
                found.left["conversations in which nothing is asked"] += 1
                return
        own = row.get("slices") if "slices" not in used.values() else None  # a golden line has them
        for name in row:
            if name not in used.values() and not (name == "slices" and isinstance(own, Mapping)):
                found.left[
                    f"field {name!r}: not mapped (--map slices.{name}={name} makes a slice of it)"
                ] += 1
        more: dict[str, Any] = {key: row[used[key]] for key in ("group", "as_of", "origin") if key in used}
        if "weight" in used:
            more["weight"] = _number(path, where, row[used["weight"]])
        slices = {
            key.removeprefix("slices."): str(row[name]) for key, name in used.items() if key[:7] == "slices."
        }
        slices = slices_of(own, found, "slices") | slices
        found.add(
            row[used["id"]] if "id" in used else None,
            asked,
            expected,
            slices={key: value for key, value in slices.items() if value},
            **more,
        )


def _number(path: Path, where: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UserError(
            f"{path}, {where}: weight must be a number, not {value!r}"[:300], "correct it"
        ) from None
