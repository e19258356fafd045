"""Does every message arrive, whatever the receiver, the store or the process does?"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.alerting import AlertEvent, AlertKind, AlertState, Notification
from service.dispatch import (
    GIVE_UP_AFTER_S,
    LONGEST_WAIT_S,
    deliver_due,
    next_attempt_at,
    run_forever,
    wait_s,
)
from service.notifiers import Delivery, Notifier
from service.notifiers._http import client
from service.notifiers.webhook import Webhook
from service.records import DeliveryState, OutboxItem


def step(store: Any, clock: Any, notifiers: Mapping[str, Notifier], owner: str = "a", **more: Any) -> int:
    async def once() -> int:
        async with client() as c:
            return await deliver_due(store, notifiers, c, owner=owner, clock=clock, **more)

    return asyncio.run(once())


def hook(receiver: Any, **more: Any) -> dict[str, Notifier]:
    return {"oncall": Webhook(name="oncall", url=receiver.url, **more)}


def states(store: Any, alert_id: str) -> list[tuple[str, int]]:
    return [(str(i.state), i.attempts) for i in store.notifications(alert_id)]


def test_what_is_due_is_sent_once(store: Any, write: Any, receiver: Any, clock: Any, make_alert: Any) -> None:
    """A delivered message is marked after success and never sent again."""
    (sent,) = write((AlertEvent.FIRING, make_alert()))
    assert step(store, clock, hook(receiver)) == 1
    assert step(store, clock, hook(receiver)) == 0
    assert receiver.ids() == [sent.id]
    assert states(store, sent.alert_id) == [("sent", 1)]


@pytest.mark.parametrize("failure", [500, 404, "drop"])
def test_a_failing_receiver_gets_it_in_the_end(
    failure: object, store: Any, write: Any, receiver: Any, clock: Any, make_alert: Any
) -> None:
    """Seven failures, then success: every attempt has the same id, and they are 1, 2, 4 ... s apart."""
    (sent,) = write((AlertEvent.FIRING, make_alert()))
    receiver.script = [failure] * 7
    times = []
    while states(store, sent.alert_id)[0][0] == "pending":
        clock.at = store.next_due_at(clock.at)
        times.append(clock.at)
        assert step(store, clock, hook(receiver)) == 1
    assert receiver.ids() == [sent.id] * 8
    gaps = [b - a for a, b in pairwise(times)]
    assert gaps == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    assert states(store, sent.alert_id) == [("sent", 8)]


def test_a_dead_receiver_is_given_up_after_a_day_and_counted(
    store: Any, write: Any, clock: Any, make_alert: Any
) -> None:
    """A day of attempts at most five minutes apart, then no more, and the totals say so."""
    (sent,) = write((AlertEvent.FIRING, make_alert()))
    start = clock.at
    dead: dict[str, Notifier] = {"oncall": Webhook(name="oncall", url="http://127.0.0.1:1/")}
    times = []
    while (due := store.next_due_at(clock.at)) is not None:
        clock.at = due
        times.append(due - start)
        step(store, clock, dead)
        if len(times) == 12:  # the backoff is at its longest: skip to the last hour
            clock.at = start + GIVE_UP_AFTER_S - 1000
    assert max(b - a for a, b in pairwise(times[:12])) == LONGEST_WAIT_S
    assert GIVE_UP_AFTER_S <= times[-1] <= GIVE_UP_AFTER_S + LONGEST_WAIT_S
    assert states(store, sent.alert_id) == [("failed", len(times))]
    assert store.outbox_stats()["oncall", "failed"] == 1
    assert store.outbox_stats()["oncall", "retried"] == len(times) - 1


def test_a_permanent_refusal_is_not_repeated(
    store: Any, write: Any, receiver: Any, clock: Any, make_alert: Any
) -> None:
    """A receiver that says that it can never take this message is asked once."""
    (sent,) = write((AlertEvent.FIRING, make_alert()))
    receiver.script = [(410, {}, "gone")]
    step(store, clock, hook(receiver))
    assert store.next_due_at(clock.at) is None
    (item,) = store.notifications(sent.alert_id)
    assert item.state is DeliveryState.FAILED
    assert "410: gone" in item.error


def test_a_slow_receiver_is_tried_again_under_the_same_id(
    store: Any, write: Any, receiver: Any, clock: Any, make_alert: Any
) -> None:
    """An attempt without an answer may have arrived, so the next one has its id."""
    (sent,) = write((AlertEvent.FIRING, make_alert()))
    receiver.script = ["hang"]
    step(store, clock, hook(receiver, timeout_s=0.2))
    clock.at += 1
    step(store, clock, hook(receiver))
    assert receiver.ids() == [sent.id, sent.id]
    assert states(store, sent.alert_id) == [("sent", 2)]


def test_a_bad_channel_does_not_hold_up_a_good_one(
    store: Any, write: Any, receiver: Any, clock: Any, make_alert: Any
) -> None:
    """Each notifier has its own rows: one is delivered while the other is retried."""
    write((AlertEvent.FIRING, make_alert()), notifiers=("dead", "oncall", "removed"))
    notifiers = {**hook(receiver), "dead": Webhook(name="dead", url="http://127.0.0.1:1/")}
    assert step(store, clock, notifiers) == 3
    found = {i.notification.notifier: i for i in store.notifications(make_alert().id)}
    assert {k: str(i.state) for k, i in found.items()} == {
        "dead": "pending",
        "oncall": "sent",
        "removed": "pending",
    }
    assert "no notifier is named 'removed'" in found["removed"].error


def test_resolved_never_overtakes_firing(
    store: Any, write: Any, receiver: Any, clock: Any, make_alert: Any
) -> None:
    """While the first message is being retried, the next about the same alert waits behind it."""
    alert = make_alert()
    (first,) = write((AlertEvent.FIRING, alert))
    receiver.script = [500, 500, 500]
    for _ in range(3):
        clock.at = store.next_due_at(clock.at)
        step(store, clock, hook(receiver))
    done = replace(alert, state=AlertState.RESOLVED, updated_run=1414)
    (second,) = write((AlertEvent.RESOLVED, done), at=clock.at)
    while (due := store.next_due_at(clock.at)) is not None:
        clock.at = due
        step(store, clock, hook(receiver))
    assert receiver.ids() == [first.id] * 4 + [second.id]


def test_another_alert_does_not_wait(
    store: Any, write: Any, receiver: Any, clock: Any, make_alert: Any
) -> None:
    """Order is kept within an alert only: other alerts pass."""
    write((AlertEvent.FIRING, make_alert()))
    receiver.script = [500]
    step(store, clock, hook(receiver))
    other = make_alert(id="another", kind=AlertKind.OUTAGE, findings=())
    (sent,) = write((AlertEvent.FIRING, other), at=clock.at + 0.5)
    clock.at += 0.5
    step(store, clock, hook(receiver))
    assert receiver.ids()[-1] == sent.id


def test_two_dispatchers_share_the_work(
    store: Any, write: Any, receiver: Any, clock: Any, make_alert: Any
) -> None:
    """What one has claimed the other leaves alone: thirty messages arrive once each."""
    sent = [write((AlertEvent.FIRING, make_alert(id=f"alert-{n}")))[0].id for n in range(30)]

    async def both() -> None:
        async with client() as c:
            for _ in range(5):
                await asyncio.gather(
                    *(deliver_due(store, hook(receiver), c, owner=o, clock=clock, limit=4) for o in "ab")
                )

    asyncio.run(both())
    assert sorted(receiver.ids()) == sorted(sent)


class Faulty(Notifier):
    kind: str = "faulty"

    async def send(self, client: httpx.AsyncClient, notification: Notification, *, now: float) -> Delivery:
        raise RuntimeError(f"secret {self.url}")


def test_a_faulty_plug_in_is_a_failed_attempt(store: Any, write: Any, clock: Any, make_alert: Any) -> None:
    """A notifier that raises is retried, and its error's text, which may hold secrets, is kept nowhere."""
    (sent,) = write((AlertEvent.FIRING, make_alert()))
    step(store, clock, {"oncall": Faulty(name="oncall", url="http://h/hidden")})
    (item,) = store.notifications(sent.alert_id)
    assert item.error == "notifier oncall failed: RuntimeError"
    assert item.state is DeliveryState.PENDING


