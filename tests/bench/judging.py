"""One judgement after many runs: the 1,000th against the 10th, 1,000 examples x 10 slices, through a real store."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from checks import judge
from checks.types import Example, Measurement, Served, Verdict
from service import history
from service.records import Golden, NewRun, Requests, RunKind, ScoreVector
from service.store import Store

EXAMPLES, SLICES, RUNS = 1000, 10, 1000


def _golden() -> Golden:
    examples = tuple(
        Example(f"T-{i:04}", f"text {i}", "x", {"part": str(i % SLICES)}) for i in range(EXAMPLES)
    )
    return Golden("bench", "sha256:bench", 1, examples)


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """Reading the kept fold, judging, and writing it back with the run."""
    rng = np.random.default_rng(1)
    rates = np.clip(rng.beta(0.30, 0.075, EXAMPLES), 0.001, 0.999)
    golden = _golden()

    class Anything:
        scorer_name, min = "label", None

    about = history.subject(golden.examples, [Anything()], baseline_runs=10, min_answered=0.9)  # type: ignore[list-item]
    spans: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(f"sqlite:///{Path(folder) / 'bench.db'}") as store,
    ):
        store.put_golden(golden)
        for number in range(RUNS):
            at = 3600.0 * (number + 1)
            new = NewRun("bench", RunKind.SCHEDULED, at, golden.digest, "segment", None, 1.0, 2160.0)
            run_id = store.claim_run(new, owner="bench", now=at, lease_s=60)
            if run_id is None:
                raise RuntimeError("the run was not claimed")
            scores = (rng.random(EXAMPLES) < rates).astype(float)
            answered, latency = np.ones(EXAMPLES, dtype=bool), np.full(EXAMPLES, 0.5)
            begun = time.perf_counter()
            before = history.state_before(store, "bench", "segment", about)
            run = Measurement(run_id, at, True, {"label": scores}, answered, latency)
            after, _ = judge.judge(about, before, run)
            kept = judge.dump(after)
            spans.append(time.perf_counter() - begun)
            store.finish_run(
                run_id,
                verdict=Verdict.OK,
                reason=None,
                measured=True,
                requests=Requests(EXAMPLES, 0, 0),
                input_tokens=None,
                output_tokens=None,
                cost_usd=None,
                served=Served(),
                summaries=(),
                findings=(),
                vectors=(ScoreVector("label", scores),),
                answered=answered,
                latency_s=latency,
                now=at,
                snapshot=kept,
            )
    early, late = float(np.median(spans[10:30])), float(np.median(spans[-20:]))
    yield (
        "judging the 1,000th run, 1,000 examples x 10 slices",
        f"{late * 1e3:.1f} ms = {late / early:.2f} x the 10th to 30th; {len(kept) / 1e3:.0f} kB kept",
        "<= 1.5 x, <= 100 ms",
        late <= 1.5 * early and late <= 0.1,
    )
