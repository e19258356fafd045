"""Which answers is a judge held against? A file of frozen answers with the scores that people gave them.

JSONL, one anchor per line: ``{"id", "input", "output", "score", "expected"}``. ``score`` lies in [0, 1]; ``expected``
may be left out where the judge is not shown it. The file is identified by a digest: where it changes, the watch over
the judge begins anew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from checks.judge_drift import FEWEST
from checks.types import Example, FloatArray
from service.errors import UserError
from service.golden.parse import example_of
from service.text import safe

MAX_BYTES = 50_000_000
_KEYS = frozenset({"id", "input", "output", "score", "expected"})
_MOST_FAULTS = 10


class AnchorsError(UserError):
    """The anchors cannot be used; the message has a line for every fault."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """Frozen answers: ``outputs`` to ``examples``, ``human`` scores, float [anchors]; ``about`` identifies the file."""

    examples: tuple[Example, ...]
    outputs: tuple[str, ...]
    human: FloatArray
    about: float

    def first(self, count: int) -> Anchors:
        """At most so many of them."""
        return replace(
            self, examples=self.examples[:count], outputs=self.outputs[:count], human=self.human[:count]
        )


def load(path: Path) -> Anchors:
    """Read a file of anchors.

    Raises:
        AnchorsError: it cannot be read, a line is no anchor, two have the same id, or there are fewer than ten.
    """
    try:
        content = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        raise AnchorsError(
            f"anchors {path}: cannot be read: {error.strerror or error}", "correct `anchors` of the scorer"
        ) from None
    if content is None:
        raise AnchorsError(f"anchors {path}: more than {MAX_BYTES:,} bytes", "keep some hundred anchors")
    faults: list[str] = []
    examples: list[Example] = []
    outputs: list[str] = []
    human: list[float] = []
    lines = content.decode("utf-8", "replace").splitlines()
    for number, line in enumerate(lines, 1):
        if line.strip():
            made = _anchor(line, number, faults)
            if made is not None:
                examples.append(made[0])
                outputs.append(made[1])
                human.append(made[2])
    seen: set[str] = set()
    faults += [f"the id {safe(e.id, 60)!r} stands twice" for e in examples if e.id in seen or seen.add(e.id)]  # type: ignore[func-returns-value]
    if not faults and len(examples) < FEWEST:
        faults.append(
            f"{len(examples)} anchors; at least {FEWEST} are needed, and 50 see a small change soon"
        )
    if faults:
        more = [f"and {len(faults) - _MOST_FAULTS} more faults"] if len(faults) > _MOST_FAULTS else []
        listed = "\n".join(f"anchors {path}: {fault}" for fault in [*faults[:_MOST_FAULTS], *more])
        raise AnchorsError(listed, 'a line is {"id": ..., "input": ..., "output": ..., "score": 0 to 1}')
    digest = hashlib.sha256(
        "\n".join(line.strip() for line in lines if line.strip()).encode("utf-8", "replace")
    )
    return Anchors(tuple(examples), tuple(outputs), np.array(human), float(int(digest.hexdigest()[:12], 16)))


def _anchor(line: str, number: int, faults: list[str]) -> tuple[Example, str, float] | None:
    before = len(faults)
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        faults.append(f"line {number}: is no JSON")
        return None
    if not isinstance(found, dict):
        faults.append(f"line {number}: must be an object")
        return None
    faults += [f"line {number}: unknown key {safe(key, 40)!r}" for key in found if key not in _KEYS]
    output, score = found.get("output"), found.get("score")
    if not isinstance(output, str):
        faults.append(f"line {number}: output: must be a text: the frozen answer")
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        faults.append(
            f"line {number}: score: must be a number from 0 to 1, not {safe(json.dumps(score), 40)}"
        )
    asked = {key: found[key] for key in ("id", "input", "expected") if key in found}
    said = json.dumps(asked).encode()
    example = example_of(said, lambda key, _value, what: faults.append(f"line {number}: {key}: {what}"))
    if len(faults) > before or example is None:
        return None
    return example, str(output), float(score)  # type: ignore[arg-type]  # checked above
