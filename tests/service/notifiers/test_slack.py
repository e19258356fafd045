"""Does a person in a Slack channel see what fell, and nothing that bites?"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checks.types import Finding, Verdict
from service.alerting import Alert, AlertEvent, AlertKind, AlertState, Notification
from service.doctor.channels import trial_message
from service.message import BrokenExample, Texts, with_texts
from service.notifiers import DeliveryOutcome, _plain
from service.notifiers._http import client
from service.notifiers._slack_blocks import payload
from service.notifiers.slack import Slack

SNAPSHOTS = Path(__file__).parent / "snapshots"


def strings(node: Any) -> Iterator[tuple[str, str]]:
    """Every text object's type and text, and the fallback's."""
    if isinstance(node, dict):
        if "text" in node and isinstance(node["text"], str):
            yield node.get("type", "fallback"), node["text"]
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def shown(message: Notification, level: Texts = Texts.SHORT) -> dict[str, Any]:
    return payload(with_texts(message.body, level))


def cases(make_message: Any, make_alert: Any) -> dict[str, dict[str, Any]]:
    alert: Alert = make_alert()
    ok = [replace(f, verdict=Verdict.OK, current=0.945, effect=0.002, interval=None) for f in alert.findings]
    resolved = replace(
        alert, state=AlertState.RESOLVED, resolved_at=alert.opened_at + 4800, findings=tuple(ok)
    )
    outage = replace(alert, kind=AlertKind.OUTAGE, onset_run=None, findings=())
    floor = Finding("floor", "label", "all", Verdict.REGRESSED, baseline=0.9, current=0.85)
    dark = {"answered": 0, "examples": (), "broke": None, "fixed": None, "failures": {"connect": 400}}
    return {
        "firing": shown(make_message(cause=["adapter not applied", "deployment mark 02:41"])),
        "firing_without_texts": shown(make_message(), Texts.NONE),
        "repeated_floor": shown(
            make_message(
                AlertEvent.REPEATED, replace(alert, findings=(floor,), repeats=2, severity="warning")
            )
        ),
        "resolved": shown(make_message(AlertEvent.RESOLVED, resolved)),
        "outage": shown(make_message(AlertEvent.FIRING, outage, reason="connection refused", **dark)),
        "outage_over": shown(
            make_message(AlertEvent.RESOLVED, replace(outage, state=AlertState.RESOLVED), examples=())
        ),
    }


@pytest.mark.parametrize(
    "name", ["firing", "firing_without_texts", "repeated_floor", "resolved", "outage", "outage_over"]
)
def test_the_payload_is_as_it_was_agreed(name: str, make_message: Any, make_alert: Any) -> None:
    """Each kind of message looks as the file beside this test says."""
    made = cases(make_message, make_alert)[name]
    assert made == json.loads((SNAPSHOTS / f"{name}.json").read_text("utf-8"))


OWN_LINK = re.compile(
    r"<https://(gold\.example/(alerts|runs|targets)|github\.com/goldwatch)/[\w./%#-]+\|[A-Z][a-z:, ]+>"
)
"""Links that a message makes itself: to goldwatch's pages and its runbook."""

HOSTILE = [
    "<!channel> <!here> <@U123>",
    "<https://evil.example|click>",
    "` *bold* _it_ ~gone~ `",
    "\u202egnp.exe \u200b\x1b[31m \x00",
    "@channel @here #general https://evil.example",
    "&lt;!channel&gt;",
    "line\nbreak\r\n> quote",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_neither_call_nor_link_nor_hide(text: str, make_message: Any, make_alert: Any) -> None:
    """No model output reaches Slack's markup, wherever in the message it stands."""
    alert = replace(make_alert(), labels={"l": text}, findings=(
        replace(make_alert().findings[0], scorer=text), replace(make_alert().findings[1], slice=f"k={text}"),
    ))  # fmt: skip
    example = BrokenExample(text, text, text, text, text)
    made = shown(make_message(alert=alert, examples=[example] * 5, reason=text, cause=[text]), Texts.ALL)
    for kind, shown_text in strings(made):
        assert not set(shown_text) & set("\u202e\u200b\x1b\x00\r")
        if kind == "plain_text":
            continue
        rest = OWN_LINK.sub("", shown_text)
        assert "<" not in rest
        assert ">" not in rest
        assert rest.count("`") % 2 == 0
    mrkdwn = [
        node for block in made["blocks"] for node in (block.get("text"), *block.get("elements", [])) if node
    ]
    assert all(node["verbatim"] is True for node in mrkdwn if node["type"] == "mrkdwn")


@pytest.mark.parametrize("text", ["&" * 5000, "x" * 5000, "<`>" * 3000, "ü\u202e" * 4000])
def test_slacks_limits_hold(text: str, make_message: Any, make_alert: Any) -> None:
    """50 blocks, 3000 characters a text, 150 a header: whatever the model wrote."""
    alert = make_alert()
    many = tuple(
        replace(alert.findings[n % 2], scorer=f"{n}{text}", slice="all" if n % 2 else f"{n}={text}")
        for n in range(60)
    )
    labels = {f"{n}{text}": text for n in range(50)}
    made = shown(
        make_message(
            alert=replace(alert, findings=many, labels=labels, severity=text),
            examples=[BrokenExample(text, text, text, text, text)] * 5,
            reason=text,
            cause=[text] * 50,
        ),
        Texts.ALL,
    )
    assert len(made["blocks"]) <= 50
    for kind, shown_text in strings(made):
        assert 0 < len(shown_text) <= (150 if kind == "plain_text" else 3000)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((404, {}, "no_service"), DeliveryOutcome.PERMANENT),
        ((410, {}, "channel_is_archived"), DeliveryOutcome.PERMANENT),
        ((403, {}, "action_prohibited"), DeliveryOutcome.PERMANENT),
        ((400, {}, "invalid_payload"), DeliveryOutcome.PERMANENT),
        ((404, {}, "<html>no such page</html>"), DeliveryOutcome.RETRY),
        ((500, {}, "rollup_error"), DeliveryOutcome.RETRY),
    ],
)
def test_what_slack_says_is_believed(
    answer: Any, outcome: DeliveryOutcome, receiver: Any, make_message: Callable[..., Notification]
) -> None:
    """A revoked hook is final; a page that is missing because a proxy was restarted is not."""
    receiver.script = [answer]

    async def attempt() -> DeliveryOutcome:
        async with client() as c:
            return (await Slack(name="s", url=receiver.url).send(c, make_message(), now=0.0)).outcome

    assert asyncio.run(attempt()) is outcome


def test_a_test_message_says_nothing_of_a_model() -> None:
    """Neither in Slack nor in plain text does a trial speak of a fall, a score or a cause."""
    message = trial_message("oncall", 0.0).body
    told = [text for _, text in strings(payload(message))] + _plain.lines(message)
    assert any("a test message from goldwatch doctor" in text for text in told)
    assert not [text for text in told if re.search(r"regressed|Probably|answered|Since", text)]
