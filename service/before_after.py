"""Why was this model fine-tuned? The comparison that justified it, kept as a file and read again for the report.

The file is what ``goldwatch compare BASE TUNED --keep FILE`` wrote: one JSON object in the contract's form, whose
findings say what each scorer was before and is after, paired over the same examples. It is somebody's file by now, so
whatever it lacks is an error that names it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checks.types import ALL
from service import wording
from service.errors import UserError
from service.text import safe

_LARGEST = 50_000_000
_MAKE = "write it again: goldwatch compare BEFORE AFTER --keep FILE"


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """The comparison by one scorer: means on its own scale, their paired difference, and when it was made.

    ``same_golden`` says whether it asked the golden set that is asked today.
    """

    scorer: str
    before: float
    after: float
    effect: float
    interval: tuple[float, float] | None
    examples: int
    at: float | None
    same_golden: bool

    @property
    def words(self) -> str:
        """One line for a person."""
        finding = {"check": "quality", "effect": self.effect, "interval": self.interval}
        ends = wording.interval(finding)
        when = "" if self.at is None else f", {wording.clock(self.at)}"
        other = "" if self.same_golden else ", on an earlier golden set"
        return (
            f"Fine-tuned because: {self.scorer} {self.before:.1%} → {self.after:.1%}, {wording.change(finding)}"
            f"{f' (95% interval {ends})' if ends else ''}, {self.examples} examples{other}{when}"
        )


def read_before_after(path: Path, scorer: str, golden_digest: str) -> BeforeAfter:
    """Read the kept comparison.

    Args:
        path: the file.
        scorer: by whose score it is told.
        golden_digest: of the golden set that is asked today.

    Raises:
        UserError: it cannot be read, or is no such comparison.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise UserError(f"{path}: larger than {_LARGEST // 1_000_000} MB, so no kept comparison", _MAKE)
        told = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}", _MAKE) from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: is no JSON", _MAKE) from None
    findings = told.get("findings") if isinstance(told, Mapping) else None
    if not isinstance(findings, list):
        raise UserError(f"{path}: is no comparison: findings are missing", _MAKE)
    found = next((f for f in findings if _is_of(f, scorer)), None)
    if found is None:
        raise UserError(
            f"{path}: says nothing of the scorer {safe(scorer, 64)}", "name another one: worth.scorer"
        )
    before, after, effect = (_number(found.get(key)) for key in ("baseline", "current", "effect"))
    if before is None or after is None or effect is None:
        raise UserError(
            f"{path}: findings of {safe(scorer, 64)}: baseline, current or effect is no number", _MAKE
        )
    ends = found.get("interval")
    known = [_number(end) for end in ends] if isinstance(ends, list) and len(ends) == 2 else []
    golden = told.get("golden")
    asked: Mapping[str, Any] = golden if isinstance(golden, Mapping) else {}
    return BeforeAfter(
        scorer=scorer,
        before=before,
        after=after,
        effect=effect,
        interval=(known[0], known[1]) if known and known[0] is not None and known[1] is not None else None,
        examples=int(_number(asked.get("examples")) or 0),
        at=_number(told.get("started_at")),
        same_golden=asked.get("digest") == golden_digest,
    )


def _is_of(finding: Any, scorer: str) -> bool:
    return isinstance(finding, Mapping) and (
        (finding.get("check"), finding.get("scorer"), finding.get("slice")) == ("quality", scorer, ALL)
    )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
