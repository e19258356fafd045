"""What did a model answer, according to a file? Reads recorded response files, and tells all their faults at once.

A response file is JSONL, one object per example: ``id``, ``output`` (text), and where known ``error`` (text, in place
of an output), ``latency_s``, ``ttft_s``, ``input_tokens``, ``output_tokens`` and ``at``. An unknown value is null or
left out. The file is held to the same standard as a golden set: see ``service/golden/``.

- An ``error`` is a text for people. Where it starts with the name of a kind of failure and a colon
  (``timeout: no answer in 30 s``) it is of that kind, else a ``server_error``.
- ``at`` is a number of seconds since 1970 or an ISO 8601 time; without an offset it is UTC.
- An id that the golden set lacks is a fault, because then the scores would be of something else. A golden example
  without a line counts as unanswered: its id is in ``missing``.
- An output may be anything that a model says, also empty. Half of a surrogate pair, which no file and no database
  can hold, becomes U+FFFD.
"""

from __future__ import annotations

import difflib
import math
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from checks.types import ErrorKind, Example, Response, ResponseError
from service.golden.errors import Faults, GoldenError, Problem
from service.golden.line import Counted, Report, object_of, refuse_unknown_keys, show
from service.golden.read import LINE_BYTES
from service.text import safe

KEYS = ("id", "output", "error", "latency_s", "ttft_s", "input_tokens", "output_tokens", "at")
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_KIND = re.compile(r"(\w+): *(.*)", re.DOTALL)
_MANY_S = 1e11
"""Beyond the year 5000: a time in milliseconds."""


class ResponseFileError(GoldenError):
    """A response file that cannot be used; its faults are told as a golden set's are. Exit code 2."""


@dataclass(frozen=True, slots=True)
class ResponseFile:
    """The responses in the golden set's order, and the ids of its examples that have no line."""

    path: Path
    responses: tuple[Response, ...]
    missing: tuple[str, ...]


def read_responses(path: Path | str, examples: Sequence[Example]) -> ResponseFile:
    """Read a response file to a golden set.

    Args:
        path: the JSONL file.
        examples: the golden set that was asked.

    Raises:
        ResponseFileError: the file has faults. All are told, each with line, key, value and remedy; at most 50
            are listed and the others counted.
    """
    path = Path(path)
    faults = Faults(path)
    position = {example.id: i for i, example in enumerate(examples)}
    lines: dict[str, int] = {}
    found: dict[int, Response] = {}
    unknown: list[tuple[int, str]] = []
    with _opened(path) as file:
        for number, line in _lines(file, faults):
            response = _response(line, partial(faults.add, number))
            if response is None:
                continue
            first = lines.setdefault(response.example_id, number)
            if first != number:
                faults.add(
                    number,
                    "id",
                    show(response.example_id),
                    f"is the id of line {first} too; keep one line per example, and each repeat in a file of its own",
                )
            elif response.example_id in position:
                found[position[response.example_id]] = response
            else:
                unknown.append((number, response.example_id))
    if unknown and not found:
        number, example_id = unknown[0]
        message = f"none of the {len(unknown)} ids is in the golden set; these answers belong to another one"
        faults.add(number, "id", show(example_id), message)
    else:
        for number, example_id in unknown:
            faults.add(number, "id", show(example_id), _unknown(example_id, position, len(faults.kept)))
    if not lines and not faults.total:
        faults.add(None, None, None, "is empty; a response file has one JSON object per example")
    if faults.total:
        ordered = sorted(faults.kept, key=lambda problem: (problem.line or 0, problem.key or ""))
        raise ResponseFileError(path, ordered, faults.total)
    return ResponseFile(
        path,
        tuple(found[i] for i in sorted(found)),
        tuple(example.id for i, example in enumerate(examples) if i not in found),
    )


def _unknown(example_id: str, known: Mapping[str, int], listed: int) -> str:
    # looking for a near miss is slow on large sets, and only the listed faults are read
    near = difflib.get_close_matches(example_id, list(known)[:20_000], 1, 0.8) if listed < 10 else []
    hint = (
        f"did you mean {safe(near[0], 40)}?"
        if near
        else "remove the line, or name the golden set that was asked"
    )
    return f"is not in the golden set; {hint}"


def _opened(path: Path) -> BinaryIO:
    def refused(why: str) -> ResponseFileError:
        return ResponseFileError(path, [Problem(None, None, None, why)])

    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise refused("is a directory; name the JSONL file in it")
        if not stat.S_ISREG(mode):
            raise refused("is no regular file; save the answers to one")
        return path.open("rb")
    except FileNotFoundError:
        raise refused("there is no such file") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise refused(f"cannot be read: {why}") from None


