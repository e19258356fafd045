"""Are acknowledgements and silences kept, told once, and never lost to a run that ends meanwhile?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from service import acts
from service.acts import ActError
from service.alerting import (
    Acknowledgement,
    AlertEvent,
    AlertKind,
    AlertState,
    Silence,
    Transition,
)
from service.store import Store

BODY = {"version": 1, "event": "alert.firing", "alert": {"id": "alert-1", "title": "it fell"}}


def test_an_acknowledgement_outlives_the_runs_after_it(scene: Any) -> None:
    """The run that was judged before it and ends after it does not overwrite it."""
    alert = scene.alert()
    scene.done(alerts=[alert])
    found = acts.acknowledge(scene.store, alert.id, by=" kim ", reason="on it", now=5.0)
    assert found.acknowledgement == Acknowledgement("kim", 5.0, "on it")
    scene.done(alerts=[replace(alert, updated_run=9)])
    again = scene.store.alert(alert.id)
    assert again == replace(alert, updated_run=9, acknowledgement=found.acknowledgement)
    assert scene.store.alerts("router") == [again]
    assert acts.acknowledge(scene.store, alert.id, by="lee", now=6.0).acknowledgement == found.acknowledgement


def test_who_was_told_hears_of_the_acknowledgement_once(scene: Any) -> None:
    """Each notifier that was told of the alert gets one message, however often it is acknowledged."""
    told = [scene.message(1, body=BODY), scene.message(2, notifier="hook", body=BODY)]
    scene.done(alerts=[scene.alert()], outbox=told)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: acts.acknowledge(scene.store, "alert-1", by=f"p{n}", now=2000.0), range(4)))
    messages = [i.notification for i in scene.store.notifications("alert-1")]
    seen = [m for m in messages if m.event is AlertEvent.ACKNOWLEDGED]
    assert sorted(m.notifier for m in seen) == ["hook", "slack"]
    winner = scene.store.alert("alert-1").acknowledgement.by
    for message in seen:
        assert message.body["event"] == "alert.acknowledged"
        assert message.body["alert"]["acknowledged"] == {"by": winner, "at": 2000.0, "reason": None}
        assert message.body["alert"]["title"] == "it fell"


def test_silences_are_kept_with_their_end_and_reason(scene: Any) -> None:
    """An alert's and a target's silence come back as they were, and hold until their end or until lifted."""
    scene.done(alerts=[scene.alert()])
    store = scene.store
    one = acts.silence_alert(store, "alert-1", by="kim", reason="known", for_s=100.0, now=1000.0)
    whole = acts.silence_target(store, "router", by="lee", reason="deploy \x00", for_s=50.0, now=1001.0)
    assert (one.alert_id, one.until, whole.alert_id, whole.until) == ("alert-1", 1100.0, None, 1051.0)
    assert store.silences("router") == [replace(whole, reason="deploy \ufffd"), one]
    assert [s.id for s in store.silences(active_at=1050.0)] == [whole.id, one.id]
    assert [s.id for s in store.silences(active_at=1051.0)] == [one.id]
    assert store.silences("other") == []
    acts.lift_silence(store, one.id, now=1060.0)
    assert store.silences(active_at=1060.0) == []
    assert store.silences("router")[1] == replace(one, ended_at=1060.0)
    with pytest.raises(ActError, match="no silence of that id that still holds"):
        acts.lift_silence(store, one.id, now=1061.0)


@pytest.mark.parametrize(
    ("act", "said", "missing"),
    [
        (lambda s: acts.acknowledge(s, "nobody", by="kim", now=1.0), "no alert of that id", True),
        (lambda s: acts.acknowledge(s, "alert-1", by=" ", now=1.0), "`by` says nothing", False),
        (lambda s: acts.acknowledge(s, "alert-2", by="kim", now=1.0), "nothing to acknowledge", False),
        (
            lambda s: acts.silence_alert(s, "alert-2", by="k", reason="r", for_s=9.0, now=1.0),
            "nothing to silence",
            False,
        ),
        (
            lambda s: acts.silence_target(s, "router", by="k", reason="", for_s=9.0, now=1.0),
            "`reason` says nothing",
            False,
        ),
        (
            lambda s: acts.silence_target(s, "router", by="k", reason="r", for_s=float("nan"), now=1.0),
            "at most 30 days",
            False,
        ),
        (
            lambda s: acts.silence_target(s, "router", by="k", reason="r", for_s=9e9, now=1.0),
            "at most 30 days",
            False,
        ),
    ],
)
def test_what_cannot_be_done_is_said(
    act: Callable[[Store], object], said: str, missing: bool, scene: Any
) -> None:
    """A wrong act changes nothing and says why in words."""
    over = scene.alert(id="alert-2", state=AlertState.RESOLVED, resolved_at=2.0)
    scene.done(alerts=[scene.alert(), over])
    with pytest.raises(ActError, match=said) as raised:
        act(scene.store)
    assert raised.value.missing is missing
    assert scene.store.silences() == []


def test_alerts_without_a_run_are_changed_by_one_at_a_time(scene: Any) -> None:
    """Several processes that see the same trouble at once open one alert."""
    watch = scene.alert(kind=AlertKind.WATCH, topic="overdue", opened_run=None, updated_run=None)
    scene.done(alerts=[scene.alert(id="another")])

    def open_it(number: int) -> None:
        def decide(previous: Any) -> Any:
            if previous:
                return Transition(), ()
            return Transition((replace(watch, id=f"watch-{number}"),)), ()

        scene.store.change_alerts(AlertKind.WATCH, decide)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_it, range(8)))
    found = [a for a in scene.store.alerts(state=AlertState.FIRING) if a.kind is AlertKind.WATCH]
    assert [(a.topic, a.opened_run) for a in found] == [("overdue", None)]


def test_a_receipt_comes_back_with_the_next_message(scene: Any) -> None:
    """What a receiver called the first message is known to the later ones of that alert and notifier only."""
    others = [scene.message(2), scene.message(3, notifier="hook")]
    scene.done(alerts=[scene.alert()], outbox=[scene.message(1), *others])
    scene.store.claim_notifications("a", 1001.0, 30.0)
    assert scene.store.mark_sent("message-1", 1001.5, '["C1", "1.2"]')
    claimed = scene.store.claim_notifications("a", 2000.0, 30.0)
    assert {i.notification.id: i.notification.receipt for i in claimed} == {
        "message-2": '["C1", "1.2"]',
        "message-3": None,
    }


def test_waiting_is_no_attempt_and_the_useless_is_withdrawn(scene: Any) -> None:
    """A message that waits for another is claimed again later, uncounted; one that nobody wants is gone."""
    scene.done(alerts=[scene.alert()], outbox=[scene.message(1), scene.message(2)])
    scene.store.claim_notifications("a", 1010.0, 30.0)
    assert scene.store.postpone("message-1", 1050.0)
    assert scene.store.withdraw("message-2")
    assert scene.store.claim_notifications("b", 1049.0, 30.0) == []
    (item,) = scene.store.claim_notifications("b", 1050.0, 30.0)
    assert (item.notification.id, item.attempts, item.error) == ("message-1", 0, None)
    assert scene.store.outbox_stats()["slack", "retried"] == 0
    scene.store.mark_sent("message-1", 1051.0)
    assert not scene.store.postpone("message-1", 2000.0)
    assert not scene.store.withdraw("message-1")


def test_a_notifier_fails_from_many_attempts_on_until_it_delivers(scene: Any) -> None:
    """Stuck or given up is failing, with the newest reason; a later success ends it."""
    scene.done(alerts=[scene.alert()], outbox=[scene.message(1), scene.message(2), scene.message(3)])
    store = scene.store
    for attempt in range(3):
        assert store.delivery_health(3) == {}
        store.mark_failed("message-1", 1010.0 + attempt, 1011.0 + attempt, f"503 ({attempt})")
    assert store.delivery_health(3) == {"slack": "503 (2)"}
    store.mark_failed("message-2", 1020.0, None, "400")
    assert store.delivery_health(3) == {"slack": "400"}
    store.mark_sent("message-1", 1021.0)
    assert store.delivery_health(3) == {}
    store.mark_failed("message-3", 1022.0, None, "401")
    assert store.delivery_health(3) == {"slack": "401"}


def test_a_silence_covers_what_it_says() -> None:
    """Its target, its alert where it names one, and its time."""
    silence = Silence("s", "router", "a1", 10.0, 20.0, "kim", "why")
    assert silence.covers("router", "a1", 10.0)
    assert not any(
        (
            silence.covers("router", "a2", 10.0),
            silence.covers("x", "a1", 10.0),
            silence.covers("router", "a1", 20.0),
        )
    )
