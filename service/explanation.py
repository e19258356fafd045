"""How did a stored run come to its verdict? History from the store, led through the fold of ``checks/explanation``.

:func:`explanation_of` is for the command line and the pages; :func:`explanation_object` is what programs read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from checks.explanation import Explanation, explain
from service import history
from service.conclude import subject_of
from service.records import RunKind
from service.report import finding_object, number

if TYPE_CHECKING:
    from checks.types import Measurement, Subject
    from service.config import Target
    from service.records import Golden, RunRecord
    from service.store import Store


@dataclass(frozen=True, slots=True)
class Told:
    """An explanation with what the store knows beside it.

    ``ids`` are the examples' ids in order; ``confirms`` the runs that confirm another; ``agrees``: the fold says of
    the run what is stored of it (it may not where the configuration has changed since).
    """

    run: RunRecord
    explanation: Explanation
    ids: tuple[str, ...]
    confirms: frozenset[int]
    agrees: bool


def explanation_of(store: Store, target: Target, run: RunRecord, *, last: int = 120) -> Told | None:
    """The explanation of one finished run; None where its golden set is gone or fits the scorers no longer.

    Raises:
        StoreError: the store failed.
    """
    golden = store.golden(run.golden_digest)
    if golden is None:
        return None
    about = _subject(store, target, golden, run)
    told = explain(about, _until(store, target.name, run, about), last=last)
    if told is None or told.steps[-1].run != run.id:
        return None
    kept = store.runs(target.name, limit=last, before=run.id + 1)
    confirms = frozenset(r.id for r in kept if r.kind is RunKind.CONFIRM)
    agrees = told.steps[-1].verdict is run.verdict
    return Told(run, told, tuple(e.id for e in golden.examples), confirms, agrees)


def _subject(store: Store, target: Target, golden: Golden, run: RunRecord) -> Subject:
    return subject_of(store, target, golden, run.baseline_id)


def _until(store: Store, target: str, run: RunRecord, about: Subject) -> Iterator[Measurement]:
    for one in store.measurements(target, run.segment):
        if one.run > run.id:
            return
        yield history.aligned(about, one)


def explanation_object(told: Told) -> dict[str, Any]:
    """The whole explanation for programs; numbers that are unknown or infinite are null."""
    steps = [
        {
            "run": step.run,
            "started_at": step.started_at,
            "verdict": str(step.verdict),
            "reason": step.reason,
            "confirms": step.run in told.confirms,
            "findings": [finding_object(f) for f in step.findings],
            "scorers": [
                {
                    "scorer": s.scorer,
                    "mean": number(s.mean),
                    "capped": s.capped,
                    "alone": s.alone,
                    "noise_models": s.believed,
                    "streams": [
                        {
                            "stream": t.stream,
                            "evidence": number(t.evidence),
                            "factor": number(t.factor),
                            "surprise_sd": number(t.surprise),
                        }
                        for t in s.streams
                    ],
                }
                for s in step.scorers
            ],
        }
        for step in told.explanation.steps
    ]
    scorers = []
    for story in told.explanation.scorers:
        made = asdict(story)
        made["band"] = None if story.band is None else list(story.band)
        made["onset_set"] = list(story.onset_set)
        made["movers"] = [
            {"id": told.ids[m.example], "expected": m.expected, "now": number(m.now), "moved": m.moved}
            for m in story.movers
        ]
        scorers.append(made)
    return {"agrees": told.agrees, "judged_runs": told.explanation.judged, "steps": steps, "scorers": scorers}
