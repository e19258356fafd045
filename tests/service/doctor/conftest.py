"""A folder with a configuration over a demo endpoint, and answers made by hand."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from checks.types import Example, Response
from service.config import load
from service.demo.endpoint import DemoEndpoint
from service.demo.model import GOLDEN, LABELS, SYSTEM
from service.doctor import Diagnosis, Part
from service.doctor.base_model import Triple
from service.doctor.examine import examine
from service.golden import lock_path

TARGET = """\
version: 1
store: sqlite:///goldwatch.db
targets:
  - name: ticket-router
    endpoint:
      kind: openai_chat
      base_url: {url}
      model: ticket-router
      system: "{system}"
      params: {{temperature: 0, max_tokens: 16}}
      {endpoint}
    golden: golden.jsonl
    scorers:
      - {{kind: label, labels: [{labels}]}}
    {target}
{rest}
"""


def write(folder: Path, url: str, *, endpoint: str = "", target: str = "", rest: str = "") -> Path:
    """A configuration of one target over the shipped golden set, with lines of one's own."""
    for file in (GOLDEN, lock_path(GOLDEN)):
        shutil.copy(file, folder / file.name)
    path = folder / "goldwatch.yaml"
    path.write_text(
        TARGET.format(
            url=url, system=SYSTEM, labels=", ".join(LABELS), endpoint=endpoint, target=target, rest=rest
        )
    )
    return path


async def diagnoses(
    path: Path, environ: Mapping[str, str] | None = None, **options: Any
) -> dict[Part, list[Diagnosis]]:
    config = load(path)
    found: dict[Part, list[Diagnosis]] = {part: [] for part in Part}
    async for one in examine(config, config.targets, environ or {}, **options):
        found[one.part].append(one)
    return found


def served(work: Callable[[DemoEndpoint], Coroutine[Any, Any, None]], *, seed: int = 0) -> None:
    """Run a coroutine while a demo endpoint serves."""

    async def main() -> None:
        async with DemoEndpoint(latency_s=0.0, seed=seed) as endpoint:
            await work(endpoint)

    asyncio.run(main())


def triple(
    number: int, tuned: str | None, base: str | None, again: str | None, expected: str = "a"
) -> Triple:
    example = Example(f"E{number}", "?", expected)
    first, second, third = (Response(example.id, output=text) for text in (tuned, base, again))
    return Triple(example, first, second, third)


@pytest.fixture(name="write")
def _write(tmp_path: Path) -> Callable[..., Path]:
    """Write a configuration into the test's own folder."""
    return lambda url, **lines: write(tmp_path, url, **lines)


@pytest.fixture(name="diagnoses")
def _diagnoses() -> Callable[..., Any]:
    """Examine a configuration: every diagnosis by its part."""
    return diagnoses


@pytest.fixture(name="served")
def _served() -> Callable[..., None]:
    """Run a coroutine while a demo endpoint serves."""
    return served


@pytest.fixture(name="triple")
def _triple() -> Callable[..., Triple]:
    """One example's three answers."""
    return triple
