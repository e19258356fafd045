"""Is this line an example, and if not, what is wrong with it? Pure: one line in, an example or faults out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from checks.types import Example, Message, Origin
from service.golden.line import Counted, Report, object_of, refuse_unknown_keys, show
from service.text import safe

KEYS = ("id", "input", "expected", "slices", "group", "as_of", "origin", "weight")
_ID_CHARS = 200
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def example_of(line: bytes, report: Report) -> Example | None:
    """The example of one line, or None if a fault was reported. The line is not blank."""
    fault = Counted(report)
    record = _record(line, fault)
    if record is None:
        return None
    refuse_unknown_keys(record, KEYS, fault)
    example_id = _id(record, fault)
    asked = _input(record, fault)
    expected = record.get("expected")
    if isinstance(expected, bool):
        fault(
            "expected",
            show(expected),
            f'must be text, number, list, object or null; write "{json.dumps(expected)}"',
        )
    slices = _slices(record.get("slices"), fault)
    group = _text("group", record.get("group"), fault)
    as_of = _as_of(record.get("as_of"), fault)
    origin = _origin(record.get("origin"), fault)
    weight = _weight(record.get("weight", 1), fault)
    if fault.faults:
        return None
    return Example(example_id, asked, expected, slices, group, as_of, origin, weight)


def _record(line: bytes, fault: Report) -> dict[str, Any] | None:
    """The JSON object of a line, if all of it can be written again."""
    record = object_of(
        line,
        fault,
        holding="id and input",
        no_number="write null, or a text",
        too_deep="nested too deeply",
        too_long="a number has more digits than can be read; write it as a text",
    )
    if record is None:
        return None
    try:
        json.dumps(record, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        fault(
            None, f"\\u{ord(error.object[error.start]):04x}", "half of a surrogate pair is no text; remove it"
        )
    except RecursionError:
        fault(None, None, "nested too deeply")
    except ValueError:
        fault(None, None, "a number is too large; write it as a text")
    else:
        return record
    return None


def _id(record: Mapping[str, Any], fault: Report) -> str:
    value = record.get("id")
    if "id" not in record:
        fault("id", None, "missing; give each example an id that stays the same")
    elif not isinstance(value, str):
        quoted = (
            f'; write "{value}"' if isinstance(value, int | float) and not isinstance(value, bool) else ""
        )
        fault("id", show(value), f"must be a text{safe(quoted, 60)}")
    elif not value.strip():
        fault("id", show(value), "must not be empty")
    elif len(value) > _ID_CHARS or not value.isprintable():
        fault("id", show(value), f"must be at most {_ID_CHARS} printable characters")
    else:
        return value
    return ""


def _input(record: Mapping[str, Any], fault: Report) -> str | tuple[Message, ...]:
    value = record.get("input")
    if "input" not in record:
        fault("input", None, "missing; it is what the model is asked")
    elif isinstance(value, str):
        if value.strip():
            return value
        fault("input", show(value), "must not be empty")
    elif not isinstance(value, list):
        fault("input", show(value), 'must be a text or a list of {"role", "content"}')
    elif not value:
        fault("input", "[]", "must not be empty")
    else:
        return tuple(_turn(position, turn, fault) for position, turn in enumerate(value))
    return ""


def _turn(position: int, turn: Any, fault: Report) -> Message:
    key = f"input[{position}]"
    if not isinstance(turn, dict) or not {"role", "content"} <= turn.keys():
        fault(key, show(turn), 'must be an object {"role", "content"}')
        return Message("", "")
    for other in turn.keys() - {"role", "content"}:
        fault(f"{key}.{safe(other, 40)}", None, "unknown key; a message has role and content")
    for part in ("role", "content"):
        if not isinstance(turn[part], str) or not turn[part].strip():
            fault(f"{key}.{part}", show(turn[part]), "must be a text that is not empty")
    return Message(str(turn["role"]), str(turn["content"]))


def _slices(value: Any, fault: Report) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        fault("slices", show(value), 'must be an object such as {"lang": "de"}')
        return {}
    for key, name in value.items():
        where = f"slices.{safe(key, 40)}"
        if not key.strip() or "=" in key or not key.isprintable():
            fault(where, None, "a slice's key must be printable, not empty and without =")
        if not isinstance(name, str):
            fault(where, show(name), "must be a text; put it in quotes")
        elif not name.strip() or not name.isprintable():
            fault(where, show(name), "must be printable and not empty")
    return value


def _text(key: str, value: Any, fault: Report) -> str | None:
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    fault(key, show(value), "must be a text that is not empty, or null")
    return None


def _as_of(value: Any, fault: Report) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            date.fromisoformat(value)
        except ValueError:
            fault("as_of", show(value), "there is no such day")
            return None
        return value
    fault("as_of", show(value), 'must be a date such as "2025-03-31"')
    return None


def _origin(value: Any, fault: Report) -> Origin | None:
    if value is None:
        return None
    try:
        return Origin(value)
    except ValueError:
        fault("origin", show(value), f"must be one of {', '.join(Origin)}")
        return None


def _weight(value: Any, fault: Report) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            weight = float(value)
        except OverflowError:
            weight = math.inf
        if 0 < weight < math.inf:
            return weight
    fault("weight", show(value), "must be a number above 0")
    return 1.0
