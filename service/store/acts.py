"""What did people do about alerts? Acknowledgements and silences; each act is told and kept in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import or_, select, text, update

from service.alerting import (
    Acknowledgement,
    Alert,
    AlertKind,
    AlertState,
    Notification,
    Silence,
    Transition,
)
from service.store.outbox import ALERTS, Outbox, alert_of
from service.store.tables import ACKNOWLEDGEMENT, ALERT, SILENCE

_LOCK = 0x676F6C65  # one process at a time changes alerts without a run


class Acts(Outbox):
    """Acknowledgements and silences. What may be done is decided in ``service/acts.py``."""

    def put_acknowledgement(
        self, alert_id: str, acknowledgement: Acknowledgement, outbox: Sequence[Notification] = ()
    ) -> bool:
        """Keep who sees to an alert, with the messages about it.

        Returns:
            False if somebody did already; then nothing is written.
        """
        row = {"at": acknowledgement.at, "by": acknowledgement.by, "reason": acknowledgement.reason}
        statement = self._insert(ACKNOWLEDGEMENT).values(alert_id=alert_id, **row).on_conflict_do_nothing()
        with self._write() as connection:
            first = bool(connection.execute(statement).rowcount)
            if first:
                self._put_notifications(connection, outbox)
        return first

    def change_alerts(
        self,
        kind: AlertKind,
        decide: Callable[[Sequence[Alert]], tuple[Transition, Sequence[Notification]]],
    ) -> None:
        """Let ``decide`` change the firing alerts of a kind, by itself: nobody else changes them meanwhile.

        Nothing is written where it decides nothing.
        """
        firing = ALERTS.where(ALERT.c.state == AlertState.FIRING.value).with_for_update(of=ALERT)
        with self._write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            known = [alert_of(row) for row in connection.execute(firing)]
            step, messages = decide([alert for alert in known if alert.kind is kind])
            self._put_alerts(connection, step.alerts)
            self._put_notifications(connection, messages)

    def put_silence(self, silence: Silence) -> None:
        """Keep a silence; one of the same id stays as it is."""
        row = {name: getattr(silence, name) for name in Silence.__dataclass_fields__}
        with self._write() as connection:
            connection.execute(self._insert(SILENCE).values(row).on_conflict_do_nothing())

    def end_silence(self, silence_id: str, now: float) -> bool:
        """Lift a silence before its time. False if there is none that still holds."""
        held = (SILENCE.c.id == silence_id, SILENCE.c.ended_at.is_(None), SILENCE.c.until > now)
        with self._write() as connection:
            return bool(connection.execute(update(SILENCE).where(*held).values(ended_at=now)).rowcount)

    def silences(self, target: str | None = None, *, active_at: float | None = None) -> list[Silence]:
        """Silences, the newest first; of one target, or those that hold at one moment, where given."""
        query = select(SILENCE).order_by(SILENCE.c.created_at.desc(), SILENCE.c.id)
        if target is not None:
            query = query.where(SILENCE.c.target == target)
        if active_at is not None:
            query = query.where(SILENCE.c.created_at <= active_at, SILENCE.c.until > active_at).where(
                or_(SILENCE.c.ended_at.is_(None), SILENCE.c.ended_at > active_at)
            )
        with self._read() as connection:
            rows = connection.execute(query).all()
        return [
            Silence(r.id, r.target, r.alert_id, r.created_at, r.until, r.by, r.reason, r.ended_at)
            for r in rows
        ]
