"""Is what is old forgotten, and what is needed kept?"""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import func, select

from service.alerting import AlertState
from service.store.tables import TEXT


def texts_kept(scene: Any) -> int:
    with scene.store._read() as connection:
        return int(connection.scalar(select(func.count()).select_from(TEXT)))


def test_old_texts_go_and_conclusions_stay(scene: Any) -> None:
    """An old run loses its responses and the texts that only it used; its record and scores stay."""
    old = scene.done(now=1000.0, responses=[*scene.responses(4), *scene.responses(output="only then")[4:]])
    new = scene.done(now=5000.0, responses=scene.responses())
    record, vectors = scene.store.run(old), scene.store.vectors(old)
    assert texts_kept(scene) == 5
    assert scene.store.prune(now=5020.0, keep_s=3600.0) == 5
    assert scene.store.responses(old) == []
    assert scene.store.response_texts([old], ["e1"]) == {}
    assert len(scene.store.responses(new)) == 5
    assert texts_kept(scene) == 4
    assert scene.store.run(old) == record
    assert np.array_equal(scene.store.vectors(old)[0].values, vectors[0].values)
    assert [m.run for m in scene.store.measurements("router", "segment-1")] == [old, new]
    assert scene.store.prune(now=5020.0, keep_s=3600.0) == 0


def test_pinned_baselines_keep_their_texts(scene: Any) -> None:
    """The runs that say what healthy is can be shown for ever, replaced ones too."""
    runs = [scene.done(now=1000.0 * i, responses=scene.responses()) for i in (1, 2, 3)]
    for run_id in runs[:2]:
        baseline = scene.store.open_baseline("router", run_id, None, 1.0)
        scene.store.pin_baseline(baseline.id, [run_id])
    assert scene.store.prune(9e9, 1.0) == 5
    assert [len(scene.store.responses(run_id)) for run_id in runs] == [5, 5, 0]


def test_a_firing_alert_keeps_its_runs(scene: Any) -> None:
    """The runs that a firing alert names keep their texts until it resolves."""
    runs = [scene.done(now=1000.0 * i, responses=scene.responses()) for i in (1, 2, 3, 4)]
    alert = scene.alert(opened_run=runs[1], onset_run=runs[0], updated_run=runs[2])
    scene.done(now=5000.0, alerts=[alert])
    assert scene.store.prune(9e9, 1.0) == 5
    assert [len(scene.store.responses(run_id)) for run_id in runs] == [5, 5, 5, 0]
    scene.done(now=6000.0, alerts=[scene.alert(state=AlertState.RESOLVED, updated_run=runs[2])])
    assert scene.store.prune(9e9, 1.0) == 15
    assert texts_kept(scene) == 0


def test_a_running_run_keeps_its_texts(scene: Any) -> None:
    """What a replay has saved so far is never taken from it, however old."""
    run_id = scene.claim(now=1.0)
    scene.store.save_responses(run_id, scene.responses())
    scene.done(now=2.0, target="other", responses=scene.responses(2))
    assert scene.store.prune(9e9, 1.0) == 2
    assert len(scene.store.responses(run_id)) == 5
