"""Do the tables, the migrations and the constant agree?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from service.store import Store, StoreError, schema


def index(found: Any) -> str:
    options = {name: str(value) for name, value in found.get("dialect_options", {}).items()}
    return str({**found, "dialect_options": options})


def described(engine: Engine) -> dict[str, Any]:
    found = inspect(engine)
    return {
        name: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"], c["default"]) for c in found.get_columns(name)
            ],
            "key": found.get_pk_constraint(name),
            "unique": sorted(map(str, found.get_unique_constraints(name))),
            "foreign": sorted(map(str, found.get_foreign_keys(name))),
            "indexes": sorted(map(index, found.get_indexes(name))),
            "options": found.get_table_options(name),
        }
        for name in found.get_table_names()
    }


def test_head_is_alembics_head() -> None:
    """The constant that start-up compares with is the newest migration."""
    assert ScriptDirectory.from_config(schema.alembic_config()).get_heads() == [schema.HEAD]


def test_migrations_lead_to_the_same_tables(
    fresh_url: str, open_store: Callable[..., Store], tmp_path: Path
) -> None:
    """Migrating from nothing gives the very tables that a fresh store is created with."""
    engine = create_engine(fresh_url)
    with engine.begin() as connection:
        schema.migrate(connection, None, "store")
    migrated = described(engine)
    with engine.begin() as connection:
        assert schema.revision(connection) == schema.HEAD
        for name in migrated:
            cascade = " CASCADE" if engine.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TABLE {name}{cascade}"))
    open_store(fresh_url)
    created = described(engine)
    engine.dispose()
    assert created == migrated


def test_a_newer_schema_is_refused(fresh_url: str, open_store: Callable[..., Store]) -> None:
    """A store that a newer version wrote is left alone."""
    with open_store(fresh_url)._write() as connection:
        connection.execute(text("UPDATE goldwatch_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"newer goldwatch \(schema 9999"):
        open_store(fresh_url)


def test_several_processes_may_create_a_store_at_once(fresh_url: str) -> None:
    """Openings that race for an empty database all succeed."""

    def begin(_: int) -> None:
        Store.open(fresh_url).close()

    with ThreadPoolExecutor(6) as pool:
        assert len(list(pool.map(begin, range(6)))) == 6
