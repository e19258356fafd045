"""Which JSON object does one line of a file hold, and if none, what is wrong with it? For golden sets and responses.

Stricter than JSON's readers are: a key that stands twice, ``NaN`` and ``Infinity`` are faults, since the next reader
might take them otherwise.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from service.text import safe

Report = Callable[[str | None, str | None, str], None]
"""Told of each fault: the key, the value as shown, what is wrong and what to do."""


class Counted:
    """A report that counts: ``faults`` says how many it was told."""

    def __init__(self, report: Report) -> None:
        self.faults = 0
        self._report = report

    def __call__(self, key: str | None, value: str | None, message: str) -> None:
        """Tell of a fault."""
        self.faults += 1
        self._report(key, value, message)


def show(value: Any) -> str:
    """A value as JSON, on one harmless line of at most 60 characters."""
    try:
        return safe(json.dumps(value, ensure_ascii=False), 60)
    except (ValueError, RecursionError):
        return "..."


def object_of(
    line: bytes, fault: Report, *, holding: str, no_number: str, too_deep: str, too_long: str
) -> dict[str, Any] | None:
    """The JSON object of a line, or None if a fault was reported.

    Args:
        line: not blank.
        fault: told what is wrong.
        holding: the keys that it must have, in words.
        no_number: what to write where no number is known.
        too_deep: what to say of values that are nested too deeply.
        too_long: what to say of a number that Python does not read.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        at = error.start
        fault(None, f"byte 0x{line[at]:02x}", f"not UTF-8 at byte {at + 1}; save the file as UTF-8")
        return None
    try:
        record = _DECODER.decode(text)
    except _ConstantError as error:
        fault(None, str(error), f"is no JSON number; {no_number}")
    except _DuplicateKeyError as error:
        fault(safe(str(error), 40), None, "this key stands twice; remove one of them")
    except json.JSONDecodeError as error:
        where = safe(text[error.pos : error.pos + 20].strip(), 20) or "the end of the line"
        fault(None, where, f"not JSON at character {error.pos + 1}: {error.msg}; one JSON object per line")
    except RecursionError:
        fault(None, None, too_deep)
    except ValueError:
        fault(None, None, too_long)
    else:
        if isinstance(record, dict):
            return record
        fault(None, show(record), f"must be a JSON object with {holding}, one per line")
    return None


def refuse_unknown_keys(record: Iterable[str], known: Sequence[str], fault: Report) -> None:
    """Tell of each key that is not known, with the one that was probably meant."""
    for key in record:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
            fault(safe(key, 40), None, f"unknown key; {hint}")


class _DuplicateKeyError(ValueError):
    pass


class _ConstantError(ValueError):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        seen: set[str] = set()
        raise _DuplicateKeyError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]  # add returns None
    return record


def _constant(name: str) -> Any:
    raise _ConstantError(name)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)
