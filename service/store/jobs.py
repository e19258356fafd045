"""Where do the jobs of several workers lie? In a PostgreSQL schema of their own, in the store's database.

procrastinate brings its tables as SQL. They are created once and brought up to date with procrastinate's own
migrations, by one process at a time; which version they are of stands in the comment of the schema.
A schema of their own keeps them apart from a procrastinate that another program may have in the same database.
Nothing in them needs a backup: the store says which runs there were, and a job is only a look at what is due.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, make_url, text

from service.store.database import Database

SCHEMA = "goldwatch_jobs"
"""The PostgreSQL schema that holds procrastinate's tables."""

_LOCK = 0x6A6F6273  # "jobs": one process creates or migrates at a time


def conninfo(url: str) -> str:
    """What libpq needs to reach the jobs of the store at a ``postgresql+psycopg://`` URL, password included."""
    target = make_url(url).set(drivername="postgresql")
    given = target.query.get("options", "")
    options = " ".join([*((given,) if isinstance(given, str) and given else ()), f"-c search_path={SCHEMA}"])
    target = target.update_query_dict({"options": options, "application_name": "goldwatch jobs"})
    return target.render_as_string(hide_password=False).replace("+", "%20")


class Jobs(Database):
    """The tables that procrastinate keeps jobs in."""

    @property
    def shares_work(self) -> bool:
        """Whether several processes can share the runs of this store: it is a PostgreSQL."""
        return self._engine.dialect.name == "postgresql"

    def prepare_jobs(self) -> None:
        """Create procrastinate's tables, or bring them up to date; nothing is done where they are of its version.

        Raises:
            StoreError: the user may not create a schema, or the database cannot be reached.
        """
        comment = _comment(metadata.version("procrastinate"))
        with self._write() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            found = connection.scalar(
                text("SELECT obj_description(to_regnamespace(:name), 'pg_namespace')"), {"name": SCHEMA}
            )
            if found == comment:
                return
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            connection.execute(text(f"SET LOCAL search_path TO {SCHEMA}"))
            if connection.scalar(text("SELECT to_regclass('procrastinate_jobs')")) is None:
                _run(connection, _schema_sql())
            else:
                for _, file in migrations_after(str(found or ""), _migration_files()):
                    _run(connection, file.read_text("utf-8"))
            connection.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS '{comment}'"))


def migrations_after(comment: str, files: list[Path]) -> list[tuple[tuple[int, ...], Path]]:
    """The migrations that are newer than the version in a comment, oldest first.

    >>> [f.name for _, f in migrations_after("procrastinate 3.2.0", [Path("03.03.00_01_pre.sql"),
    ...     Path("03.02.00_50_post.sql"), Path("03.10.00_01_pre.sql")])]
    ['03.03.00_01_pre.sql', '03.10.00_01_pre.sql']
    """
    known = tuple(int(n) for n in re.findall(r"\d+", comment))[:3]
    named = sorted((tuple(int(n) for n in re.findall(r"\d+", f.name)[:4]), f) for f in files)
    return [(number, file) for number, file in named if number[:3] > known]


def _comment(version: str) -> str:
    return f"procrastinate {'.'.join(re.findall(r'[0-9]+', version)[:3])}"


def _run(connection: Connection, script: str) -> None:
    """Several statements at once: only the driver's own way, without parameters, takes them."""
    driver: Any = connection.connection.driver_connection
    driver.execute(script)


def _schema_sql() -> str:
    from procrastinate.schema import SchemaManager  # noqa: PLC0415  # only where several workers are

    return str(SchemaManager.get_schema())


def _migration_files() -> list[Path]:
    from procrastinate.schema import SchemaManager  # noqa: PLC0415  # only where several workers are

    return sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
