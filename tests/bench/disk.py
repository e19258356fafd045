"""Bytes on disk per response of an endpoint that repeats itself: 100 runs x 1,000 examples, everything included."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from checks.types import Response, Served, Verdict
from service.records import NewRun, Requests, RunKind, ScoreVector
from service.store import Store
from tests.bench.judging import EXAMPLES, _golden

RUNS = 100


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """The database after its log has been folded in, with golden set, texts, scores and totals."""
    golden = _golden()
    rng = np.random.default_rng(2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        with Store.open(f"sqlite:///{path}") as store:
            store.put_golden(golden)
            for number in range(RUNS):
                at = 3600.0 * (number + 1)
                new = NewRun("bench", RunKind.SCHEDULED, at, golden.digest, "segment", None, 1.0, 2160.0)
                run_id = store.claim_run(new, owner="bench", now=at, lease_s=60)
                if run_id is None:
                    raise RuntimeError("the run was not claimed")
                latency = rng.lognormal(-1, 0.3, EXAMPLES)
                responses = [
                    Response(
                        e.id,
                        f"answer {i}",
                        at=at + i / 100,
                        latency_s=latency[i],
                        ttft_s=latency[i] / 2,
                        input_tokens=40,
                        output_tokens=3,
                        served_model="bench",
                    )
                    for i, e in enumerate(golden.examples)
                ]
                store.save_responses(run_id, responses)
                store.finish_run(
                    run_id,
                    verdict=Verdict.OK,
                    reason=None,
                    measured=True,
                    requests=Requests(EXAMPLES, 0, 0),
                    input_tokens=40_000,
                    output_tokens=3_000,
                    cost_usd=None,
                    served=Served("bench"),
                    summaries=(),
                    findings=(),
                    vectors=(ScoreVector("label", (rng.random(EXAMPLES) < 0.9).astype(float)),),
                    answered=np.ones(EXAMPLES, dtype=bool),
                    latency_s=latency,
                    now=at + 20,
                )
        size = sum(f.stat().st_size for f in Path(folder).iterdir())
    each = size / (RUNS * EXAMPLES)
    yield "bytes on disk per response, 100 runs x 1,000", f"{each:.1f}", "<= 120", each <= 120
