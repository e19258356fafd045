"""A real receiver on loopback that behaves as told, a store with an outbox, and messages to send."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from checks.types import ALL, Example, Finding, Verdict
from service.alerting import Alert, AlertEvent, AlertKind, AlertState, Notice, Notification
from service.message import BrokenExample, Evidence, body, outbox
from service.records import Golden, NewRun, Requests, RunKind
from service.store import Store

NOW = 1_794_625_200.0


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """``script`` holds the next answers: a status, (status, headers, text), "hang" or "drop"; then 200 ok."""

    url: str = ""
    script: list[object] = field(default_factory=list)
    got: list[Received] = field(default_factory=list)
    arrived: queue.Queue[str] = field(default_factory=queue.Queue)
    release: threading.Event = field(default_factory=threading.Event)

    def ids(self) -> list[str]:
        return [r.headers["webhook-id"] for r in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {k.lower(): v for k, v in self.headers.items()}
            state.got.append(Received(self.path, headers, content))
            state.arrived.put(self.path)
            step = state.script.pop(0) if state.script else 200
            if step == "drop":
                self.close_connection = True
                self.connection.close()
                return
            if step == "hang":
                state.release.wait(30)
                return
            status, extra, text = step if isinstance(step, tuple) else (step, {}, "ok")
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that gave up is part of the game

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/services/T000/B000/verysecret"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    state.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


def regression(**more: object) -> Alert:
    fell = {
        "check": "quality",
        "scorer": "label",
        "verdict": Verdict.REGRESSED,
        "onset_run": 1413,
    }
    findings = (
        Finding(slice=ALL, evidence=41.0, effect=-0.128, interval=(-0.164, -0.091),
                baseline=0.943, current=0.815, **fell),  # type: ignore[arg-type]
        Finding(slice="lang=de", evidence=9.0, effect=-0.313, interval=(-0.42, -0.2),
                baseline=0.938, current=0.625, **fell),  # type: ignore[arg-type]
        Finding(slice="lang=en", evidence=2.0, effect=-0.081, interval=(-0.11, -0.05),
                baseline=0.944, current=0.863, **fell),  # type: ignore[arg-type]
    )  # fmt: skip
    values = {
        "id": "6f1f2b1e-0000-5000-8000-000000000001",
        "target": "ticket-router",
        "kind": AlertKind.REGRESSION,
        "state": AlertState.FIRING,
        "severity": "critical",
        "opened_at": NOW,
        "opened_run": 1413,
        "updated_at": NOW,
        "updated_run": 1413,
        "onset_run": 1413,
        "notified_at": NOW,
        "labels": {"team": "support-ml", "env": "prod"},
        "findings": findings,
    }
    return Alert(**{**values, **more})  # type: ignore[arg-type]


def evidence(**more: object) -> Evidence:
    values = {
        "answered": 400,
        "asked": 400,
        "started_at": NOW,
        "onset_at": NOW,
        "examples": (
            BrokenExample("T-0193", "billing", "billing", "other"),
            BrokenExample("T-0207", "refund", "refund", "billing"),
            BrokenExample(
                "T-0311", {"type": "bug"}, '{"type": "bug"}', 'Sure! Here is the JSON: {"', "not JSON"
            ),
        ),
        "broke": 57,
        "fixed": 6,
    }
    return Evidence(**{**values, **more})  # type: ignore[arg-type]


def message(
    event: AlertEvent = AlertEvent.FIRING, alert: Alert | None = None, **more: object
) -> Notification:
    alert = alert or regression()
    content = body(event, alert, evidence(**more), external_url="https://gold.example")
    return Notification(f"message-{event}", alert.id, event, "oncall", content, NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'goldwatch.db'}") as opened:
        yield opened


Write = Callable[..., Sequence[Notification]]


@pytest.fixture
def write(store: Store) -> Write:
    """Put messages about alerts into the outbox, in a finished run's transaction as in life."""
    golden = Golden("g", "sha256:00", 1, (Example("T-1", "hello"),))

    def write_(
        *notices: tuple[AlertEvent, Alert], notifiers: Sequence[str] = ("oncall",), at: float = NOW
    ) -> Sequence[Notification]:
        return write_messages(store, golden, notices, notifiers, at)

    return write_


def write_messages(
    store: Store,
    golden: Golden,
    notices: Sequence[tuple[AlertEvent, Alert]],
    notifiers: Sequence[str],
    at: float,
) -> Sequence[Notification]:
    store.put_golden(golden)
    new = NewRun("ticket-router", RunKind.MANUAL, None, golden.digest, "segment", None, 1.0, 2160.0)
    run = store.claim_run(new, owner="test", now=at, lease_s=60)
    assert run is not None
    rows = [
        row
        for event, alert in notices
        for row in outbox([Notice(event, alert)], {alert.kind: body(event, alert, evidence())}, notifiers, at)
    ]
    store.finish_run(
        run, verdict=Verdict.REGRESSED, reason=None, measured=True, requests=Requests(1, 0, 0),
        input_tokens=None, output_tokens=None, cost_usd=None, served=None, summaries=(), findings=(),
        vectors=(), answered=None, latency_s=None, now=at, alerts=[a for _, a in notices], outbox=rows,
    )  # fmt: skip
    return rows


@dataclass
class Clock:
    """Time that moves only when told."""

    at: float = NOW

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_message() -> Callable[..., Notification]:
    return message


@pytest.fixture
def make_alert() -> Callable[..., Alert]:
    return regression


@pytest.fixture
def make_evidence() -> Callable[..., Evidence]:
    return evidence


@pytest.fixture(autouse=True)
def _local_time_is_not_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing may depend on where the machine stands."""
    monkeypatch.setenv("TZ", "America/St_Johns")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
