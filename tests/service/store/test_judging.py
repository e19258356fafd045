"""Does a run end whole, and is history read back as it was judged?"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from checks.types import Verdict
from service.headline import headline
from service.records import RunState, ScoreVector
from service.store import NotRunningError, Store, judging
from service.store.tables import JUDGEMENT


def test_a_finished_run_comes_back_whole(scene: Any) -> None:
    """Verdict, counts, identity, summaries and findings come back as they were given."""
    run_id = scene.done()
    run, given = scene.store.run(run_id), scene.judgement()
    assert (run.state, run.finished_at) == (RunState.DONE, 1020.0)
    for name in ("verdict", "reason", "measured", "requests", "input_tokens", "output_tokens", "cost_usd",
                 "served", "summaries", "findings"):  # fmt: skip
        assert getattr(run, name) == given[name], name
    assert scene.store.findings(run_id) == given["findings"]
    assert scene.store.findings(run_id + 1) == ()


def test_a_list_of_runs_has_one_line_of_each(scene: Any) -> None:
    """Its means and the figures of its most telling finding, the same whether read short or reckoned anew."""
    first, running = scene.done(), scene.claim()
    lines = scene.store.run_lines("router", limit=None)
    assert [(line.id, line.verdict) for line in lines] == [(first, Verdict.OK), (running, None)]
    given = scene.judgement()
    assert lines[0].headline == headline(Verdict.OK, given["summaries"], given["findings"])
    assert lines[0].headline.means
    with scene.store._write() as connection:
        connection.execute(update(JUDGEMENT).values(headline=None))
    assert scene.store.run_lines("router", limit=None) == lines
    assert scene.store.run_lines("router", limit=1) == lines[-1:]


def test_unknown_stays_unknown(scene: Any) -> None:
    """What nobody knows is None, not zero."""
    run = scene.store.run(
        scene.done(input_tokens=None, output_tokens=None, cost_usd=None, served=None, reason=None)
    )
    assert (run.input_tokens, run.output_tokens, run.cost_usd, run.served, run.reason) == (None,) * 5


def test_hostile_words_are_kept_harmless(scene: Any) -> None:
    """A reason with NUL and lone surrogates does not fail a database that cannot hold them."""
    run = scene.store.run(scene.done(reason="a\x00b\ud800c"))
    assert run.reason == "a\ufffdb\ufffdc"


def test_vectors_come_back(scene: Any) -> None:
    """Scores, reasons, labels and format failures come back per scorer, in the order given."""
    run_id = scene.done()
    for found, given in zip(scene.store.vectors(run_id), scene.judgement()["vectors"], strict=True):
        assert np.array_equal(found.values, given.values, equal_nan=True)
        assert (found.scorer, found.reasons, found.labels) == (given.scorer, given.reasons, given.labels)
        assert tuple(found.format_failures) == tuple(given.format_failures)


def test_a_run_ends_once(scene: Any) -> None:
    """A run that is done or unknown cannot be finished, and nothing of the attempt stays."""
    run_id = scene.done()
    for wrong in (run_id, run_id + 1):
        with pytest.raises(NotRunningError):
            scene.finish(wrong, verdict=Verdict.REGRESSED, alerts=[scene.alert()], outbox=[scene.message()])
    assert scene.store.run(run_id).verdict is Verdict.OK
    assert scene.store.alerts() == scene.store.claim_notifications("d", 9e9, 1.0, 10) == []


def test_a_worker_that_lost_its_run_cannot_end_it(scene: Any) -> None:
    """After an adoption only the new owner can finish, if the owner is named."""
    run_id = scene.claim(owner="slow", now=1000.0, lease_s=10.0)
    assert scene.store.adopt_run(run_id, "quick", 1010.0, 60.0)
    with pytest.raises(NotRunningError, match="taken over"):
        scene.finish(run_id, owner="slow")
    scene.finish(run_id, owner="quick")


def test_a_fault_in_the_end_leaves_the_run_running(scene: Any) -> None:
    """If one part cannot be written nothing is: no verdict, no alert, no total."""
    run_id = scene.claim()
    lost = scene.message(alert_id="no such alert")
    with pytest.raises(Exception, match="failed"):
        scene.finish(run_id, alerts=[scene.alert()], outbox=[lost], snapshot=b"x")
    assert scene.store.run(run_id).state is RunState.RUNNING
    assert scene.store.alerts() == scene.store.vectors(run_id) == []
    assert scene.store.snapshot("router", "segment-1") is None
    assert scene.store.metrics_snapshot().targets == {}
    scene.finish(run_id)


def test_measurements_are_what_was_judged(scene: Any) -> None:
    """A segment's finished runs come oldest first with scores, answers and latencies as given."""
    ids = [scene.done(now=1000.0 * i, measured=i != 2) for i in (1, 2, 3)]
    scene.done(segment="segment-2")
    scene.done(target="other")
    scene.claim(now=9000.0)
    found = list(scene.store.measurements("router", "segment-1"))
    assert [m.run for m in found] == ids
    assert [m.started_at for m in found] == [1000.0, 2000.0, 3000.0]
    assert [m.measured for m in found] == [True, False, True]
    given = scene.judgement()
    for m in found:
        assert list(m.scores) == ["label", "chrf"]
        for vector in given["vectors"]:
            assert np.array_equal(m.scores[vector.scorer], vector.values, equal_nan=True)
        assert np.array_equal(m.answered, given["answered"])
        assert np.array_equal(m.latency_s, given["latency_s"], equal_nan=True)
        assert (m.share, m.period_h) == (0.25, 2160.0)
    assert [m.run for m in scene.store.measurements("router", "segment-1", after_run=ids[0])] == ids[1:]


