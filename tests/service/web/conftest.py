"""A store with a fleet whose history was judged for real, the daemon's facts, and a real Prometheus."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from checks import judge
from checks.scorers.label import Label
from checks.types import ErrorKind, Example, Measurement, Response, ResponseError, Served, Verdict
from service import history
from service.alerting import AlertPolicy, AlertState, Outcome, transitions
from service.errors import UserError
from service.evidence import broken
from service.facts import TargetFacts
from service.message import Evidence, body, outbox
from service.records import BaselineRecord, Golden, NewRun, Requests, RunKind
from service.scoring import score_run
from service.store import Store

NOW = 1_794_625_200.0
HOUR = 3600.0
PROMISES = {"latency_p95": 0.3}
LABELS = ["billing", "login", "shipping", "bug"]
HOSTILE = '<script>alert(1)</script>\u202e\x1b[31m <img src=x onerror="x()">'


def golden(hostile: str | None = None) -> Golden:
    examples = tuple(
        Example(
            id=f"T-{n:04}",
            input=hostile or f"Ticket number {n}: please help me with this.",
            expected=LABELS[n % 4],
            slices={"lang": "de" if n % 3 == 0 else "en", "channel": "mail" if n % 2 else "chat"},
        )
        for n in range(60)
    )
    return Golden("tickets", "sha256:" + "ab" * 32, 1, examples)


def answer(example: Example, run: int, quality: str, hostile: str | None) -> Response:
    n, at = int(example.id[2:]), NOW
    if quality == "dark" or (quality == "patchy" and n % 2):
        error = ResponseError(ErrorKind.CONNECT, "connection refused")
        return Response(example.id, error=error, at=at)
    right = str(example.expected)
    wrong = hostile or "other"
    slip = (n * 7 + run * 13) % 29 == 0
    fell = quality == "bad" and (n % 3 == 0 or n % 5 == 0)
    return Response(
        example.id, output=wrong if slip or fell else right, at=at, latency_s=0.2 + 0.001 * ((n + run) % 9),
        ttft_s=0.05 + 0.001 * (n % 7), input_tokens=20, output_tokens=2,
        served_model="ticket-router-ft", fingerprint="fp-1",
    )  # fmt: skip


@dataclass
class Fleet:
    """Puts runs into a store as the pipeline does: replayed, scored, judged, alerted, in one transaction."""

    store: Store
    states: dict[str, judge.State] = field(default_factory=dict)
    dark: dict[str, int] = field(default_factory=dict)
    clock: float = NOW - 30 * HOUR

    def run(self, target: str, quality: str, at: float | None = None, hostile: str | None = None) -> int:
        """One run: ``good``, ``bad``, ``dark`` (nothing answers) or ``patchy`` (half does)."""
        store, gold, scorers = self.store, golden(hostile), [Label(labels=LABELS, min=0.5)]
        at = self.clock if at is None else at
        self.clock = at + HOUR
        store.put_golden(gold)
        baseline = store.baseline(target)
        if baseline is None:
            baseline = store.open_baseline(target, 1, "first runs", at)
        new = NewRun(target, RunKind.SCHEDULED, at, gold.digest, f"s-{target}", baseline.id, 1.0, 2160.0)
        run = store.claim_run(new, owner="test", now=at, lease_s=60)
        assert run is not None
        responses = [answer(e, run, quality, hostile) for e in gold.examples]
        store.save_responses(run, responses)
        scored = score_run(gold.examples, scorers, responses)
        about = history.subject(gold.examples, scorers, baseline_runs=10, min_answered=0.9, promises=PROMISES)
        before = self.states.get(target) or judge.initial(about)
        state, judged = judge.judge(
            about, before,
            Measurement(run, at, True, {v.scorer: v.values for v in scored.vectors}, scored.answered,
                        scored.latency_s, 1.0, 2160.0),
        )  # fmt: skip
        self.states[target] = state
        measured = judged.verdict is not Verdict.INCONCLUSIVE
        self.dark[target] = 0 if measured else self.dark.get(target, 0) + 1
        outcome = Outcome(
            target, run, at, judged.verdict, judged.findings, "critical", {"team": "support-ml", "env": "prod"},
            judged.onset_run, self.dark[target],
        )  # fmt: skip
        step = transitions(store.alerts(target, AlertState.FIRING), outcome, at + 9.8, AlertPolicy())
        answered = int(scored.answered.sum())
        found = broken(
            store, run, target, gold, baseline, vectors=scored.vectors, onset=judged.onset_run, limit=5
        )
        facts = Evidence(
            answered, 60, at, examples=found.broke, broke=found.broke_count, fixed=found.fixed_count,
            failures={} if measured else {"connect": 60 - answered}, reason=judged.reason,
        )  # fmt: skip
        bodies = {n.alert.kind: body(n.event, n.alert, facts) for n in step.messages}
        store.finish_run(
            run, verdict=judged.verdict, reason=judged.reason, measured=measured,
            requests=Requests(answered, 60 - answered, 1), input_tokens=20 * answered, output_tokens=2 * answered,
            cost_usd=0.0004, served=Served("ticket-router-ft", "fp-1", "0.6.1", "base-8b", "/adapters/a"),
            summaries=scored.summaries, findings=judged.findings, vectors=scored.vectors,
            answered=scored.answered, latency_s=scored.latency_s, now=at + 9.8, alerts=step.alerts,
            outbox=outbox(step.messages, bodies, ["oncall"], at + 9.8), owner="test",
        )  # fmt: skip
        quality_state = state.checks["quality"].scorers["label"]
        if not baseline.runs and quality_state.baseline_runs >= 10:
            store.pin_baseline(baseline.id, [int(r) for r in quality_state.runs[:10]])
        return run

    def runs(self, target: str, *qualities: str, end: float = NOW, hostile: str | None = None) -> list[int]:
        """Hourly runs, the last one at ``end``."""
        start = end - (len(qualities) - 1) * HOUR
        return [self.run(target, q, start + n * HOUR, hostile) for n, q in enumerate(qualities)]


@dataclass
class Daemon:
    """The daemon's facts from plain values."""

    known: Sequence[TargetFacts] = ()
    token: str | None = None
    external_url: str | None = None
    show_texts: bool = True
    slices: int = 20
    at: float = NOW + 240
    next_at: float | None = NOW + HOUR
    reloaded: bool | None = True
    asked: list[tuple[str, RunKind]] = field(default_factory=list)
    busy: bool = False
    found: Mapping[str, Sequence[str]] = field(default_factory=dict)
    accepted: list[tuple[str, str]] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def targets(self) -> Sequence[TargetFacts]:
        return self.known

    def next_run_at(self, target: str, /) -> float | None:
        return self.next_at

    def reload_successful(self) -> bool | None:
        return self.reloaded

    def finds(self, target: str, /) -> Sequence[str]:
        return self.found.get(target, ())

    def accept_baseline(self, target: str, reason: str, /) -> BaselineRecord:
        self.accepted.append((target, reason))
        if target == "never-ran":
            raise UserError("never-ran never ran, so there is nothing to accept", "goldwatch run never-ran")
        return BaselineRecord(7, target, self.at, reason, 99)

    async def request_run(self, target: str, kind: RunKind, /) -> bool:
        self.asked.append((target, kind))
        return not self.busy


