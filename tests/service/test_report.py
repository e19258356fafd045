"""Is a run's object strict JSON with the contract's keys, whatever is unknown?"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from checks.types import Finding, ScoreSummary, Verdict
from service.records import Requests, RunKind, RunRecord, RunState
from service.report import run_object

RUN = RunRecord(
    id=7, target="router", kind=RunKind.SCHEDULED, state=RunState.DONE, scheduled_at=10.0, started_at=11.0,
    finished_at=20.0, golden_digest="sha256:00", golden_version=2, golden_examples=3, segment="s", baseline_id=1,
    share=1.0, period_h=2160.0, repeats=1, verdict=Verdict.REGRESSED, reason="label fell", measured=True,
    requests=Requests(2, 1, 4), input_tokens=5, output_tokens=None, cost_usd=None, served=None,
    summaries=(ScoreSummary("label", "all", 0.5, 2, 1),),
    findings=(Finding("quality", "label", "all", Verdict.REGRESSED, 2.0, 1.0, -0.1, (-0.2, -0.05), 0.9, 0.8, 6, "x"),),
)  # fmt: skip


def test_the_object_is_the_contracts() -> None:
    """Keys, order and values are those that programs rely on."""
    assert run_object(RUN) == {
        "target": "router",
        "run": 7,
        "scheduled_at": 10.0,
        "started_at": 11.0,
        "golden": {"digest": "sha256:00", "version": 2, "examples": 3},
        "verdict": "regressed",
        "reason": "label fell",
        "scores": [{"scorer": "label", "slice": "all", "mean": 0.5, "n": 2, "unscored": 1}],
        "findings": [
            {
                "check": "quality", "scorer": "label", "slice": "all", "verdict": "regressed", "evidence": 2.0,
                "threshold": 1.0, "effect": -0.1, "interval": [-0.2, -0.05], "baseline": 0.9, "current": 0.8,
                "onset_run": 6, "reason": "x",
            }
        ],
        "requests": {"ok": 2, "failed": 1, "retried": 4},
        "tokens": {"input": 5, "output": None},
        "cost_usd": None,
    }  # fmt: skip


def numbers(node: Any) -> list[float]:
    if isinstance(node, dict):
        return [n for v in node.values() for n in numbers(v)]
    if isinstance(node, list):
        return [n for v in node for n in numbers(v)]
    return [node] if isinstance(node, float) else []


odd = st.none() | st.floats()


@given(odd, odd, odd, st.none() | st.tuples(st.floats(), st.floats()), odd)
def test_no_number_is_made_up(
    evidence: float | None,
    effect: float | None,
    cost: float | None,
    ends: tuple[float, float] | None,
    mean: float | None,
) -> None:
    """NaN and infinity become null, finite numbers stay as they are, and the object is strict JSON."""
    finding = replace(RUN.findings[0], evidence=evidence, effect=effect, interval=ends)
    made = run_object(
        replace(RUN, cost_usd=cost, findings=(finding,), summaries=(ScoreSummary("l", "all", mean, 1, 0),))
    )
    json.loads(json.dumps(made, allow_nan=False))
    assert all(math.isfinite(n) for n in numbers(made))
    known = effect is not None and math.isfinite(effect)
    assert made["findings"][0]["effect"] == (effect if known else None)
    whole = ends is not None and all(math.isfinite(e) for e in ends)
    assert made["findings"][0]["interval"] == (list(ends or ()) if whole else None)
