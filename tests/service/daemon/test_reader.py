"""Does a read-only daemon show everything and change nothing?"""

from __future__ import annotations

import urllib.error
from typing import Any

import pytest

from service.records import DeploymentMark
from service.store import Store, StoreError

FLAGS = ("--read-only",)


def test_it_shows_and_does_nothing(station: Any) -> None:
    """Pages, API and metrics answer; due runs and messages stay where they are; every change is refused."""
    endpoint = station.endpoint()
    station.write(station.target(endpoint.url, every="1s"), station.target(endpoint.url, "never-ran"))
    first = station.serve()
    station.done(2)
    assert first.end()[0] == 0
    rows = len(station.runs()) + len(station.runs("never-ran"))
    station.environ["TOKEN"] = "t" * 20
    station.write(
        station.target(endpoint.url, every="1s"), web={"listen": "127.0.0.1:0", "token_env": "TOKEN"}
    )
    asked = endpoint.real.requests_total
    reader = station.serve(flags=FLAGS)
    assert "router" in reader.get("/")
    assert "Run now" not in reader.get("/targets/router")
    assert reader.metric("goldwatch_measured{") == 1.0
    assert reader.metric("goldwatch_next_run_timestamp_seconds{") is not None
    for path in ("runs", "marks", "baselines"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            reader.post(f"/targets/router/{path}", {"reason": "x", "version": "v"})
    assert reader.end()[0] == 0
    assert len(station.runs()) + len(station.runs("never-ran")) == rows
    assert endpoint.real.requests_total == asked


def test_the_database_refuses_too(postgres_url: str, tmp_path: Any) -> None:
    """Whatever the program tries, a store that was opened to read takes no write, on either database."""
    for url in (postgres_url, f"sqlite:///{tmp_path / 'g.db'}"):
        with pytest.raises(StoreError):
            Store.open(url, read_only=True)
        Store.open(url).close()
        with Store.open(url, read_only=True) as store:
            assert store.marks("router", 0.0) == []
            with pytest.raises(StoreError):
                store.add_mark(DeploymentMark("router", 1.0, "v1"))
