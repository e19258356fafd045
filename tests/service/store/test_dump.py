"""Does a store survive its machine? Backups across both databases, and migrations with data in them."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import select, text

from service import cli
from service.records import BaseModelAnswers, DeploymentMark
from service.store import Store, StoreError, dump, schema
from service.store.tables import LEASE, METADATA, VERSION
from tests.service.store.conftest import Scene
from tests.service.store.test_schema import described

NOW = 5000.0


@pytest.fixture
def url(fresh_url: str) -> str:
    """A database of its own for each test, since some take its tables down."""
    return fresh_url


@pytest.fixture(params=["sqlite", "postgres"])
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A second database without tables, on each in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'other.db'}"
    found: str = request.getfixturevalue("postgres_server").new_database()
    return found


@pytest.fixture
def lived_in(scene: Any) -> Any:
    """A store with rows in every table, and a run that goes on."""
    store = scene.store
    baseline = store.open_baseline("router", 1, "the first", 1000.0)
    for i in range(4):
        scene.done(
            now=1000.0 + 100 * i, responses=scene.responses(), snapshot=b"\x00fold", scheduled_at=1000.0 + i
        )
    store.pin_baseline(baseline.id, [1, 2, 3])
    scene.done(now=1500.0, alerts=[scene.alert()], outbox=[scene.message()], responses=scene.responses(2))
    store.add_mark(DeploymentMark("router", 1400.0, "v2", "n\u00f6te"))
    store.put_base_answers(
        BaseModelAnswers("router", "base", 1500.0, "llama", {"e1": ["a", "\x00\ud800"]}, 3, 4, 0.1)
    )
    running = scene.claim(now=NOW - 1000, lease_s=10.0)
    store.save_responses(running, scene.responses(3))
    fill(store)
    assert [name for name, rows in content(store).items() if not rows] == []
    return scene


def fill(store: Store) -> None:
    """A row into each table that is still empty, whichever tables there will be."""
    some = {int: 7, float: 1.5, str: "n\u00f6te", bytes: b"\x00\xff", bool: True}
    with store._write() as connection:
        for table in METADATA.sorted_tables:
            if table in (LEASE, VERSION) or connection.execute(select(table).limit(1)).first() is not None:
                continue
            row = {
                column.name: some.get(getattr(column.type, "impl_instance", column.type).python_type, "x")
                for column in table.columns
            }
            for key in table.foreign_keys:
                row[key.parent.name] = connection.scalar(select(key.column).limit(1))
            connection.execute(table.insert().values(row))


def content(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, leases apart."""
    with store._read() as connection:
        return {
            table.name: sorted(map(repr, map(tuple, connection.execute(select(table)))))
            for table in METADATA.sorted_tables
            if table not in (LEASE, VERSION)
        }


def dumped(store: Store) -> io.BytesIO:
    file = io.BytesIO()
    store.dump(file)
    return file


def test_a_backup_holds_everything(lived_in: Any, other_url: str, open_store: Callable[..., Store]) -> None:
    """Taken into another store, of either database, every row is as it was, and the next run goes on counting."""
    other = open_store(other_url)
    counts = other.restore(dumped(lived_in.store), "b", now=NOW)
    before = content(lived_in.store)
    assert content(other) == before
    assert counts == {name: len(rows) for name, rows in before.items() if rows}
    assert sum(bool(rows) for rows in before.values()) >= 15
    assert [str(run.state) for run in other.orphans(NOW)] == ["running"]
    assert other.responses(1) == lived_in.store.responses(1)
    lived_in.store = other
    assert lived_in.claim(now=NOW, target="another") == 7


def test_a_backup_of_a_backup_is_the_same_file(lived_in: Any, tmp_path: Path) -> None:
    """What is copied, taken in and copied again is the same, byte for byte."""
    first = dumped(lived_in.store)
    with Store.open(f"sqlite:///{tmp_path / 'again.db'}") as again:
        again.restore(first, "b", now=NOW)
        assert gzip.decompress(dumped(again).getvalue()) == gzip.decompress(first.getvalue())


