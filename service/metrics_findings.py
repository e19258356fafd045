"""What do a run's findings say in figures? Rows of metrics from what the checks found, one function for all of them.

Evidence and regressed are the same for every check. Scores have their change with its interval; checks that measure
something of their own have it under a name of its own, in its own unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from checks.inference.agreement import agreement
from checks.judge_drift import HUMAN, SCORES
from checks.types import ALL, Finding, FloatArray, ScoreSummary, Verdict
from service.records import RunRecord

Row = tuple[str, Sequence[str], float]
"""A metric's name, the values of its labels after ``target``, and its value."""

_Read = Callable[[Finding], float | None]

OF_CHECKS: dict[str, dict[str, tuple[Callable[[Finding], tuple[str, ...]], _Read]]] = {
    "generalization": {
        "goldwatch_generalization_difference": (lambda f: (f.scorer or "", f.slice), lambda f: f.effect),
    },
    "staleness": {
        "goldwatch_staleness_change": (lambda f: (f.scorer or "",), lambda f: f.effect),
    },
    "adapter_applied": {
        "goldwatch_base_model_alike_ratio": (lambda _: (), lambda f: f.current),
        "goldwatch_baseline_base_model_alike_ratio": (lambda _: (), lambda f: f.baseline),
    },
    "identity": {
        "goldwatch_first_token_shift_nats": (lambda _: (), lambda f: f.current if f.scorer is None else None),
        "goldwatch_baseline_first_token_shift_nats": (
            lambda _: (),
            lambda f: f.baseline if f.scorer is None else None,
        ),
        "goldwatch_border_prompts_changed_ratio": (lambda _: (), lambda f: f.current if f.scorer else None),
        "goldwatch_baseline_border_prompts_changed_ratio": (
            lambda _: (),
            lambda f: f.baseline if f.scorer else None,
        ),
    },
}
"""By check: its own metrics, the values of their labels after ``target``, and what is read of a finding."""


def of_judges(judged: Mapping[str, FloatArray]) -> Iterator[Row]:
    """How well each judge agreed with people on its anchors in a run."""
    for name in sorted(judged):
        scorer = name.removeprefix(SCORES)
        theirs = judged.get(HUMAN + scorer)
        if scorer == name or theirs is None:
            continue
        found = agreement(judged[name], theirs)
        for coefficient, one in (("ac1", found.ac1), ("kappa", found.kappa)) if found is not None else ():
            if one is not None:
                yield "goldwatch_judge_agreement", (scorer, coefficient), one.value
                yield "goldwatch_judge_agreement_lower", (scorer, coefficient), one.low
                yield "goldwatch_judge_agreement_upper", (scorer, coefficient), one.high


def of_findings(run: RunRecord, slices: int) -> Iterator[Row]:
    """The rows of a measured run; ``slices`` is how many slices are told."""
    by_check: dict[str, list[Finding]] = {}
    for finding in run.findings:
        by_check.setdefault(finding.check, []).append(finding)
    for check, findings in sorted(by_check.items()):
        evidence = [f.evidence for f in findings if f.evidence is not None]
        if evidence:
            yield "goldwatch_evidence", (check,), max(evidence)
        judged = [f for f in findings if f.verdict not in (Verdict.LEARNING, Verdict.INCONCLUSIVE)]
        if judged:
            yield "goldwatch_regressed", (check,), float(any(f.verdict is Verdict.REGRESSED for f in judged))
    for finding in run.findings:
        yield from _of_check(finding)
    for promise in by_check.get("promises", ()):
        if promise.scorer is not None and promise.current is not None and promise.baseline:
            yield "goldwatch_promise_used_ratio", (promise.scorer,), promise.current / promise.baseline
    quality = [f for f in by_check.get("quality", ()) if f.scorer is not None]
    for finding in quality:
        if finding.slice == ALL and finding.scorer is not None:
            yield from _of_change(finding, finding.scorer)
    means = {(s.scorer, s.slice): s.mean for s in run.summaries}
    for scorer, name in telling_slices(run, slices):
        mean = means.get((scorer, name))
        if mean is not None:
            yield "goldwatch_slice_score_ratio", (scorer, name), mean
        for finding in quality:
            if (finding.scorer, finding.slice) == (scorer, name) and finding.effect is not None:
                yield "goldwatch_slice_score_change", (scorer, name), finding.effect


def _of_change(finding: Finding, scorer: str) -> Iterator[Row]:
    if finding.baseline is not None:
        yield "goldwatch_baseline_score_ratio", (scorer,), finding.baseline
    if finding.effect is not None:
        yield "goldwatch_score_change", (scorer,), finding.effect
    if finding.interval is not None:
        yield "goldwatch_score_change_lower", (scorer,), finding.interval[0]
        yield "goldwatch_score_change_upper", (scorer,), finding.interval[1]


def telling_slices(run: RunRecord, most: int) -> list[tuple[str, str]]:
    """The (scorer, slice) pairs that tell most: regressed, then suspect, then by evidence and by effect.

    Among equals the larger slice, then the name, so that a quiet target's choice does not change.
    """
    findings = {(f.scorer, f.slice): f for f in run.findings if f.check == "quality"}

    def rank(summary: ScoreSummary) -> tuple[bool, bool, float, float, int, str, str]:
        finding = findings.get((summary.scorer, summary.slice))
        verdict = finding.verdict if finding else None
        evidence = (finding.evidence if finding else None) or 0.0
        effect = (finding.effect if finding else None) or 0.0
        quiet = verdict not in (Verdict.REGRESSED, Verdict.SUSPECT, Verdict.IMPROVED)
        return (
            verdict is not Verdict.REGRESSED,
            verdict is not Verdict.SUSPECT,
            0.0 if quiet else -evidence,
            0.0 if quiet else -abs(effect),
            -(summary.n + summary.unscored),
            summary.slice,
            summary.scorer,
        )

    ranked = sorted((s for s in run.summaries if s.slice != ALL), key=rank)
    return [(s.scorer, s.slice) for s in ranked[:most]]


def _of_check(finding: Finding) -> Iterator[Row]:
    for name, (labels, read) in OF_CHECKS.get(finding.check, {}).items():
        if (value := read(finding)) is not None:
            yield name, labels(finding), value
