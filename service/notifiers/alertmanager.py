"""How is an Alertmanager told? Its API v2: firing until a moment that is put off again and again, then ended.

An Alertmanager knows an alert by its labels and nothing else, so the labels are those of the alert's beginning: a
severity or label that is changed meanwhile counts from the next alert on. A notice that grows more urgent by itself (a
model that retires) is another alert there, so that it is routed anew; the one before ends after ``hold_s``. What
changes (figures, causes, examples) stands in annotations. It forgets what it is not told again, and everything when it
restarts, so that the alert is sent again every ``resend_every_s``; each time it is said to last ``hold_s`` longer. A
goldwatch that is stopped or restarted within that time resolves nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import httpx
from pydantic import Field, model_validator

from service.alerting import Notification
from service.message import with_texts
from service.notifiers import Delivery, Notifier, SecretError, _plain
from service.notifiers._http import judge, post
from service.text import safe

NAMES = {
    "regression": "GoldwatchModelRegressed",
    "outage": "GoldwatchNotMeasured",
    "judge": "GoldwatchJudgeDrift",
    "watch": "GoldwatchWatchTrouble",
    "notice": "GoldwatchNotice",
}
"""The ``alertname`` by kind: the names of the Prometheus rules, so that routes hold for both."""

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MOST_ANNOTATION = 8000
_TEST_HOLD_S = 300.0
"""How long ``goldwatch doctor --send-test`` is seen there."""


class Alertmanager(Notifier):
    """Posts to an Alertmanager's API v2; ``url`` is its root, as a browser opens it.

    Grouping, silences, inhibition and receivers are then the Alertmanager's. ``repeat_every`` has no effect there
    beyond fresh figures: its own ``repeat_interval`` decides.

    Example:
        - {name: alertmanager, kind: alertmanager, url: "http://alertmanager:9093"}
    """

    kind: Literal["alertmanager"] = "alertmanager"
    resend_every_s: Annotated[
        float, Field(ge=30, le=3600, description="How often a firing alert is sent again, in seconds.")
    ] = 60.0
    hold_s: Annotated[
        float,
        Field(
            gt=0,
            le=7 * 86_400,
            description="How long it stays firing there when goldwatch says nothing more, in seconds.",
        ),
    ] = 4 * 3600.0

    @model_validator(mode="after")
    def _hold_outlasts_the_silence_between(self) -> Self:
        if self.hold_s < 2 * self.resend_every_s:
            raise ValueError(
                f"hold_s ({self.hold_s:g}) must be at least twice resend_every_s ({self.resend_every_s:g}): "
                "one lost message would resolve an alert that fires"
            )
        return self

    def remind_every_s(self) -> float | None:
        """An Alertmanager forgets what it is not told again."""
        return self.resend_every_s

    async def send(self, client: httpx.AsyncClient, notification: Notification, *, now: float) -> Delivery:
        """One attempt."""
        try:
            root = self.address().rstrip("/")
        except SecretError as error:
            return Delivery.retry(error.message)
        hold_s = min(self.hold_s, _TEST_HOLD_S) if notification.body["alert"].get("test") else self.hold_s
        content = encode_all([alert_object(with_texts(notification.body, self.texts), now, hold_s)])
        url = f"{root}/api/v2/alerts"
        headers = {"Content-Type": "application/json", "Idempotency-Key": notification.id}
        answer = await post(client, url, content, headers, timeout_s=self.timeout_s, now=now)
        if isinstance(answer, Delivery):
            return answer
        return judge(answer, url, hopeless={400, 413}, secrets=(root, urlsplit(root).path))


def alert_object(message: Mapping[str, Any], now: float, hold_s: float) -> dict[str, Any]:
    """One ``postableAlert`` of the API v2, from the versioned body with its texts already cut."""
    alert = message["alert"]
    began_at = alert["opened_at"]
    ended_at = alert["resolved_at"] if message["event"] == "alert.resolved" else None
    made: dict[str, Any] = {
        "labels": labels(message),
        "annotations": told(message),
        "startsAt": _moment(began_at),
        "endsAt": _moment(now + hold_s if ended_at is None else max(ended_at, began_at + 0.001)),
    }
    if message["url"]:
        made["generatorURL"] = message["url"]
    return made


def labels(message: Mapping[str, Any]) -> dict[str, str]:
    """What the Alertmanager knows the alert by: the same from its first message to its last."""
    alert = message["alert"]
    identity = alert.get("identity") or {**alert["labels"], "severity": alert["severity"]}
    own = {
        **{name: str(value) for name, value in identity.items() if _LABEL.fullmatch(name) and value},
        "alertname": NAMES.get(alert["kind"], "Goldwatch"),
        "target": message["target"],
    }
    return own if not alert.get("topic") else {**own, "topic": alert["topic"]}


def told(message: Mapping[str, Any]) -> dict[str, str]:
    """What a person reads: ``summary``, ``description``, and where the page and the runbook are."""
    read = {
        "summary": safe(message["alert"]["title"], 1000),
        "description": "\n".join(_plain.lines(message))[:_MOST_ANNOTATION],
    }
    if runbook := (message["alert"].get("links") or {}).get("runbook"):
        read["runbook_url"] = runbook
    return {**read, "dashboard_url": message["url"]} if message["url"] else read


def encode_all(alerts: Sequence[Mapping[str, Any]]) -> bytes:
    """The request's body; a lone surrogate becomes a question mark."""
    return json.dumps(alerts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
