"""What did the webhook bring? A local receiver that keeps every body and checks its signature.

It is what a person's own service would be: Standard Webhooks headers, verified with a shared secret.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from service.demo.loopback import LoopbackServer, Reply, Scope, Send


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request that came. ``verified`` is None without a secret; ``body`` is None if it is no JSON."""

    at: float
    id: str | None
    verified: bool | None
    body: Any
    headers: Mapping[str, str]


class WebhookReceiver(LoopbackServer):
    """Records deliveries. With a ``secret`` an unsigned or wrongly signed one is recorded and answered 401.

    Args:
        secret: ``whsec_...`` or base64, as a sender is given it; None takes unsigned deliveries.
        port: 0 takes a free one.
    """

    def __init__(self, secret: str | None = None, *, port: int = 0) -> None:
        super().__init__(port=port)
        self._webhook = Webhook(secret) if secret is not None else None
        self._arrived = asyncio.Condition()
        self.deliveries: list[Delivery] = []

    @property
    def url(self) -> str:
        """Where to send webhooks."""
        return f"{self.address}/webhook"

    @property
    def accepted(self) -> tuple[Delivery, ...]:
        """The deliveries that were answered 204: JSON, and rightly signed where a secret is set."""
        return tuple(d for d in self.deliveries if d.verified is not False and d.body is not None)

    async def wait_for(self, count: int, *, timeout_s: float) -> tuple[Delivery, ...]:
        """The accepted deliveries, once there are at least ``count``.

        Raises:
            TimeoutError: there are fewer after ``timeout_s`` seconds.
        """
        async with asyncio.timeout(timeout_s), self._arrived:
            await self._arrived.wait_for(lambda: len(self.accepted) >= count)
        return self.accepted

    async def respond(self, scope: Scope, body: bytes, send: Send) -> None:
        """Record a POST to ``/webhook``; anything else is 404 or 405."""
        if scope["path"] != "/webhook":
            await Reply.of(404, {"error": "webhooks go to /webhook"}).send(send)
            return
        if scope["method"] != "POST":
            await Reply.of(405, {"error": "webhooks are sent by POST"}).send(send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        verified = self._verified(body, headers)
        content = _json(body)
        delivery = Delivery(time.time(), headers.get("webhook-id"), verified, content, headers)
        async with self._arrived:
            self.deliveries.append(delivery)
            self._arrived.notify_all()
        if verified is False:
            await Reply.of(401, {"error": "the signature is missing or wrong"}).send(send)
        elif content is None:
            await Reply.of(400, {"error": "the body is not JSON"}).send(send)
        else:
            await Reply(204, b"").send(send)

    def _verified(self, body: bytes, headers: dict[str, str]) -> bool | None:
        if self._webhook is None:
            return None
        try:
            self._webhook.verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):  # a malformed signature is a wrong one
            return False
        return True


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
