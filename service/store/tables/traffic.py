"""What production asks: the tables of its traffic, as counts over windows of time."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import Index, LargeBinary, Text
from sqlmodel import Field

from service.store.tables.base import Row, SafeText, table


class _Traffic(Row, table=True):
    """How far the traffic of a target was read, the open window, and the kept fold over those that ended."""

    __tablename__ = "goldwatch_traffic"
    target: str = Field(sa_type=SafeText, primary_key=True)
    about: str = Field(sa_type=Text)
    began_at: float
    first: int
    number: int
    body: bytes = Field(sa_type=LargeBinary)
    state: bytes | None = Field(sa_type=LargeBinary)


class _TrafficWindow(Row, table=True):
    """Counts over some time of traffic; no texts."""

    __tablename__ = "goldwatch_traffic_window"
    target: str = Field(sa_type=SafeText, primary_key=True)
    number: int = Field(primary_key=True)
    closed_at: float
    share: float
    period_h: float
    body: bytes = Field(sa_type=LargeBinary)


class _TrafficText(Row, table=True):
    """A request that no golden example represents, where the configuration asks to keep such texts."""

    __tablename__ = "goldwatch_traffic_text"
    __table_args__: ClassVar[Any] = (Index(None, "target", "rank"),)
    target: str = Field(sa_type=SafeText, primary_key=True)
    key: str = Field(sa_type=Text, primary_key=True)
    rank: float
    at: float
    body: bytes = Field(sa_type=LargeBinary)


TRAFFIC = table(_Traffic)
TRAFFIC_WINDOW = table(_TrafficWindow)
TRAFFIC_TEXT = table(_TrafficText)
