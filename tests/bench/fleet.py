"""Several real ``goldwatch`` processes on one store, killed at random: is each run made once and judged alike?

``python -m tests.bench kills`` kills 200 times; ``tests/service/workers`` a dozen times. The endpoint answers the same
whatever the order, so an unharmed twin must come to the same verdicts.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, TypeVar

from service.demo.endpoint import DemoEndpoint
from service.demo.model import GOLDEN
from service.demo.receiver import WebhookReceiver
from service.golden import freeze
from service.records import RunKind, RunRecord, RunState
from service.store import Store

T = TypeVar("T")
PATIENCE_S = 120.0
EXAMPLES = 40
LAUNCH = """
import service.pipeline as pipeline
pipeline.LEASE_S = 3.0
import service.daemon.daemon as daemon
daemon.SWEEP_S, daemon.POLL_S = 0.5, 0.5
import service.daemon.watch as watch
watch.BUSY_S = watch.RETRY_S = 0.5
import service.dispatch as dispatch
dispatch.LEASE_S = 2.0
import service.workers.queue as queue
queue.HEARTBEAT_S, queue.STALLED_S, queue.AGAIN_S = 0.5, 3.0, 0.5
from service.cli import main
main()
"""


def until(what: Callable[[], T], why: str, patience_s: float = PATIENCE_S) -> T:
    """The first true answer."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if answer := what():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"never came: {why}")


class Loop:
    """An event loop in a thread of its own, for servers beside blocking code."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        self.loop.close()


@dataclass
class Fleet:
    """A folder, an endpoint, a receiver of alerts, a store and processes on it. ``store_url`` names either database."""

    folder: Path
    store_url: str = "sqlite:///goldwatch.db"
    latency_s: float = 0.004
    names: tuple[str, ...] = ("one", "two", "three")
    every: str = "1s"
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    kills: int = 0

    def __enter__(self) -> Self:
        self._loop = Loop()
        self.endpoint = DemoEndpoint(latency_s=self.latency_s)
        self.receiver = WebhookReceiver()
        self._loop.do(self.endpoint.start())
        self._loop.do(self.receiver.start())
        golden = self.folder / "golden.jsonl"
        lines = Path(GOLDEN).read_text("utf-8").splitlines(keepends=True)[:EXAMPLES]
        golden.write_text("".join(lines), "utf-8")
        freeze(golden, time.time())
        self.write()
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        self._loop.do(self.endpoint.stop())
        self._loop.do(self.receiver.stop())
        self._loop.close()

    def write(self, **more: Any) -> None:
        """The configuration; ``more`` goes into each target."""
        targets = [
            {
                "name": name,
                "endpoint": {
                    "kind": "openai_chat",
                    "base_url": self.endpoint.url,
                    "model": "ticket-router",
                    "system": "Route the ticket.",
                    "params": {"temperature": 0, "max_tokens": 16},
                },
                "golden": "golden.jsonl",
                "schedule": {"every": self.every},
                "concurrency": 2,
                "retries": 2,
                "baseline": {"runs": 3},
                "bursts": {"per_hour": 0},
                "scorers": [{"kind": "label", "labels": ["billing", "login", "shipping", "bug", "refund"]}],
                **more,
            }
            for name in self.names
        ]
        whole = {
            "version": 1,
            "store": self.store_url,
            "web": {"listen": "127.0.0.1:0"},
            "notifiers": [{"name": "hook", "kind": "webhook", "url": self.receiver.url}],
            "targets": targets,
        }
        (self.folder / "goldwatch.yaml").write_text(json.dumps(whole), "utf-8")

    def start(self, name: str, *command: str) -> None:
        """Start a process; its log is ``NAME.log``."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-c", LAUNCH, *command, "-c", str(self.folder / "goldwatch.yaml")],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )
        self._commands = getattr(self, "_commands", {})
        self._commands[name] = command

    def url(self, name: str) -> str:
        """Where a serve answers, once it says so."""

        def said() -> str:
            for line in reversed(self.log(name).splitlines()):
                if '"event": "watching"' in line:
                    return str(json.loads(line)["url"])
            return ""

        return until(said, f"{name} watches")

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text("utf-8", "replace")

    def kill(self, name: str) -> None:
        """SIGKILL, and a new one at once."""
        process = self.processes[name]
        assert process.poll() is None, self.log(name)[-3000:]
        process.kill()
        process.wait()
        self.kills += 1
        self.start(name, *self._commands[name])

    def kill_at_random(self, times: int, seed: int, pause_s: tuple[float, float]) -> None:
        """So many kills, each of any process, at any moment."""
        rng = random.Random(seed)
        for _ in range(times):
            time.sleep(rng.uniform(*pause_s))
            self.kill(rng.choice(sorted(self.processes)))

    def end(self) -> None:
        """SIGTERM to all; each leaves with 0, or by the signal where it has only just started."""
        for process in self.processes.values():
            process.terminate()
        codes = {name: process.wait(60) for name, process in self.processes.items()}
        said = {name: self.log(name)[-2000:] for name, code in codes.items() if code not in {0, -15}}
        assert not said, (codes, said)
        self.processes.clear()

    def store(self) -> Store:
        return Store.open(self.store_url, base_dir=self.folder)

    def runs(self, target: str) -> list[RunRecord]:
        """Oldest first; none before there is a store."""
        if self.store_url.startswith("sqlite") and not (self.folder / "goldwatch.db").exists():
            return []
        with self.store() as store:
            return store.runs(target, limit=None, newest_first=False)

    def done(self, count: int, patience_s: float = PATIENCE_S) -> None:
        """Wait until every target has so many finished runs."""

        def have() -> bool:
            time.sleep(0.2)  # each look opens the store: the fleet should have the processors
            return all(sum(r.state is RunState.DONE for r in self.runs(n)) >= count for n in self.names)

        until(have, f"{count} runs of each", patience_s)


def harm(fleet: Fleet) -> list[str]:
    """What is wrong with the runs of a fleet that has ended; empty if nothing is."""
    wrong: list[str] = []
    with fleet.store() as store:
        for name in fleet.names:
            runs = store.runs(name, limit=None, newest_first=False)
            ticks = [run.scheduled_at for run in runs if run.kind is RunKind.SCHEDULED]
            wrong += [f"{name}: a tick has two runs"] * (len(ticks) != len(set(ticks)))
            for run in runs:
                keys = len(store.answered_keys(run.id))
                if run.state is RunState.DONE and keys != EXAMPLES:
                    wrong.append(f"{name}: run {run.id} was judged with {keys} answers")
                if run.state is RunState.DONE and not run.measured:
                    wrong.append(f"{name}: run {run.id} was lost: {run.reason}")
            for one, two in pairwise(runs):
                if one.finished_at is None or one.finished_at > two.started_at:
                    wrong.append(f"{name}: runs {one.id} and {two.id} overlap")
            asked = [[r.at for r in store.responses(run.id) if r.at is not None] for run in runs]
            for one, two, before, after in zip(runs, runs[1:], asked, asked[1:], strict=False):
                if before and after and max(before) > min(after):
                    wrong.append(f"{name}: answers of runs {one.id} and {two.id} overlap")
    return wrong


def verdicts(fleet: Fleet, name: str) -> list[str]:
    """The verdicts of the finished runs, oldest first."""
    return [str(run.verdict) for run in fleet.runs(name) if run.state is RunState.DONE]
