"""How do causes reach people, and what may looking for them cost?"""

from __future__ import annotations

import asyncio
import json

import pytest

from checks.causes import Cause, Diagnosis
from checks.types import Served
from service import base_answers, causes
from service.alerting import Alert, AlertEvent, AlertKind, AlertState
from service.golden import check_lock
from service.message import Evidence, Texts, body, with_texts
from service.notifiers._slack_blocks import payload

LOST = Cause("base_model", "adapter not applied", 0.96, ("398/400 identical (usual: 124)", "base"), "compare")
SWALLOWED = Cause(
    "label_swallowed", '"billing" swallowed "refund"', 0.62, ("9/9 went",), "see", names_labels=True
)


def message(*found: Cause, sentences: tuple[str, ...] | None = None):
    """The body of an alert with these causes."""
    alert = Alert("a", "router", AlertKind.REGRESSION, AlertState.FIRING, "critical", 1.0, 2, 1.0, 2)
    lines = Diagnosis(found).sentences if sentences is None else sentences
    return body(AlertEvent.FIRING, alert, Evidence(9, 9, 1.0, cause=lines, causes=found))


def shown(made) -> str:
    return json.dumps(payload(made), ensure_ascii=False)


def test_slack_says_the_likeliest_with_its_facts_and_the_others_in_a_line():
    """The first cause is told with its facts and next step; the next one after "Or"."""
    said = shown(message(LOST, SWALLOWED))
    assert "*Probably:* adapter not applied (very likely)" in said
    assert "• 398/400 identical (usual: 124)" in said
    assert 'Or: \\"billing\\" swallowed \\"refund\\": 9/9 went' in said
    assert "*Next:* compare" in said


def test_no_cause_is_not_sold_as_one():
    """Where nothing was found the message says what was looked at, and not "probably"."""
    said = shown(message(sentences=Diagnosis(looked_at=("latency",)).sentences))
    assert "*What changed?* no cause found; looked at: latency" in said
    assert "Probably" not in said


def test_a_channel_without_texts_is_told_no_labels():
    """Labels are answers: where no texts may go, the cause is told without them."""
    cut = with_texts(message(LOST, SWALLOWED), Texts.NONE)
    assert "refund" not in json.dumps(cut)
    assert [cause["name"] for cause in cut["alert"]["causes"]] == ["base_model", "label_swallowed"]
    assert cut["cause"][0] == "adapter not applied: 398/400 identical (usual: 124)"
    assert "refund" in json.dumps(with_texts(message(SWALLOWED), Texts.SHORT))


def test_the_alert_and_the_store_hold_the_same_causes(play):
    """The webhook that goes out names the causes that the store keeps for its run, newest first on a later look."""
    found, scene = play(lambda s: s.endpoint.drop_adapter(), names_base=True)
    (alert,) = scene.store.alerts("ticket-router", AlertState.FIRING)
    (told,) = scene.store.notifications(alert.id)
    assert told.notification.body["cause"] == list(found.sentences)
    assert told.notification.body["alert"]["causes"][0]["name"] == "base_model"
    assert scene.store.newest_diagnosis("ticket-router", alert.opened_run, alert.updated_run) == found
    assert scene.store.newest_diagnosis("ticket-router", 1, alert.opened_run - 1) is None


async def _asked(scene, served=None):
    golden = check_lock(scene.folder / "golden.jsonl")
    before = scene.endpoint.requests_total
    served = served or Served(model="ticket-router", parent="base", models=("base", "ticket-router"))
    found = await base_answers.lately(scene.shell, scene.target, golden, served)
    return found, scene.endpoint.requests_total - before


@pytest.fixture
def scene(play):
    """A paged scene without a base model, and its endpoint started again: ``scene(work)`` runs a coroutine on it."""

    def use(work, **limits):
        async def live(one):
            async with one.endpoint:
                one.limits = json.dumps(limits)
                one.store.close()
                one.__post_init__()
                return await work(one)

        _, one = play(lambda s: s.endpoint.drop_adapter())
        return asyncio.run(live(one))

    return use


def test_the_base_model_is_asked_once_a_day_and_counted(scene):
    """A second look within a day asks nothing; what was asked counts in the day's tokens."""

    async def work(one):
        before, _ = one.store.usage_since("ticket-router", 0.0)
        first, requests = await _asked(one)
        again, none = await _asked(one)
        after, _ = one.store.usage_since("ticket-router", 0.0)
        one.now += base_answers.FRESH_S + 1
        _, anew = await _asked(one)
        assert first is not None
        assert again == first
        assert (none > 0, requests >= 160, anew >= 160) == (False, True, True)
        assert after > before

    scene(work)


def test_spent_limits_leave_the_base_model_alone(scene):
    """Where the day's tokens are spent nothing is asked, and the rest of the look goes on without it."""

    async def work(one):
        found, requests = await _asked(one)
        assert (found, requests) == (None, 0)

    scene(work, tokens_per_day=10)


def test_a_failing_look_does_not_cost_the_page(play, monkeypatch):
    """If looking fails for whatever reason, the alert fires all the same, without a cause."""

    def fails(*_args, **_more):
        raise RuntimeError("a fault of our own")

    monkeypatch.setattr(causes, "facts_of", fails)
    found, scene = play(lambda s: s.endpoint.drop_adapter())
    (alert,) = scene.store.alerts("ticket-router", AlertState.FIRING)
    (told,) = scene.store.notifications(alert.id)
    assert found is None
    assert told.notification.body["cause"] == []