def facts(name: str, **more: Any) -> TargetFacts:
    values: dict[str, Any] = {
        "severity": "critical",
        "labels": {"team": "support-ml", "env": "prod"},
        "kind": "openai_chat",
        "url": "http://127.0.0.1:8000/v1",
        "model": "ticket-router-ft",
        "reference": "Llama-3-8B-Instruct",
        "schedule": "every 1h",
        "interval_s": HOUR,
        "floors": {"label": 0.5},
        "promises": PROMISES,
    }
    return TargetFacts(name, **{**values, **more})


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Fleet]:
    """A filled store, made once; each test that asks for ``fleet`` gets a copy."""
    path = tmp_path_factory.mktemp("seed") / "goldwatch.db"
    with Store.open(f"sqlite:///{path}") as opened:
        return path, fill(opened)


@pytest.fixture
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    path = tmp_path / "goldwatch.db"
    if "fleet" in request.fixturenames:
        shutil.copyfile(request.getfixturevalue("seed")[0], path)
    with Store.open(f"sqlite:///{path}") as opened:
        yield opened


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What is logged, kept from the terminal."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def make_facts() -> Callable[..., TargetFacts]:
    return facts


@pytest.fixture
def make_daemon() -> Callable[..., Daemon]:
    return Daemon


@pytest.fixture
def hostile() -> str:
    return HOSTILE


