"""What is asked beside the golden set: the tables of base models, challengers, judges and border prompts."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from service.store.tables.base import Row, SafeText, table


class _BaseAnswers(Row, table=True):
    """What a target's base model answered. ``asked`` names whom it was asked of and what."""

    __tablename__ = "goldwatch_base_answers"
    __table_args__: ClassVar[Any] = (Index(None, "target", "asked_at"),)
    id: int | None = Field(default=None, primary_key=True)
    target: str = Field(sa_type=SafeText)
    asked: str = Field(sa_type=Text)
    asked_at: float
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    body: bytes = Field(sa_type=LargeBinary)


class _Comparison(Row, table=True):
    """A challenger's answers beside a run of the tuned model. ``body`` is NULL until they are in."""

    __tablename__ = "goldwatch_comparison"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("target", "challenger", "tick"),
        Index(None, "target", "asked_at"),
    )
    id: int | None = Field(default=None, primary_key=True)
    target: str = Field(sa_type=SafeText)
    challenger: str = Field(sa_type=SafeText)
    tick: int = Field(sa_type=BigInteger)
    asked: str = Field(sa_type=Text)
    asked_at: float
    run_id: int = Field(foreign_key="goldwatch_run.id")
    input_tokens: int | None = Field(sa_type=BigInteger)
    output_tokens: int | None = Field(sa_type=BigInteger)
    cost_usd: float | None
    body: bytes | None = Field(sa_type=LargeBinary)
    answers: bytes | None = Field(sa_type=LargeBinary)


class _Reply(Row, table=True):
    """What a judge (or another model that a scorer asks) replied. ``asked`` names the model, ``key`` the text."""

    __tablename__ = "goldwatch_reply"
    __table_args__: ClassVar[Any] = (Index(None, "at"), {"sqlite_with_rowid": False})
    asked: str = Field(sa_type=Text, primary_key=True)
    key: bytes = Field(sa_type=LargeBinary, primary_key=True)
    at: float
    body: bytes = Field(sa_type=LargeBinary)


class _Unjudged(Row, table=True):
    """What of a segment does not depend on its judges; where only they changed, stored answers are scored again."""

    __tablename__ = "goldwatch_unjudged"
    target: str = Field(sa_type=SafeText, primary_key=True)
    segment: str = Field(sa_type=SafeText, primary_key=True)
    rest: str = Field(sa_type=Text)


class _Asking(Row, table=True):
    """What asking judges took lately, for the daily limits."""

    __tablename__ = "goldwatch_asking"
    __table_args__: ClassVar[Any] = (Index(None, "target", "asked_at"),)
    id: int | None = Field(default=None, primary_key=True)
    target: str = Field(sa_type=SafeText)
    asked_at: float
    input_tokens: int | None = Field(sa_type=BigInteger)
    output_tokens: int | None = Field(sa_type=BigInteger)
    cost_usd: float | None


class _Border(Row, table=True):
    """The border prompts of a target. ``asked`` names the question and the baseline that they were found for."""

    __tablename__ = "goldwatch_border"
    target: str = Field(sa_type=SafeText, primary_key=True)
    asked: str = Field(sa_type=Text, primary_key=True)
    at: float
    body: bytes = Field(sa_type=LargeBinary)


BASE_ANSWERS = table(_BaseAnswers)
COMPARISON = table(_Comparison)
REPLY = table(_Reply)
UNJUDGED = table(_Unjudged)
ASKING = table(_Asking)
BORDER = table(_Border)
