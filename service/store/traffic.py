"""What did production ask? Counts by window, and the texts that somebody asked to keep.

All that one batch of samples changes is one transaction, the place in a followed file included: a sample counts once,
whatever kills the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, delete, select, text

from checks.traffic.window import Window
from checks.types import Message
from service.records import TrafficRecord, TrafficText, TrafficWindow
from service.store.database import Database
from service.store.packing import pack_json, unpack_json
from service.store.tables import TRAFFIC, TRAFFIC_TEXT, TRAFFIC_WINDOW, clean

MOST_TEXTS = 1000
"""Texts that are kept of a target."""

_KEYS_AT_ONCE = 500

_LOCK = 0x676F6C66  # one process at a time adds samples


@dataclass(frozen=True, slots=True)
class TrafficChange:
    """What a batch of samples leaves; the windows that ended with it and the texts to keep."""

    record: TrafficRecord
    windows: Sequence[TrafficWindow] = ()
    texts: Sequence[TrafficText] = ()
    forget_texts: bool = False


class Traffic(Database):
    """Samples of production, added up."""

    def traffic(self, target: str) -> TrafficRecord | None:
        """How the watch over a target's traffic stands; None where no sample ever came."""
        with self._read() as connection:
            row = connection.execute(select(TRAFFIC).where(TRAFFIC.c.target == target)).one_or_none()
        return None if row is None else _record(row)

    def traffic_windows(self, target: str, *, first: int = 1, most: int | None = None) -> list[TrafficWindow]:
        """The windows that ended, from number ``first`` on, oldest first; of more than ``most`` the newest."""
        query = select(TRAFFIC_WINDOW).where(
            TRAFFIC_WINDOW.c.target == target, TRAFFIC_WINDOW.c.number >= first
        )
        with self._read() as connection:
            rows = connection.execute(query.order_by(TRAFFIC_WINDOW.c.number.desc()).limit(most)).all()
        return [
            TrafficWindow(row.number, _window(unpack_json(row.body)), row.share, row.period_h)
            for row in reversed(rows)
        ]

    def traffic_texts(self, target: str) -> list[TrafficText]:
        """The kept requests that no golden example represents, newest first."""
        query = select(TRAFFIC_TEXT).where(TRAFFIC_TEXT.c.target == target)
        with self._read() as connection:
            rows = connection.execute(query.order_by(TRAFFIC_TEXT.c.at.desc(), TRAFFIC_TEXT.c.key)).all()
        return [_text(row) for row in rows]

    def change_traffic(
        self, target: str, decide: Callable[[TrafficRecord | None], TrafficChange]
    ) -> TrafficRecord:
        """Let ``decide`` add samples, by itself: nobody else adds to this target meanwhile.

        Of the texts, the :data:`MOST_TEXTS` of the lowest rank stay.
        """
        query = select(TRAFFIC).where(TRAFFIC.c.target == target)
        with self._write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            row = connection.execute(query).one_or_none()
            change = decide(None if row is None else _record(row))
            values = _values(change.record)
            put = self._insert(TRAFFIC).values(values)
            changed = {name: value for name, value in values.items() if name != "target"}
            connection.execute(put.on_conflict_do_update(index_elements=["target"], set_=changed))
            for ended in change.windows:
                connection.execute(
                    TRAFFIC_WINDOW.insert().values(
                        target=target,
                        number=ended.number,
                        closed_at=ended.window.closed_at,
                        share=ended.share,
                        period_h=ended.period_h,
                        body=pack_json(_window_object(ended.window)),
                    )
                )
            mine = TRAFFIC_TEXT.c.target == target
            if change.forget_texts:
                connection.execute(delete(TRAFFIC_TEXT).where(mine))
            if change.texts:
                rows = [
                    {"target": target, "key": kept.key, "rank": kept.rank, "at": kept.at}
                    | {"body": pack_json(_text_object(kept))}
                    for kept in _added(self._known_texts(connection, target, change.texts), change.texts)
                ]
                added = self._insert(TRAFFIC_TEXT)
                newer = {name: added.excluded[name] for name in ("rank", "at", "body")}
                connection.execute(
                    added.on_conflict_do_update(index_elements=["target", "key"], set_=newer), rows
                )
                stay = (
                    select(TRAFFIC_TEXT.c.key)
                    .where(mine)
                    .order_by(TRAFFIC_TEXT.c.rank, TRAFFIC_TEXT.c.key)
                    .limit(MOST_TEXTS)
                )
                connection.execute(delete(TRAFFIC_TEXT).where(mine, TRAFFIC_TEXT.c.key.not_in(stay)))
        return change.record

    @staticmethod
    def _known_texts(
        connection: Connection, target: str, texts: Sequence[TrafficText]
    ) -> dict[str, TrafficText]:
        found: dict[str, TrafficText] = {}
        keys = [one.key for one in texts]
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = TRAFFIC_TEXT.c.key.in_(keys[start : start + _KEYS_AT_ONCE])
            rows = connection.execute(select(TRAFFIC_TEXT).where(TRAFFIC_TEXT.c.target == target, some))
            found |= {row.key: _text(row) for row in rows}
        return found

    def prune_traffic(self, now: float, keep_s: float) -> int:
        """Delete the kept texts that are older than ``keep_s``; returns how many there were."""
        with self._write() as connection:
            return connection.execute(delete(TRAFFIC_TEXT).where(TRAFFIC_TEXT.c.at < now - keep_s)).rowcount


def _added(known: Mapping[str, TrafficText], texts: Sequence[TrafficText]) -> Iterator[TrafficText]:
    """The texts as they are kept from now on: the lowest lot, the newest time, and every time that they were asked."""
    for one in texts:
        before = known.get(one.key)
        if before is None:
            yield one
        else:
            rank, newest = min(before.rank, one.rank), one if one.at >= before.at else before
            yield replace(newest, rank=rank, times=before.times + one.times)


def _values(record: TrafficRecord) -> dict[str, Any]:
    body = {
        "open": None if record.open is None else _window_object(record.open),
        "samples": record.samples,
        "rejected": record.rejected,
        "own": record.own,
        "position": None if record.position is None else dict(record.position),
        "reason": None if record.reason is None else clean(record.reason),
    }
    return {
        "target": record.target,
        "about": record.about,
        "began_at": record.began_at,
        "first": record.first,
        "number": record.number,
        "body": pack_json(body),
        "state": record.state,
    }


def _record(row: Row[Any]) -> TrafficRecord:
    body = unpack_json(row.body)
    opened = body.pop("open")
    return TrafficRecord(
        target=row.target,
        about=row.about,
        began_at=row.began_at,
        first=row.first,
        number=row.number,
        open=None if opened is None else _window(opened),
        state=row.state,
        **body,
    )


def _window_object(window: Window) -> dict[str, Any]:
    made = asdict(window)
    made["kinds"] = {str(kind): count for kind, count in window.kinds.items()}
    return made


def _window(held: dict[str, Any]) -> Window:
    return Window(**{**held, "kinds": {int(kind): count for kind, count in held["kinds"].items()}})


def _text_object(kept: TrafficText) -> dict[str, Any]:
    given = kept.input
    plain = given if isinstance(given, str) else [[message.role, message.content] for message in given]
    return {"input": plain, "output": kept.output, "times": kept.times}


def _text(row: Row[Any]) -> TrafficText:
    body = unpack_json(row.body)
    given = body["input"]
    read = given if isinstance(given, str) else tuple(Message(role, content) for role, content in given)
    return TrafficText(row.key, row.rank, row.at, read, body["output"], body.get("times", 1))
