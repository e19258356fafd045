"""What people are told, and what they did about it: the tables of alerts and their messages."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import Index, LargeBinary, Text, text
from sqlmodel import Field

from service.store.tables.base import Row, SafeText, table


class _Alert(Row, table=True):
    """The columns are what is asked for; ``body`` is the whole alert."""

    __tablename__ = "goldwatch_alert"
    __table_args__: ClassVar[Any] = (Index(None, "target", "opened_at"),)
    id: str = Field(sa_type=SafeText, primary_key=True)
    target: str = Field(sa_type=SafeText)
    state: str = Field(sa_type=Text)
    severity: str = Field(sa_type=SafeText)
    opened_at: float
    body: bytes = Field(sa_type=LargeBinary)


class _Outbox(Row, table=True):
    __tablename__ = "goldwatch_outbox"
    __table_args__: ClassVar[Any] = (
        Index(
            "ix_goldwatch_outbox_due",
            "due_at",
            sqlite_where=text("state = 'pending'"),
        ),
    )
    id: str = Field(sa_type=SafeText, primary_key=True)
    alert_id: str = Field(sa_type=SafeText, foreign_key="goldwatch_alert.id", index=True)
    event: str = Field(sa_type=Text)
    notifier: str = Field(sa_type=SafeText)
    body: bytes = Field(sa_type=LargeBinary)
    created_at: float
    state: str = Field(sa_type=Text)
    attempts: int
    due_at: float | None
    done_at: float | None
    error: str | None = Field(sa_type=SafeText)
    owner: str | None = Field(sa_type=SafeText)
    lease_until: float | None


class _Acknowledgement(Row, table=True):
    """Beside the alert, whose row is replaced by every run: neither overwrites the other."""

    __tablename__ = "goldwatch_acknowledgement"
    alert_id: str = Field(sa_type=SafeText, primary_key=True, foreign_key="goldwatch_alert.id")
    at: float
    by: str = Field(sa_type=SafeText)
    reason: str | None = Field(sa_type=SafeText)


class _Silence(Row, table=True):
    """``alert_id`` is NULL where the whole target is silenced."""

    __tablename__ = "goldwatch_silence"
    __table_args__: ClassVar[Any] = (Index(None, "target", "until"),)
    id: str = Field(sa_type=SafeText, primary_key=True)
    target: str = Field(sa_type=SafeText)
    alert_id: str | None = Field(sa_type=SafeText, foreign_key="goldwatch_alert.id")
    created_at: float
    until: float
    by: str = Field(sa_type=SafeText)
    reason: str = Field(sa_type=SafeText)
    ended_at: float | None


class _Receipt(Row, table=True):
    """What a notifier's receiver called the first message about an alert, so that later ones join it."""

    __tablename__ = "goldwatch_receipt"
    alert_id: str = Field(sa_type=SafeText, primary_key=True, foreign_key="goldwatch_alert.id")
    notifier: str = Field(sa_type=SafeText, primary_key=True)
    receipt: str = Field(sa_type=SafeText)


ALERT = table(_Alert)
OUTBOX = table(_Outbox)
ACKNOWLEDGEMENT = table(_Acknowledgement)
SILENCE = table(_Silence)
RECEIPT = table(_Receipt)
