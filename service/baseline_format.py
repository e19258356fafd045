"""What does a baseline file look like, and is this one sound? One model per line; every fault told with its line.

The first line is a :class:`Head`, each further one a :class:`Row`. Lists of a row run over the head's ``ids``; null is
what was not scored, or not known. Unknown keys are errors: a later version of the format has another number.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import UserError
from service.text import safe

FORMAT = "goldwatch.baseline"
VERSION = 1
LEAST_RUNS = 3
Number = float | None


class BaselineFileError(UserError):
    """A baseline file that cannot be used, or that belongs to something else. Exit code 2."""


class Part(BaseModel):
    """The base of every part: strict, because a file by another program may hold anything."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


_PartT = TypeVar("_PartT", bound=Part)


class GoldenPart(Part):
    """Which golden set was asked."""

    digest: str
    version: int | None = None


class Head(Part):
    """The first line."""

    format: str
    version: int
    target: str
    golden: GoldenPart
    scorers: list[dict[str, Any]]
    question: Any
    pinned_at: float
    reason: str | None = None
    runs: int
    ids: list[str]


class Row(Part):
    """One run. Lists run over the head's ids.

    ``labels`` maps a label to positions; ``observed`` is what was seen of the answers themselves (lengths, refusals,
    odds of first tokens ...), by name.
    """

    started_at: float
    finished_at: float | None = None
    served: dict[str, Any] | None = None
    unanswered: list[int] = Field(default_factory=list)
    latency_s: list[Number] | None = None
    scores: dict[str, list[Number]]
    labels: dict[str, dict[str, list[int]]] = Field(default_factory=dict)
    format_failures: dict[str, list[int]] = Field(default_factory=dict)
    observed: dict[str, list[Number]] = Field(default_factory=dict)
    outputs: list[str | None] | None = None


@dataclass(frozen=True, slots=True)
class BaselineFile:
    """A sound file, its runs in the order in which they were made."""

    path: Path
    target: str
    golden_digest: str
    ids: tuple[str, ...]
    scorers: tuple[dict[str, Any], ...]
    question: Any
    runs: tuple[Row, ...]


def read(path: Path) -> BaselineFile:
    """Read a file that :func:`export_lines` made.

    Raises:
        BaselineFileError: it cannot be read, or is not such a file; the line and the key are told.
    """
    try:
        with path.open("rb") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise BaselineFileError(
            f"{path}: cannot be read: {error.strerror or error}",
            "write it where the baseline is: goldwatch baseline export TARGET -o FILE",
        ) from None
    if not lines:
        raise _damaged(path, "it is empty")
    record = _json(path, 1, lines[0])
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise _damaged(path, "line 1: it is no baseline file")
    if record.get("version") != VERSION:
        raise _damaged(path, f"line 1: version {safe(str(record.get('version')), 20)} is not {VERSION}")
    head = _valid(path, 1, Head, record)
    rows = [_valid(path, n, Row, _json(path, n, line)) for n, line in enumerate(lines[1:], 2)]
    if len(rows) != head.runs or len(rows) < LEAST_RUNS:
        raise _damaged(path, f"it holds {len(rows)} runs and should hold {max(head.runs, LEAST_RUNS)}")
    for number, row in enumerate(rows, 2):
        _check_row(path, number, row, head)
    rows.sort(key=lambda row: row.started_at)
    return BaselineFile(
        path,
        head.target,
        head.golden.digest,
        tuple(head.ids),
        tuple(head.scorers),
        head.question,
        tuple(rows),
    )


def _check_row(path: Path, number: int, row: Row, head: Head) -> None:
    n, names = len(head.ids), {str(scorer.get("name")) for scorer in head.scorers}
    lists: dict[str, Sequence[Any] | None] = {f"scores.{name}": values for name, values in row.scores.items()}
    lists |= {f"observed.{name}": values for name, values in row.observed.items()}
    lists |= {"latency_s": row.latency_s, "outputs": row.outputs}
    for key, values in lists.items():
        if values is not None and len(values) != n:
            raise _damaged(path, f"line {number}: {safe(key, 80)}: {len(values)} values for {n} examples")
    if set(row.scores) != names:
        raise _damaged(path, f"line {number}: scores: not those of the scorers that line 1 names")
    if any(
        value is not None and not 0.0 <= value <= 1.0 for values in row.scores.values() for value in values
    ):
        raise _damaged(path, f"line {number}: scores: a score lies in [0, 1]")
    if any(value is not None and value < 0 for value in row.latency_s or ()):
        raise _damaged(path, f"line {number}: latency_s: must not be negative")
    places = [*row.unanswered, *(i for p in row.format_failures.values() for i in p)]
    places += [i for labels in row.labels.values() for p in labels.values() for i in p]
    if any(not 0 <= place < n for place in places):
        raise _damaged(path, f"line {number}: a position lies outside the {n} examples")


def _json(path: Path, number: int, line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise _damaged(path, f"line {number}: not JSON") from None


def _valid(path: Path, number: int, part: type[_PartT], record: Any) -> _PartT:
    try:
        return part.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(safe(str(piece), 40) for piece in first["loc"])
        raise _damaged(path, f"line {number}: {key}: {safe(first['msg'], 120)}") from None


def _damaged(path: Path, why: str) -> BaselineFileError:
    return BaselineFileError(
        f"{path}: {why}", "write it again where the baseline is: goldwatch baseline export TARGET -o FILE"
    )
