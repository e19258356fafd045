"""A page of 5,000 broken examples, and the pages around it, over HTTP beside the application's cheapest answer."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from checks.types import ALL, Example, Finding, Response, ScoreSummary, Verdict
from service.facts import TargetFacts
from service.records import BaselineRecord, Golden, NewRun, Requests, RunKind, ScoreVector
from service.store import Store
from service.web.app import create_app

EXAMPLES, RUNS, GOAL_S = 5000, 14, 0.3
HOUR, NOW = 3600.0, 1_794_625_200.0
TEXT = "please route this ticket to the team that can help with an invoice that was charged twice last month"


class _Daemon:
    """One target, no token."""

    token = external_url = None
    show_texts, slices = True, 20

    def now(self) -> float:
        return NOW + 60

    def targets(self) -> Sequence[TargetFacts]:
        return [TargetFacts("big", interval_s=HOUR)]

    def next_run_at(self, _target: str, /) -> float | None:
        return None

    def reload_successful(self) -> bool | None:
        return True

    def finds(self, _target: str, /) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def accept_baseline(self, _target: str, _reason: str, /) -> BaselineRecord:
        raise NotImplementedError

    async def request_run(self, _target: str, _kind: RunKind, /) -> bool:
        return False


def fill(store: Store) -> int:
    """Fourteen runs of 5,000 examples of which the last two are wrong in all; the last one's number."""
    examples = tuple(
        Example(f"T-{n:05}", f"{n} {TEXT}", TEXT, {"lang": "de" if n % 5 else "en", "topic": f"t{n % 40}"})
        for n in range(EXAMPLES)
    )
    golden = Golden("big", "sha256:" + "cd" * 32, 1, examples)
    store.put_golden(golden)
    baseline = store.open_baseline("big", 1, "first runs", NOW)
    ids: list[int] = []
    for run in range(RUNS):
        at, bad = NOW - (RUNS - run) * HOUR, run >= RUNS - 2
        new = NewRun("big", RunKind.SCHEDULED, at, golden.digest, "s", baseline.id, 1.0, 2160.0)
        number = store.claim_run(new, owner="bench", now=at, lease_s=60)
        assert number is not None
        said = [TEXT.replace("invoice", f"refund {n % 97}") if bad else TEXT for n in range(EXAMPLES)]
        pairs = zip(examples, said, strict=True)
        store.save_responses(number, [Response(e.id, output=s, at=at, latency_s=0.1) for e, s in pairs])
        scores = np.zeros(EXAMPLES) if bad else np.ones(EXAMPLES)
        verdict = Verdict.REGRESSED if bad else Verdict.OK
        onset = number if run == RUNS - 2 else ids[-1] if bad else None
        mean = float(scores.mean())
        finding = Finding(
            "quality", "match", ALL, verdict, effect=mean - 1.0, baseline=1.0, current=mean, onset_run=onset
        )
        store.finish_run(
            number, verdict=verdict, reason=None, measured=True, requests=Requests(EXAMPLES, 0, 0),
            input_tokens=1, output_tokens=1, cost_usd=None, served=None,
            summaries=[ScoreSummary("match", ALL, mean, EXAMPLES, 0)], findings=[finding],
            vectors=[ScoreVector("match", scores, dict.fromkeys(range(EXAMPLES), "differs") if bad else {})],
            answered=np.ones(EXAMPLES, dtype=bool), latency_s=np.full(EXAMPLES, 0.1), now=at + 60, owner="bench",
        )  # fmt: skip
        ids.append(number)
    store.pin_baseline(baseline.id, ids[:10])
    return ids[-1]


async def _fastest(client: httpx.AsyncClient, path: str, rounds: int = 5) -> float:
    walls: list[float] = []
    for _ in range(rounds):
        begun = time.perf_counter()
        (await client.get(path)).raise_for_status()
        walls.append(time.perf_counter() - begun)
    return min(walls)


async def _walls(app: Any, run: int) -> dict[str, float]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        paths = {
            "the cheapest answer (/healthz)": "/healthz",
            "a page of 5,000 broken examples": f"/runs/{run}/examples",
            "its last page, of one slice, by id": f"/runs/{run}/examples?slice=lang%3Dde&sort=id&cursor=3975",
            "all 500 of an API page": f"/api/v1/runs/{run}/examples?limit=500",
            "the target": "/targets/big",
        }
        return {what: await _fastest(client, path) for what, path in paths.items()}


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """The best of five each; the goal is of the page, the rest stands beside it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(f"sqlite:///{Path(folder) / 'bench.db'}") as store,
    ):
        walls = asyncio.run(_walls(create_app(store, _Daemon()), fill(store)))
    for what, wall in walls.items():
        yield what, f"{wall * 1000:.0f} ms", f"<= {GOAL_S * 1000:.0f} ms", wall <= GOAL_S
