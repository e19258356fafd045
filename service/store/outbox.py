"""Who must still be told? Alerts, and the messages about them until they are delivered.

Messages are written together with what they tell of. A dispatcher claims those that are due by a
conditional update and marks one as sent after the other side has taken it: at least once, never lost, under
the same id. Two dispatchers never hold the same message while the first one's lease lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, or_, select, update

from service.alerting import Acknowledgement, Alert, AlertEvent, AlertState, Notification
from service.records import DeliveryState, OutboxItem
from service.store import counters, packing, values
from service.store.database import Database
from service.store.tables import ACKNOWLEDGEMENT, ALERT, COUNTER, OUTBOX, RECEIPT

_RECENT = 12
"""How many of a target's newest alerts are read to see whether it flaps."""

ALERTS = select(ALERT.c.body, ACKNOWLEDGEMENT.c.at, ACKNOWLEDGEMENT.c.by, ACKNOWLEDGEMENT.c.reason).outerjoin(
    ACKNOWLEDGEMENT, ACKNOWLEDGEMENT.c.alert_id == ALERT.c.id
)
"""Alerts with their acknowledgements, for :func:`alert_of`."""


class Outbox(Database):
    """Alerts and their messages."""

    def alerts(
        self, target: str | None = None, state: AlertState | None = None, *, limit: int | None = None
    ) -> list[Alert]:
        """Alerts, the newest first; of one target, in one state, at most ``limit``, where given."""
        query = ALERTS.order_by(ALERT.c.opened_at.desc(), ALERT.c.id).limit(limit)
        if target is not None:
            query = query.where(ALERT.c.target == target)
        if state is not None:
            query = query.where(ALERT.c.state == state.value)
        with self._read() as connection:
            return [alert_of(row) for row in connection.execute(query)]

    def alert(self, alert_id: str) -> Alert | None:
        """One alert; None if there is none of that id."""
        with self._read() as connection:
            row = connection.execute(ALERTS.where(ALERT.c.id == alert_id)).one_or_none()
        return None if row is None else alert_of(row)

    def recent_alerts(self, target: str) -> list[Alert]:
        """What a target's next alerts follow from: those that fire, and its newest ones."""
        found = {a.id: a for a in self.alerts(target, limit=_RECENT)}
        found |= {a.id: a for a in self.alerts(target, AlertState.FIRING)}
        return list(found.values())

    def claim_notifications(
        self, owner: str, now: float, lease_s: float, limit: int = 20
    ) -> list[OutboxItem]:
        """Hold messages that are due for ``lease_s``, the longest due first.

        A message whose lease is over is due again: its dispatcher may have died before or after it sent
        it, so it goes out under the same id.
        """
        due = (
            OUTBOX.c.state == DeliveryState.PENDING.value,
            OUTBOX.c.due_at <= now,
            _free(now),
        )
        first = select(OUTBOX.c.id).where(*due).order_by(OUTBOX.c.due_at, OUTBOX.c.id).limit(limit)
        with self._write() as connection:
            ids = connection.scalars(first.with_for_update(skip_locked=True)).all()
            rows = connection.execute(
                update(OUTBOX)
                .where(OUTBOX.c.id.in_(ids), *due)
                .values(owner=owner, lease_until=now + lease_s)
                .returning(*OUTBOX.c)
            ).all()
            receipts = _receipts(connection, [row.alert_id for row in rows])
        return [_item(row, receipts) for row in sorted(rows, key=lambda row: (row.due_at, row.id))]

    def mark_sent(self, notification_id: str, now: float, receipt: str | None = None) -> bool:
        """The other side has taken the message, and calls it ``receipt``. False if it was not pending."""
        return self._mark(notification_id, now, DeliveryState.SENT, None, None, "sent", receipt)

    def postpone(self, notification_id: str, due_at: float) -> bool:
        """Let a claimed message wait until ``due_at``: no attempt was made, and none is counted."""
        mine = (OUTBOX.c.id == notification_id, OUTBOX.c.state == DeliveryState.PENDING.value)
        change = update(OUTBOX).where(*mine).values(due_at=due_at, owner=None, lease_until=None)
        with self._write() as connection:
            return bool(connection.execute(change).rowcount)

    def withdraw(self, notification_id: str) -> bool:
        """Take back a message that its notifier has no use for. False if it was not pending."""
        mine = (OUTBOX.c.id == notification_id, OUTBOX.c.state == DeliveryState.PENDING.value)
        with self._write() as connection:
            return bool(connection.execute(delete(OUTBOX).where(*mine)).rowcount)

    def standing_messages(self, notifier: str) -> list[Notification]:
        """The newest message that a notifier has delivered about each alert that still fires."""
        query = (
            select(OUTBOX)
            .join(ALERT, ALERT.c.id == OUTBOX.c.alert_id)
            .where(ALERT.c.state == AlertState.FIRING.value, OUTBOX.c.notifier == notifier)
            .where(OUTBOX.c.state == DeliveryState.SENT.value)
            .order_by(OUTBOX.c.created_at, OUTBOX.c.id)
        )
        with self._read() as connection:
            newest = {row.alert_id: _item(row).notification for row in connection.execute(query)}
        return list(newest.values())

    def delivery_health(self, min_attempts: int) -> dict[str, str]:
        """The notifiers that do not deliver, with the newest reason.

        One does not if a message of it was tried ``min_attempts`` times or more and is still pending, or was given
        up, and none was delivered since it failed.
        """
        stuck = (OUTBOX.c.state == DeliveryState.PENDING.value) & (OUTBOX.c.attempts >= min_attempts)
        query = select(OUTBOX.c.notifier, OUTBOX.c.created_at, OUTBOX.c.done_at, OUTBOX.c.error).where(
            or_(stuck, OUTBOX.c.state == DeliveryState.FAILED.value)
        )
        sent = (
            select(OUTBOX.c.notifier, func.max(OUTBOX.c.done_at))
            .where(OUTBOX.c.state == DeliveryState.SENT.value)
            .group_by(OUTBOX.c.notifier)
        )
        with self._read() as connection:
            sent_at: dict[str, float] = {row[0]: row[1] for row in connection.execute(sent)}
            return {
                row.notifier: row.error or "no reason given"
                for row in connection.execute(query.order_by(OUTBOX.c.created_at, OUTBOX.c.id))
                if row.done_at is None or row.done_at > sent_at.get(row.notifier, 0.0)
            }

    def mark_failed(self, notification_id: str, now: float, next_at: float | None, error: str) -> bool:
        """An attempt failed with ``error``. Due again at ``next_at``; given up if that is None.

        Returns:
            False if the message was not pending.
        """
        if next_at is None:
            return self._mark(notification_id, now, DeliveryState.FAILED, None, error, "failed")
        return self._mark(notification_id, now, DeliveryState.PENDING, next_at, error, "retried")

    def next_due_at(self, now: float) -> float | None:
        """When the next message can be claimed, in seconds since 1970 (not before ``now``); None: never."""
        held = select(func.min(OUTBOX.c.lease_until)).where(
            OUTBOX.c.state == DeliveryState.PENDING.value, OUTBOX.c.lease_until > now
        )
        free = select(func.min(OUTBOX.c.due_at)).where(
            OUTBOX.c.state == DeliveryState.PENDING.value, _free(now)
        )
        with self._read() as connection:
            times = [connection.scalar(held), connection.scalar(free)]
        known = [max(at, now) for at in times if at is not None]
        return min(known, default=None)

    def notifications(self, alert_id: str) -> list[OutboxItem]:
        """The messages about an alert and how their delivery stands, oldest first."""
        query = select(OUTBOX).where(OUTBOX.c.alert_id == alert_id)
        with self._read() as connection:
            rows = connection.execute(query.order_by(OUTBOX.c.created_at, OUTBOX.c.id)).all()
        return [_item(row) for row in rows]

    def outbox_stats(self) -> dict[tuple[str, str], int]:
        """Totals of delivery attempts by (notifier, outcome): ``sent``, ``retried``, ``failed``."""
        with self._read() as connection:
            return self._delivery_totals(connection)

    def _delivery_totals(self, connection: Connection) -> dict[tuple[str, str], int]:
        rows = connection.execute(
            select(COUNTER.c.subject, COUNTER.c.outcome, COUNTER.c.value).where(
                COUNTER.c.name == "notifications"
            )
        )
        return {(notifier, outcome): int(value) for notifier, outcome, value in rows}

    def _put_alerts(self, connection: Connection, alerts: Sequence[Alert]) -> None:
        for alert in alerts:
            row = {
                "target": alert.target,
                "state": alert.state.value,
                "severity": alert.severity,
                "opened_at": alert.opened_at,
                "body": packing.pack_json(values.from_alert(alert)),
            }
            statement = self._insert(ALERT).values(id=alert.id, **row)
            connection.execute(statement.on_conflict_do_update(index_elements=[ALERT.c.id], set_=row))

    def _put_notifications(self, connection: Connection, messages: Sequence[Notification]) -> None:
        rows = [
            {
                "id": message.id,
                "alert_id": message.alert_id,
                "event": message.event.value,
                "notifier": message.notifier,
                "body": packing.pack_json(dict(message.body)),
                "created_at": message.created_at,
                "state": DeliveryState.PENDING.value,
                "attempts": 0,
                "due_at": message.created_at,
            }
            for message in messages
        ]
        if rows:
            connection.execute(self._insert(OUTBOX).on_conflict_do_nothing(), rows)
        begun: dict[counters.Key, float] = {
            ("notifications", message.notifier, "", outcome): 0
            for message in messages
            for outcome in ("sent", "retried", "failed")
        }
        counters.add(connection, self._insert, begun)

    def _mark(
        self,
        notification_id: str,
        now: float,
        state: DeliveryState,
        due_at: float | None,
        error: str | None,
        outcome: str,
        receipt: str | None = None,
    ) -> bool:
        with self._write() as connection:
            row = connection.execute(
                update(OUTBOX)
                .where(OUTBOX.c.id == notification_id, OUTBOX.c.state == DeliveryState.PENDING.value)
                .values(
                    state=state.value,
                    attempts=OUTBOX.c.attempts + 1,
                    due_at=due_at,
                    done_at=None if state is DeliveryState.PENDING else now,
                    error=error,
                    owner=None,
                    lease_until=None,
                )
                .returning(OUTBOX.c.notifier, OUTBOX.c.alert_id)
            ).one_or_none()
            if row is None:
                return False
            counters.add(connection, self._insert, {("notifications", row.notifier, "", outcome): 1})
            if receipt is not None:
                kept = self._insert(RECEIPT).values(
                    alert_id=row.alert_id, notifier=row.notifier, receipt=receipt
                )
                key = [RECEIPT.c.alert_id, RECEIPT.c.notifier]
                connection.execute(kept.on_conflict_do_update(index_elements=key, set_={"receipt": receipt}))
        return True


