"""Does the local receiver keep what comes, and tell right signatures from wrong ones?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks import Webhook

from service.demo.receiver import WebhookReceiver

SECRET = "whsec_" + "Z29sZHdhdGNoLWRlbW8tc2VjcmV0"
BODY = '{"version": 1, "event": "alert.firing"}'


def received(
    secret: str | None, work: Callable[[WebhookReceiver, httpx.AsyncClient], Awaitable[None]]
) -> None:
    async def main() -> None:
        async with WebhookReceiver(secret) as receiver, httpx.AsyncClient() as client:
            await work(receiver, client)

    asyncio.run(main())


def signed(body: str = BODY, *, secret: str = SECRET, age_s: float = 0.0) -> dict[str, str]:
    at = datetime.fromtimestamp(int(time.time() - age_s), UTC)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body),
    }


def test_a_signed_delivery_is_accepted_and_kept() -> None:
    """A rightly signed body is answered 204 and can be waited for."""

    async def work(receiver: WebhookReceiver, client: httpx.AsyncClient) -> None:
        waiting = asyncio.create_task(receiver.wait_for(1, timeout_s=10))
        answer = await client.post(receiver.url, content=BODY, headers=signed())
        assert answer.status_code == 204
        (delivery,) = await waiting
        assert delivery.verified is True
        assert delivery.id == "msg_1"
        assert delivery.body == {"version": 1, "event": "alert.firing"}

    received(SECRET, work)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed('{"version": 1, "event": "alert.resolved"}'),
        signed(secret="whsec_b3RoZXI="),
        signed(age_s=3600),
        signed() | {"webhook-signature": "nonsense"},
        signed() | {"webhook-signature": "v1,%%%"},
    ],
    ids=["unsigned", "other body", "other secret", "an hour old", "malformed", "no base64"],
)
def test_a_wrong_signature_is_refused(headers: dict[str, str]) -> None:
    """A delivery that is not rightly signed is answered 401, kept, and not counted as accepted."""

    async def work(receiver: WebhookReceiver, client: httpx.AsyncClient) -> None:
        assert (await client.post(receiver.url, content=BODY, headers=headers)).status_code == 401
        assert [delivery.verified for delivery in receiver.deliveries] == [False]
        assert receiver.accepted == ()

    received(SECRET, work)


def test_without_a_secret_unsigned_deliveries_are_taken() -> None:
    """A receiver without a secret takes JSON and refuses anything else."""

    async def work(receiver: WebhookReceiver, client: httpx.AsyncClient) -> None:
        assert (await client.post(receiver.url, content=BODY)).status_code == 204
        assert (await client.post(receiver.url, content=b"\xff")).status_code == 400
        assert (await client.get(receiver.url)).status_code == 405
        assert (await client.post(receiver.address)).status_code == 404
        assert [delivery.verified for delivery in receiver.accepted] == [None]

    received(None, work)


def test_waiting_ends() -> None:
    """Waiting for a delivery that does not come ends with a TimeoutError."""

    async def work(receiver: WebhookReceiver, client: httpx.AsyncClient) -> None:
        with pytest.raises(TimeoutError):
            await receiver.wait_for(1, timeout_s=0.01)

    received(None, work)
