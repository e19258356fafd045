"""How is a Slack channel told? An incoming webhook with Block Kit: what fell, since when, what broke."""

from __future__ import annotations

from typing import Literal

import httpx

from service.alerting import Notification
from service.message import with_texts
from service.notifiers import Delivery, Notifier, SecretError
from service.notifiers._http import judge, post
from service.notifiers._slack_blocks import payload
from service.notifiers.webhook import encode

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


class Slack(Notifier):
    """Posts to a Slack incoming webhook, or to anything that speaks its format.

    The address is a secret: give it by ``url_env`` or ``url_file``.

    Example:
        - {name: ml-oncall, kind: slack, url_env: SLACK_WEBHOOK_URL, texts: short}
    """

    kind: Literal["slack"] = "slack"

    async def send(self, client: httpx.AsyncClient, notification: Notification, *, now: float) -> Delivery:
        """One attempt."""
        try:
            url = self.address()
        except SecretError as error:
            return Delivery.retry(error.message)
        content = encode(payload(with_texts(notification.body, self.texts)))
        headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": notification.id}
        answer = await post(client, url, content, headers, timeout_s=self.timeout_s, now=now)
        if isinstance(answer, Delivery):
            return answer
        revoked = answer.status in (403, 404, 410) and answer.text.strip() in _REVOKED
        return judge(answer, url, hopeless={400, 413, answer.status} if revoked else {400, 413})
