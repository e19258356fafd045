"""A fleet of 200 and a history of years: one scrape, one target's page and history, one judgement, bytes a response.

    python -m tests.bench scale [--runs=10000]

The history has 2,000 runs x 1,000 examples unless told otherwise; filling 10,000 takes some minutes. Every run goes
through the store as the pipeline's do: claimed, answers saved, finished with scores, finding and kept fold.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from checks import judge
from checks.types import ALL, Finding, Measurement, Response, ScoreSummary, Served, Verdict
from service import cli, history
from service.conclude import subject_of
from service.config import load
from service.facts import TargetFacts
from service.golden import check_lock, freeze
from service.records import Golden, NewRun, Requests, RunKind, ScoreVector
from service.segment import segment_key
from service.store import Store
from service.web.app import create_app
from tests.bench.pages import HOUR, NOW, _Daemon

TARGETS, SLICES, EXAMPLES, RUNS = 200, 0, 1000, 2000
CONFIG = """
version: 1
targets:
  - name: big
    endpoint: {kind: openai_chat, base_url: "http://127.0.0.1:9/v1", model: m}
    golden: golden.jsonl
    scorers: [{kind: label, labels: [billing, login, shipping, bug]}]
"""
LABELS = ("billing", "login", "shipping", "bug")


class _Fleet(_Daemon):
    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def targets(self) -> Sequence[TargetFacts]:
        return [TargetFacts(name, interval_s=HOUR) for name in self._names]


def _best(what: Callable[[], Any], rounds: int = 5) -> float:
    walls: list[float] = []
    for _ in range(rounds):
        begun = time.perf_counter()
        what()
        walls.append(time.perf_counter() - begun)
    return min(walls)


def _page(store: Store, daemon: Any, path: str) -> tuple[float, int]:
    async def ask() -> tuple[float, int]:
        transport = httpx.ASGITransport(create_app(store, daemon))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            walls, lines = [], 0
            for _ in range(5):
                begun = time.perf_counter()
                answer = (await client.get(path)).raise_for_status()
                walls.append(time.perf_counter() - begun)
                lines = sum(not line.startswith("#") for line in answer.text.splitlines())
            return min(walls), lines

    return asyncio.run(ask())


def _measured(run: int, at: float, scores: Any, wait: Any) -> Measurement:
    return Measurement(run, at, True, {"label": scores}, np.ones(EXAMPLES, dtype=bool), wait)


def _one(
    store: Store, golden: Golden, target: str, at: float, scores: Any, more: Any, kept: bytes | None = None
) -> int:
    """One finished run with a finding and its slices; its number."""
    segment, baseline, answers, slices = more
    new = NewRun(target, RunKind.SCHEDULED, at, golden.digest, segment, baseline, 1.0, 2160.0)
    run = store.claim_run(new, owner="bench", now=at, lease_s=60)
    if run is None:
        raise RuntimeError("the run was not claimed")
    if answers:
        store.save_responses(run, answers)
    n, mean = len(scores), float(scores.mean())
    summaries = [ScoreSummary("label", name, mean, n, 0) for name in (ALL, *slices)]
    findings = [
        Finding("quality", "label", name, Verdict.OK, evidence=0.1, effect=mean - 0.9, baseline=0.9, current=mean,
                interval=(mean - 0.95, mean - 0.85))
        for name in (ALL, *slices)
    ]  # fmt: skip
    store.finish_run(
        run, verdict=Verdict.OK, reason=None, measured=True, requests=Requests(n, 0, 0), input_tokens=40 * n,
        output_tokens=3 * n, cost_usd=None, served=Served("bench"), summaries=summaries, findings=findings,
        vectors=(ScoreVector("label", scores),), answered=np.ones(n, dtype=bool),
        latency_s=np.array([r.latency_s for r in answers]) if answers else np.full(n, 0.1), now=at + 20, snapshot=kept,
    )  # fmt: skip
    return run


def _fleet(folder: str) -> Iterator[tuple[str, str, str, bool]]:
    rows = [{"id": f"T-{n}", "input": "x", "expected": "bug"} for n in range(50)]
    path = Path(folder) / "small.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    freeze(path, 1.0)
    golden = check_lock(path)
    names = [f"target-{n:03}" for n in range(TARGETS)]
    with Store.open(f"sqlite:///{Path(folder) / 'fleet.db'}") as store:
        store.put_golden(golden)
        for name in names:
            for run in range(3):
                slices = [f"lang={n}" for n in range(SLICES)]
                _one(store, golden, name, NOW - (4 - run) * HOUR, np.ones(50), ("s", None, (), slices))
        wall, lines = _page(store, _Fleet(names), "/metrics")
    yield (
        f"/metrics with {TARGETS} targets",
        f"{wall * 1e3:.0f} ms, {lines / TARGETS:.0f} series each",
        "<= 50 ms at 20 series each",
        wall <= 0.05 * max(1.0, lines / TARGETS / 20.0),
    )


def _long(folder: str, runs: int) -> Iterator[tuple[str, str, str, bool]]:
    rows = [
        {"id": f"T-{n:04}", "input": f"text {n}", "expected": LABELS[n % 4], "slices": {"part": str(n % 10)}}
        for n in range(EXAMPLES)
    ]
    (Path(folder) / "golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    freeze(Path(folder) / "golden.jsonl", 1.0)
    (Path(folder) / "goldwatch.yaml").write_text(CONFIG)
    config = load(Path(folder) / "goldwatch.yaml")
    target, golden = config.targets[0], check_lock(Path(folder) / "golden.jsonl")
    rng, db = np.random.default_rng(3), Path(folder) / "goldwatch.db"
    rates = np.clip(rng.beta(0.30, 0.075, EXAMPLES), 0.001, 0.999)
    with Store.open(f"sqlite:///{db}") as store:
        store.put_golden(golden)
        baseline = store.open_baseline("big", 1, "first runs", NOW)
        segment, about, state = segment_key(target, golden.digest, baseline.id), None, None
        ids: list[int] = []
        for number in range(runs):
            at = NOW - (runs - number) * HOUR
            scores = (rng.random(EXAMPLES) < rates).astype(float)
            wait = rng.lognormal(-1, 0.3, EXAMPLES)
            answers = [
                Response(e.id, LABELS[(n + (scores[n] < 0.5)) % 4], at=at + n / 100, latency_s=wait[n],
                         ttft_s=wait[n] / 2, input_tokens=40, output_tokens=3, served_model="bench")
                for n, e in enumerate(golden.examples)
            ]  # fmt: skip
            more = (segment, baseline.id, answers, [f"part={n}" for n in range(10)])
            kept = None
            if number >= runs - 20:  # as live runs do; the long past is folded once
                about = about or subject_of(store, target, golden)
                state = state or history.state_before(store, "big", segment, about)
                run = _measured(ids[-1] + 1, at, scores, wait)
                state, _ = judge.judge(about, state, run)
                kept = judge.dump(state)
            ids.append(_one(store, golden, "big", at, scores, more, kept))
            if number == 9:
                store.pin_baseline(baseline.id, ids)
        assert about is not None
        page, _ = _page(store, _Fleet(["big"]), "/targets/big")

        def judged() -> None:
            before = history.state_before(store, "big", segment, about)
            after, _ = judge.judge(about, before, _measured(ids[-1] + 1, NOW, scores, wait))
            judge.dump(after)

        judging = _best(judged)
    size = sum(f.stat().st_size for f in Path(folder).glob("goldwatch.db*")) / (runs * EXAMPLES)

    def told() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            code = cli.run(["history", "big", "-c", str(Path(folder) / "goldwatch.yaml")])
        if code != 0:
            raise RuntimeError(f"history left with {code}")

    what = f"{runs:,} runs x {EXAMPLES:,}: "
    yield what + "history", f"{(h := _best(told, 3)) * 1e3:.0f} ms", "<= 300 ms", h <= 0.3
    yield what + "a target page", f"{page * 1e3:.0f} ms", "<= 300 ms", page <= 0.3
    yield what + "one judgement", f"{judging * 1e3:.0f} ms", "<= 300 ms", judging <= 0.3
    yield what + "bytes on disk per response", f"{size:.1f}", "<= 60", size <= 60


def measure(options: Sequence[str] = ()) -> Iterator[tuple[str, str, str, bool]]:
    """The best of a few each; ``--runs=N`` for another length of history."""
    runs = next((int(o.partition("=")[2]) for o in options if o.startswith("--runs=")), RUNS)
    with tempfile.TemporaryDirectory() as folder:
        yield from _fleet(folder)
        yield from _long(folder, runs)
