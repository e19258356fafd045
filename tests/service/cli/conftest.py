"""Runs as objects, and a folder with a configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.cli import starter


def finding(**changes: Any) -> dict[str, Any]:
    empty = {
        "check": "quality", "scorer": "label", "slice": "all", "verdict": "ok", "evidence": None, "threshold": 1.0,
        "effect": None, "interval": None, "baseline": None, "current": None, "onset_run": None, "reason": None,
    }  # fmt: skip
    return empty | changes


def score(
    mean: float | None, n: int, *, name: str = "all", scorer: str = "label", unscored: int = 0
) -> dict[str, Any]:
    return {"scorer": scorer, "slice": name, "mean": mean, "n": n, "unscored": unscored}


def run_object(verdict: str, **changes: Any) -> dict[str, Any]:
    made = {
        "target": "ticket-router", "run": 1413, "scheduled_at": 1731553200.0, "started_at": 1731553200.0,
        "golden": {"digest": "sha256:" + "ab" * 32, "version": 2, "examples": 400}, "verdict": verdict, "reason": None,
        "scores": [score(0.943, 400)], "findings": [], "requests": {"ok": 400, "failed": 0, "retried": 0},
        "tokens": {"input": 150_000, "output": 11_000}, "cost_usd": 0.06,
    }  # fmt: skip
    return made | changes


@pytest.fixture
def make_run() -> Callable[..., dict[str, Any]]:
    return run_object


@pytest.fixture
def make_finding() -> Callable[..., dict[str, Any]]:
    return finding


@pytest.fixture
def make_score() -> Callable[..., dict[str, Any]]:
    return score


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a configuration and a golden set, as ``init`` writes them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "golden").mkdir()
    (tmp_path / "goldwatch.yaml").write_text(starter.configuration(starter.PLACEHOLDER))
    (tmp_path / "golden" / "tickets.jsonl").write_text(starter.GOLDEN)
    return tmp_path
