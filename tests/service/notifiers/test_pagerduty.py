"""Is every request one that PagerDuty's Events API v2 takes?

The schema below is the published one: required keys, actions, severities, lengths, and 512 KB for the whole.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from service.alerting import Acknowledgement, AlertEvent, AlertState
from service.message import BrokenExample, acknowledged
from service.notifiers import Delivery, DeliveryOutcome
from service.notifiers._http import client
from service.notifiers.pagerduty import MOST_BYTES, PagerDuty

KEY = "R0123456789abcdefghijABCDEFGHIJ9"

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["routing_key", "event_action", "dedup_key"],
    "properties": {
        "routing_key": {"type": "string", "minLength": 32, "maxLength": 32},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
        "client": {"type": "string"},
        "client_url": {"type": "string", "format": "uri"},
        "links": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["href"],
                "properties": {"href": {"type": "string"}, "text": {"type": "string"}},
            },
        },
        "payload": {
            "type": "object",
            "additionalProperties": False,
            "required": ["summary", "source", "severity"],
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": {"type": "string", "minLength": 1},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {"type": "string", "format": "date-time"},
                "component": {"type": "string"},
                "group": {"type": "string"},
                "class": {"type": "string"},
                "custom_details": {"type": "object"},
            },
        },
    },
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTING_KEY", KEY)


def send(receiver: Any, message: Any, **more: Any) -> Delivery:
    async def once() -> Delivery:
        async with client() as c:
            notifier = PagerDuty(name="oncall", url=receiver.url, routing_key_env="ROUTING_KEY", **more)
            return await notifier.send(c, message, now=message.created_at)

    return asyncio.run(once())


def test_a_life_is_one_incident(receiver: Any, make_message: Any, make_alert: Any) -> None:
    """Firing triggers, repeats trigger again, acknowledgements and resolutions follow, all under the alert's id."""
    receiver.script = [(202, {}, '{"status":"success","dedup_key":"x"}')] * 4
    alert = make_alert()
    first = make_message(AlertEvent.FIRING, alert)
    seen = Acknowledgement("kim", 1.0, "on it")
    steps = [
        first,
        make_message(AlertEvent.REPEATED, replace(alert, repeats=1)),
        replace(first, event=AlertEvent.ACKNOWLEDGED, body=acknowledged(first.body, seen)),
        make_message(AlertEvent.RESOLVED, replace(alert, state=AlertState.RESOLVED, resolved_at=2.0)),
    ]
    assert [send(receiver, m).outcome for m in steps] == [DeliveryOutcome.DELIVERED] * 4
    sent = [json.loads(r.body) for r in receiver.got]
    for request in sent:
        jsonschema.validate(request, SCHEMA)
    assert [r["event_action"] for r in sent] == ["trigger", "trigger", "acknowledge", "resolve"]
    assert {r["dedup_key"] for r in sent} == {alert.id}
    assert sent[0]["payload"]["summary"] == "ticket-router: label fell from 94.3% to 81.5%"
    assert [link["text"].partition(":")[0] for link in sent[0]["links"]] == [
        "The alert", "Broken examples", "Runbook",
    ]  # fmt: skip
    assert sent[0]["links"][0]["href"] == f"https://gold.example/alerts/{alert.id}"


def test_severities_are_pagerdutys(receiver: Any, make_message: Any, make_alert: Any) -> None:
    """Every severity of a target is one that PagerDuty knows."""
    for severity in ("critical", "warning", "info"):
        send(receiver, make_message(AlertEvent.FIRING, make_alert(severity=severity)))
    assert [json.loads(r.body)["payload"]["severity"] for r in receiver.got] == [
        "critical",
        "warning",
        "info",
    ]


def test_too_much_text_is_left_out_not_refused(receiver: Any, make_message: Any, make_alert: Any) -> None:
    """A request stays below 512 KB and a summary below 1,024 characters, whatever models and people write."""
    huge = "\U0001f525" * 200_000
    labels = {f"label_{n}": "v" for n in range(50)}
    examples = [BrokenExample(f"T-{n}", huge, huge, huge, huge) for n in range(5)]
    alert = make_alert(labels=labels, target="t" * 2000)
    message = make_message(AlertEvent.FIRING, alert, examples=examples, reason=huge, cause=[huge] * 9)
    assert send(receiver, message, texts="all").outcome is DeliveryOutcome.DELIVERED
    assert len(receiver.got[0].body) < MOST_BYTES
    jsonschema.validate(json.loads(receiver.got[0].body), SCHEMA)


def test_a_refused_key_is_tried_again_and_a_refused_event_is_not(receiver: Any, make_message: Any) -> None:
    """A key can be put right within the day; the key itself is shown nowhere."""
    wrong_key = f'{{"status":"invalid event","errors":["\'routing_key\' {KEY} is not valid"]}}'
    receiver.script = [(400, {}, wrong_key), (400, {}, '{"errors":["summary is missing"]}'), (429, {}, "")]
    outcomes = [send(receiver, make_message()) for _ in range(3)]
    assert [d.outcome for d in outcomes] == [
        DeliveryOutcome.RETRY,
        DeliveryOutcome.PERMANENT,
        DeliveryOutcome.RETRY,
    ]
    assert KEY not in str(outcomes)


@pytest.mark.parametrize("keys", [{}, {"routing_key_env": "A", "routing_key_file": "b"}])
def test_exactly_one_key_is_configured(keys: dict[str, str]) -> None:
    """Neither no key nor two."""
    with pytest.raises(ValidationError, match="exactly one of routing_key_env and routing_key_file"):
        PagerDuty(name="oncall", **keys)


def test_a_key_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not 32 letters and digits is said to be no key, without being shown."""
    monkeypatch.setenv("ROUTING_KEY", "u+tooshort")
    problem = PagerDuty(name="oncall", routing_key_env="ROUTING_KEY").problem() or ""
    assert "ROUTING_KEY holds no routing key" in problem
    assert "tooshort" not in problem
