"""Is every response saved as it arrives, and nothing lost when the replay ends early?"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from checks.types import Example, Response
from service.replay import SaveError


def test_batches_hold_at_most_a_hundred_and_come_one_at_a_time(room: Any, scripted: Any) -> None:
    """Save is called off the event loop's thread, never twice at a time, with every response exactly once."""
    lock, threads = threading.Lock(), set()

    def save(batch: list[Response]) -> None:
        assert lock.acquire(blocking=False), "two writers at once"
        threads.add(threading.current_thread())
        time.sleep(0.002)  # a slow disk
        room.save(batch)
        lock.release()

    result = room.run(1234, scripted("x"), concurrency=16, save=save)
    assert max(room.batches) == 100
    assert sorted(r.example_id for r in room.saved) == [r.example_id for r in result.responses]
    assert threading.main_thread() not in threads


def test_requests_go_on_while_a_batch_is_saved(room: Any, scripted: Any) -> None:
    """A save that waits for a later request to begin would never return if it stalled them."""
    later = threading.Event()

    def behave(example: Example) -> str:
        if example.id == "T-0150":
            later.set()
        return "x"

    def save(batch: list[Response]) -> None:
        assert later.wait(10.0)
        room.save(batch)

    room.run(200, scripted(behave), concurrency=4, save=save)
    assert len(room.saved) == 200


def test_a_lone_response_is_saved_while_others_are_awaited(room: Any, scripted: Any) -> None:
    """What has arrived reaches the store although the batch is not full."""
    seen = asyncio.Event()

    async def behave(example: Example) -> str:
        if example.id == "T-0001":
            await seen.wait()
        return "x"

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def save(batch: list[Response]) -> None:
            room.save(batch)
            loop.call_soon_threadsafe(seen.set)

        await room.go(2, scripted(behave), concurrency=2, save=save, clock=time.monotonic)

    asyncio.run(run())
    assert [r.example_id for r in room.saved] == ["T-0000", "T-0001"]


def test_asking_stops_when_nothing_can_be_saved(room: Any, scripted: Any) -> None:
    """A full disk ends the replay with its reason, without asking the rest."""

    def save(_: list[Response]) -> None:
        raise OSError(28, "No space left on device")

    async def behave(_: Example) -> str:
        await asyncio.sleep(0.001)
        return "x"

    endpoint = scripted(behave)
    with pytest.raises(SaveError, match="No space left on device") as caught:
        room.run(5000, endpoint, concurrency=4, save=save)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.exit_code == 3
    assert len(endpoint.asked) < 5000


def test_a_last_batch_that_cannot_be_saved_is_told_too(room: Any, scripted: Any) -> None:
    """The failure of the final flush is no success."""

    def save(_: list[Response]) -> None:
        raise OSError("read-only")

    with pytest.raises(SaveError, match="read-only"):
        room.run(3, scripted("x"), save=save)


def test_what_is_stored_is_not_asked_again(room: Any, scripted: Any) -> None:
    """A resumed run asks the rest only; progress counts what is there already."""
    endpoint, told = scripted("x"), []
    already = {("T-0000", 0), ("T-0001", 0), ("T-0001", 1)}
    result = room.run(3, endpoint, repeats=2, already=already, progress=lambda *at: told.append(at))
    assert [(r.example_id, r.repeat) for r in result.responses] == [
        ("T-0000", 1),
        ("T-0002", 0),
        ("T-0002", 1),
    ]
    assert (result.asked, result.interrupted) == (3, False)
    assert told == [(4, 6), (5, 6), (6, 6)]


def test_a_run_whose_answers_are_all_stored_sends_nothing(room: Any, scripted: Any) -> None:
    """Nothing is asked, not even who the server is."""
    endpoint = scripted("x", served=ValueError("asked"))
    result = room.run(2, endpoint, already=[("T-0000", 0), ("T-0001", 0)])
    assert (result.responses, result.asked, result.interrupted, endpoint.asked) == ([], 0, False, [])


def stopping(scripted: Any, stop: Any, release: Any) -> Any:
    """The tenth request sets stop, and then waits for release."""

    async def behave(example: Example) -> str:
        if example.id == "T-0009":
            stop()
            await release()
        return "x"

    return scripted(behave)


def test_stop_lets_what_is_in_flight_finish_and_asks_no_more(room: Any, scripted: Any) -> None:
    """The answer that was under way is kept and saved; the rest has no response, so that it can be resumed."""

    async def run() -> Any:
        stop = asyncio.Event()
        endpoint = stopping(scripted, stop.set, lambda: asyncio.sleep(0.02))
        result = await room.go(100, endpoint, stop=stop)
        return result, endpoint

    result, endpoint = asyncio.run(run())
    assert (result.interrupted, result.ok, result.failed) == (True, 10, 0)
    assert len(endpoint.asked) == 10
    assert [r.example_id for r in room.saved] == [f"T-{i:04}" for i in range(10)]


def test_stop_does_not_wait_for_what_hangs(room: Any, scripted: Any) -> None:
    """After drain_s a request in flight is dropped, and the replay returns with what it has."""

    async def run() -> Any:
        stop = asyncio.Event()
        endpoint = stopping(scripted, stop.set, asyncio.Event().wait)
        return await room.go(100, endpoint, stop=stop, drain_s=0.05)

    result = asyncio.run(run())
    assert (result.interrupted, result.asked, len(room.saved)) == (True, 9, 9)


def test_cancelling_saves_what_arrived(room: Any, scripted: Any) -> None:
    """The cancellation comes through, after the in-flight answer and the last batch."""

    async def run() -> None:
        task: asyncio.Task[Any] = asyncio.create_task(asyncio.sleep(0))
        endpoint = stopping(scripted, lambda: task.cancel() and None, lambda: asyncio.sleep(0.02))
        task = asyncio.create_task(room.go(100, endpoint))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert [r.example_id for r in room.saved] == [f"T-{i:04}" for i in range(10)]


def test_a_progress_bar_that_fails_ends_the_replay(room: Any, scripted: Any) -> None:
    """Its exception comes through, and no worker goes on in the background."""

    def progress(done: int, _: int) -> None:
        if done == 5:
            raise RuntimeError("the terminal went away")

    endpoint = scripted("x")
    with pytest.raises(RuntimeError, match="went away"):
        room.run(1000, endpoint, concurrency=4, progress=progress)
    assert len(endpoint.asked) < 20
    assert len(room.saved) >= 5
