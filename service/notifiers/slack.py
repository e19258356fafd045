"""How is a Slack channel told? Block Kit: what fell, since when, what broke.

By an incoming webhook each message stands for itself. By a bot's token there is one message per alert: it is kept up
to date in place, and what becomes of the alert is told in the thread below it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

import httpx
from pydantic import Field, model_validator

from service.alerting import AlertEvent, Notification
from service.message import with_texts
from service.notifiers import Delivery, Notifier, SecretError, read_secret
from service.notifiers._http import Answer, host_of, judge, post
from service.notifiers._slack_blocks import payload, reply
from service.notifiers.webhook import encode
from service.text import safe

_REVOKED = frozenset(
    {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_token",
        "no_active_hooks",
        "no_service",
        "no_service_id",
        "no_team",
        "posting_to_general_channel_denied",
        "team_disabled",
        "user_not_found",
    }
)
"""What Slack says where this address will take no message again."""

_REFUSED = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "no_text"}
)
"""What the Web API says of a message that it will never take; a token or channel can be put right."""

_FIRST_IS_GONE = frozenset(
    {
        "cant_update_message",
        "channel_not_found",
        "edit_window_closed",
        "is_inactive",
        "message_not_found",
        "thread_not_found",
    }
)
"""What the Web API says where the first message cannot be changed: a new one is posted instead."""


class Slack(Notifier):
    """Posts to Slack by an incoming webhook (``url``, ``url_env`` or ``url_file``), or by a bot's token.

    A bot (``token_env`` or ``token_file``, with ``channel``) needs the scope ``chat:write`` and must be a member of the
    channel. It keeps one message per alert up to date, and tells repetitions, acknowledgement and resolution in its
    thread. The webhook's address and the token are secrets.

    Example:
        - {name: ml-oncall, kind: slack, url_env: SLACK_WEBHOOK_URL, texts: short}
    """

    events: ClassVar[frozenset[AlertEvent]] = frozenset(AlertEvent)

    kind: Literal["slack"] = "slack"
    token_env: Annotated[
        str | None, Field(min_length=1, description="The environment variable with a bot's token (xoxb-...).")
    ] = None
    token_file: Annotated[
        str | None, Field(min_length=1, description="The file with a bot's token (xoxb-...).")
    ] = None
    channel: Annotated[
        str | None, Field(min_length=1, max_length=80, description="Where the bot posts: the channel's id.")
    ] = None

    @model_validator(mode="after")
    def _token_and_channel(self) -> Self:
        if self.token_env is not None and self.token_file is not None:
            raise ValueError("give one of token_env and token_file, not both")
        if self._is_bot() != (self.channel is not None):
            raise ValueError("token_env (or token_file) and channel are given together or not at all")
        return self

    def default_url(self) -> str | None:
        """Slack's Web API for a bot; a webhook's address must be configured."""
        return "https://slack.com/api" if self._is_bot() else None

    async def send(self, client: httpx.AsyncClient, notification: Notification, *, now: float) -> Delivery:
        """One attempt: one request by a webhook, up to two by a bot."""
        try:
            url = self.address()
            token = self._token()
        except SecretError as error:
            return Delivery.retry(error.message)
        if token is not None:
            return await _Bot(self, client, url, token, now).tell(notification)
        if notification.event is AlertEvent.ACKNOWLEDGED:
            return Delivery.delivered()  # what a webhook posted cannot be changed, and nobody is to be paged
        content = encode(payload(with_texts(notification.body, self.texts)))
        headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": notification.id}
        answer = await post(client, url, content, headers, timeout_s=self.timeout_s, now=now)
        if isinstance(answer, Delivery):
            return answer
        revoked = answer.status in (403, 404, 410) and answer.text.strip() in _REVOKED
        return judge(answer, url, hopeless={400, 413, answer.status} if revoked else {400, 413})

    def problem(self) -> str | None:
        """Why nothing can be sent as configured: a missing address or token."""
        try:
            self._token()
        except SecretError as error:
            return str(error)
        return super().problem()

    def _is_bot(self) -> bool:
        return self.token_env is not None or self.token_file is not None

    def _token(self) -> str | None:
        if not self._is_bot():
            return None
        return read_secret(env=self.token_env, file=self.token_file)[0]


class _Bot:
    """One attempt through the Web API, which answers 200 and says in the body whether it did what was asked."""

    def __init__(self, slack: Slack, client: httpx.AsyncClient, url: str, token: str, now: float) -> None:
        self._slack, self._client, self._url, self._token, self._now = slack, client, url, token, now

    async def tell(self, notification: Notification) -> Delivery:
        """Post the alert's message, or bring it up to date and tell the thread."""
        message = with_texts(notification.body, self._slack.texts)
        blocks = payload(message)
        first = _place(notification.receipt)
        if first is None or notification.event is AlertEvent.FIRING:
            return await self._post(notification, blocks)
        channel, ts = first
        updated = await self._call("chat.update", {**blocks, "channel": channel, "ts": ts})
        if isinstance(updated, Delivery):
            return updated
        if updated.get("error") in _FIRST_IS_GONE:
            return await self._post(notification, blocks)
        if not updated.get("ok"):
            return self._refused(updated)
        # The update changes nothing when it is made twice, so that only the reply could be doubled.
        told = await self._call(
            "chat.postMessage",
            {
                "channel": channel,
                "thread_ts": ts,
                "text": reply(message),
                "reply_broadcast": notification.event is AlertEvent.REPEATED,
                "unfurl_links": False,
                "metadata": _metadata(notification),
            },
        )
        if isinstance(told, Delivery):
            return told
        return Delivery.delivered() if told.get("ok") else self._refused(told)

    async def _post(self, notification: Notification, blocks: Mapping[str, Any]) -> Delivery:
        if notification.event is AlertEvent.ACKNOWLEDGED:
            return Delivery.delivered()  # there is no message to show it on, and it pages nobody
        made = {**blocks, "channel": self._slack.channel, "metadata": _metadata(notification)}
        said = await self._call("chat.postMessage", made)
        if isinstance(said, Delivery):
            return said
        if not said.get("ok"):
            return self._refused(said)
        channel, ts = said.get("channel"), said.get("ts")
        known = isinstance(channel, str) and isinstance(ts, str)
        return Delivery.delivered(json.dumps([channel, ts]) if known else None)

    async def _call(self, method: str, content: Mapping[str, Any]) -> dict[str, Any] | Delivery:
        url = f"{self._url.rstrip('/')}/{method}"
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Authorization": f"Bearer {self._token}",
        }
        answer = await post(
            self._client, url, encode(content), headers, timeout_s=self._slack.timeout_s, now=self._now
        )
        if isinstance(answer, Delivery):
            return answer
        if not 200 <= answer.status < 300:
            return judge(answer, url, hopeless={400, 413}, secrets=(self._token,))
        return _said(answer) or Delivery.unclear(f"{host_of(url)} answered {answer.status} without saying ok")

    def _refused(self, said: Mapping[str, Any]) -> Delivery:
        error = str(said.get("error", "no reason given"))
        reason = f"{urlsplit(self._url).hostname} refused: {safe(error, 100)}"
        return Delivery.permanent(reason) if error in _REFUSED else Delivery.retry(reason)


def _said(answer: Answer) -> dict[str, Any] | None:
    """The Web API's answer; of a long one, which repeats the message, what it begins with is enough."""
    try:
        said = json.loads(answer.text)
    except ValueError:
        return _beginning(answer.text)
    return said if isinstance(said, dict) and "ok" in said else None


def _beginning(text: str) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    position = text.find("{") + 1
    decoder = json.JSONDecoder()
    while position and position < len(text):
        try:
            key, position = decoder.raw_decode(text, position)
            value, position = decoder.raw_decode(text, position + 1)
        except ValueError:
            break
        found[str(key)] = value
        position += 1
    return found if "ok" in found else None


def _metadata(notification: Notification) -> dict[str, Any]:
    """What tells a message that was posted twice after an unclear answer: its id."""
    return {
        "event_type": "goldwatch_notification",
        "event_payload": {"id": notification.id, "alert": notification.alert_id},
    }


def _place(receipt: str | None) -> tuple[str, str] | None:
    """The channel and time stamp by which Slack knows the alert's first message."""
    if receipt is None:
        return None
    channel, ts = json.loads(receipt)
    return str(channel), str(ts)
