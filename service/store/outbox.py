"""Who must still be told? Alerts, and the messages about them until they are delivered.

Messages are written together with what they tell of. A dispatcher claims those that are due by a
conditional update and marks one as sent after the other side has taken it: at least once, never lost, under
the same id. Two dispatchers never hold the same message while the first one's lease lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select, update

from service.alerting import Acknowledgement, Alert, AlertEvent, AlertState, Notification
from service.records import DeliveryState, OutboxItem
from service.store import counters, packing, values
from service.store.database import Database
from service.store.tables import ACKNOWLEDGEMENT, ALERT, COUNTER, OUTBOX

_RECENT = 12
"""How many of a target's newest alerts are read to see whether it flaps."""

_ALERTS = select(
    ALERT.c.body, ACKNOWLEDGEMENT.c.at, ACKNOWLEDGEMENT.c.by, ACKNOWLEDGEMENT.c.reason
).outerjoin(ACKNOWLEDGEMENT, ACKNOWLEDGEMENT.c.alert_id == ALERT.c.id)


class Outbox(Database):
    """Alerts and their messages."""

    def alerts(
        self, target: str | None = None, state: AlertState | None = None, *, limit: int | None = None
    ) -> list[Alert]:
        """Alerts, the newest first; of one target, in one state, at most ``limit``, where given."""
        query = _ALERTS.order_by(ALERT.c.opened_at.desc(), ALERT.c.id).limit(limit)
        if target is not None:
            query = query.where(ALERT.c.target == target)
        if state is not None:
            query = query.where(ALERT.c.state == state.value)
        with self._read() as connection:
            return [_alert(row) for row in connection.execute(query)]

    def alert(self, alert_id: str) -> Alert | None:
        """One alert; None if there is none of that id."""
        with self._read() as connection:
            row = connection.execute(_ALERTS.where(ALERT.c.id == alert_id)).one_or_none()
        return None if row is None else _alert(row)

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
        return [_item(row) for row in sorted(rows, key=lambda row: (row.due_at, row.id))]

    def mark_sent(self, notification_id: str, now: float) -> bool:
        """The other side has taken the message. False if it was not pending."""
        return self._mark(notification_id, now, DeliveryState.SENT, None, None, "sent")

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
    ) -> bool:
        with self._write() as connection:
            notifier = connection.scalar(
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
                .returning(OUTBOX.c.notifier)
            )
            if notifier is None:
                return False
            counters.add(connection, self._insert, {("notifications", notifier, "", outcome): 1})
        return True


def _free(now: float) -> ColumnElement[bool]:
    return or_(OUTBOX.c.lease_until.is_(None), OUTBOX.c.lease_until <= now)


def _alert(row: Row[*tuple[Any, ...]]) -> Alert:
    alert = values.to_alert(packing.unpack_json(row.body))
    return (
        alert
        if row.at is None
        else replace(alert, acknowledgement=Acknowledgement(row.by, row.at, row.reason))
    )


def _item(row: Row[tuple[object, ...]]) -> OutboxItem:
    return OutboxItem(
        notification=Notification(
            id=row.id,
            alert_id=row.alert_id,
            event=AlertEvent(row.event),
            notifier=row.notifier,
            body=packing.unpack_json(row.body),
            created_at=row.created_at,
        ),
        state=DeliveryState(row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        done_at=row.done_at,
        error=row.error,
    )