def _free(now: float) -> ColumnElement[bool]:
    return or_(OUTBOX.c.lease_until.is_(None), OUTBOX.c.lease_until <= now)


def alert_of(row: Row[*tuple[Any, ...]]) -> Alert:
    """An alert from a row of :data:`ALERTS`."""
    alert = values.to_alert(packing.unpack_json(row.body))
    return (
        alert
        if row.at is None
        else replace(alert, acknowledgement=Acknowledgement(row.by, row.at, row.reason))
    )


def _receipts(connection: Connection, alert_ids: Sequence[str]) -> dict[tuple[str, str], str]:
    query = select(RECEIPT).where(RECEIPT.c.alert_id.in_(alert_ids))
    return {(row.alert_id, row.notifier): row.receipt for row in connection.execute(query)}


def _item(row: Row[*tuple[Any, ...]], receipts: Mapping[tuple[str, str], str] | None = None) -> OutboxItem:
    return OutboxItem(
        notification=Notification(
            id=row.id,
            alert_id=row.alert_id,
            event=AlertEvent(row.event),
            notifier=row.notifier,
            body=packing.unpack_json(row.body),
            created_at=row.created_at,
            receipt=(receipts or {}).get((row.alert_id, row.notifier)),
        ),
        state=DeliveryState(row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        done_at=row.done_at,
        error=row.error,
    )
