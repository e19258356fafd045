"""How is PagerDuty told? The Events API v2: trigger, acknowledge, resolve, under the alert's own key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

import httpx
from pydantic import Field, model_validator

from service.alerting import AlertEvent, Notification
from service.message import Texts, with_texts
from service.notifiers import Delivery, Notifier, SecretError, _plain, read_secret
from service.notifiers._http import judge, post
from service.notifiers.webhook import encode
from service.text import safe

MOST_SUMMARY = 1024
MOST_BYTES = 512 * 1024
"""Limits of the API: a summary's characters, a request's bytes."""

_KEY_LENGTH = 32
_ACTIONS = {
    AlertEvent.FIRING: "trigger",
    AlertEvent.REPEATED: "trigger",
    AlertEvent.ACKNOWLEDGED: "acknowledge",
    AlertEvent.RESOLVED: "resolve",
}
_SEVERITIES = {"critical": "critical", "warning": "warning", "info": "info"}


class PagerDuty(Notifier):
    """Sends events to a PagerDuty service through its "Events API V2" integration.

    The alert's id is the ``dedup_key``: one incident from the first message to the resolution, however often a
    message is sent again. The integration's key is a secret: give it by ``routing_key_env`` or
    ``routing_key_file``. In the EU region ``url`` is ``https://events.eu.pagerduty.com/v2/enqueue``.

    Example:
        - {name: oncall, kind: pagerduty, routing_key_env: PAGERDUTY_ROUTING_KEY}
    """

    events: ClassVar[frozenset[AlertEvent]] = frozenset(_ACTIONS)

    kind: Literal["pagerduty"] = "pagerduty"
    routing_key_env: Annotated[
        str | None, Field(min_length=1, description="The environment variable with the integration's key.")
    ] = None
    routing_key_file: Annotated[
        str | None, Field(min_length=1, description="The file with the integration's key.")
    ] = None

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.routing_key_env is None) == (self.routing_key_file is None):
            raise ValueError("give exactly one of routing_key_env and routing_key_file")
        return self

    def default_url(self) -> str | None:
        """PagerDuty's address in the US region."""
        return "https://events.pagerduty.com/v2/enqueue"

    async def send(self, client: httpx.AsyncClient, notification: Notification, *, now: float) -> Delivery:
        """One attempt."""
        try:
            url, key = self.address(), self._key()
        except SecretError as error:
            return Delivery.retry(error.message)
        content = request(notification, key, self.texts)
        headers = {"Content-Type": "application/json", "Idempotency-Key": notification.id}
        answer = await post(client, url, content, headers, timeout_s=self.timeout_s, now=now)
        if isinstance(answer, Delivery):
            return answer
        # A key that is refused can be put right within the day; an event that is refused cannot.
        fault_of_key = "routing" in answer.text.lower()
        return judge(answer, url, hopeless=() if fault_of_key else {400, 413}, secrets=(key,))

    def problem(self) -> str | None:
        """Why nothing can be sent as configured: a missing address or an unusable key."""
        try:
            self._key()
        except SecretError as error:
            return str(error)
        return super().problem()

    def _key(self) -> str:
        key, source = read_secret(env=self.routing_key_env, file=self.routing_key_file)
        if len(key) != _KEY_LENGTH or not key.isalnum():
            remedy = "take the integration key of an Events API V2 integration: 32 letters and digits"
            raise SecretError(f"{source} holds no routing key", remedy)
        return key


def request(notification: Notification, key: str, texts: Texts) -> bytes:
    """The request's body within PagerDuty's limits; it shows less text rather than being refused."""
    for level in (texts, Texts.SHORT, Texts.NONE):
        content = encode(event(with_texts(notification.body, level), notification.event, key))
        if len(content) <= MOST_BYTES:
            break
    return content


def event(message: Mapping[str, Any], happened: AlertEvent, key: str) -> dict[str, Any]:
    """One event, from the versioned body with its texts already cut."""
    alert = message["alert"]
    made: dict[str, Any] = {
        "routing_key": key,
        "event_action": _ACTIONS[happened],
        "dedup_key": alert["id"],
    }
    if made["event_action"] != "trigger":
        return made
    made["payload"] = {
        "summary": safe(alert["title"], MOST_SUMMARY),
        "source": message["target"],
        "severity": _SEVERITIES.get(alert["severity"], "warning"),
        "timestamp": datetime.fromtimestamp(alert["opened_at"], UTC).isoformat(timespec="milliseconds"),
        "component": message["target"],
        "class": alert["kind"],
        "custom_details": {
            "what": _plain.lines(message),
            "labels": alert["labels"],
            "onset_run": alert["onset_run"],
            "run": message["run"],
            "answered": alert["answered"],
            "asked": alert["asked"],
        },
    }
    made["client"] = "goldwatch"
    if message["url"]:
        made["client_url"] = message["url"]
    named = {
        "The alert: what broke, since when, why": message["url"],
        "Broken examples": (ways := alert.get("links") or {}).get("examples"),
        "Runbook": ways.get("runbook"),
    }
    if links := [{"href": href, "text": text} for text, href in named.items() if href]:
        made["links"] = links
    return made
