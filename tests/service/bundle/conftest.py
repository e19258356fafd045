"""A target that was watched for real until it regressed, in a folder with its configuration and store."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.config import Config, load
from service.demo.endpoint import DemoEndpoint
from service.demo.model import GOLDEN
from service.golden import freeze
from service.pipeline import Shell, run_target
from service.records import RunRecord
from service.store import Store

SECRET = "canary-7f3a9b-key"
PROMPT = "Route the ticket."
CONFIG = """
version: 1
store: sqlite:///goldwatch.db
targets:
  - name: ticket-router
    endpoint:
      kind: openai_chat
      base_url: {url}
      model: ticket-router
      api_key_env: ROUTER_KEY
      system: {prompt}
      params: {{temperature: 0, max_tokens: 16}}
    golden: golden.jsonl
    repeats: 2
    retries: 0
    bursts: false
    baseline: {{runs: 4}}
    scorers:
      - {{kind: label, labels: [billing, login, shipping, bug, refund], min: 0.2}}
      - {{kind: exact_match, name: exact}}
"""


@dataclass(frozen=True)
class Watched:
    """Where it is, and its newest run, which regressed."""

    folder: Path
    config: Config
    last: RunRecord

    def store(self) -> Store:
        return Store.open("sqlite:///goldwatch.db", base_dir=self.folder)


async def _watch(folder: Path) -> RunRecord:
    async with DemoEndpoint(latency_s=0.0) as endpoint:
        (folder / "goldwatch.yaml").write_text(CONFIG.format(url=endpoint.url, prompt=PROMPT))
        config = load(folder / "goldwatch.yaml")
        now = 1_700_000_000.0
        with Store.open("sqlite:///goldwatch.db", base_dir=folder) as store:
            shell = Shell(store, config, clock=lambda: now)
            for hour in range(8):
                if hour == 6:
                    endpoint.drop_adapter()
                runs = await run_target(shell, config.targets[0])
                now += 3600
            return runs[-1].run


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Six healthy runs, then the adapter is dropped."""
    folder = tmp_path_factory.mktemp("watched")
    shutil.copy(GOLDEN, folder / "golden.jsonl")
    freeze(folder / "golden.jsonl", 1_700_000_000.0)
    patch = pytest.MonkeyPatch()
    patch.setenv("ROUTER_KEY", SECRET)
    try:
        last = asyncio.run(_watch(folder))
    finally:
        patch.undo()
    return Watched(folder, load(folder / "goldwatch.yaml"), last)
