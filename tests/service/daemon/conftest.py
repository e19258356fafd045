"""A real endpoint and a real ``goldwatch serve`` in a process of its own, watched through HTTP and its store."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from service.demo.endpoint import DemoEndpoint
from service.demo.model import GOLDEN
from service.golden import freeze
from service.records import RunRecord, RunState
from service.store import Store

T = TypeVar("T")
PATIENCE_S = 120.0

LAUNCH = """
import atexit, sys
import service.pipeline as pipeline
pipeline.LEASE_S, pipeline.DRAIN_S = {lease_s}, {drain_s}
heavy = ("scipy", "alembic", "sacrebleu", "pandas", "rich", "service.demo")
atexit.register(lambda: print("loaded", *[name for name in heavy if name in sys.modules]))
if {sweep_s}:
    import service.daemon.daemon as daemon
    daemon.SWEEP_S = {sweep_s}
from service.cli import main
main()
"""


def until(what: Callable[[], T], why: str) -> T:
    """The first true answer; fails after ``PATIENCE_S``."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if answer := what():
            return answer
        time.sleep(0.02)
    pytest.fail(f"never came: {why}")


class Endpoint:
    """A ``DemoEndpoint`` in a thread of its own."""

    def __init__(self, latency_s: float) -> None:
        self.real = DemoEndpoint(latency_s=latency_s)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self.real.start())
        self.url = self.real.url

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def close(self) -> None:
        self._do(self.real.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


@dataclass
class Served:
    """One process of ``goldwatch serve``."""

    process: subprocess.Popen[str]
    log: Path
    url: str = ""

    def events(self, event: str | None = None) -> list[dict[str, Any]]:
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [e for e in found if event is None or e["event"] == event]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return str(answer.read().decode())

    def api(self, path: str) -> Any:
        return json.loads(self.get(f"/api/v1{path}"))

    def post(self, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}", json.dumps(body or {}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def metric(self, line_start: str) -> float | None:
        for line in self.get("/metrics").splitlines():
            if line.startswith(line_start):
                return float(line.rpartition(" ")[2])
        return None

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Signal, and the exit code and what was printed."""
        self.send(number)
        return self.wait()

    def wait(self) -> tuple[int, str]:
        said, _ = self.process.communicate(timeout=40)  # it leaves within 10 s, on an idle machine
        return self.process.returncode, said


@dataclass
class Station:
    """A folder with a configuration, and what runs on it."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    endpoints: list[Endpoint] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)

    until = staticmethod(until)

    @property
    def config(self) -> Path:
        return self.folder / "goldwatch.yaml"

    def endpoint(self, latency_s: float = 0.0) -> Endpoint:
        self.endpoints.append(Endpoint(latency_s))
        return self.endpoints[-1]

    def golden(self, name: str = "golden.jsonl", examples: int = 40) -> Path:
        path = self.folder / name
        path.write_text(
            "".join(Path(GOLDEN).read_text("utf-8").splitlines(keepends=True)[:examples]), "utf-8"
        )
        freeze(path, time.time())
        return path

    def target(
        self, url: str, name: str = "router", every: str = "366d", golden: str = "golden.jsonl", **more: Any
    ) -> Any:
        return {
            "name": name,
            "endpoint": {
                "kind": "openai_chat",
                "base_url": url,
                "model": "ticket-router",
                "system": "Route the ticket.",
                "params": {"temperature": 0, "max_tokens": 16},
            },
            "golden": golden,
            "schedule": {"every": every},
            "concurrency": 2,
            "retries": 0,
            "scorers": [{"kind": "label", "labels": ["billing", "login", "shipping", "bug", "refund"]}],
            **more,
        }

    def write(self, *targets: Any, **more: Any) -> None:
        """JSON is YAML."""
        whole = {"version": 1, "web": {"listen": "127.0.0.1:0"}, "targets": list(targets), **more}
        self.config.write_text(json.dumps(whole, indent=1), "utf-8")

    def start(
        self,
        *,
        named: str | None = None,
        lease_s: float = 30.0,
        drain_s: float = 5.0,
        sweep_s: float = 0.0,
        flags: tuple[str, ...] = (),
    ) -> Served:
        log = self.folder / f"serve-{len(self.served)}.log"
        config = self.config
        if named is not None:  # a configuration of its own
            config = self.folder / f"{named}.yaml"
            self.config.rename(config)
        launch = LAUNCH.format(lease_s=lease_s, drain_s=drain_s, sweep_s=sweep_s)
        with log.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-c", launch, "serve", "-c", str(config), *flags],
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env={**os.environ, **self.environ},
            )
        served = Served(process, log)
        self.served.append(served)
        return served

    def serve(self, **more: Any) -> Served:
        """Start, and wait until it answers."""
        served = self.start(**more)
        event = "showing, read-only" if "--read-only" in more.get("flags", ()) else "watching"
        until(lambda: served.events(event) or served.process.poll() is not None, "a daemon that watches")
        assert served.process.poll() is None, served.log.read_text()
        served.url = served.events(event)[0]["url"]
        until(lambda: "ok" in served.get("/readyz"), "readiness")
        return served

    def store(self) -> Store:
        return Store.open("sqlite:///goldwatch.db", base_dir=self.folder)

    def runs(self, target: str = "router", state: RunState | None = None) -> list[RunRecord]:
        """Oldest first; none while there is no store."""
        if not (self.folder / "goldwatch.db").exists():
            return []
        with self.store() as store:
            found = store.runs(target, limit=None, newest_first=False)
        return [run for run in found if state is None or run.state is state]

    def done(self, count: int, target: str = "router") -> list[RunRecord]:
        """The finished runs, once there are so many."""
        until(lambda: len(self.runs(target, RunState.DONE)) >= count, f"{count} finished runs of {target}")
        return self.runs(target, RunState.DONE)

    def half_way(self, target: str = "router") -> int:
        """The run that is under way, once some of its responses are saved."""

        def begun() -> int:
            for run in self.runs(target, RunState.RUNNING):
                with self.store() as store:
                    if len(store.answered_keys(run.id)) >= 4:
                        return run.id
            return 0

        return until(begun, "a run that has begun")

    def close(self) -> None:
        for served in self.served:
            if served.process.poll() is None:
                served.process.kill()
            served.process.communicate()
        for endpoint in self.endpoints:
            endpoint.close()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    made = Station(tmp_path)
    made.golden()
    yield made
    made.close()
