"""What was a model trained on? The inputs of its training data, read line by line in the usual forms."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from checks.lint import Input
from checks.types import Message
from service.errors import UserError

KEYS = ("input", "prompt", "messages", "question", "text")
"""Where the input is, the first that is there; ``instruction`` goes before an ``input`` or stands alone."""

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_MOST_CHARS = 1 << 24
_TEXTS = frozenset({".txt", ".text"})


def training_inputs(path: Path) -> Iterator[tuple[int, Input]]:
    """The inputs of training data, with the number of the line that each begins or ends on.

    ``.csv`` and ``.tsv`` have a header, ``.txt`` one text a line; everything else is JSONL.

    Raises:
        UserError: the file cannot be read, or a line holds no input.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            if path.suffix.lower() in _TEXTS:
                yield from ((n, text) for n, line in enumerate(lines, 1) if (text := line.strip()))
            elif (delimiter := _DELIMITERS.get(path.suffix.lower())) is not None:
                yield from _rows(path, lines, delimiter)
            else:
                yield from _objects(path, lines)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8: {error.reason}", "save the file as UTF-8") from None
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read: {error.strerror}", "give the path of a JSONL, CSV, TSV or text file"
        ) from None


def _objects(path: Path, lines: TextIO) -> Iterator[tuple[int, Input]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield number, _asked(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise UserError(
                f"{path}:{number}: not a training example",
                f"each line is a JSON object with {', '.join(KEYS[:-1])}, instruction or {KEYS[-1]}",
            ) from None


def _rows(path: Path, lines: TextIO, delimiter: str) -> Iterator[tuple[int, Input]]:
    csv.field_size_limit(_MOST_CHARS)
    rows = csv.DictReader(lines, delimiter=delimiter, strict=True)
    try:
        if not {*KEYS, "instruction"} & set(rows.fieldnames or ()):
            raise UserError(
                f"{path}:1: no column of {', '.join(KEYS)} or instruction", "name the column of the inputs so"
            )
        for row in rows:
            asked = _asked({key: value for key, value in row.items() if isinstance(value, str)})
            if asked:
                yield rows.line_num, asked
    except csv.Error as error:
        raise UserError(
            f"{path}:{rows.line_num}: not a line of CSV: {error}", "save the file as CSV with a header"
        ) from None


def _asked(record: Mapping[str, Any]) -> Input:
    """What one training example asks, without the answer.

    Raises:
        KeyError, TypeError: nothing there is an input.
    """
    instruction = record.get("instruction")
    if isinstance(instruction, str):
        more = record.get("input")
        return f"{instruction}\n{more}" if isinstance(more, str) and more.strip() else instruction
    asked = next((record[key] for key in KEYS if record.get(key) is not None), None)
    if isinstance(asked, str):
        return asked
    turns = [Message(str(turn["role"]), str(turn["content"])) for turn in asked or [None]]
    while turns and turns[-1].role == "assistant":
        turns.pop()
    return turns