@pytest.fixture
def blank(store: Store) -> Fleet:
    """A store without a run."""
    return Fleet(store)


def fill(store: Store) -> Fleet:
    """One target of each kind: quiet, regressed, out of reach, learning."""
    made = Fleet(store)
    made.runs("quiet", *["good"] * 14)
    made.runs("ticket-router", *["good"] * 14, "bad", "bad", "bad")
    made.runs("unreachable", *["good"] * 11, "dark", "dark")
    made.runs("new", *["good"] * 3)
    return made


@pytest.fixture
def fleet(store: Store, seed: tuple[Path, Fleet]) -> Fleet:
    made = seed[1]
    return Fleet(store, dict(made.states), dict(made.dark), made.clock)


FLEET = ("quiet", "ticket-router", "unreachable", "new", "never-ran")


@pytest.fixture
def daemon() -> Daemon:
    return Daemon([facts(name) for name in FLEET])


def _need(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not installed (Debian: prometheus)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture
def promtool() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run promtool with arguments, and a text on its standard input."""
    program = _need("promtool")

    def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments], input=stdin, text=True, capture_output=True, check=False, timeout=60
        )

    return run


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[[int, Path], str]]:
    """Start a real Prometheus that scrapes a port each second with some rules; its address."""
    program = _need("prometheus")
    started: list[subprocess.Popen[bytes]] = []

    def start(port: int, rules: Path) -> str:
        config = tmp_path / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 200ms, evaluation_interval: 200ms}\n"
            f"rule_files: [{rules}]\n"
            "scrape_configs:\n"
            f"  - {{job_name: goldwatch, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n"
        )
        own = free_port()
        with (tmp_path / "prometheus.log").open("wb") as log:
            started.append(
                subprocess.Popen(
                    [
                        program,
                        f"--config.file={config}",
                        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                        f"--web.listen-address=127.0.0.1:{own}",
                    ],
                    stdout=log,
                    stderr=log,
                )
            )
        return f"http://127.0.0.1:{own}"

    yield start
    for process in started:
        process.terminate()
        process.wait(30)


LOCAL = ("127.0.0.1", 50_000)


@dataclass
class Browser:
    """Asks the application from some address, without a network between."""

    app: Any
    client: tuple[str, int]
    base_url: str

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=self.client)
            async with httpx.AsyncClient(transport=transport, base_url=self.base_url) as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


@pytest.fixture
def browse(store: Store, daemon: Daemon) -> Callable[..., Browser]:
    """A browser of the application, by default one on this machine."""
    from service.web.app import create_app

    app = create_app(store, daemon)

    def make(client: tuple[str, int] = LOCAL, base_url: str = "http://localhost:9790") -> Browser:
        return Browser(app, client, base_url)

    return make


@pytest.fixture
def serve(store: Store, daemon: Daemon) -> Iterator[int]:
    """The application on a real port; its number."""
    import threading

    import uvicorn

    from service.web.app import create_app

    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(store, daemon), log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    yield int(bound.getsockname()[1])
    server.should_exit = True
    thread.join()
    bound.close()
