"""How does every message arrive? The outbox: claim what is due, send it, mark it after success.

A message is a row that was written in the transaction of the run that it speaks of. It is marked sent
only after the receiver accepted it, so a crash between the two sends it again, under the same id: at least
once, never lost. A failed attempt is repeated after 1, 2, 4, 8 s ... at most 5 minutes apart, for a day; then
it is given up and counted. A notifier that says "permanent" is believed at once.

Messages about one alert reach one notifier in order: while an earlier one is still being tried, the later
ones wait, so that nobody reads "firing" after "resolved".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import httpx
import structlog

from service.alerting import Notification
from service.notifiers import Delivery, DeliveryOutcome, Notifier
from service.records import DeliveryState, OutboxItem

LONGEST_WAIT_S = 300.0
GIVE_UP_AFTER_S = 86_400.0
LEASE_S = 60.0

_log = structlog.get_logger(__name__)

Clock = Callable[[], float]


class Outbox(Protocol):
    """What dispatch needs of the store."""

    def claim_notifications(
        self, owner: str, now: float, lease_s: float, limit: int, /
    ) -> Sequence[OutboxItem]:
        """Due messages, held for ``owner`` until the lease ends."""

    def next_due_at(self, now: float, /) -> float | None:
        """When the next message can be claimed; None if none is waiting."""

    def mark_sent(self, notification_id: str, now: float, receipt: str | None, /) -> bool:
        """The receiver has it, and calls it ``receipt``."""

    def postpone(self, notification_id: str, due_at: float, /) -> bool:
        """No attempt was made; it waits until ``due_at``."""

    def withdraw(self, notification_id: str, /) -> bool:
        """Its notifier has no use for it."""

    def standing_messages(self, notifier: str, /) -> Sequence[Notification]:
        """What a notifier has last told of each alert that still fires."""

    def mark_failed(self, notification_id: str, now: float, next_at: float | None, error: str, /) -> bool:
        """An attempt failed; the next is due at ``next_at``, or never where that is None."""

    def notifications(self, alert_id: str, /) -> Sequence[OutboxItem]:
        """All messages about one alert."""


def wait_s(attempts: int, after_s: float | None = None) -> float:
    """How long until the next attempt, after ``attempts`` that ended; the receiver's wish lengthens it.

    >>> [wait_s(n) for n in (1, 2, 3, 4, 9, 10, 5000)]
    [1.0, 2.0, 4.0, 8.0, 256.0, 300.0, 300.0]
    """
    own_s = LONGEST_WAIT_S if attempts > 10 else 2.0 ** (attempts - 1)
    return min(max(own_s, after_s or 0.0), LONGEST_WAIT_S)


def next_attempt_at(item: OutboxItem, delivery: Delivery, now: float) -> float | None:
    """When a message whose attempt failed just now is due again; None where it is given up."""
    if delivery.outcome is DeliveryOutcome.PERMANENT:
        return None
    if now - item.notification.created_at >= GIVE_UP_AFTER_S:
        return None
    return now + wait_s(item.attempts + 1, delivery.after_s)


async def deliver_due(
    store: Outbox,
    notifiers: Mapping[str, Notifier],
    client: httpx.AsyncClient,
    *,
    owner: str,
    clock: Clock,
    limit: int = 20,
    lease_s: float = LEASE_S,
) -> int:
    """One step: claim one batch, send it, mark each message by what came of it.

    Args:
        store: Where the outbox is.
        notifiers: The configured notifiers by name.
        client: From :func:`service.notifiers._http.client`.
        owner: Who holds the claim; unique per process.
        clock: Seconds since 1970.
        limit: The largest batch.
        lease_s: How long the claim holds; a crashed owner's messages are sent again after it.

    Returns:
        How many messages were claimed; 0 means that nothing was due.
    """
    claimed_at = clock()
    items = await asyncio.to_thread(store.claim_notifications, owner, claimed_at, lease_s, limit)
    groups: dict[tuple[str, str], list[OutboxItem]] = {}
    for item in sorted(items, key=lambda i: i.notification.created_at):
        groups.setdefault((item.notification.notifier, item.notification.alert_id), []).append(item)

    async def in_order(group: list[OutboxItem]) -> None:
        for item in group:
            notifier = notifiers.get(item.notification.notifier)
            patience_s = notifier.timeout_s if notifier else 0.0
            if clock() - claimed_at + patience_s >= lease_s and item is not group[0]:
                return  # the lease would not last: the rest is claimed again when it ends
            await _deliver(store, notifier, client, item, clock)

    await asyncio.gather(*(in_order(group) for group in groups.values()))
    return len(items)


async def run_forever(
    store: Outbox,
    notifiers: Callable[[], Mapping[str, Notifier]],
    client: httpx.AsyncClient,
    *,
    owner: str,
    clock: Clock,
    wake: asyncio.Event,
    stop: asyncio.Event,
    poll_s: float = 1.0,
) -> None:
    """Deliver until ``stop`` is set. ``wake`` says that a run has just written messages.

    ``notifiers`` is asked before each step, so that a reload takes effect. ``poll_s`` bounds how late a
    retry, or another process's message, is seen. A store that fails is logged and tried again.
    """
    while not stop.is_set():
        wake.clear()
        pause_s = poll_s
        try:
            due_at = await asyncio.to_thread(store.next_due_at, clock())
            if due_at is not None and due_at <= clock():
                await deliver_due(store, notifiers(), client, owner=owner, clock=clock)
                continue
            if due_at is not None:
                pause_s = min(poll_s, due_at - clock())
        except Exception as error:  # noqa: BLE001  # the loop outlives a locked or absent store
            _log.warning("outbox cannot be read", error=type(error).__name__, reason=str(error))
        await _any_of(wake, stop, timeout_s=max(pause_s, 0.0))


async def remind(
    store: Outbox,
    notifiers: Mapping[str, Notifier],
    client: httpx.AsyncClient,
    reminded_at: dict[str, float],
    *,
    clock: Clock,
) -> None:
    """Say again what still stands, to the receivers that forget what they are not told again.

    An Alertmanager drops an alert that nobody repeats, and all of them when it restarts. What is said is the last
    message that was delivered, under its id. A reminder that fails is not queued: the next one is near.

    Args:
        store: Where the outbox is.
        notifiers: The configured notifiers by name.
        client: From :func:`service.notifiers._http.client`.
        reminded_at: When each notifier was last reminded; kept between calls and written to.
        clock: Seconds since 1970.
    """
    for name, notifier in notifiers.items():
        every_s = notifier.remind_every_s()
        if every_s is None or clock() - reminded_at.get(name, 0.0) < every_s:
            continue
        reminded_at[name] = clock()
        for message in await asyncio.to_thread(store.standing_messages, name):
            delivery = await _sent_once(notifier, client, message, clock)
            if delivery.outcome is not DeliveryOutcome.DELIVERED:
                _log.warning("reminder not delivered", notifier=name, reason=delivery.reason)
                break


async def _any_of(*events: asyncio.Event, timeout_s: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _deliver(
    store: Outbox, notifier: Notifier | None, client: httpx.AsyncClient, item: OutboxItem, clock: Clock
) -> None:
    message = item.notification
    blocker = _earlier(item, await asyncio.to_thread(store.notifications, message.alert_id))
    if blocker is not None:
        due_at = max(blocker.due_at or 0.0, clock() + 1.0)
        await asyncio.to_thread(store.postpone, message.id, due_at)
        return
    if notifier is not None and message.event not in notifier.events:
        await asyncio.to_thread(store.withdraw, message.id)
        return
    delivery = await _attempt(notifier, client, item, clock)
    now = clock()
    if delivery.outcome is DeliveryOutcome.DELIVERED:
        await asyncio.to_thread(store.mark_sent, message.id, now, delivery.receipt)
        return
    reason = delivery.reason or str(delivery.outcome)
    next_at = next_attempt_at(item, delivery, now)
    await asyncio.to_thread(store.mark_failed, message.id, now, next_at, reason)
    _log.warning(
        "message not delivered" if next_at else "message given up",
        notifier=message.notifier,
        notification=message.id,
        attempt=item.attempts + 1,
        reason=reason,
    )


def _earlier(item: OutboxItem, others: Sequence[OutboxItem]) -> OutboxItem | None:
    """The message about the same alert to the same notifier that must arrive first, if one is pending."""
    own = item.notification
    ahead = [
        other
        for other in others
        if other.state is DeliveryState.PENDING
        and other.notification.notifier == own.notifier
        and other.notification.created_at < own.created_at
    ]
    return min(ahead, key=lambda other: other.notification.created_at, default=None)


async def _attempt(
    notifier: Notifier | None, client: httpx.AsyncClient, item: OutboxItem, clock: Clock
) -> Delivery:
    if notifier is None:
        return Delivery.retry(f"no notifier is named {item.notification.notifier!r}; add it back and reload")
    return await _sent_once(notifier, client, item.notification, clock)


async def _sent_once(
    notifier: Notifier, client: httpx.AsyncClient, message: Notification, clock: Clock
) -> Delivery:
    try:
        return await notifier.send(client, message, now=clock())
    except Exception as error:  # noqa: BLE001  # a faulty plug-in must not stop the others; its text may hold secrets
        return Delivery.unclear(f"notifier {notifier.name} failed: {type(error).__name__}")