def _lines(file: BinaryIO, faults: Faults) -> Iterator[tuple[int, bytes]]:
    """Every line that is not blank, with its number; no more than 16 MiB are ever held."""
    number = 0
    while line := file.readline(LINE_BYTES):
        number += 1
        if len(line) == LINE_BYTES and not line.endswith(b"\n"):
            message = f"is longer than {LINE_BYTES // 1024**2} MiB; one JSON object per line"
            faults.add(number, None, None, message)
            while (rest := file.readline(LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            continue
        if number == 1 and line.startswith(_BOMS):
            faults.add(1, None, None, "starts with a byte order mark; save the file as UTF-8 without BOM")
            if line[0] != 0xEF:
                return  # UTF-16: every further line would only be one more fault
            line = line[3:]  # the rest of the line is checked too
        if line.strip():
            yield number, line
        else:
            faults.add(number, None, None, "is blank; remove it")


def _response(line: bytes, report: Report) -> Response | None:
    """The response of one line, or None if a fault was reported."""
    fault = Counted(report)
    record = object_of(
        line,
        fault,
        holding="id and output",
        no_number="write null where a value is unknown",
        too_deep="nested too deeply; an output is a text",
        too_long="a number has more digits than can be read",
    )
    if record is None:
        return None
    refuse_unknown_keys(record, KEYS, fault)
    example_id = _id(record, fault)
    output, error = _answer(record, fault)
    response = Response(
        example_id,
        output,
        error,
        at=_time(record.get("at"), fault),
        latency_s=_seconds(record, "latency_s", fault),
        ttft_s=_seconds(record, "ttft_s", fault),
        input_tokens=_count(record, "input_tokens", fault),
        output_tokens=_count(record, "output_tokens", fault),
    )
    return None if fault.faults else response


def _id(record: Mapping[str, Any], fault: Report) -> str:
    value = record.get("id")
    if isinstance(value, str) and value.strip():
        return value
    if "id" not in record:
        fault("id", None, "missing; it names the golden example that was asked")
    elif isinstance(value, str):
        fault("id", show(value), "must not be empty")
    else:
        fault("id", show(value), "must be a text; put it in quotes")
    return ""


def _answer(record: Mapping[str, Any], fault: Report) -> tuple[str | None, ResponseError | None]:
    output, error = record.get("output"), record.get("error")
    if error is not None and not (isinstance(error, str) and error.strip()):
        fault("error", show(error), "must be a text that says why there is no answer, or null")
        return None, None
    if output is not None and not isinstance(output, str):
        fault("output", show(output), "must be a text; write JSON as a text, too")
    elif output is not None and error is not None:
        fault("error", show(error), "stands beside an output; keep the output or the error")
    elif output is None and error is None:
        fault(
            "output",
            None if "output" not in record else "null",
            "missing; where there was none, say why in error",
        )
    return (_text(output) if isinstance(output, str) else None), (_error(_text(error)) if error else None)


def _text(text: str) -> str:
    r"""The text without halves of surrogate pairs.

    >>> _text("a\ud800b") == "a\ufffdb"
    True
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    return text


def _error(text: str) -> ResponseError:
    match = _KIND.fullmatch(text.strip())
    if match and match[1] in set(ErrorKind) and match[2]:
        return ResponseError(ErrorKind(match[1]), match[2])
    return ResponseError(ErrorKind.SERVER, text.strip())


def _number(value: Any) -> float | None:
    """A finite float, or None. True and False are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _seconds(record: Mapping[str, Any], key: str, fault: Report) -> float | None:
    value = record.get(key)
    if value is None:
        return None
    seconds = _number(value)
    if seconds is None or seconds < 0:
        fault(key, show(value), "must be a number of seconds from 0, or null")
        return None
    return seconds


def _count(record: Mapping[str, Any], key: str, fault: Report) -> int | None:
    value = record.get(key)
    if value is None:
        return None
    number = _number(value)
    if number is None or number < 0 or number != int(number) or number > 2**53:
        fault(key, show(value), "must be a whole number from 0, or null")
        return None
    return int(number)


def _time(value: Any, fault: Report) -> float | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            pass
    elif (seconds := _number(value)) is not None and seconds >= 0:
        if seconds < _MANY_S:
            return seconds
        fault("at", show(value), "is too late for seconds since 1970; divide milliseconds by 1000")
        return None
    fault("at", show(value), 'must be seconds since 1970 or a time such as "2025-03-31T09:00:00Z", or null')
    return None