def test_a_backup_is_one_moment(lived_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is made while the copy is written is not in it, not even in part."""
    store, plain, made = lived_in.store, dump._plain, []

    def meddling(value: Any) -> Any:
        if not made:
            made.append(0)
            made[0] = lived_in.done(now=3000.0, target="meddler", responses=lived_in.responses())
        return plain(value)

    monkeypatch.setattr(dump, "_plain", meddling)
    before = content(store)
    file = dumped(store)
    assert store.run(made[0]) is not None
    with Store.open(f"sqlite:///{tmp_path / 'again.db'}") as again:
        again.restore(file, "b", now=NOW)
        assert content(again) == before


def test_a_store_that_is_not_empty_is_kept(
    lived_in: Any, other_url: str, open_store: Callable[..., Store]
) -> None:
    """It is replaced with `force` only, and not while a run is being made."""
    file = dumped(lived_in.store)
    other = open_store(other_url)
    other.restore(file, "b", now=NOW)
    with pytest.raises(StoreError, match="not empty"):
        other.restore(file, "b", now=NOW)
    lived_in.store, kept = other, content(other)
    lived_in.claim(now=NOW, target="busy", lease_s=60.0)
    with pytest.raises(StoreError, match="in use"):
        other.restore(file, "b", now=NOW + 1, force=True)
    other.restore(file, "b", now=NOW + 100, force=True)
    assert content(other) == kept


def test_a_restore_under_an_open_store_mixes_nothing_up(
    scene: Any, url: str, tmp_path: Path, open_store: Callable[..., Store]
) -> None:
    """A process that knew another golden set by that number reads and writes the examples of the one taken in."""
    other = replace(scene.golden, digest="sha256:" + "cd" * 32, examples=scene.golden.examples[::-1])
    with Store.open(f"sqlite:///{tmp_path / 'elsewhere.db'}") as elsewhere:
        elsewhere.put_golden(other)
        there = Scene(elsewhere, other)
        there.done(now=1000.0, responses=there.responses())
        file = dumped(elsewhere)
    scene.done(now=1000.0, responses=scene.responses())
    open_store(url).restore(file, "b", now=NOW, force=True)
    here = Scene(scene.store, other)
    said = [(answer.example_id, answer.output) for answer in here.responses()]
    assert [(a.example_id, a.output) for a in scene.store.responses(1)] == said
    run = here.done(now=NOW, responses=here.responses())
    assert [(a.example_id, a.output) for a in open_store(url).responses(run)] == said


@pytest.mark.parametrize("part", ["cut", "changed", "text", "empty", "newer"])
def test_a_damaged_backup_changes_nothing(lived_in: Any, tmp_path: Path, part: str) -> None:
    """A file that is cut, changed, foreign or from the future is refused, and the store stays as it is."""
    whole = dumped(lived_in.store).getvalue()
    lines = gzip.decompress(whole)
    bad = {
        "cut": whole[: len(whole) // 2],
        "changed": gzip.compress(lines.replace(b"the first", b"the worst")),
        "text": b"no backup at all",
        "empty": b"",
        "newer": gzip.compress(b'{"format":"goldwatch.backup","version":99}\n{}\n'),
    }[part]
    with Store.open(f"sqlite:///{tmp_path / 'again.db'}") as again:
        with pytest.raises(StoreError, match=r"damaged|another format"):
            again.restore(io.BytesIO(bad), "b", now=NOW, force=True)
        assert not any(content(again).values())


def test_a_backup_of_an_older_schema_is_migrated(
    lived_in: Any, other_url: str, open_store: Callable[..., Store]
) -> None:
    """What the first version of the tables held is taken in and brought up to date."""
    store = lived_in.store
    with store._write() as connection:
        config = schema.alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    file = io.BytesIO()
    old = _old_dump(store)
    file.write(gzip.compress(old))
    other = open_store(other_url)
    other.restore(file, "b", now=NOW)
    with other._read() as connection:
        assert schema.revision(connection) == schema.HEAD
    assert len(other.runs("router", limit=None)) == 6
    assert len(other.responses(1)) == 5
    assert list(other.measurements("router", "segment-1"))
    with store._write() as connection:
        schema.migrate(connection, "0001", "store")


def _old_dump(store: Store) -> bytes:
    """A backup as a version with the first tables would have written it."""
    import hashlib

    from sqlalchemy import MetaData

    lines = [json.dumps({"format": dump.FORMAT, "version": 1, "schema": "0001"})]
    then = MetaData()
    with store._read() as connection:
        then.reflect(connection)
        for table in dump._tables(then):
            lines.append(json.dumps({"table": table.name, "columns": [c.name for c in table.columns]}))
            lines += [json.dumps([dump._plain(v) for v in row]) for row in connection.execute(select(table))]
    body = "".join(line + "\n" for line in lines).encode()
    return body + json.dumps({"rows": {}, "sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n"


def test_migrations_go_both_ways_with_data(lived_in: Any) -> None:
    """Down to the first tables and up again, version by version: runs, answers, alerts and totals are what they were.

    On the way up each version's tables are those that the way down left behind.
    """
    store = lived_in.store
    before = content(store)
    runs, said = store.runs("router", limit=None), store.responses(1)
    versions = sorted(schema.revisions(), reverse=True)
    assert versions[0] == schema.HEAD
    tables = {schema.HEAD: described(store._engine)}
    for version in versions[1:]:
        with store._write() as connection:
            config = schema.alembic_config()
            config.attributes["connection"] = connection
            command.downgrade(config, version)
        tables[version] = described(store._engine)
    assert len({str(one) for one in tables.values()}) == len(versions)
    with store._read() as connection:
        assert schema.revision(connection) == "0001"
        assert connection.scalar(text("SELECT count(*) FROM goldwatch_response")) > 20
    for old, version in pairwise(reversed(versions)):
        with store._write() as connection:
            schema.migrate(connection, old, "store", to=version)
        assert described(store._engine) == tables[version], version
    after = content(store)
    first = {name for name in tables["0001"] if name.startswith("goldwatch_")}
    changed = {name for name in first & before.keys() if after[name] != before[name]}
    assert changed <= {"goldwatch_judgement"}  # later versions' columns of it are empty again
    assert len(first) > 10
    assert store.runs("router", limit=None) == runs
    assert store.responses(1) == said


def test_the_commands_copy_and_take_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`backup` writes a file that only its owner may read and never over another; `restore` takes it in."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        Path(f"{name}.yaml").write_text(
            f"version: 1\nstore: sqlite:///{name}.db\ntargets:\n  - name: router\n    golden: g.jsonl\n"
            "    endpoint: {kind: openai_chat, base_url: 'http://127.0.0.1:9', model: m}\n"
            "    scorers: [{kind: exact_match}]\n"
        )
    with Store.open("sqlite:///one.db") as store:
        store.add_mark(DeploymentMark("router", 1.0, "v1"))
    assert cli.run(["backup", "b", "-c", "one.yaml"]) == 0
    assert Path("b").stat().st_mode & 0o077 == 0
    assert cli.run(["backup", "b", "-c", "one.yaml"]) == 2
    assert cli.run(["restore", "b", "-c", "two.yaml"]) == 0
    assert cli.run(["restore", "b", "-c", "two.yaml"]) == 2
    assert cli.run(["restore", "b", "-c", "two.yaml", "--force"]) == 0
    assert cli.run(["restore", "none", "-c", "two.yaml"]) == 2
    assert "--force" in capsys.readouterr().err
    with Store.open("sqlite:///two.db") as store:
        assert [m.version for m in store.marks("router", 0.0)] == ["v1"]
