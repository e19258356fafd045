"""What does a program read about a run? The JSON object that the command line, the API and files share.

The keys are the contract's. What is unknown is null, never 0, NaN or an empty list that means "unknown".
Times are numbers of seconds since 1970 (UTC).
"""

from __future__ import annotations

import math
from typing import Any

from checks.types import Finding, ScoreSummary
from service.records import RunRecord


def run_object(run: RunRecord) -> dict[str, Any]:
    """One run as ``run --json``, ``history --json`` and ``/api/v1/runs/{id}`` print it.

    A run that is still under way has ``verdict`` and ``reason`` null and no scores or findings yet.
    """
    return {
        "target": run.target,
        "run": run.id,
        "scheduled_at": number(run.scheduled_at),
        "started_at": number(run.started_at),
        "golden": {
            "digest": run.golden_digest,
            "version": run.golden_version,
            "examples": run.golden_examples,
        },
        "verdict": None if run.verdict is None else str(run.verdict),
        "reason": run.reason,
        "scores": [score_object(s) for s in run.summaries],
        "findings": [finding_object(f) for f in run.findings],
        "requests": {
            "ok": run.requests.ok,
            "failed": run.requests.failed,
            "retried": run.requests.retried,
        },
        "tokens": {"input": run.input_tokens, "output": run.output_tokens},
        "cost_usd": number(run.cost_usd),
    }


def score_object(summary: ScoreSummary) -> dict[str, Any]:
    """The mean of one scorer over one slice; ``mean`` is null where nothing was scored."""
    return {
        "scorer": summary.scorer,
        "slice": summary.slice,
        "mean": number(summary.mean),
        "n": summary.n,
        "unscored": summary.unscored,
    }


def finding_object(finding: Finding) -> dict[str, Any]:
    """One finding; ``interval`` is ``[low, high]`` or null."""
    return {
        "check": finding.check,
        "scorer": finding.scorer,
        "slice": finding.slice,
        "verdict": str(finding.verdict),
        "evidence": number(finding.evidence),
        "threshold": number(finding.threshold),
        "effect": number(finding.effect),
        "interval": _interval(finding.interval),
        "baseline": number(finding.baseline),
        "current": number(finding.current),
        "onset_run": finding.onset_run,
        "reason": finding.reason,
    }


def number(value: float | None) -> float | None:
    """The number for JSON, which has no NaN and no infinity: those are unknown, so null.

    >>> number(float("nan")) is None, number(0.5)
    (True, 0.5)
    """
    return None if value is None or not math.isfinite(value) else float(value)


def _interval(interval: tuple[float, float] | None) -> list[float] | None:
    if interval is None or not all(math.isfinite(end) for end in interval):
        return None
    return [float(interval[0]), float(interval[1])]
