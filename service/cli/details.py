"""What stands beside a run's figures? The baseline, the last good run, and the examples that broke."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from checks.types import Verdict
from service.cli.render.run import Details, headline
from service.confused import confusions, moved_words
from service.evidence import broken, good_run
from service.original import notes_of
from service.report import run_object

if TYPE_CHECKING:
    from service.evidence import Broken
    from service.records import BaselineRecord, RunRecord
    from service.store import Store

_LOOK_BACK = 500
_MOST_PAIRS = 3


def details_of(
    store: Store, run: RunRecord, *, baseline_needed: int | None = None, limit: int | None = 200
) -> Details:
    """The details of one finished run; what cannot be told is None.

    Args:
        store: where it is kept.
        run: the run.
        baseline_needed: how many measured runs make a baseline, where the configuration is known.
        limit: how many broken examples are read with their texts; None for all.
    """
    baseline = _baseline(store, run)
    finding = headline(run_object(run))
    onset = finding["onset_run"] if finding is not None else None
    good = good_run(store, run.id, run.target, onset)
    last_good = store.run(good) if good is not None else None
    diagnosis = store.diagnosis(run.id)
    changed = _changed(store, run, baseline, finding["scorer"] if finding is not None else None, onset, limit)
    return Details(
        duration_s=run.finished_at - run.started_at if run.finished_at is not None else None,
        baseline_runs=_collected(store, run, baseline),
        baseline_needed=baseline_needed,
        baseline_at=baseline.created_at if baseline is not None and baseline.runs else None,
        last_good_run=last_good.id if last_good is not None else None,
        last_good_at=last_good.started_at if last_good is not None else None,
        broke=changed.broke_count if changed is not None else None,
        fixed=changed.fixed_count if changed is not None else None,
        broken=changed.broke if changed is not None else (),
        failures=_failures(store, run),
        causes=diagnosis.sentences if diagnosis is not None else (),
        next_steps=[cause.next for cause in diagnosis.causes[:1]] if diagnosis is not None else (),
        diagnosis=diagnosis,
        notes=[*notes_of(store, run), *_moved(store, run)],
    )


def _moved(store: Store, run: RunRecord) -> list[str]:
    """The pairs of labels that moved, the most telling first."""
    return [
        f"{name}: {moved_words(pair)}"
        for name, found in confusions(store, run).items()
        for pair in found.moved[:_MOST_PAIRS]
    ]


def _baseline(store: Store, run: RunRecord) -> BaselineRecord | None:
    """The baseline that the run was judged against; for one that began to learn, the one it belongs to now."""
    known = store.baselines(run.target)
    return next((b for b in known if b.id == run.baseline_id), None) or store.baseline(run.target)


def _collected(store: Store, run: RunRecord, baseline: BaselineRecord | None) -> int | None:
    """The runs that the baseline is made of, or had collected when this run ended."""
    if baseline is not None and baseline.runs and run.verdict is not Verdict.LEARNING:
        return len(baseline.runs)
    after = baseline.from_run - 1 if baseline is not None else None
    history = store.runs(run.target, limit=_LOOK_BACK, before=run.id + 1, after=after)
    return sum(1 for r in history if r.measured and r.segment == run.segment)


def _changed(
    store: Store,
    run: RunRecord,
    baseline: BaselineRecord | None,
    scorer: str | None,
    onset: int | None,
    limit: int | None,
) -> Broken | None:
    golden = store.golden(run.golden_digest)
    if golden is None or baseline is None or not baseline.runs:
        return None
    if run.verdict not in (Verdict.REGRESSED, Verdict.SUSPECT):
        return None
    return broken(store, run.id, run.target, golden, baseline, scorer=scorer, onset=onset, limit=limit)


def _failures(store: Store, run: RunRecord) -> dict[str, int]:
    """Unanswered examples by reason, for a run that could not be measured."""
    if run.verdict is not Verdict.INCONCLUSIVE:
        return {}
    return dict(Counter(r.error.message for r in store.responses(run.id) if r.error is not None))
