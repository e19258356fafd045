"""Which answers are those of an earlier regression again? What the check ``known_bad`` reads of a run.

The runs in which the last few regressions of the baseline in force were found are held against the last good run: where
the two differ to the letter, the run's own answer tells. Their texts must still be kept (``retention.texts``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from checks.known_bad import AGAIN, FEWEST, STATE_RUN
from checks.types import FloatArray, Response, Verdict
from service.alerting import AlertKind, AlertState

if TYPE_CHECKING:
    from service.records import Golden, RunRecord
    from service.store import Store

MOST = 3
"""So many earlier regressions are remembered, the newest."""

_LOOK_BACK = 30
_GOOD = frozenset({Verdict.OK, Verdict.LEARNING, Verdict.IMPROVED})


def again(
    store: Store, golden: Golden, record: RunRecord, responses: Sequence[Response]
) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """How like the nearest state that is known to be bad a run's answers are, and which it is; nothing where none is.

    Args:
        store: where history is.
        golden: the golden set that was replayed.
        record: the run.
        responses: its answers.
    """
    bad = _bad(store, record)
    good = next(
        (r for r in store.runs(record.target, limit=_LOOK_BACK, before=record.id) if _is_good(r, record)),
        None,
    )
    if not bad or good is None:
        return {}, {}
    ids = [example.id for example in golden.examples]
    texts = store.response_texts([good.id, *bad], ids)
    mine = {r.example_id: (r.output or "").strip() for r in responses if r.answered and not r.repeat}
    best: tuple[float, int, FloatArray] | None = None
    for run in bad:
        row = np.full(len(ids), np.nan)
        for i, key in enumerate(ids):
            usual, then, now = texts.get((good.id, key)), texts.get((run, key)), mine.get(key)
            if usual is not None and then is not None and now is not None and usual.strip() != then.strip():
                row[i] = float(now == then.strip())
        known = row[~np.isnan(row)]
        if len(known) >= FEWEST and (best is None or float(known.mean()) > best[0]):
            best = float(known.mean()), run, row
    return ({}, {}) if best is None else ({AGAIN: best[2]}, {STATE_RUN: np.array([float(best[1])])})


def _bad(store: Store, record: RunRecord) -> list[int]:
    """The runs in which earlier regressions were found that are over, the newest first."""
    found = []
    for alert in store.alerts(record.target, AlertState.RESOLVED, limit=4 * MOST):
        run = store.run(alert.opened_run) if alert.kind is AlertKind.REGRESSION and alert.opened_run else None
        if run is not None and run.id < record.id and _same(run, record):
            found.append(run.id)
    return found[:MOST]


def _same(run: RunRecord, record: RunRecord) -> bool:
    return run.golden_digest == record.golden_digest and run.baseline_id == record.baseline_id


def _is_good(run: RunRecord, record: RunRecord) -> bool:
    return bool(run.measured) and run.verdict in _GOOD and run.golden_digest == record.golden_digest