def test_measurements_are_streamed_page_by_page(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history longer than a page comes whole, and runs can be saved while it is read."""
    monkeypatch.setattr(judging, "_PAGE", 2)
    ids = [scene.done(now=1000.0 + 100 * i) for i in range(4)]
    stream = scene.store.measurements("router", "segment-1")
    seen = [next(stream).run]
    ids.append(scene.done(now=2000.0))
    assert seen + [m.run for m in stream] == ids


def test_a_run_closed_unread_is_unmeasured(scene: Any) -> None:
    """An orphan that is closed without its responses counts as a run that was not measured."""
    scene.done(
        verdict=Verdict.INCONCLUSIVE, measured=False, vectors=(), findings=(), summaries=(), answered=None,
        latency_s=None,
    )  # fmt: skip
    (found,) = scene.store.measurements("router", "segment-1")
    assert (found.measured, dict(found.scores), len(found.answered)) == (False, {}, 0)


def test_the_fold_is_replaced_by_the_newest_run(scene: Any) -> None:
    """One cached fold per target and segment: that of its newest run."""
    assert scene.store.snapshot("router", "segment-1") is None
    scene.done(snapshot=b"one")
    scene.done(snapshot=b"elsewhere", segment="segment-2")
    second = scene.done(snapshot=b"\x00two")
    scene.done(snapshot=None)
    assert scene.store.snapshot("router", "segment-1") == (second, b"\x00two")


def test_a_run_waits_for_the_one_before_it(scene: Any) -> None:
    """While a dead process's run is unfinished no later one begins, so that history is judged in its order."""
    orphan = scene.claim(now=1000.0, lease_s=10.0)
    assert scene.store.claim_run(scene.new(), owner="me", now=2000.0, lease_s=60.0) is None
    assert scene.store.adopt_run(orphan, "you", 3000.0, 60.0)
    scene.finish(orphan, snapshot=b"with the orphan", now=3010.0)
    later = scene.done(now=4000.0, snapshot=b"with both")
    assert [m.run for m in scene.store.measurements("router", "segment-1")] == [orphan, later]
    assert scene.store.last_run("router").id == later


def test_a_store_reopened_tells_the_same(scene: Any, url: str, open_store: Callable[..., Store]) -> None:
    """What was written is there for the next process."""
    run_id = scene.done(responses=scene.responses(), alerts=[scene.alert()])
    other = open_store(url)
    assert other.run(run_id) == scene.store.run(run_id)
    assert other.responses(run_id) == scene.store.responses(run_id)
    assert other.alert("alert-1") == replace(scene.alert())


def test_a_deterministic_model_costs_few_bytes(local: Any, tmp_path: Path) -> None:
    """A further response of a model that repeats itself takes at most 45 bytes, all tables included."""

    def size() -> int:
        with sqlite3.connect(tmp_path / "local.db") as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
        return sum(file.stat().st_size for file in tmp_path.glob("local.db*") if file.suffix != ".db-shm")

    rng = np.random.default_rng(1)

    def replay(number: int) -> None:
        latency = rng.lognormal(-1, 0.3, 500)
        pairs = zip(local.responses(), latency, strict=True)
        local.done(
            now=1000.0 + 3600 * number,
            responses=[
                replace(r, latency_s=float(s), at=1000.0 + 3600 * number + i / 50)
                for i, (r, s) in enumerate(pairs)
            ],
            latency_s=latency,
            answered=np.ones(500, dtype=bool),
            vectors=[
                ScoreVector(
                    "label", (rng.random(500) < 0.9).astype(float), {}, dict.fromkeys(range(500), "bug")
                )
            ],
        )

    replay(0)
    before = size()
    for number in range(1, 21):
        replay(number)
    assert (size() - before) / (500 * 20) <= 45
