"""What have all tables in common? The naming of their keys, a text that any database takes, the schema's revision."""

from __future__ import annotations

from pydantic import ConfigDict
from sqlalchemy import Dialect, MetaData, Table, Text, TypeDecorator
from sqlmodel import Field, SQLModel


class SafeText(TypeDecorator[str]):
    """A text that any database takes: NUL and lone surrogates become U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """What is written."""
        return None if value is None else clean(value)


def clean(value: str) -> str:
    r"""The text with what PostgreSQL cannot hold replaced by U+FFFD.

    >>> clean("a\x00b") == "a\ufffdb"
    True
    """
    if value.isascii() and "\x00" not in value:
        return value
    whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", "\ufffd")


class Row(SQLModel):
    """What a table is declared from; no object of it is ever made."""

    # Rows are never validated, so start-up need not pay for it. SQLModel narrows the type.
    model_config = ConfigDict(defer_build=True)  # type: ignore[assignment]

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


METADATA = Row.metadata


def table(row: type[Row]) -> Table:
    """The table that a class declares."""
    declared: Table = row.__table__  # type: ignore[attr-defined]  # SQLModel sets it
    return declared


class _Version(Row, table=True):
    """The schema's revision, as Alembic keeps it."""

    __tablename__ = "goldwatch_version"
    version_num: str = Field(max_length=32, primary_key=True)


VERSION = table(_Version)


def speak_postgresql() -> None:
    """Give the partial indexes their condition on PostgreSQL too.

    Named where the tables are, it would load that dialect on SQLite as well: 5 MB of an idle daemon.
    """
    for each in METADATA.tables.values():
        for index in each.indexes:
            condition = index.dialect_options["sqlite"]["where"]
            if condition is not None:
                index.dialect_kwargs["postgresql_where"] = condition
