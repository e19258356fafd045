"""What is in a bundle? Names, models and the two ways between a measurement and a line.

``manifest.json``: versions, and each other member's size and SHA-256. ``subject.json``: how the run was scored and
judged. ``golden.jsonl``: the golden set in canonical form, so that its SHA-256 *is* the golden digest.
``answers.jsonl``: every response. ``run.jsonl``: what was measured and scored of the run. ``history.jsonl``: the same
of each earlier run of its segment, oldest first. ``verdict.json``: what was found. ``context.json``: baseline, marks
and probable causes, for people. The ZIP's comment is ``sha256:`` and the digest of all bytes before it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from checks.types import BoolArray, FloatArray, Measurement
from service.errors import UserError

FORMAT = "goldwatch.bundle"
VERSION = 1
SEAL = "sha256:"
SEAL_BYTES = len(SEAL) + 64
MANIFEST = "manifest.json"
MEMBERS = (
    "subject.json",
    "golden.jsonl",
    "answers.jsonl",
    "run.jsonl",
    "history.jsonl",
    "verdict.json",
    "context.json",
)
"""In this order in the file, after the manifest."""

WITH_TEXTS = frozenset({"golden.jsonl", "answers.jsonl"})
"""Left out of a bundle without texts; then only the verdict can be recomputed, from the scores."""

Number = float | None
Rows = dict[str, list[Number]]


class BundleError(UserError):
    """A file that is no bundle, was altered, or cannot be recomputed here. Exit code 2."""


class Part(BaseModel):
    """The base of every part: strict, because anybody may have written the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Member(Part):
    """One file of the bundle."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Manifest(Part):
    """What made the bundle. ``code`` is the digest of the code that scores and judges."""

    format: str
    version: int
    goldwatch: str
    code: str
    python: str
    numpy: str
    target: str
    run: int
    texts: bool
    members: dict[str, Member]


class Slice(Part):
    """A slice, by the positions of its examples."""

    name: str
    at: list[int]


class GapPart(Part):
    """A comparison of new with known wording: positions in the golden set."""

    name: str
    new: list[int] = Field(min_length=1)
    known: list[int] = Field(min_length=1)


class SubjectPart(Part):
    """How the run was scored and judged. ``question`` and ``scorers`` are those of its segment."""

    scorers: list[dict[str, Any]]
    question: Any
    golden_digest: str
    golden_version: int | None
    examples: int = Field(ge=1, le=10_000_000)
    ids: list[str]
    slices: list[Slice]
    groups: list[int] | None
    baseline_runs: int = Field(ge=1)
    min_answered: float
    smallest_effect: Number
    reference: bool = False
    logprobs: bool = False
    border: bool = False
    promises: dict[str, float] = Field(default_factory=dict)
    gaps: list[GapPart] = Field(default_factory=list)
    days: list[Number] | None = None


class MeasurementPart(Part):
    """One run as the checks saw it. Lists run over the golden set; null is unscored, unanswered or unknown.

    Those of ``judged`` run over the anchors of a judge, or over border prompts.
    """

    run: int
    started_at: float
    measured: bool
    share: float
    period_h: float
    burst: bool = False
    scores: Rows
    answered: list[int]
    latency_s: list[Number]
    observed: Rows = Field(default_factory=dict)
    judged: Rows = Field(default_factory=dict)
    labels: dict[str, dict[str, list[int]]] = Field(default_factory=dict)
    malformed: dict[str, list[int]] = Field(default_factory=dict)
    asked: list[int] | None = None
    closed_unread: bool = False


class VerdictPart(Part):
    """What was found. ``findings`` are as the store keeps them, ``reasons`` by scorer and position."""

    verdict: str
    reason: str | None
    findings: list[dict[str, Any]]


def to_part(run: Measurement, examples: int) -> MeasurementPart:
    """A measurement as it is written."""
    return MeasurementPart(
        run=run.run,
        started_at=run.started_at,
        measured=run.measured,
        share=run.share,
        period_h=run.period_h,
        burst=run.burst,
        scores={name: numbers(row) for name, row in run.scores.items()},
        answered=_positions(run.answered),
        latency_s=numbers(run.latency_s),
        observed={name: numbers(row) for name, row in run.observed.items()},
        judged={name: numbers(row) for name, row in run.judged.items()},
        labels={name: _by_label(words) for name, words in run.labels.items()},
        malformed={name: [int(i) for i in places] for name, places in run.malformed.items()},
        asked=None if run.asked is None else _positions(run.asked),
        closed_unread=len(run.answered) != examples,
    )


def from_part(part: MeasurementPart, examples: int) -> Measurement:
    """The measurement that was written.

    Raises:
        ValueError: a list is not as long as the golden set, or a position lies outside it.
    """
    rows = [*part.scores.values(), *part.observed.values(), part.latency_s]
    if any(len(row) not in ((0, examples) if part.closed_unread else (examples,)) for row in rows):
        raise ValueError(f"run {part.run}: a list is not as long as the golden set ({examples})")
    return Measurement(
        run=part.run,
        started_at=part.started_at,
        measured=part.measured,
        scores={name: array(row) for name, row in part.scores.items()},
        answered=np.zeros(0, bool) if part.closed_unread else _mask(part.answered, examples),
        latency_s=array(part.latency_s),
        share=part.share,
        period_h=part.period_h,
        burst=part.burst,
        asked=None if part.asked is None else _mask(part.asked, examples),
        observed={name: array(row) for name, row in part.observed.items()},
        judged={name: array(row) for name, row in part.judged.items()},
        labels={name: _words(found, examples) for name, found in part.labels.items()},
        malformed={name: tuple(_inside(places, examples)) for name, places in part.malformed.items()},
    )


def numbers(row: FloatArray) -> list[Number]:
    """Numbers with null for NaN; they read back exactly."""
    return [None if math.isnan(value) else value for value in row.tolist()]


def array(row: Sequence[Number]) -> FloatArray:
    """What :func:`numbers` was given."""
    return np.array([math.nan if value is None else value for value in row], dtype=np.float64)


def line(record: Mapping[str, Any]) -> bytes:
    """One JSON line, the same bytes for the same record."""
    text = json.dumps(record, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def code_digest() -> str:
    """SHA-256 over the source of all that scores and judges: with the same code, figures are the same."""
    import checks  # noqa: PLC0415

    root = Path(checks.__file__).parent
    service = root.parent / "service"
    running = hashlib.sha256()
    for path in [*sorted(root.rglob("*.py")), service / "scoring.py", service / "history.py"]:
        running.update(path.relative_to(root.parent).as_posix().encode() + b"\0")
        running.update(path.read_bytes() + b"\0")
    return running.hexdigest()


def _positions(mask: BoolArray) -> list[int]:
    return [int(i) for i in np.flatnonzero(mask)]


def _mask(at: Sequence[int], examples: int) -> BoolArray:
    mask = np.zeros(examples, dtype=bool)
    mask[list(_inside(at, examples))] = True
    return mask


def _inside(at: Sequence[int], examples: int) -> Iterator[int]:
    for place in at:
        if not 0 <= place < examples:
            raise ValueError(f"position {place} lies outside the golden set ({examples})")
        yield place


def _by_label(words: Mapping[int, str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for at, word in words.items():
        found.setdefault(word, []).append(int(at))
    return found


def _words(found: Mapping[str, Sequence[int]], examples: int) -> dict[int, str]:
    return dict(sorted((at, word) for word, places in found.items() for at in _inside(places, examples)))


def mask_of(part: Slice, examples: int) -> BoolArray:
    """The mask of a slice.

    Raises:
        ValueError: a position lies outside the golden set.
    """
    return _mask(part.at, examples)
