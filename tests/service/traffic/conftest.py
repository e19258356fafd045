"""A configuration with one watched target over a frozen copy of the demo's golden set, and an empty store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.config import Config, load
from service.golden.lock import freeze
from service.store import Store
from service.store.packing import unsqueeze

DEMO = Path(__file__).parents[3] / "service" / "demo"

Configure = Callable[..., Config]


@pytest.fixture
def texts() -> list[str]:
    """Texts of the golden set's domain that it does not hold."""
    known = {json.loads(line)["input"] for line in (DEMO / "golden.jsonl").read_text().splitlines()}
    held = [json.loads(line)["input"] for line in (DEMO / "tickets.jsonl").read_text().splitlines()]
    return [text for text in held if text not in known]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Writes a configuration; ``traffic`` is the YAML of the target's key."""

    def make(traffic: str = "{window: 1h}", more: str = "") -> Config:
        golden = tmp_path / "golden.jsonl"
        if not golden.exists():
            golden.write_text((DEMO / "golden.jsonl").read_text())
            freeze(golden, 0.0)
        (tmp_path / "goldwatch.yaml").write_text(
            f"""version: 1
targets:
  - name: router
    endpoint: {{kind: openai_chat, base_url: "http://127.0.0.1:9/v1", model: router-ft}}
    golden: golden.jsonl
    scorers: [{{kind: label, labels: [billing, login, shipping, bug, refund]}}]
    traffic: {traffic}
{more}"""
        )
        return load(tmp_path / "goldwatch.yaml")

    return make


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/goldwatch.db") as opened:
        yield opened


@pytest.fixture
def raw(tmp_path: Path) -> Callable[[], bytes]:
    """Every byte that the store has on disk, and what its packed values hold."""

    def read() -> bytes:
        held = [p.read_bytes() for p in sorted(tmp_path.glob("goldwatch.db*"))]
        with closing(sqlite3.connect(tmp_path / "goldwatch.db")) as database:
            for (table,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall():
                values = (v for row in database.execute(f'SELECT * FROM "{table}"') for v in row)
                held += [
                    unsqueeze(v) for v in values if isinstance(v, bytes) and v[:2] in (b"\x01x", b"\x00{")
                ]
        return b"".join(held)

    return read


def sample(text: str, **more: Any) -> str:
    """A line of a followed file."""
    return json.dumps({"input": text, **more}) + "\n"
