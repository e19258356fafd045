"""How is a program told? A signed POST of the versioned body, by the Standard Webhooks specification."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import httpx
from pydantic import Field

from service.alerting import Notification
from service.message import with_texts
from service.notifiers import Delivery, Notifier, SecretError, read_secret
from service.notifiers._http import judge, moment, post

_HOPELESS = frozenset({400, 405, 410, 413, 414, 415, 422})
"""The receiver read the request and says that this very message cannot be taken; 410 that none ever will."""


class Webhook(Notifier):
    """Posts the alert's JSON body to a program.

    ``webhook-id`` stays the same over all attempts, so that a receiver can drop what it has seen;
    ``webhook-timestamp`` and ``webhook-signature`` are made anew for each. Without a secret the
    message is unsigned.

    Example:
        - {name: incidents, kind: webhook, url: "https://example.org/hook", secret_env: HOOK_SECRET}
    """

    kind: Literal["webhook"] = "webhook"
    secret_env: Annotated[
        str | None, Field(min_length=1, description="The environment variable with the secret (whsec_...).")
    ] = None
    secret_file: Annotated[
        str | None, Field(min_length=1, description="The file with the signing secret (whsec_...).")
    ] = None

    async def send(self, client: httpx.AsyncClient, notification: Notification, *, now: float) -> Delivery:
        """One signed attempt."""
        content = encode(with_texts(notification.body, self.texts))
        headers = {"Content-Type": "application/json", "webhook-id": notification.id}
        headers["webhook-timestamp"] = str(int(now))
        try:
            url = self.address()
            signature = self._signature(notification.id, content, now)
        except SecretError as error:
            return Delivery.retry(error.message)
        if signature is not None:
            headers["webhook-signature"] = signature
        answer = await post(client, url, content, headers, timeout_s=self.timeout_s, now=now)
        if isinstance(answer, Delivery):
            return answer
        return judge(answer, url, hopeless=_HOPELESS)

    def problem(self) -> str | None:
        """Why nothing can be sent as configured: a missing address or an unusable secret."""
        try:
            self._signature("probe", b"{}", 0.0)
        except SecretError as error:
            return str(error)
        return super().problem()

    def _signature(self, message_id: str, content: bytes, now: float) -> str | None:
        if self.secret_env is None and self.secret_file is None:
            return None
        from standardwebhooks.webhooks import (  # noqa: PLC0415  # only where something is signed
            EmptyWebhookSecretError,
        )
        from standardwebhooks.webhooks import Webhook as Signer  # noqa: PLC0415

        secret, source = read_secret(env=self.secret_env, file=self.secret_file)
        try:
            return Signer(secret).sign(message_id, moment(now), content.decode())
        except (ValueError, RuntimeError, EmptyWebhookSecretError) as error:
            remedy = "it is whsec_ and then base64, as made by: echo whsec_$(openssl rand -base64 32)"
            raise SecretError(f"{source} is no signing secret: {type(error).__name__}", remedy) from None


def encode(message: Mapping[str, Any]) -> bytes:
    """The body as UTF-8 JSON; a lone surrogate in a model's output becomes a question mark."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
