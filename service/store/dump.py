"""How does a store move? A portable copy of all rows, taken while others write, and taken in by either database.

The file is gzipped JSONL: a head (format, schema revision), then per table its columns and its rows (blobs in base64,
floats exact), at last the counts and the SHA-256 of all lines before. It is read in one transaction, so that it is
one moment of the store. Leases are left out: who holds a run now says nothing about the copy, and a run without a
lease is taken up again. A copy of an older schema is taken in as what it was, and then migrated.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

from sqlalchemy import Connection, MetaData, Table, delete, func, select, text

from service.store import schema
from service.store.database import Database
from service.store.errors import StoreError
from service.store.tables import LEASE, METADATA, VERSION, speak_postgresql

FORMAT = "goldwatch.backup"
VERSION_OF_FORMAT = 1
_BATCH = 2000
_LEFT_OUT = frozenset({LEASE.name, VERSION.name})


class Dumps(Database):
    """Copies of the whole store."""

    def dump(self, file: IO[bytes]) -> dict[str, int]:
        """Write every row to a binary file, as of one moment.

        Returns:
            Rows by table, tables without rows left out.

        Raises:
            StoreError: the database failed.
            OSError: the file did.
        """
        counts: dict[str, int] = {}
        running = hashlib.sha256()
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=5, mtime=0, filename="") as packed:

            def put(record: Any) -> None:
                one = json.dumps(record, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
                running.update(one)
                packed.write(one)

            with self._read() as connection:
                put({"format": FORMAT, "version": VERSION_OF_FORMAT, "schema": schema.revision(connection)})
                for table in _tables(METADATA):
                    put({"table": table.name, "columns": [column.name for column in table.columns]})
                    rows = connection.execution_options(yield_per=_BATCH).execute(select(table))
                    for row in rows:
                        put([_plain(value) for value in row])
                        counts[table.name] = counts.get(table.name, 0) + 1
            packed.write(json.dumps({"rows": counts, "sha256": running.hexdigest()}).encode("ascii") + b"\n")
        return counts

    def restore(self, file: IO[bytes], name: str, *, now: float, force: bool = False) -> dict[str, int]:
        """Take in a copy, whole or not at all.

        Args:
            file: what :meth:`dump` wrote, seekable.
            name: the file's, for messages.
            now: seconds since 1970.
            force: replace what the store holds.

        Returns:
            Rows by table.

        Raises:
            StoreError: the store is not empty, or in use; the file is damaged, or of a newer goldwatch.
        """
        revision = _check(file, name)
        with self._write() as connection:
            if connection.scalar(select(func.count()).select_from(LEASE).where(LEASE.c.until > now)):
                raise StoreError(
                    f"store {self.shown} is in use: a run is being made",
                    "stop goldwatch serve first, or wait a minute",
                )
            held = sum(connection.scalar(select(func.count()).select_from(t)) or 0 for t in _tables(METADATA))
            if held and not force:
                raise StoreError(
                    f"store {self.shown} is not empty ({held} rows)",
                    "restore into another store, or replace what is there: goldwatch restore FILE --force",
                )
            tables = self._emptied(connection, revision, name)
            counts = _load(connection, file, tables, name)
            if connection.dialect.name == "postgresql":
                _move_sequences(connection, tables)
            if revision != schema.HEAD:
                schema.migrate(connection, revision, self.shown)
        return counts

    def _emptied(self, connection: Connection, revision: str, name: str) -> Mapping[str, Table]:
        """The store's tables, empty, as they were at that revision."""
        if revision == schema.HEAD:
            for table in reversed(METADATA.sorted_tables):
                if table.name != VERSION.name:
                    connection.execute(delete(table))
            return {table.name: table for table in _tables(METADATA)}
        if revision not in schema.revisions():
            raise StoreError(
                f"{name} was written by a newer goldwatch (schema {revision}, this one knows {schema.HEAD})",
                "upgrade goldwatch",
            )
        if connection.dialect.name == "postgresql":
            speak_postgresql()
        METADATA.drop_all(connection)
        schema.migrate(connection, None, self.shown, to=revision)
        then = MetaData()
        then.reflect(connection, only=lambda found, _meta: found.startswith("goldwatch_"))
        return {table.name: table for table in _tables(then)}


def _tables(metadata: MetaData) -> list[Table]:
    return [table for table in metadata.sorted_tables if table.name not in _LEFT_OUT]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {"b": base64.b64encode(bytes(value)).decode("ascii")}
    return value


def _value(value: Any) -> Any:
    return base64.b64decode(value["b"], validate=True) if isinstance(value, dict) else value


def _check(file: IO[bytes], name: str) -> str:
    """Read the file once; its schema revision if it is whole.

    Raises:
        StoreError: it is not.
    """
    running, head, last = hashlib.sha256(), b"", b""
    try:
        for one in _lines(file):
            head = head or one
            if last:
                running.update(last)
            last = one
        first, final = json.loads(head or b"{}"), json.loads(last or b"{}")
        known = isinstance(first, dict) and first.get("format") == FORMAT
    except (OSError, EOFError, zlib.error, ValueError, RecursionError):
        known, first, final = False, {}, {}
    if not known:
        raise StoreError(f"{name} is damaged, or is no backup", "name a file that `goldwatch backup` wrote")
    if first.get("version") != VERSION_OF_FORMAT:
        raise StoreError(f"{name} is a backup of another format", "upgrade goldwatch")
    if not isinstance(final, dict) or final.get("sha256") != running.hexdigest():
        raise StoreError(
            f"{name} is damaged: its end is missing, or a part was changed", "take another backup"
        )
    return str(first.get("schema"))


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    with gzip.GzipFile(fileobj=file, mode="rb") as packed:
        yield from packed


def _load(connection: Connection, file: IO[bytes], tables: Mapping[str, Table], name: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    table: Table | None = None
    columns: list[str] = []
    waiting: list[dict[str, Any]] = []

    def flush() -> None:
        if table is not None and waiting:
            connection.execute(table.insert(), waiting)
            counts[table.name] = counts.get(table.name, 0) + len(waiting)
            waiting.clear()

    for one in _lines(file):
        record = json.loads(one)
        if isinstance(record, list):
            waiting.append(dict(zip(columns, map(_value, record), strict=True)))
            if len(waiting) >= _BATCH:
                flush()
        elif "table" in record:
            flush()
            table, columns = tables.get(record["table"]), record["columns"]
            if table is None or not set(columns) <= set(table.columns.keys()):
                raise StoreError(f"{name}: has the unknown table {record['table']!r}", "upgrade goldwatch")
    flush()
    return counts


def _move_sequences(connection: Connection, tables: Mapping[str, Table]) -> None:
    """The next number of a table that counts its rows comes after those that were taken in."""
    for table in tables.values():
        column = table.columns.get("id")
        if column is None or column.type.python_type is not int:
            continue
        sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table.name})
        if sequence is not None:
            newest = connection.scalar(select(func.max(column)))
            connection.execute(
                text("SELECT setval(CAST(:sequence AS regclass), :value, :called)"),
                {"sequence": sequence, "value": newest or 1, "called": newest is not None},
            )
