"""Does the database have this version's tables? Creates them, or brings older ones up to date.

The revision that a database stands at is one row. When it is :data:`HEAD`, which is nearly always,
nothing else is read and Alembic is not even imported. A fresh database gets all tables at once; an older
one is migrated. A test keeps ``HEAD``, the migrations and ``tables/`` equal.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, select, text

from service.store.errors import StoreError
from service.store.tables import METADATA, VERSION, speak_postgresql

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0010"
"""The newest revision in ``migrations/versions``."""

_LOCK = 0x676F6C64  # "gold": one process creates or migrates at a time


def revision(connection: Connection) -> str | None:
    """The revision that the database stands at; None where there are no tables of ours yet."""
    if not inspect(connection).has_table(VERSION.name):
        return None
    found: str | None = connection.scalar(select(VERSION.c.version_num))
    return found


def prepare(connection: Connection, shown: str) -> None:
    """Create or migrate within the connection's transaction.

    Raises:
        StoreError: the tables are newer than this version, or the file belongs to another program.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    found = revision(connection)
    if found == HEAD:
        return
    if found is None:
        _refuse_foreign_file(connection, shown)
        if connection.dialect.name == "postgresql":
            speak_postgresql()
        METADATA.create_all(connection)
        connection.execute(VERSION.insert().values(version_num=HEAD))
        return
    migrate(connection, found, shown)


def revisions() -> frozenset[str]:
    """Every revision that this version knows."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # slow to import and rarely needed

    scripts = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return frozenset(script.revision for script in scripts)


def migrate(connection: Connection, found: str | None, shown: str, *, to: str = "head") -> None:
    """Run the migrations from ``found`` to :data:`HEAD`, or to the revision ``to``.

    Raises:
        StoreError: ``found`` is unknown here: a newer version of goldwatch made it.
    """
    from alembic import command  # noqa: PLC0415  # slow to import and rarely needed

    config = alembic_config()
    if found is not None and found not in revisions():
        raise StoreError(
            f"store {shown} was written by a newer goldwatch (schema {found}, this one knows {HEAD})",
            "upgrade goldwatch, or name another store",
        )
    VERSION.create(connection, checkfirst=True)
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def alembic_config() -> Config:
    """Alembic's configuration for the migrations that ship with the package."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config


def _refuse_foreign_file(connection: Connection, shown: str) -> None:
    if connection.dialect.name != "sqlite":
        return
    tables = inspect(connection).get_table_names()
    if tables:
        listed = ", ".join(sorted(tables)[:5])
        raise StoreError(
            f"store {shown} is a database of another program (it has the tables {listed})",
            "name a file of goldwatch's own in `store:`",
        )
