"""Is every message held by one dispatcher at a time, and never lost?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from checks.types import Verdict
from service.alerting import AlertState
from service.records import DeliveryState
from service.store import Store


def ids(items: list[Any]) -> list[str]:
    return [item.notification.id for item in items]


def test_alerts_come_back_and_change(scene: Any) -> None:
    """An alert comes back as it was, and a later run's version replaces it."""
    first, other = scene.alert(), scene.alert(id="alert-2", target="other", opened_at=2000.0)
    scene.done(alerts=[first, other])
    assert scene.store.alert("alert-1") == first
    assert scene.store.alerts() == [other, first]
    done = replace(first, state=AlertState.RESOLVED, resolved_at=3000.0, findings=())
    scene.done(alerts=[done])
    assert scene.store.alerts("router") == [done]
    assert scene.store.alerts(state=AlertState.FIRING) == [other]
    assert scene.store.alerts(state=AlertState.FIRING, target="router") == []
    assert scene.store.alerts(limit=1) == [other]
    assert scene.store.alert("nobody") is None


def test_a_message_is_delivered_once_under_one_id(scene: Any) -> None:
    """A message is claimed, fails, is due again, is sent; the same message the whole way."""
    message = scene.message(1)
    scene.done(alerts=[scene.alert()], outbox=[message])
    assert scene.store.claim_notifications("a", 1000.9, 30.0, 10) == []
    (item,) = scene.store.claim_notifications("a", 1001.0, 30.0, 10)
    assert (item.notification, item.attempts, item.state) == (message, 0, DeliveryState.PENDING)
    assert scene.store.mark_failed(message.id, 1002.0, 1010.0, "503 \x00")
    assert scene.store.claim_notifications("a", 1009.0, 30.0, 10) == []
    (item,) = scene.store.claim_notifications("b", 1010.0, 30.0, 10)
    assert (item.notification, item.attempts, item.error) == (message, 1, "503 \ufffd")
    assert scene.store.mark_sent(message.id, 1011.0)
    assert not scene.store.mark_sent(message.id, 1012.0)
    assert not scene.store.mark_failed(message.id, 1012.0, None, "late")
    assert scene.store.claim_notifications("a", 9e9, 30.0, 10) == []
    (item,) = scene.store.notifications("alert-1")
    assert (item.state, item.attempts, item.done_at, item.error) == (DeliveryState.SENT, 2, 1011.0, None)
    assert scene.store.outbox_stats() == {
        ("slack", "sent"): 1,
        ("slack", "retried"): 1,
        ("slack", "failed"): 0,
    }


def test_a_message_that_is_given_up_stays_as_such(scene: Any) -> None:
    """A message that is given up is never claimed again, and its error can be read."""
    scene.done(alerts=[scene.alert()], outbox=[scene.message(1)])
    assert scene.store.mark_failed("message-1", 1002.0, None, "404 no_service")
    assert scene.store.claim_notifications("a", 9e9, 30.0, 10) == []
    (item,) = scene.store.notifications("alert-1")
    assert (item.state, item.error, item.done_at) == (DeliveryState.FAILED, "404 no_service", 1002.0)
    assert scene.store.outbox_stats()["slack", "failed"] == 1


def test_the_same_message_is_written_once(scene: Any) -> None:
    """A transition that is computed twice neither doubles a message nor sends it anew."""
    scene.done(alerts=[scene.alert()], outbox=[scene.message(1)])
    scene.store.mark_sent("message-1", 1001.0)
    scene.done(alerts=[scene.alert()], outbox=[scene.message(1)])
    assert len(scene.store.notifications("alert-1")) == 1
    assert scene.store.claim_notifications("a", 9e9, 30.0, 10) == []


def test_a_dead_dispatchers_message_is_due_again(scene: Any) -> None:
    """A held message is nobody else's until the lease is over, and then it is."""
    scene.done(alerts=[scene.alert()], outbox=[scene.message(1)])
    assert ids(scene.store.claim_notifications("dead", 1001.0, 30.0, 10)) == ["message-1"]
    assert scene.store.claim_notifications("alive", 1030.9, 30.0, 10) == []
    assert ids(scene.store.claim_notifications("alive", 1031.0, 30.0, 10)) == ["message-1"]


def test_the_longest_due_come_first(scene: Any) -> None:
    """A claim takes at most so many, in the order in which they became due, and says when the next is."""
    assert scene.store.next_due_at(0.0) is None
    scene.done(alerts=[scene.alert()], outbox=[scene.message(n) for n in (3, 1, 2)])
    assert scene.store.next_due_at(0.0) == 1001.0
    assert scene.store.next_due_at(1500.0) == 1500.0
    assert ids(scene.store.claim_notifications("a", 2000.0, 30.0, 2)) == ["message-1", "message-2"]
    assert ids(scene.store.claim_notifications("a", 2000.0, 30.0, 2)) == ["message-3"]
    assert scene.store.next_due_at(2001.0) == 2030.0


def test_dispatchers_that_race_share_the_messages(
    scene: Any, url: str, open_store: Callable[..., Store]
) -> None:
    """Each of many messages is claimed by exactly one of several dispatchers at once."""
    scene.done(
        alerts=[scene.alert()], outbox=[scene.message(n) for n in range(60)], verdict=Verdict.REGRESSED
    )
    stores = [scene.store, open_store(url)]

    def dispatch(number: int) -> list[str]:
        held: list[str] = []
        while found := stores[number % 2].claim_notifications(f"d{number}", 5000.0, 30.0, 4):
            held += ids(found)
        return held

    with ThreadPoolExecutor(4) as pool:
        held = [name for part in pool.map(dispatch, range(4)) for name in part]
    assert sorted(held) == sorted(f"message-{n}" for n in range(60))
