"""What is known of a target's baseline? Its runs, what they scored, and what has changed since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from checks.types import Served
from service.errors import UserError
from service.golden import load
from service.records import RunKind, RunRecord, RunState
from service.report import golden_object, number
from service.segment import segment_key
from service.text import safe

if TYPE_CHECKING:
    from service.config import Target
    from service.records import BaselineRecord
    from service.store import Store

_SERVED = ("model", "fingerprint", "version", "parent", "root")


def baseline_object(store: Store, target: Target) -> dict[str, Any]:
    """The baseline in force, as ``baseline show --json`` prints it. What is unknown is null.

    Raises:
        UserError: the target has none, because it never ran.
    """
    baseline = store.baseline(target.name)
    if baseline is None:
        raise UserError(f"{target.name} has no baseline: it never ran", f"run: goldwatch run {target.name}")
    history = store.runs(target.name, limit=None, newest_first=False, after=_before(baseline))
    mine = [r for r in history if r.state is RunState.DONE and r.baseline_id == baseline.id]
    runs = [r for r in mine if r.id in baseline.runs] if baseline.runs else [r for r in mine if r.measured]
    last = next((r for r in reversed(mine) if r.measured), None)
    later = [r for r in mine if runs and r.id > runs[-1].id and r.kind is not RunKind.IMPORTED]
    newest = store.last_run(target.name, state=RunState.DONE)
    return {
        "target": target.name,
        "baseline": baseline.id,
        "pinned": bool(baseline.runs),
        "reason": baseline.reason,
        "opened_at": number(baseline.created_at),
        "from_run": baseline.from_run,
        "needed": len(baseline.runs) or target.baseline.runs,
        "imported": any(r.kind is RunKind.IMPORTED for r in runs),
        "golden": _golden(runs),
        "runs": [{"run": r.id, "started_at": number(r.started_at)} for r in runs],
        "scores": _scores(runs, last if last is not None and last not in runs else None),
        "since": {
            "verdicts": dict(Counter(str(r.verdict) for r in later)),
            "changes": _changes(store, target, baseline, runs, newest),
        },
        "earlier": [
            {
                "baseline": old.id,
                "opened_at": number(old.created_at),
                "replaced_at": number(old.replaced_at),
                "reason": old.reason,
                "runs": list(old.runs),
            }
            for old in store.baselines(target.name)
            if old.id != baseline.id
        ],
    }


def _before(baseline: BaselineRecord) -> int:
    return min(baseline.runs, default=baseline.from_run) - 1


def _golden(runs: Sequence[RunRecord]) -> dict[str, Any] | None:
    if not runs:
        return None
    return golden_object(runs[-1].golden_digest, runs[-1].golden_version, runs[-1].golden_examples)


def _scores(runs: Sequence[RunRecord], last: RunRecord | None) -> list[dict[str, Any]]:
    """Per scorer and slice the mean over the runs, the lowest and highest run, and the last run's."""
    means: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        for s in run.summaries:
            if s.mean is not None:
                means.setdefault((s.scorer, s.slice), []).append(s.mean)
    now = {} if last is None else {(s.scorer, s.slice): s.mean for s in last.summaries}
    rows = []
    for (scorer, name), values in means.items():
        mean, current = sum(values) / len(values), now.get((scorer, name))
        rows.append(
            {
                "scorer": scorer,
                "slice": name,
                "mean": mean,
                "low": min(values),
                "high": max(values),
                "last": current,
                "change": None if current is None else current - mean,
            }
        )
    return rows


def _changes(
    store: Store,
    target: Target,
    baseline: BaselineRecord,
    runs: Sequence[RunRecord],
    newest: RunRecord | None,
) -> list[str]:
    """What is known to have changed since the baseline's last run, one line each."""
    if not runs:
        return []
    said, last = [], runs[-1]
    try:
        golden = load(target.golden)
    except UserError:
        said.append("the golden set cannot be read now; see: goldwatch freeze --check")
    else:
        if golden.digest != last.golden_digest:
            said.append(
                f"the golden set was edited: it is {golden.digest[:19]}… now; a frozen one starts anew"
            )
        elif segment_key(target, golden.digest, baseline.id) != last.segment:
            said.append("the scorers or the question were changed: the next run starts a new baseline")
    before, now = last.served or Served(), (newest.served if newest else None) or Served()
    for name in _SERVED:
        old, new = getattr(before, name), getattr(now, name)
        if old is not None and new is not None and old != new:
            said.append(f"the server's {name}: {safe(old, 60)} → {safe(new, 60)}")
    for mark in store.marks(target.name, last.started_at):
        note = f": {mark.note}" if mark.note else ""
        said.append(f"deployed {safe(mark.version, 60)}{safe(note, 100)}")
    return said
