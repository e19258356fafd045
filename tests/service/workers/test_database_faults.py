"""What if the database goes away, or the disk is full, while runs are made? Real servers, real limits."""

from __future__ import annotations

import resource
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from service.records import RunState
from tests.bench.fleet import Fleet, harm, until
from tests.conftest import has_postgres, missing, running_postgres

TROUBLE = ("does not answer", "cannot be run", "cannot be looked for", "cannot look at itself", "disk")


def test_the_database_comes_back(tmp_path: Path) -> None:
    """PostgreSQL stops in the middle of runs: nobody ends, it is said, and once it is back the runs go on unharmed.

    Meanwhile the serve says that it is not ready, and does not say that it is dead.
    """
    if not has_postgres():
        missing("postgresql")
    with running_postgres() as server, Fleet(tmp_path, server.new_database(), latency_s=0.01) as fleet:
        fleet.start("serve", "serve")
        fleet.start("worker", "worker")
        fleet.done(1)
        url = fleet.url("serve")
        server.stop()
        until(lambda: _said(fleet, "serve") and _said(fleet, "worker"), "what is wrong")
        assert _status(f"{url}/readyz") == 503
        assert _status(f"{url}/healthz") == 200
        assert all(process.poll() is None for process in fleet.processes.values())
        server.resume()
        count = max(len(fleet.runs(name)) for name in fleet.names)
        fleet.done(count + 2)
        fleet.end()
        assert [line for line in harm(fleet) if "lost" not in line] == []
        assert _verdicts(fleet) <= {"learning", "ok", "inconclusive"}
        assert "Traceback" not in fleet.log("serve") + fleet.log("worker")


def test_a_full_disk_is_told_and_left(tmp_path: Path) -> None:
    """When the store cannot grow the daemon says so and stays; with room again runs go on, and none was judged half."""
    with Fleet(tmp_path, names=("one",), latency_s=0.0) as fleet:
        fleet.start("serve", "serve")
        fleet.done(1)
        wal = tmp_path / "goldwatch.db-wal"
        until(lambda: wal.exists() and wal.stat().st_size > 100_000, "a log of writes that is large enough")
        process = fleet.processes["serve"]
        _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (65_536, most))
        until(lambda: _said(fleet, "serve"), "that the disk is full")
        assert process.poll() is None
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
        fleet.done(len(fleet.runs("one")) + 2)
        fleet.end()
        assert [line for line in harm(fleet) if "lost" not in line] == []
        assert _verdicts(fleet) <= {"learning", "ok", "inconclusive"}


def _verdicts(fleet: Fleet) -> set[str]:
    return {
        str(run.verdict) for name in fleet.names for run in fleet.runs(name) if run.state is RunState.DONE
    }


def _said(fleet: Fleet, name: str) -> bool:
    return any(word in fleet.log(name) for word in TROUBLE)


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        pytest.fail(f"{url} does not answer: {error}")
