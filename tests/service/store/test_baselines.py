"""Is one baseline in force, and are another store's runs as good as our own?"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from checks.types import Served
from service.records import BaselineRecord, DeploymentMark, ImportedRun, RunKind, RunState
from service.store import StoreError


def test_a_baseline_is_opened_pinned_and_replaced(scene: Any) -> None:
    """One baseline is in force at a time; the old ones stay as history with their reasons."""
    store = scene.store
    assert store.baseline("router") is None
    first = store.open_baseline("router", 1, None, 100.0)
    assert first == BaselineRecord(first.id, "router", 100.0, None, 1)
    store.pin_baseline(first.id, [1, 2, 5])
    assert store.baseline("router").runs == (1, 2, 5)
    second = store.open_baseline("router", 7, "new prompt", 200.0)
    assert store.baseline("router") == BaselineRecord(second.id, "router", 200.0, "new prompt", 7)
    assert [b.replaced_at for b in store.baselines("router")] == [200.0, None]
    assert store.baselines("other") == []


def test_two_processes_that_open_the_first_baseline_get_one(scene: Any) -> None:
    """Whoever saw no baseline, or one that was replaced meanwhile, gets the one in force: nothing is learnt twice."""
    store = scene.store
    first = store.open_baseline("router", 1, None, 100.0, replaces=None)
    assert store.open_baseline("router", 1, None, 101.0, replaces=None) == first
    second = store.open_baseline("router", 4, "changed", 200.0, replaces=first.id)
    assert store.open_baseline("router", 4, "changed", 201.0, replaces=first.id) == second
    assert [b.id for b in store.baselines("router")] == [first.id, second.id]


def test_threads_open_one_first_baseline(scene: Any) -> None:
    """Eight at the same moment open one."""
    start = threading.Barrier(8)

    def opened(_: int) -> int:
        start.wait(60)
        return int(scene.store.open_baseline("router", 1, None, 100.0, replaces=None).id)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(opened, range(8)))) == 1


def test_a_pinned_baseline_stays(scene: Any) -> None:
    """What was pinned is not pinned otherwise; pinning the same again is no fault."""
    first = scene.store.open_baseline("router", 1, None, 100.0)
    scene.store.pin_baseline(first.id, [1, 2])
    scene.store.pin_baseline(first.id, [1, 2])
    with pytest.raises(StoreError, match="is pinned already"):
        scene.store.pin_baseline(first.id, [3])
    with pytest.raises(StoreError, match="there is no baseline 99"):
        scene.store.pin_baseline(99, [3])
    assert scene.store.baseline("router").runs == (1, 2)


def test_imported_runs_are_history_and_no_more(scene: Any) -> None:
    """Another store's runs are measured history with texts; they count in no total and no limit."""
    given = scene.judgement()
    runs = [
        ImportedRun(
            started_at=10.0 * i,
            summaries=given["summaries"],
            vectors=given["vectors"],
            answered=given["answered"],
            latency_s=given["latency_s"],
            served=Served("router-ft"),
            responses=tuple(scene.responses()),
        )
        for i in (1, 2)
    ]
    baseline = scene.store.open_baseline("router", 0, "from a file", 5.0)
    ids = scene.store.import_runs(
        "router", runs, golden_digest=scene.golden.digest, segment="segment-1", baseline_id=baseline.id,
        share=0.5, period_h=24.0,
    )  # fmt: skip
    scene.store.pin_baseline(baseline.id, ids)
    record = scene.store.run(ids[0])
    assert (record.kind, record.state, record.measured) == (RunKind.IMPORTED, RunState.DONE, True)
    assert (record.summaries, record.served, record.baseline_id) == (
        given["summaries"],
        Served("router-ft"),
        baseline.id,
    )
    found = list(scene.store.measurements("router", "segment-1"))
    assert [(m.run, m.started_at, m.share, m.period_h) for m in found] == [
        (ids[0], 10.0, 0.5, 24.0),
        (ids[1], 20.0, 0.5, 24.0),
    ]
    assert np.array_equal(found[0].scores["chrf"], given["vectors"][1].values, equal_nan=True)
    assert scene.store.response_texts(ids, ["e1"]) == {(ids[0], "e1"): "answer 1", (ids[1], "e1"): "answer 1"}
    assert scene.store.metrics_snapshot().targets == {}
    assert scene.store.last_run("router") is None
    assert scene.store.usage_since("router", 0.0) == (0, 0.0)


def test_marks_are_kept_by_time(scene: Any) -> None:
    """Deployment marks come oldest first, from a time on."""
    marks = [DeploymentMark("router", at, f"v{at}", "note\x00") for at in (30.0, 10.0, 20.0)]
    for mark in [*marks, DeploymentMark("other", 25.0, "x")]:
        scene.store.add_mark(mark)
    assert [m.version for m in scene.store.marks("router", 15.0)] == ["v20.0", "v30.0"]
    assert scene.store.marks("other", 0.0) == [DeploymentMark("other", 25.0, "x", None)]
