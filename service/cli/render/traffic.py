"""How does a target's traffic stand, in lines for a terminal?"""

from __future__ import annotations

from service import wording
from service.text import safe
from service.traffic.view import TrafficView


def traffic_lines(found: TrafficView, kept: int) -> list[str]:
    """The lines of ``goldwatch traffic show``; ``kept`` requests are held for an export."""
    if found.moved:
        head = f"{found.target}: the world moved, not the model"
        since = "" if found.since is None else f", since {wording.clock(found.since)}"
        lines = [head + since, *(f"  {safe(said, 200)}" for said in found.moved)]
    elif found.learning is not None:
        seen, needed = found.learning
        lines = [f"{found.target}: learning what is usual, {seen} of {needed} windows"]
    else:
        lines = [f"{found.target}: traffic is as usual (evidence {found.evidence or 0.0:.2f} of 1)"]
    if (owed := found.debt) is None:
        lines.append("  coverage debt  unknown: the golden set has too few examples, or no sample came")
    else:
        low_high = "" if owed.interval is None else f" ({owed.interval[0]:.1%} to {owed.interval[1]:.1%})"
        parts = (
            f"{owed.unlike_ratio:.1%} unlike any golden example, {owed.new_words_ratio:.1%} more in new words"
        )
        lines += [
            f"  coverage debt  {owed.ratio:.1%}{low_high} of {owed.samples} samples; 5% is to be expected",
            f"                 {parts}",
        ]
    if found.malformed_ratio is not None:
        lines.append(f"  unreadable     {found.malformed_ratio:.1%} of the answers")
    if found.refusal_ratio is not None:
        lines.append(f"  refusals       {found.refusal_ratio:.1%} of the answers")
    last = "" if found.last_at is None else f", last {wording.clock(found.last_at)}"
    lines.append(
        f"  samples        {found.samples}{last}; {found.rejected} rejected, {found.own} of goldwatch's own"
    )
    if kept:
        lines.append(
            f"  next           goldwatch traffic export {found.target} -o draft.jsonl  ({kept} requests kept)"
        )
    return lines