CRASH = """
import asyncio, os, signal, sys
from service.dispatch import deliver_due
from service.notifiers._http import client
from service.notifiers.webhook import Webhook
from service.store import Store

store = Store.open(sys.argv[1])
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
store.mark_sent = die

async def main():
    async with client() as c:
        hooks = {"oncall": Webhook(name="oncall", url=sys.argv[2])}
        await deliver_due(store, hooks, c, owner="dead", clock=lambda: float(sys.argv[3]))

asyncio.run(main())
"""


def test_a_killed_process_loses_nothing(
    store: Any, write: Any, receiver: Any, clock: Any, make_alert: Any, tmp_path: Path
) -> None:
    """SIGKILL between sending and marking: the message goes out again, same id, when the lease ends."""
    (sent,) = write((AlertEvent.FIRING, make_alert()))
    url = f"sqlite:///{tmp_path / 'goldwatch.db'}"
    killed = subprocess.run(
        [sys.executable, "-c", CRASH, url, receiver.url, str(clock.at)], check=False, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    assert receiver.ids() == [sent.id]
    assert step(store, clock, hook(receiver)) == 0, "the dead process still holds its lease"
    clock.at = store.next_due_at(clock.at)
    assert step(store, clock, hook(receiver)) == 1
    assert receiver.ids() == [sent.id, sent.id]
    assert json.loads(receiver.got[0].body) == json.loads(receiver.got[1].body)
    assert states(store, sent.alert_id) == [("sent", 1)]


class Flaky:
    """A store that cannot be read the first times."""

    def __init__(self, store: Any, failures: int) -> None:
        self.store, self.failures = store, failures

    def __getattr__(self, name: str) -> Any:
        if self.failures:
            self.failures -= 1
            raise OSError("disk gone")
        return getattr(self.store, name)


def test_the_loop_outlives_its_store_and_wakes_when_told(
    store: Any, write: Any, receiver: Any, clock: Any, make_alert: Any
) -> None:
    """An unreadable store is tried again; a message written later is sent on waking; stop ends the loop."""

    async def story() -> list[str]:
        wake, stop = asyncio.Event(), asyncio.Event()
        async with client() as c:
            loop = asyncio.create_task(
                run_forever(
                    Flaky(store, 2), lambda: hook(receiver), c,
                    owner="a", clock=clock, wake=wake, stop=stop, poll_s=0.02,
                )
            )  # fmt: skip
            first = await asyncio.to_thread(write, (AlertEvent.FIRING, make_alert()))
            wake.set()
            await asyncio.to_thread(receiver.arrived.get, timeout=30)
            second = await asyncio.to_thread(write, (AlertEvent.FIRING, make_alert(id="later")))
            wake.set()
            await asyncio.to_thread(receiver.arrived.get, timeout=30)
            stop.set()
            await loop
        return [first[0].id, second[0].id]

    assert asyncio.run(story()) == receiver.ids()


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e6))
def test_waits_grow_and_are_bounded(attempts: int, wish_s: float | None) -> None:
    """Never below the receiver's wish, never above five minutes, never shorter than the wait before."""
    wait = wait_s(attempts, wish_s)
    assert min(wish_s or 0, LONGEST_WAIT_S) <= wait <= LONGEST_WAIT_S
    assert wait_s(attempts + 1, wish_s) >= wait >= 1


def test_an_old_message_is_tried_at_least_once(make_message: Any) -> None:
    """Age alone gives nothing up: only a failed attempt after a day does."""
    item = OutboxItem(make_message(), DeliveryState.PENDING, 0, None)
    late = item.notification.created_at + GIVE_UP_AFTER_S
    assert next_attempt_at(item, Delivery.retry("x"), late) is None
    assert next_attempt_at(item, Delivery.retry("x"), late - 1) == late
