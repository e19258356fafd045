"""Does a segment begin with the runs that it carries on, over its own golden set? On SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from checks.types import Example
from service.records import RunKind
from service.store import Carried


def ids(scene: Any, segment: str, after_run: int = 0) -> list[int]:
    return [run.run for run in scene.store.measurements("router", segment, after_run=after_run)]


def test_an_accepted_change_begins_with_the_runs_since_its_onset(scene: Any) -> None:
    """The new segment reads the old one's runs from the onset on, then its own; the old one stays as it was."""
    old = [scene.done() for _ in range(4)]
    into = Carried("segment-1", scene.golden.digest, lambda opened: f"segment-of-{opened}")
    baseline = scene.store.open_baseline("router", old[2], "accepted", 2000.0, carried=into)
    own = scene.done(segment=f"segment-of-{baseline.id}")
    assert ids(scene, f"segment-of-{baseline.id}") == [*old[2:], own]
    assert ids(scene, f"segment-of-{baseline.id}", after_run=old[3]) == [own]
    assert ids(scene, "segment-1") == old


def test_a_new_version_reads_shared_examples_at_their_new_places(scene: Any) -> None:
    """Scores, latencies and answers move with their examples; a new example is NaN, unanswered and was not asked."""
    run_id = scene.done()
    [before] = scene.store.measurements("router", "segment-1")
    kept = scene.golden.examples
    examples = (Example("new", "never asked"), kept[3], replace(kept[1], expected="other"), kept[0])
    later = replace(scene.golden, digest="sha256:later", version=2, examples=examples)
    scene.store.put_golden(later)
    assert scene.store.shared_examples(later.digest, scene.golden.digest) == 2
    scene.store.carry("router", "segment-2", "segment-1", later.digest)
    scene.store.carry("router", "segment-2", "segment-1", later.digest)
    [moved] = scene.store.measurements("router", "segment-2")
    assert moved.run == run_id
    assert moved.asked.tolist() == [False, True, False, True]
    for name, row in before.scores.items():
        assert np.array_equal(moved.scores[name], [np.nan, row[3], np.nan, row[0]], equal_nan=True)
    assert np.array_equal(
        moved.latency_s, [np.nan, before.latency_s[3], np.nan, before.latency_s[0]], equal_nan=True
    )
    assert moved.answered.tolist() == [False, bool(before.answered[3]), False, bool(before.answered[0])]


def test_going_back_to_an_earlier_version_ends(scene: Any) -> None:
    """Two segments that carry each other on are read once each."""
    runs = [scene.done(), scene.done(segment="segment-2")]
    scene.store.carry("router", "segment-2", "segment-1", scene.golden.digest)
    scene.store.carry("router", "segment-1", "segment-2", scene.golden.digest)
    assert ids(scene, "segment-1") == ids(scene, "segment-2") == runs


def test_bursts_come_with_the_run_before_each(scene: Any) -> None:
    """Other runs, other segments and other targets are left out."""
    first, before = scene.done(), scene.done()
    burst = scene.done(kind=RunKind.BURST)
    scene.done()
    scene.done(kind=RunKind.BURST, target="other")
    scene.done(kind=RunKind.BURST, segment="segment-2")
    found = [run.id for run in scene.store.repeated_runs("router", "segment-1", limit=10)]
    assert found == [burst, before]
    assert first not in found
