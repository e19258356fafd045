"""What is taken for what in a run? The confusion matrices of its scorers, read from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checks.causes.facts import named
from checks.confusion import NONE, Confusion, Moved, Seen, confusion
from service.records import RunRecord, RunState, ScoreVector

if TYPE_CHECKING:
    from service.store import Store


def confusions(store: Store, run: RunRecord) -> dict[str, Confusion]:
    """A matrix for every scorer whose answers name expected labels; none of a run that was not measured."""
    if run.state is not RunState.DONE or not run.measured:
        return {}
    mine = {v.scorer: v for v in store.vectors(run.id) if v.labels}
    if not mine:
        return {}
    known = store.baselines(run.target)
    pinned = next((b for b in known if b.id == run.baseline_id), None)
    before = [store.vectors(one) for one in (pinned.runs if pinned is not None else ()) if one != run.id]
    examples = store.golden_at(run.golden_digest, range(run.golden_examples))
    if len(examples) != run.golden_examples:
        return {}
    whole = [examples[i] for i in range(run.golden_examples)]
    found = {}
    for name, vector in mine.items():
        usual = [v for vectors in before for v in vectors if v.scorer == name and _fits(v, vector)]
        made = confusion(whole, _seen(vector), [_seen(v) for v in usual])
        if made is not None:
            found[name] = made
    return found


def moved_words(moved: Moved) -> str:
    """The pair in words.

    >>> moved_words(Moved("refund", "billing", 0.25, 12, 16))
    '"refund" is answered "billing" in 12 of 16 (usual: 0.2)'
    """
    what = f"answered {named(moved.named)}" if moved.named != NONE else "answered without a label"
    return f"{named(moved.expected)} is {what} in {moved.now} of {moved.of} (usual: {moved.was:.1f})"


def confusion_object(scorer: str, found: Confusion) -> dict[str, Any]:
    """The matrix as the API answers; the column of answers that name no label is null."""
    return {
        "scorer": scorer,
        "expected": list(found.labels),
        "named": [column or None for column in found.columns],
        "now": found.now.astype(int).tolist(),
        "baseline": found.was.round(2).tolist(),
        "moved": [
            {
                "expected": m.expected,
                "named": m.named or None,
                "now": m.now,
                "baseline": round(m.was, 2),
                "of": m.of,
            }
            for m in found.moved
        ],
    }


def _seen(vector: ScoreVector) -> Seen:
    return Seen(vector.labels, vector.values)


def _fits(vector: ScoreVector, like: ScoreVector) -> bool:
    return len(vector.values) == len(like.values)
