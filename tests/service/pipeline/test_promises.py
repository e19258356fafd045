"""Are promises kept or broken by a real endpoint, and told as such?"""

from __future__ import annotations

import asyncio

from checks.types import Verdict
from service.alerting import AlertState
from service.config import load

PROMISED = """\
    promises: {latency_p95: 1ms, ttft_p95: 30s, usd_per_1000_requests: 1000}
    scorers:"""


def test_a_promise_that_cannot_be_kept_pages_and_the_baseline_is_learnt_all_the_same(watch):
    """No answer comes within a millisecond; the cost is far below its limit; no first token is measured."""

    async def story():
        async with watch() as bench:
            path = bench.folder / "goldwatch.yaml"
            text = path.read_text().replace("    scorers:", PROMISED)
            price = "price: {input_per_mtok: 0.3, output_per_mtok: 1.2}\n      system: Route"
            path.write_text(text.replace("system: Route", price))
            bench.config = load(path)
            for _ in range(8):
                (*_, last) = await bench.hour()
            return (
                last,
                bench.store.alerts("ticket-router", AlertState.FIRING),
                bench.store.baseline("ticket-router"),
            )

    last, (alert,), baseline = asyncio.run(story())
    found = {f.scorer: f for f in last.judgement.findings if f.check == "promises"}
    assert {name: f.verdict for name, f in found.items()} == {
        "latency_p95": Verdict.REGRESSED,
        "ttft_p95": Verdict.INCONCLUSIVE,
        "usd_per_1000_requests": Verdict.OK,
    }
    assert found["latency_p95"].onset_run == 1
    assert 0.0 < found["usd_per_1000_requests"].current < 1.0
    assert [f.scorer for f in alert.findings] == ["latency_p95"]
    assert len(baseline.runs) == 4
