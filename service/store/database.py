"""How is the database reached? URL, engine, transactions; the floor that every noun's queries stand on.

SQLite and PostgreSQL run the same queries. On SQLite a writing transaction takes the write lock when it
begins (``BEGIN IMMEDIATE``), so that two writers wait for each other instead of failing half-way, and the
write-ahead log lets readers go on meanwhile. On PostgreSQL a read sees one moment of the database.
Every method may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url, select
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from service.store import schema
from service.store.errors import StoreError, explained

if TYPE_CHECKING:
    from sqlalchemy.dialects.sqlite import Insert

_FORMS = "write sqlite:///goldwatch.db or postgresql+psycopg://user@host/database"


class Database:
    """An open database. Use :meth:`open`; ``shown`` is its URL without secrets, for messages."""

    def __init__(self, engine: Engine, shown: str) -> None:
        self._engine = engine
        self._reader: Engine = engine
        self._writer: Engine = engine
        self.shown = shown
        self._file: tuple[int, int] | None = None
        if engine.dialect.name == "sqlite":
            self._writer = engine.execution_options(goldwatch_begin="BEGIN IMMEDIATE")
        else:
            self._reader = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self._positions: dict[str, dict[str, int]] = {}
        self._positions_lock = Lock()

    @classmethod
    def open(
        cls,
        url: str,
        *,
        base_dir: Path | None = None,
        wait_s: float = 10.0,
        read_only: bool = False,
        create: bool = True,
    ) -> Self:
        """Open a store, create its tables or bring them up to date.

        Args:
            url: ``sqlite:///FILE`` or ``postgresql+psycopg://...``.
            base_dir: What a relative SQLite file is relative to; the working directory by default.
            wait_s: How long to wait for another process's lock, or for the server to answer.
            read_only: The database itself refuses every write; then the tables must be there and up to date.
            create: False: where there is no SQLite file yet, the store is empty, in memory, and leaves none behind.

        Raises:
            StoreError: in words for a person, without secrets.
        """
        target = _parse(url, base_dir)
        shown = _shown(target)
        if target.get_backend_name() == "sqlite":
            if read_only and not Path(str(target.database)).is_file():
                raise StoreError(
                    f"there is no store {shown} to read", "run goldwatch serve, or restore a backup"
                )
            if not create and not Path(str(target.database)).exists():
                target = target.set(database=":memory:")
            engine = _sqlite(target, wait_s, read_only=read_only)
        else:
            engine = _postgres(target, wait_s)
        store = cls(engine, shown)
        if read_only:
            store._writer = store._reader  # on PostgreSQL its transactions refuse writes
        try:
            with store._read() as connection:
                ready = schema.revision(connection) == schema.HEAD
            if not ready and read_only:
                raise _other_tables(shown)  # noqa: TRY301  # so that the engine is disposed of below
            if not ready:
                with store._write() as connection:
                    schema.prepare(connection, shown)
            store._file = _identity(shown) if target.database != ":memory:" else None
        except BaseException:
            engine.dispose()
            raise
        return store

    def ping(self) -> None:
        """Ask the database for one row.

        Raises:
            StoreError: it does not answer.
        """
        with self._read() as connection:
            connection.execute(select(1))

    def close(self) -> None:
        """Close every connection. The store may not be used afterwards."""
        self._engine.dispose()

    dispose = close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _still_there(self) -> None:
        """Refuse to go on in a SQLite file that no longer stands under its name: what it is told would be lost."""
        if self._file is None or (there := _identity(self.shown)) == self._file:
            return
        happened = "was moved or removed" if there is None else "was replaced by another file"
        raise StoreError(
            f"store {self.shown} {happened} while it was open",
            "stop every goldwatch that uses it, put the file back with its -wal file, and start again",
        )

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        self._still_there()
        with explained(self.shown), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        self._still_there()
        with explained(self.shown), self._writer.begin() as connection:
            yield connection

    def _insert(self, table: Table) -> Insert:
        """``INSERT`` with ``ON CONFLICT``, which both databases spell alike."""
        if self._engine.dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import insert as postgres_insert  # noqa: PLC0415

            return postgres_insert(table)  # type: ignore[return-value]  # the same methods
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415

        return insert(table)


def _identity(path: str) -> tuple[int, int] | None:
    """Which file stands there: its device and number; None where there is none, or it cannot be told.

    >>> _identity("/") is not None, _identity("/no/such/file")
    (True, None)
    """
    try:
        seen = Path(path).stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino


def _other_tables(shown: str) -> StoreError:
    return StoreError(
        f"the tables of store {shown} are not those of this version, and it may not change them",
        "start goldwatch serve of this version once without --read-only",
    )


def _parse(url: str, base_dir: Path | None) -> URL:
    try:
        target = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError("the store's URL cannot be read", _FORMS) from error
    scheme = target.drivername
    if scheme in {"sqlite", "sqlite+pysqlite"}:
        if target.host:
            raise StoreError(
                f"the store's URL names a host ({target.host}), and SQLite has none",
                f"three slashes for a relative file: sqlite:///{target.host}",
            )
        return _sqlite_file(target, base_dir)
    if scheme != "postgresql+psycopg":
        near = scheme.startswith("postgres")
        remedy = "write postgresql+psycopg:// before the rest" if near else _FORMS
        raise StoreError(f"the store's URL has the unknown scheme {scheme!r}", remedy)
    return target


def _sqlite_file(target: URL, base_dir: Path | None) -> URL:
    if target.database in {None, "", ":memory:"}:
        return target.set(database=":memory:")
    path = (base_dir or Path.cwd()) / Path(str(target.database)).expanduser()
    if path.is_dir():
        raise StoreError(
            f"store {path} is a directory", "name a file in it: sqlite:///DIRECTORY/goldwatch.db"
        )
    if not path.parent.is_dir():
        raise StoreError(f"there is no directory {path.parent} for the store", f"mkdir -p {path.parent}")
    return target.set(database=str(path))


def _shown(target: URL) -> str:
    if target.get_backend_name() == "sqlite":
        return str(target.database)
    return target.set(query={}).render_as_string(hide_password=True)


def _sqlite(target: URL, wait_s: float, *, read_only: bool = False) -> Engine:
    options: dict[str, Any] = {}
    if target.database == ":memory:":
        options = {"pool_size": 1, "max_overflow": 0}
    from sqlalchemy.pool import QueuePool  # noqa: PLC0415

    engine = create_engine(
        target,
        poolclass=QueuePool,
        connect_args={"timeout": wait_s, "check_same_thread": False},
        hide_parameters=True,
        **options,
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the events below begin; the driver must not
        cursor = connection.cursor()
        pragmas = ["journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"]
        for pragma in ["query_only = ON"] if read_only else pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("goldwatch_begin", "BEGIN"))

    return engine


def _postgres(target: URL, wait_s: float) -> Engine:
    seconds = max(1, round(wait_s))
    arguments: dict[str, Any] = {"application_name": "goldwatch", "options": f"-c lock_timeout={seconds}s"}
    if "connect_timeout" not in target.query:
        arguments["connect_timeout"] = seconds
    if "options" in target.query:
        del arguments["options"]
    try:
        return create_engine(target, pool_pre_ping=True, hide_parameters=True, connect_args=arguments)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreError(
            f"store {_shown(target)} needs the PostgreSQL driver psycopg, which is not installed",
            "pip install 'goldwatch[postgres]'",
        ) from error
