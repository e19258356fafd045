"""What does a store's test start from? An empty store on each database, and a builder of plausible runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from checks.types import (
    ErrorKind,
    Example,
    Finding,
    Message,
    Origin,
    Response,
    ResponseError,
    ScoreSummary,
    Served,
    Verdict,
)
from service.alerting import Alert, AlertEvent, AlertKind, AlertState, Notification
from service.records import Golden, NewRun, Requests, RunKind, ScoreVector
from service.store import Store
from service.store.tables import METADATA, VERSION

DIGEST = "sha256:" + "ab" * 32


@dataclass
class Scene:
    """Builders with defaults that differ from the types' own, so that a lost field is seen."""

    store: Store
    golden: Golden

    def new(self, **changes: Any) -> NewRun:
        run = NewRun(
            target="router",
            kind=RunKind.SCHEDULED,
            scheduled_at=None,
            golden_digest=self.golden.digest,
            segment="segment-1",
            baseline_id=None,
            share=0.25,
            period_h=2160.0,
        )
        return replace(run, **changes)

    def claim(self, *, now: float = 1000.0, owner: str = "me", lease_s: float = 60.0, **changes: Any) -> int:
        run_id = self.store.claim_run(self.new(**changes), owner=owner, now=now, lease_s=lease_s)
        assert run_id is not None
        return run_id

    def responses(self, n: int | None = None, **changes: Any) -> list[Response]:
        base = [
            Response(
                example.id,
                f"answer {i % 3}",
                at=1000.0 + i,
                latency_s=0.04 + i / 10,
                input_tokens=10 + i,
                output_tokens=2,
                finish_reason="stop",
                served_model="router-ft",
                fingerprint="fp",
            )
            for i, example in enumerate(self.golden.examples[:n])
        ]
        return [replace(response, **changes) for response in base]

    def judgement(self, **changes: Any) -> dict[str, Any]:
        n = len(self.golden.examples)
        scores = np.linspace(0.0, 1.0, n)
        scores[1] = np.nan
        right = np.array([1.0, 0.0] * n)[:n]
        latency = np.full(n, 0.125)
        latency[0] = np.nan
        answered = np.ones(n, dtype=bool)
        answered[0] = False
        return {
            "verdict": Verdict.OK,
            "reason": "fine",
            "measured": True,
            "requests": Requests(n - 1, 1, 2),
            "input_tokens": 100,
            "output_tokens": 20,
            "cost_usd": 0.5,
            "served": Served("router-ft", "fp", "1.2", "llama", None, ("a", "b")),
            "summaries": (
                ScoreSummary("label", "all", 0.5, n, 0),
                ScoreSummary("chrf", "lang=de", None, 0, n),
            ),
            "findings": (
                Finding(
                    "quality",
                    "label",
                    "lang=de",
                    Verdict.OK,
                    0.1,
                    1.0,
                    -0.1,
                    (-0.2, 1 / 3),
                    0.9,
                    0.8,
                    3,
                    "why",
                ),
                Finding("availability", None, "all", Verdict.LEARNING),
            ),
            "vectors": (
                ScoreVector("label", right, {1: "no_label", 3: "no_label"}, {0: "billing", 2: "bug"}, (1, 3)),
                ScoreVector("chrf", scores, {1: "not text"}),
            ),
            "answered": answered,
            "latency_s": latency,
            "now": 1020.0,
        } | changes

    def finish(self, run_id: int, **changes: Any) -> None:
        self.store.finish_run(run_id, **self.judgement(**changes))

    def done(self, *, now: float = 1000.0, responses: Sequence[Response] = (), **changes: Any) -> int:
        own = {
            name: changes.pop(name)
            for name in ("target", "segment", "kind", "scheduled_at")
            if name in changes
        }
        run_id = self.claim(now=now, **own)
        self.store.save_responses(run_id, responses)
        self.finish(run_id, **({"now": now + 20} | changes))
        return run_id

    def alert(self, **changes: Any) -> Alert:
        alert = Alert(
            id="alert-1",
            target="router",
            kind=AlertKind.OUTAGE,
            state=AlertState.FIRING,
            severity="critical",
            opened_at=1000.0,
            opened_run=1,
            updated_at=1010.0,
            updated_run=2,
            onset_run=1,
            notified_at=1011.0,
            repeats=3,
            labels={"team": "ml"},
            findings=self.judgement()["findings"],
        )
        return replace(alert, **changes)

    def message(self, number: int = 1, **changes: Any) -> Notification:
        message = Notification(
            id=f"message-{number}",
            alert_id="alert-1",
            event=AlertEvent.FIRING,
            notifier="slack",
            body={"version": 1, "examples": [{"id": "a", "now": "\x00\ud800 <b>"}]},
            created_at=1000.0 + number,
        )
        return replace(message, **changes)


def make_golden(n: int = 5) -> Golden:
    examples = [Example(f"e{i}", f"question {i}", i) for i in range(n)]
    examples[0] = Example(
        id="e0",
        input=(Message("system", "Be brief."), Message("user", "Hé \x00 \ud800")),
        expected={"label": ["billing", None, 1.5]},
        slices={"lang": "de", "channel": "mail"},
        group="g1",
        as_of="2024-01-01",
        origin=Origin.HELDOUT,
        weight=2.5,
    )
    return Golden("tickets", DIGEST, 1, tuple(examples))


FAILED = ResponseError(ErrorKind.RATE_LIMITED, "slow \x00 down", 429, 1.5)


@pytest.fixture(params=["sqlite", "postgres"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables, on each in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'goldwatch.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture(scope="session")
def postgres_store(postgres_server: Any) -> Iterator[tuple[str, Store]]:
    """One database on PostgreSQL that all tests share, since making one takes longer than a test."""
    url = postgres_server.new_database()
    with Store.open(url) as store:
        yield url, store


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, on each database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'goldwatch.db'}"
    found: str
    found, store = request.getfixturevalue("postgres_store")
    with store._write() as connection:
        for table in reversed(METADATA.sorted_tables):
            if table is not VERSION:
                connection.execute(table.delete())
    return found


@pytest.fixture
def open_store() -> Iterator[Callable[..., Store]]:
    """Opens stores that are closed at the end."""
    opened: list[Store] = []

    def start(url: str, **options: Any) -> Store:
        opened.append(Store.open(url, **options))
        return opened[-1]

    yield start
    for store in opened:
        store.close()


@pytest.fixture
def store(url: str, open_store: Callable[..., Store]) -> Store:
    return open_store(url)


@pytest.fixture
def scene(store: Store) -> Scene:
    golden = make_golden()
    store.put_golden(golden)
    return Scene(store, golden)


@pytest.fixture
def local(tmp_path: Path, open_store: Callable[..., Store]) -> Scene:
    """A scene of 500 examples in the file ``local.db``, for what only SQLite shows."""
    golden = make_golden(500)
    store = open_store(f"sqlite:///{tmp_path / 'local.db'}")
    store.put_golden(golden)
    return Scene(store, golden)


@pytest.fixture
def failed() -> ResponseError:
    return FAILED
