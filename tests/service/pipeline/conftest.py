"""A real endpoint, a real store and a real configuration for the pipeline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from service.config import load
from service.demo.endpoint import BASE_MODEL, DemoEndpoint
from service.demo.model import GOLDEN
from service.pipeline import Shell, run_target
from service.store import Store

CONFIG = """
version: 1
store: sqlite:///goldwatch.db
targets:
  - name: ticket-router
    severity: critical
    labels: {{team: support-ml}}
    endpoint:
      kind: openai_chat
      base_url: {url}
      model: ticket-router
      system: Route the ticket.
      params: {{temperature: 0, max_tokens: 16}}
    {reference}
    golden: {golden}
    retries: {retries}
    baseline: {{runs: 4}}
    scorers: [{{kind: label, labels: [billing, login, shipping, bug, refund]}}]
notifiers:
  - {{name: hook, kind: webhook, url: "http://127.0.0.1:9/never"}}
"""


@dataclass
class Bench:
    """A watch over the demo's endpoint, on a clock of its own."""

    folder: Path
    endpoint: DemoEndpoint
    retries: int = 0
    now: float = 1_700_000_000.0
    reference: str = ""
    with_reference: bool = False
    stop: asyncio.Event | None = None
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        path = self.folder / "goldwatch.yaml"
        if self.with_reference:
            base = f"{{kind: openai_chat, base_url: {self.endpoint.url}, model: {BASE_MODEL}}}"
            self.reference = f"reference: {base}"
        path.write_text(
            CONFIG.format(
                url=self.endpoint.url, golden=GOLDEN, retries=self.retries, reference=self.reference
            )
        )
        self.config = load(path)
        self.store = Store.open("sqlite:///goldwatch.db", base_dir=self.folder)

    @property
    def target(self):
        return self.config.targets[0]

    @property
    def shell(self) -> Shell:
        return Shell(self.store, self.config, clock=lambda: self.now, stop=self.stop)

    async def hour(self, **more):
        """One replay; an hour passes."""
        runs = await run_target(self.shell, self.target, **more)
        self.now += 3600
        return runs


@pytest.fixture
def watch(tmp_path):
    """Open an endpoint, a store and a clock: ``async with watch() as bench``."""
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def opened(**more):
        async with DemoEndpoint(latency_s=0.0) as endpoint:
            bench = Bench(tmp_path, endpoint, **more)
            try:
                yield bench
            finally:
                bench.store.close()

    return opened
