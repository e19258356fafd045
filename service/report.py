"""What does a program read about a run? The JSON object that the command line, the API and files share.

The keys are the contract's. What is unknown is null, never 0, NaN or an empty list that means "unknown".
Times are numbers of seconds since 1970 (UTC).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from checks.types import Finding, ScoreSummary, Verdict
from service.records import Requests, RunRecord


def run_object(run: RunRecord) -> dict[str, Any]:
    """One run as ``run --json``, ``history --json`` and ``/api/v1/runs/{id}`` print it.

    A run that is still under way has ``verdict`` and ``reason`` null and no scores or findings yet.
    """
    return plain_object(
        target=run.target,
        run=run.id,
        scheduled_at=run.scheduled_at,
        started_at=run.started_at,
        golden=golden_object(run.golden_digest, run.golden_version, run.golden_examples),
        verdict=run.verdict,
        reason=run.reason,
        summaries=run.summaries,
        findings=run.findings,
        requests=run.requests,
        tokens=(run.input_tokens, run.output_tokens),
        cost_usd=run.cost_usd,
    )


def plain_object(
    *,
    target: str,
    run: int | None,
    scheduled_at: float | None,
    started_at: float | None,
    golden: dict[str, Any],
    verdict: Verdict | None,
    reason: str | None,
    summaries: Iterable[ScoreSummary],
    findings: Iterable[Finding],
    requests: Requests,
    tokens: tuple[int | None, int | None],
    cost_usd: float | None,
) -> dict[str, Any]:
    """The contract's object, also of what is no run in a store (a comparison): then ``run`` is null."""
    return {
        "target": target,
        "run": run,
        "scheduled_at": number(scheduled_at),
        "started_at": number(started_at),
        "golden": golden,
        "verdict": None if verdict is None else str(verdict),
        "reason": reason,
        "scores": [score_object(s) for s in summaries],
        "findings": [finding_object(f) for f in findings],
        "requests": {"ok": requests.ok, "failed": requests.failed, "retried": requests.retried},
        "tokens": {"input": tokens[0], "output": tokens[1]},
        "cost_usd": number(cost_usd),
    }


def golden_object(digest: str, version: int | None, examples: int) -> dict[str, Any]:
    """Which golden set; ``version`` is null if nobody froze it."""
    return {"digest": digest, "version": version, "examples": examples}


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
