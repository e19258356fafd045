"""Can a program trust and read what it is sent?"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from service.alerting import AlertEvent, Notification
from service.notifiers import Delivery
from service.notifiers._http import client
from service.notifiers.webhook import Webhook

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def send(notifier: Webhook, message: Notification, now: float) -> Delivery:
    async def attempt() -> Delivery:
        async with client() as c:
            return await notifier.send(c, message, now=now)

    return asyncio.run(attempt())


def test_a_receiver_can_verify_the_signature(
    receiver: Any, make_message: Callable[..., Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference library of Standard Webhooks accepts what was sent, on a machine of any time zone."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    notifier = Webhook(name="oncall", url=receiver.url, secret_env="HOOK_SECRET")
    send(notifier, make_message(), time.time())
    (got,) = receiver.got
    body = Verifier(SECRET).verify(got.body, got.headers)
    assert body["event"] == "alert.firing"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("goldwatch/")


def test_attempts_share_the_id_and_not_the_timestamp(
    receiver: Any, make_message: Callable[..., Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second attempt has the same id, and a timestamp and signature of its own."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    notifier = Webhook(name="oncall", url=receiver.url, secret_env="HOOK_SECRET")
    for now in (1000.0, 2000.0):
        send(notifier, make_message(), now)
    first, second = (r.headers for r in receiver.got)
    assert first["webhook-id"] == second["webhook-id"]
    assert (first["webhook-timestamp"], second["webhook-timestamp"]) == ("1000", "2000")
    assert first["webhook-signature"] != second["webhook-signature"]


def test_without_a_secret_it_is_unsigned(receiver: Any, make_message: Callable[..., Notification]) -> None:
    """No secret, no signature header; id and timestamp all the same."""
    send(Webhook(name="oncall", url=receiver.url), make_message(), 1000.0)
    headers = receiver.got[0].headers
    assert "webhook-signature" not in headers
    assert {"webhook-id", "webhook-timestamp"} <= set(headers)


@pytest.mark.parametrize(("value", "said"), [(None, "is not set"), ("whsec_", "no signing secret")])
def test_an_unusable_secret_sends_nothing(
    value: str | None,
    said: str,
    receiver: Any,
    make_message: Callable[..., Notification],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a signature is asked for and cannot be made, no unsigned message leaves."""
    monkeypatch.delenv("HOOK_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("HOOK_SECRET", value)
    notifier = Webhook(name="oncall", url=receiver.url, secret_env="HOOK_SECRET")
    delivery = send(notifier, make_message(), 1000.0)
    assert said in (delivery.reason or "")
    assert said in (notifier.problem() or "")
    assert receiver.got == []


def test_the_body_is_the_contracts(receiver: Any, make_message: Callable[..., Notification]) -> None:
    """The keys of the versioned body, and the worst finding's own keys, are those that programs rely on."""
    send(Webhook(name="oncall", url=receiver.url), make_message(AlertEvent.REPEATED), 1000.0)
    body = json.loads(receiver.got[0].body)
    assert list(body) == [
        "version", "event", "alert", "finding", "target", "run", "examples", "cause", "url",
    ]  # fmt: skip
    assert (body["version"], body["event"]) == (1, "alert.repeated")
    assert (body["target"], body["run"]) == ("ticket-router", 1413)
    assert body["url"] == f"https://gold.example/alerts/{body['alert']['id']}"
    assert list(body["finding"]) == [
        "check", "scorer", "slice", "verdict", "evidence", "threshold", "effect", "interval",
        "baseline", "current", "onset_run", "reason",
    ]  # fmt: skip
    assert body["finding"]["slice"] == "all"
    assert list(body["examples"][0]) == ["id", "expected", "before", "now", "reason"]
