"""Is a store opened, and is a bad one refused in words?"""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.store import Store, StoreError


def refused(url: str, **options: Any) -> StoreError:
    with pytest.raises(StoreError) as caught:
        Store.open(url, **options).close()
    return caught.value


def test_a_relative_file_is_beside_the_configuration(tmp_path: Path) -> None:
    """A relative SQLite file is made under base_dir, in WAL mode, with foreign keys on."""
    with Store.open("sqlite:///gold.db", base_dir=tmp_path) as store:
        with store._read() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        store.ping()
    assert (tmp_path / "gold.db").exists()


def test_a_store_in_memory_works(open_store: Callable[..., Store]) -> None:
    """A store without a file keeps what it is given while it is open."""
    store = open_store("sqlite://")
    store.open_baseline("router", 1, None, 5.0)
    assert len(store.baselines("router")) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://root@host/db", "unknown scheme 'mysql'"),
        ("postgres://host/db", "unknown scheme 'postgres'\n  write postgresql+psycopg://"),
        ("goldwatch.db", "cannot be read\n  write sqlite:///goldwatch.db"),
        ("sqlite://goldwatch.db", "names a host (goldwatch.db)"),
        ("sqlite:///no/such/place/gold.db", "there is no directory"),
    ],
)
def test_a_bad_url_is_refused_with_what_to_write(url: str, said: str, tmp_path: Path) -> None:
    """A URL that cannot be a store is refused, and the message says what can."""
    assert said in str(refused(url, base_dir=tmp_path))


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A directory is no store."""
    assert "is a directory" in str(refused(f"sqlite:///{tmp_path}"))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """A file that SQLite cannot read is refused and left alone."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"dear diary, " * 1000)
    assert "is not a SQLite database" in str(refused(f"sqlite:///{path}"))
    assert path.read_bytes() == b"dear diary, " * 1000


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """A SQLite file with others' tables gets none of ours."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE customers (id)")
    other.close()
    assert "another program (it has the tables customers)" in str(refused(f"sqlite:///{path}"))


def test_an_immutable_place_is_refused() -> None:
    """A place where no file can be made is refused in words."""
    assert "cannot be opened" in str(refused("sqlite:////proc/self/gold.db"))


def test_a_locked_store_says_so(tmp_path: Path) -> None:
    """Another process's lock is told as such, and worth another try."""
    url = f"sqlite:///{tmp_path / 'gold.db'}"
    with Store.open(url, wait_s=0.05) as store:
        other = sqlite3.connect(tmp_path / "gold.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="is locked by another process") as caught:
            store.open_baseline("router", 1, None, 1.0)
        assert caught.value.retryable
        other.execute("ROLLBACK")
        other.close()
        store.open_baseline("router", 1, None, 1.0)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    """A refused connection names host and port, and never the password."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    error = refused(f"postgresql+psycopg://gold:s3cr3t@127.0.0.1:{port}/gold?password=s3cr3t2", wait_s=1)
    assert f"gold:***@127.0.0.1:{port}/gold refuses connections" in str(error)
    assert error.retryable
    assert "s3cr3t" not in repr(error) + str(error) + str(error.__cause__)


def test_a_database_that_is_not_there_is_told(postgres_url: str) -> None:
    """A database that nobody created is told as such."""
    assert "has no such database" in str(refused(postgres_url + "_typo"))


def test_a_missing_driver_names_the_extra(tmp_path: Path) -> None:
    """Without psycopg the message says which extra to install."""
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from service.store import Store, StoreError\n"
        "try: Store.open('postgresql+psycopg://gold:s3cr3t@h/db')\n"
        "except StoreError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "goldwatch[postgres]" in said
    assert "s3cr3t" not in said


def test_a_ready_store_opens_without_alembic(tmp_path: Path) -> None:
    """Neither a fresh store nor one at the newest schema imports Alembic, SciPy or the web."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom service.store import Store\n"
        f"for _ in range(2): Store.open('sqlite:///gold.db', base_dir=Path({str(tmp_path)!r})).close()\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(*sorted(loaded & {'alembic', 'scipy', 'httpx', 'fastapi'}))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == ""


@pytest.mark.parametrize(
    ("replaced", "said"), [(False, "was moved or removed"), (True, "was replaced by another file")]
)
def test_a_file_that_is_moved_away_while_it_is_open_takes_nothing_more(
    tmp_path: Path, replaced: bool, said: str
) -> None:
    """What would be written into a file that nobody finds again is refused; put back, the store goes on."""
    file, away = tmp_path / "gold.db", tmp_path / "away.db"
    with Store.open(f"sqlite:///{file}") as store:
        file.rename(away)
        if replaced:
            file.touch()
        for asked in (store.ping, lambda: store.open_baseline("router", 1, None, 5.0)):
            with pytest.raises(StoreError, match=said):
                asked()
        away.rename(file)
        store.open_baseline("router", 1, None, 5.0)
        assert len(store.baselines("router")) == 1
