"""Do the totals hold what happened, and never go down?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from checks.types import Verdict
from service.alerting import AlertState
from service.records import MetricsSnapshot, Requests, ScoreVector
from service.store import BUCKETS_S


def test_an_empty_store_has_no_metrics(scene: Any) -> None:
    """Before the first finished run nothing is claimed about a target."""
    scene.claim()
    assert scene.store.metrics_snapshot() == MetricsSnapshot({}, {})


def test_totals_add_up_over_runs(scene: Any) -> None:
    """Runs, requests, tokens, cost, examples and durations add up per target."""
    scene.done(now=1000.0, responses=scene.responses(ttft_s=0.3))
    scene.done(now=2000.0, responses=scene.responses(3), cost_usd=None, output_tokens=None)
    dark = scene.done(
        now=3000.0,
        verdict=Verdict.INCONCLUSIVE,
        measured=False,
        vectors=(),
        requests=Requests(0, 5),
        cost_usd=None,
    )
    scene.done(now=4000.0, target="other", vectors=[ScoreVector("label", np.ones(5))])
    found = scene.store.metrics_snapshot().targets
    router = found["router"]
    assert set(found) == {"router", "other"}
    assert router.runs == {"ok": 2, "inconclusive": 1}
    assert router.requests == {"ok": 8, "failed": 7, "retried": 4}
    assert router.tokens == {"input": 300, "output": 40}
    assert router.cost_usd == 0.5
    assert router.examples == {
        "label": {"passed": 6, "failed": 4, "unscored": 0},
        "chrf": {"passed": 6, "failed": 2, "unscored": 2},
    }
    assert router.last_run.id == dark
    assert router.last_measured.id == dark - 1
    assert router.last_measured.findings == scene.judgement()["findings"]
    assert found["other"].examples == {"label": {"passed": 5, "failed": 0, "unscored": 0}}


def test_durations_fall_into_their_buckets(scene: Any) -> None:
    """A duration on a bound lies in the bucket that ends there; the sum is in seconds."""
    times = [0.05, 0.050001, 1.0, 60.0, 61.0]
    run_id = scene.claim()
    for response, latency_s in zip(scene.responses(), times, strict=True):
        scene.store.save_responses(run_id, [type(response)(response.example_id, "x", latency_s=latency_s)])
    scene.finish(run_id)
    router = scene.store.metrics_snapshot().targets["router"]
    expected = [0] * (len(BUCKETS_S) + 1)
    for place in (0, 1, BUCKETS_S.index(1.0), BUCKETS_S.index(60.0), len(BUCKETS_S)):
        expected[place] += 1
    assert router.latency.counts == tuple(expected)
    assert router.latency.sum_s == pytest.approx(sum(times))
    assert router.ttft is None


def test_a_price_that_nobody_knows_is_no_cost(scene: Any) -> None:
    """Without a known price the cost is unknown, not zero."""
    scene.done(cost_usd=None)
    assert scene.store.metrics_snapshot().targets["router"].cost_usd is None


def test_firing_alerts_are_counted_by_severity(scene: Any) -> None:
    """Only alerts that fire now are counted."""
    scene.done(
        alerts=[
            scene.alert(id="a"),
            scene.alert(id="b"),
            scene.alert(id="c", severity="info"),
            scene.alert(id="d", state=AlertState.RESOLVED),
            scene.alert(id="e", target="other"),
        ]
    )
    assert scene.store.metrics_snapshot().targets["router"].firing == {"critical": 2, "info": 1}


def test_notifications_are_counted_from_zero(scene: Any) -> None:
    """A notifier's totals begin at zero with its first message, so that the first failure is a rise."""
    scene.done(alerts=[scene.alert(id="alert-1")], outbox=[scene.message(1)])
    zero = {("slack", outcome): 0 for outcome in ("sent", "retried", "failed")}
    assert scene.store.metrics_snapshot().notifications == zero


def test_retention_lowers_no_total(scene: Any) -> None:
    """After old responses are deleted every exported value is the same."""
    scene.done(now=1000.0, responses=scene.responses())
    before = scene.store.metrics_snapshot()
    assert scene.store.prune(9e9, 1.0) == 5
    assert scene.store.metrics_snapshot() == before
