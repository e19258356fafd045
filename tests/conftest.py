"""Which real parts may any test ask for? A PostgreSQL that is started on demand and stopped at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest


def missing(part: str) -> None:
    """Skip for want of a part; in CI its absence is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{part} is not installed")
    pytest.skip(f"{part} is not installed")


class Postgres:
    """A throwaway server; ``user`` is the superuser, without a password."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.binaries, self.folder, self.port = binaries, folder, _free_port()
        self._names = count(1)
        self._data = str(folder / "data")

    def start(self) -> None:
        choices = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run("initdb", "-D", self._data, *choices)
        self.resume()

    def resume(self) -> None:
        """Start on the data that are there."""
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off"
        options += " -c max_connections=60 -c full_page_writes=off -c autovacuum=off"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """End at once, as in a crash; what does not end within a minute is killed."""
        pid_file = self.folder / "data" / "postmaster.pid"
        postmaster = int(pid_file.read_text().split()[0])
        try:
            self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")
        except AssertionError:
            for pid in [*_children(postmaster), postmaster]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            pid_file.unlink(missing_ok=True)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        name = f"test_{next(self._names)}"
        import psycopg

        admin = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.binaries / program), *arguments]
        if os.geteuid() == 0:  # the server refuses to run as root
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        done = subprocess.run(
            command,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        )
        assert done.returncode == 0, done.stderr


def _children(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(pid) for pid in tasks.read_text().split()] if tasks.exists() else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _binaries() -> Path | None:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if installed:
        return installed[-1].parent
    found = shutil.which("initdb")
    return None if found is None else Path(found).parent


def has_postgres() -> bool:
    """Whether a server can be started here."""
    return _binaries() is not None


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server that ends with the block."""
    binaries = _binaries()
    assert binaries is not None, "postgresql is not installed"
    folder = Path(tempfile.mkdtemp(prefix="goldwatch-pg-"))
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
    server = Postgres(binaries, folder)
    try:
        server.start()
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    if not has_postgres():
        missing("postgresql")
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> str:
    """The URL of a new, empty database on a real PostgreSQL."""
    return postgres_server.new_database()
