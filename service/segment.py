"""Which runs may be compared? Those of one segment.

A new segment starts when what is measured changes: the golden set's content, the scorers (a name, a kind or an
option, but not the floor ``min``), the question (prompt and parameters as configured), or the accepted baseline.

It does *not* start when only the measuring changes: the model's name, the address, headers, keys or prices (a new
deployment is judged against the old one), repeats, concurrency, timeouts, retries, limits, schedule, severity, labels,
notifiers, the false-alarm budget, the reference or the challengers, the order of the scorers, or an option that is
written out with its default value.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checks.scorers import Scorer
    from service.config.models import Target

_LENGTH = 32


def segment_key(target: Target, golden_digest: str, baseline_id: int | None) -> str:
    """The name of the segment that a run of the target belongs to: 32 hexadecimal digits.

    Args:
        target: the target as configured.
        golden_digest: the digest of the golden set that is replayed.
        baseline_id: the baseline in force, or None before the first.
    """
    content = {
        "target": target.name,
        "golden": golden_digest,
        "scorers": sorted((measured_by(scorer) for scorer in target.scorers), key=lambda s: str(s["name"])),
        "question": [target.endpoint.kind, target.endpoint.question()],
        "baseline": baseline_id,
    }
    return _digest(content)


def _digest(content: Any) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=list)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


def without_judges(target: Target, golden_digest: str) -> str:
    """What of a segment depends neither on the scorers' own models nor on the baseline: 32 hexadecimal digits.

    Those scorers are in it by kind and name alone: where the rest is the same, only they changed.
    """
    own = [s for s in target.scorers if not getattr(s, "asks", False)]
    asking = sorted((s.kind, s.scorer_name) for s in target.scorers if getattr(s, "asks", False))
    content = {
        "golden": golden_digest,
        "scorers": sorted((measured_by(scorer) for scorer in own), key=lambda s: str(s["name"])),
        "asking": asking,
        "question": [target.endpoint.kind, target.endpoint.question()],
    }
    return _digest(content)


def measured_by(scorer: Scorer) -> dict[str, Any]:
    """What of a scorer decides its scores; options at their defaults are left out, so that new ones change nothing."""
    asking = getattr(scorer, "measured_by", None)
    if asking is not None:
        return {**asking(), "kind": scorer.kind, "name": scorer.scorer_name}
    options = scorer.model_dump(mode="json", by_alias=True, exclude={"min", "name"}, exclude_defaults=True)
    return {**options, "kind": scorer.kind, "name": scorer.scorer_name}
