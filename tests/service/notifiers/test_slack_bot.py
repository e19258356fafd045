"""Does a bot keep one message per alert, up to date, with its story in the thread?

The receiver answers as the Web API does (200, and ``ok`` in the body) and refuses what breaks its published limits:
50 blocks, 3,000 characters in a section's text, 150 in a header's, 10 fields of 2,000, and a text for notifications.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from service.alerting import Acknowledgement, AlertEvent, AlertState
from service.dispatch import deliver_due
from service.message import BrokenExample, acknowledged
from service.notifiers import Delivery, DeliveryOutcome
from service.notifiers._http import client
from service.notifiers.slack import Slack

OK = (200, {}, '{"ok":true,"channel":"C024BE91L","ts":"1503435956.000247","message":{"text":"…"}}')
LONG = (200, {}, OK[2][:-1] + ',"blocks":"' + "x" * 9000 + '"}')


def refusal(error: str) -> tuple[int, dict[str, str], str]:
    return (200, {}, json.dumps({"ok": False, "error": error}))


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_TOKEN", "xoxb-verysecret")


def bot(receiver: Any, **more: Any) -> Slack:
    address = receiver.url.partition("/services")[0] + "/api"
    return Slack(name="oncall", url=address, token_env="SLACK_TOKEN", channel="C024BE91L", **more)


def send(receiver: Any, message: Any, **more: Any) -> Delivery:
    async def once() -> Delivery:
        async with client() as c:
            return await bot(receiver, **more).send(c, message, now=message.created_at)

    return asyncio.run(once())


def within_limits(request: dict[str, Any]) -> None:
    assert request["text"]
    assert len(request["text"]) <= 4000
    assert len(request.get("blocks", [])) <= 50
    for block in request.get("blocks", []):
        text = block.get("text", {}).get("text", "")
        assert len(text) <= (150 if block["type"] == "header" else 3000)
        assert len(block.get("fields", [])) <= 10
        assert all(len(field["text"]) <= 2000 for field in block.get("fields", []))
        assert len(block.get("elements", [])) <= 10


def calls(receiver: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(r.path.rpartition("/")[2], json.loads(r.body)) for r in receiver.got]


def test_one_message_is_kept_up_to_date(
    receiver: Any, store: Any, write: Any, clock: Any, make_alert: Any
) -> None:
    """Firing posts; what follows changes that message in place and says one line in its thread."""
    receiver.script = [LONG, *[OK] * 9]

    def step() -> None:
        async def once() -> None:
            async with client() as c:
                await deliver_due(store, {"oncall": bot(receiver)}, c, owner="a", clock=clock)

        asyncio.run(once())

    alert = make_alert()
    (first,) = write((AlertEvent.FIRING, alert), at=clock.at)
    step()
    clock.at += 60
    write((AlertEvent.REPEATED, replace(alert, updated_run=1414, repeats=1)), at=clock.at)
    step()
    clock.at += 60
    over = replace(alert, state=AlertState.RESOLVED, resolved_at=clock.at, updated_run=1415)
    write((AlertEvent.RESOLVED, over), at=clock.at)
    step()
    assert [str(i.state) for i in store.notifications(alert.id)] == ["sent"] * 3
    made = calls(receiver)
    for _, request in made:
        within_limits(request)
    assert [name for name, _ in made] == [
        "chat.postMessage", "chat.update", "chat.postMessage", "chat.update", "chat.postMessage",
    ]  # fmt: skip
    assert made[0][1]["channel"] == "C024BE91L"
    assert made[0][1]["metadata"]["event_payload"]["id"] == first.id
    assert "thread_ts" not in made[0][1]
    for _, request in (made[1], made[3]):
        assert request["ts"] == "1503435956.000247"
    assert [r["thread_ts"] for _, r in (made[2], made[4])] == ["1503435956.000247"] * 2
    assert (made[2][1]["reply_broadcast"], made[4][1]["reply_broadcast"]) == (True, False)
    assert made[3][1]["text"].startswith("🟢")
    assert receiver.got[0].headers["authorization"] == "Bearer xoxb-verysecret"


def test_an_acknowledgement_is_shown_where_the_alert_is(receiver: Any, make_message: Any) -> None:
    """The message says who sees to it, and so does its thread; without a message there is nothing to show it on."""
    receiver.script = [OK, OK]
    first = make_message()
    body = acknowledged(first.body, Acknowledgement("<!channel> kim", 1_794_625_200.0, "rolling back"))
    message = replace(first, event=AlertEvent.ACKNOWLEDGED, body=body, receipt='["C1", "1.2"]')
    assert send(receiver, message).outcome is DeliveryOutcome.DELIVERED
    (updated, update), (_, reply) = calls(receiver)
    assert updated == "chat.update"
    assert "*Acknowledged* by &lt;!channel&gt; kim" in json.dumps(update, ensure_ascii=False)
    assert reply["text"] == "👀 acknowledged by &lt;!channel&gt; kim: rolling back"
    assert send(receiver, replace(message, receipt=None)).outcome is DeliveryOutcome.DELIVERED
    assert len(receiver.got) == 2


def test_a_first_message_that_is_gone_is_replaced(receiver: Any, make_message: Any) -> None:
    """Where the message cannot be changed any more, a new one tells the same, and is the first from now on."""
    receiver.script = [refusal("message_not_found"), OK]
    message = replace(make_message(AlertEvent.REPEATED), receipt='["C1", "1.2"]')
    delivery = send(receiver, message)
    assert [name for name, _ in calls(receiver)] == ["chat.update", "chat.postMessage"]
    assert json.loads(delivery.receipt or "") == ["C024BE91L", "1503435956.000247"]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (refusal("invalid_auth"), DeliveryOutcome.RETRY),
        (refusal("not_in_channel"), DeliveryOutcome.RETRY),
        (refusal("invalid_blocks"), DeliveryOutcome.PERMANENT),
        ((429, {"retry-after": "30"}, ""), DeliveryOutcome.RETRY),
        ((200, {}, "<html>a proxy</html>"), DeliveryOutcome.UNCLEAR),
        ("drop", DeliveryOutcome.UNCLEAR),
    ],
)
def test_an_answer_of_200_is_not_yet_a_message(
    answer: object, outcome: DeliveryOutcome, receiver: Any, make_message: Any
) -> None:
    """The Web API says in the body whether it did what was asked; the token is in no reason."""
    receiver.script = [answer]
    delivery = send(receiver, make_message())
    assert delivery.outcome is outcome
    assert "verysecret" not in str(delivery)


def test_hostile_and_huge_texts_stay_within_slacks_limits(
    receiver: Any, make_message: Any, make_alert: Any
) -> None:
    """Whatever is in the alert, every request is one that Slack takes."""
    receiver.script = [OK, OK, OK]
    huge = "<!here> & `" * 5000
    alert = make_alert(target="t" * 500, labels={f"l{n}": huge for n in range(90)}, flapping=True)
    examples = [BrokenExample(huge, huge, huge, huge, huge)] * 9
    message = make_message(AlertEvent.FIRING, alert, examples=examples, cause=[huge] * 50, reason=huge)
    send(receiver, message, texts="all")
    send(receiver, replace(message, event=AlertEvent.REPEATED, receipt='["C1", "1.2"]'), texts="all")
    for _, request in calls(receiver):
        within_limits(request)
        assert "<!here>" not in json.dumps(request)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"token_env": "T"}, "given together"),
        ({"channel": "C1", "url": "https://h/"}, "given together"),
        ({"token_env": "T", "token_file": "t", "channel": "C1"}, "not both"),
        ({}, "exactly one of url"),
    ],
)
def test_a_bot_needs_a_token_and_a_channel(keys: dict[str, str], said: str) -> None:
    """Half a bot is refused, and so is a webhook without an address."""
    with pytest.raises(ValidationError, match=said):
        Slack(name="oncall", **keys)


def test_a_bot_knows_where_slack_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the token is needed, and a missing one is named."""
    notifier = Slack(name="oncall", token_env="SLACK_TOKEN", channel="C1")
    assert notifier.address() == "https://slack.com/api"
    assert notifier.problem() is None
    monkeypatch.delenv("SLACK_TOKEN")
    assert "SLACK_TOKEN is not set" in (notifier.problem() or "")
