"""Does a run happen once, and never beside another of its target?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from checks.types import Verdict
from service.records import RunKind, RunState
from service.store import Store, StoreError


def test_a_claimed_run_is_running(scene: Any) -> None:
    """A claim makes a running record with all that was said of it."""
    run = scene.store.run(scene.claim(scheduled_at=990.0, repeats=3, kind=RunKind.CONFIRM, now=1000.5))
    assert run.state is RunState.RUNNING
    assert (run.target, run.kind, run.scheduled_at, run.started_at) == (
        "router",
        RunKind.CONFIRM,
        990.0,
        1000.5,
    )
    assert (run.golden_digest, run.golden_version, run.golden_examples) == (scene.golden.digest, 1, 5)
    assert (run.segment, run.baseline_id, run.share, run.period_h, run.repeats) == (
        "segment-1",
        None,
        0.25,
        2160.0,
        3,
    )
    assert (run.verdict, run.reason, run.measured, run.finished_at, run.cost_usd) == (None,) * 5
    assert (run.summaries, run.findings, run.served) == ((), (), None)
    assert scene.store.run(run.id + 1) is None


def test_a_scheduled_time_happens_once(scene: Any) -> None:
    """A time that had its run gets no second one, not even when the first has finished."""
    scene.done(scheduled_at=900.0)
    assert scene.store.claim_run(scene.new(scheduled_at=900.0), owner="me", now=2000, lease_s=60) is None
    assert scene.store.claim_run(scene.new(scheduled_at=901.0), owner="me", now=2000, lease_s=60) is not None


def test_runs_of_a_target_never_overlap(scene: Any) -> None:
    """While a lease lives its target gets no second run; another target does."""
    first = scene.claim(now=1000.0, lease_s=60.0)
    assert scene.store.claim_run(scene.new(), owner="you", now=1059.9, lease_s=60) is None
    assert scene.claim(target="other") != first
    assert [run.id for run in scene.store.runs("router", limit=None)] == [first]
    scene.finish(first)
    assert scene.store.claim_run(scene.new(), owner="you", now=1059.9, lease_s=60) is not None


def test_a_claim_that_waited_begins_when_the_run_before_ended(scene: Any) -> None:
    """Its time was read before it waited; an end that only a clock far ahead can have written does not count."""
    scene.finish(scene.claim(now=1000.0), now=1010.0)
    waited = scene.claim(now=1009.0, lease_s=60.0)
    assert scene.store.run(waited).started_at == 1010.0
    scene.finish(waited, now=1e9)
    assert scene.store.run(scene.claim(now=1020.0, lease_s=60.0)).started_at == 1020.0


def test_a_renewed_lease_lives_on(scene: Any) -> None:
    """Renewing keeps others out; only the owner can renew, and not once the run was taken over or done."""
    run_id = scene.claim(now=1000.0, lease_s=60.0)
    assert not scene.store.renew_lease(run_id, "you", 1050.0, 60.0)
    assert scene.store.renew_lease(run_id, "me", 1050.0, 60.0)
    assert scene.store.orphans(1100.0) == []
    assert scene.store.adopt_run(run_id, "you", 1110.0, 60.0)
    assert not scene.store.renew_lease(run_id, "me", 1111.0, 60.0)
    scene.finish(run_id)
    assert not scene.store.renew_lease(run_id, "you", 1112.0, 60.0)


def test_a_released_run_can_be_taken_up_at_once(scene: Any) -> None:
    """A run that its owner let go is an orphan there and then; nobody else can let it go."""
    run_id = scene.claim(now=1000.0, lease_s=60.0)
    assert not scene.store.release_lease(run_id, "you")
    assert scene.store.orphans(1001.0) == []
    assert scene.store.release_lease(run_id, "me")
    assert [run.id for run in scene.store.orphans(1001.0)] == [run_id]
    assert scene.store.adopt_run(run_id, "you", 1001.0, 60.0)


def test_the_newest_scheduled_time_is_known(scene: Any) -> None:
    """A scheduled time counts from the claim on; runs without one do not hide it."""
    assert scene.store.last_scheduled_at("router") is None
    scene.done(scheduled_at=900.0)
    scene.done(scheduled_at=None, kind=RunKind.CONFIRM)
    assert scene.store.last_scheduled_at("router") == 900.0
    scene.claim(scheduled_at=1800.0)
    assert scene.store.last_scheduled_at("router") == 1800.0
    assert scene.store.last_scheduled_at("other") is None


def test_an_orphan_is_adopted_once(scene: Any) -> None:
    """A run whose lease is over is an orphan, and the first to adopt it is the only one."""
    run_id = scene.claim(now=1000.0, lease_s=60.0)
    assert scene.store.orphans(1059.0) == []
    assert not scene.store.adopt_run(run_id, "you", 1059.0, 60.0)
    assert [run.id for run in scene.store.orphans(1060.0)] == [run_id]
    assert scene.store.adopt_run(run_id, "you", 1060.0, 60.0)
    assert not scene.store.adopt_run(run_id, "they", 1061.0, 60.0)
    assert scene.store.orphans(1061.0) == []
    scene.finish(run_id)
    assert not scene.store.adopt_run(run_id, "they", 9999.0, 60.0)
    assert scene.store.orphans(9999.0) == []


def test_an_orphan_comes_before_its_targets_next_run(scene: Any) -> None:
    """No run of a target begins while an orphan of it is left, so that runs are judged in the order they began."""
    orphan = scene.claim(now=1000.0, lease_s=60.0)
    assert scene.store.claim_run(scene.new(), owner="me", now=2000.0, lease_s=60.0) is None
    assert [run.id for run in scene.store.orphans(2001.0)] == [orphan]
    assert scene.store.adopt_run(orphan, "you", 2001.0, 60.0)
    assert scene.store.claim_run(scene.new(), owner="me", now=3000.0, lease_s=60.0) is None
    scene.finish(orphan)
    assert scene.claim(now=3001.0, lease_s=60.0) is not None


def test_an_unknown_golden_set_is_refused(scene: Any) -> None:
    """A run of a golden set that the store does not have is not begun."""
    with pytest.raises(StoreError, match="sha256:none is not in the store"):
        scene.claim(golden_digest="sha256:none")


def test_threads_that_race_get_one_run(url: str, scene: Any, open_store: Callable[..., Store]) -> None:
    """Of many claims of one scheduled time at once, through two stores, exactly one wins; time after time."""
    stores = [scene.store, open_store(url)]

    def claim(number: int) -> int | None:
        new = scene.new(scheduled_at=float(number // 8))
        return stores[number % 2].claim_run(new, owner=f"o{number}", now=1000.0, lease_s=60)

    for time in range(6):
        with ThreadPoolExecutor(8) as pool:
            won = [run for run in pool.map(claim, range(time * 8, time * 8 + 8)) if run is not None]
        assert len(won) == 1
        scene.finish(won[0])


def test_history_is_paged_both_ways(scene: Any) -> None:
    """Runs come newest or oldest first, bounded by id and number."""
    ids = [scene.done(now=1000.0 + 100 * i) for i in range(5)]
    scene.done(target="other")

    def listed(**how: Any) -> list[int]:
        return [run.id for run in scene.store.runs("router", **how)]

    assert listed(limit=None) == ids[::-1]
    assert listed(limit=2) == [ids[4], ids[3]]
    assert listed(limit=2, before=ids[3]) == [ids[2], ids[1]]
    assert listed(limit=2, newest_first=False) == ids[:2]
    assert listed(limit=2, newest_first=False, after=ids[1]) == [ids[2], ids[3]]


def test_the_last_runs_are_told_apart(scene: Any) -> None:
    """The last run, the last finished one and the last measured one are three things."""
    assert scene.store.last_run("router") is scene.store.last_measured("router") is None
    good = scene.done(now=1000.0)
    dark = scene.done(now=2000.0, measured=False, verdict=Verdict.INCONCLUSIVE)
    running = scene.claim(now=3000.0)
    assert scene.store.last_run("router").id == running
    assert scene.store.last_run("router", state=RunState.DONE).id == dark
    assert scene.store.last_measured("router").id == good


def test_usage_counts_finished_and_running_runs(scene: Any) -> None:
    """A day's usage is what finished since then, and what the running run has saved so far."""
    scene.done(now=1000.0)
    scene.done(now=2000.0, input_tokens=7, output_tokens=None, cost_usd=None)
    run_id = scene.claim(now=3000.0)
    scene.store.save_responses(run_id, scene.responses(2))
    assert scene.store.usage_since("router", 0.0) == (120 + 7 + 25, 0.5)
    assert scene.store.usage_since("router", 1500.0) == (7 + 25, 0.0)
    tokens, usd = scene.store.usage_since("router", 9e9, input_usd_per_mtok=1e6, output_usd_per_mtok=1e5)
    assert (tokens, usd) == (25, pytest.approx(21 + 0.4))
    assert scene.store.usage_since("nobody", 0.0) == (0, 0.0)
