"""Is every answer kept, once, as it was?"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from checks.types import Response
from service.store import NotRunningError, Store, StoreError
from service.store.tables import TEXT


def texts_kept(store: Store) -> int:
    with store._read() as connection:
        return int(connection.scalar(select(func.count()).select_from(TEXT)) or 0)


def test_responses_come_back_as_they_were(scene: Any, failed: Any) -> None:
    """Answers, errors, unknowns and hostile texts come back in golden order, times to the microsecond."""
    given = [
        Response("e4", "", at=999.5, latency_s=0.000001, ttft_s=3.25, input_tokens=0, output_tokens=0),
        Response("e2", None, failed, attempts=4, latency_s=30.0),
        Response(
            "e0", "\x00 \ud800 𝄞" * 500, repeat=1, logprobs=(-0.5, -2.0), served_model="m", finish_reason="l"
        ),
        Response("e0", "x", fingerprint="\x00"),
        Response("e1", None),
    ]
    run_id = scene.claim()
    scene.store.save_responses(run_id, given)
    assert scene.store.responses(run_id) == [given[3], given[2], given[4], given[1], given[0]]
    assert scene.store.answered_keys(run_id) == {("e0", 0), ("e0", 1), ("e1", 0), ("e2", 0), ("e4", 0)}


def test_the_first_answer_stays(scene: Any) -> None:
    """Saving an (example, repeat) again changes nothing: an answer is never replaced."""
    run_id = scene.claim()
    scene.store.save_responses(run_id, scene.responses(3))
    scene.store.save_responses(run_id, scene.responses(5, output="another"))
    assert [r.output for r in scene.store.responses(run_id)] == [
        "answer 0",
        "answer 1",
        "answer 2",
        "another",
        "another",
    ]


def test_each_distinct_text_is_stored_once(scene: Any) -> None:
    """A model that repeats itself adds no text in its second run."""
    for _ in range(3):
        scene.done(responses=scene.responses())
    assert texts_kept(scene.store) == 3 + 1  # three answers, and what all responses have in common


def test_only_a_running_run_takes_responses(scene: Any) -> None:
    """A finished or unknown run takes none, so that what was judged is what is kept."""
    run_id = scene.done(responses=scene.responses(2))
    for wrong in (run_id, run_id + 1):
        with pytest.raises(NotRunningError, match=f"run {wrong} is not running"):
            scene.store.save_responses(wrong, scene.responses())
    assert len(scene.store.responses(run_id)) == 2
    assert scene.store.responses(run_id + 1) == []
    assert scene.store.answered_keys(run_id + 1) == set()


def test_a_foreign_example_is_refused_with_its_batch(scene: Any) -> None:
    """A batch with an example that the golden set does not have is refused whole."""
    run_id = scene.claim()
    with pytest.raises(StoreError, match="has no example 'e9'"):
        scene.store.save_responses(run_id, [*scene.responses(), Response("e9", "x")])
    assert scene.store.responses(run_id) == []


def test_texts_for_before_and_after(scene: Any, failed: Any) -> None:
    """The texts of some examples in some runs are found; unanswered ones are left out."""
    before = scene.done(responses=scene.responses())
    now = [replace(r, output="broken") for r in scene.responses(2)]
    after = scene.done(responses=[*now, Response("e2", None, failed), Response("e3", "late", repeat=1)])
    found = scene.store.response_texts([before, after, 999], ["e1", "e2", "e3", "nobody"])
    assert found == {
        (before, "e1"): "answer 1",
        (before, "e2"): "answer 2",
        (before, "e3"): "answer 0",
        (after, "e1"): "broken",
        (after, "e3"): "late",
    }


def test_many_threads_save_at_once(scene: Any, url: str, open_store: Callable[..., Store]) -> None:
    """Runs of several targets saved from several threads and stores share texts and lose nothing."""
    stores = [scene.store, open_store(url)]
    runs = [scene.claim(target=f"t{i}") for i in range(6)]

    def save(number: int) -> None:
        for response in scene.responses():
            stores[number % 2].save_responses(runs[number], [response, replace(response, repeat=1)])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(save, range(6)))
    assert [len(scene.store.responses(run_id)) for run_id in runs] == [10] * 6
    assert texts_kept(scene.store) == 4


def test_a_full_disk_keeps_what_was_saved(local: Any) -> None:
    """When the file cannot grow the batch fails whole, in words, and earlier batches are intact."""
    run_id = local.claim()
    local.store.save_responses(run_id, local.responses(2))
    with local.store._read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="the disk is full") as caught:
        local.store.save_responses(run_id, local.responses(output=os.urandom(200_000).hex()))
    assert caught.value.retryable
    assert local.store.answered_keys(run_id) == {("e0", 0), ("e1", 0)}
