"""How are findings put to people? One wording for messages and pages.

Every function takes the finding's JSON object (:func:`service.report.finding_object`), because that is
what a message carries. What is unknown is said to be unknown; no number is made up for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from checks.types import ALL

FindingObject = Mapping[str, Any]

MINUS = "−"
UNKNOWN = "–"

_FAILURES = {
    "connect": "cannot connect",
    "tls": "TLS failed",
    "timeout": "timed out",
    "rate_limited": "rate limited",
    "auth": "key refused",
    "bad_body": "unreadable answer",
    "limit": "daily limit reached",
    "deadline": "not asked before the deadline",
}
_IN_SECONDS = frozenset({"latency"})
_PROMISES = "promises"
_PROMISED = {
    "latency_p95": "p95 latency",
    "ttft_p95": "p95 time to first token",
    "usd_per_1000_requests": "cost per 1,000 requests",
}
_ON_SCORES = frozenset({"quality", "floor", "generalization", "staleness", "adapter_applied", "judge_drift"})
_IDENTITY, _BORDER = "identity", "border_prompts"
_NAMED = {"adapter_applied": "adapter", "known_bad": "a known-bad state"}
_LEADING = frozenset({"quality", "floor"})
_OUTPUTS = "output_shift"
_JUDGES = "judge_drift"
_LENGTH = "length"


def subject(finding: FindingObject) -> str:
    """What the finding is about: the scorer, else the check; with the slice unless it is the whole set.

    >>> subject({"check": "quality", "scorer": "label", "slice": "lang=de"})
    'label lang=de'
    >>> subject({"check": "judge_drift", "scorer": "polite"})
    'anchors of polite'
    """
    check = str(finding.get("check"))
    name = str(finding.get("scorer") or _NAMED.get(check, check))
    if check == _JUDGES:
        return f"anchors of {name}"
    if check == _PROMISES:
        name = _PROMISED.get(name, name)
    if (check, name) == (_IDENTITY, _BORDER):
        name = _BORDER.replace("_", " ")
    return name if finding.get("slice") in (None, ALL) else f"{name} {finding['slice']}"


def value(finding: FindingObject, amount: float | None) -> str:
    """A value on the finding's scale: a share as a percentage, a latency in seconds, a length in characters.

    >>> value({"check": "quality"}, 0.943), value({"check": "latency"}, 1.25), value({}, None)
    ('94.3%', '1.25 s', '–')
    >>> value({"check": "output_shift", "scorer": "length"}, 212.4)
    '212 characters'
    """
    if amount is None:
        return UNKNOWN
    if _is_length(finding):
        return f"{amount:,.0f} characters"
    if _is_in_nats(finding):
        return f"{amount:.3f} nats"
    if _is_money(finding):
        return dollars(amount)
    return seconds(amount) if _is_time(finding) else f"{amount * 100:.1f}%"


def change(finding: FindingObject) -> str:
    """The effect with its sign, in percentage points or seconds; of a length in percent.

    >>> change({"check": "quality", "effect": -0.128}), change({"effect": None})
    ('−12.8 points', '–')
    >>> change({"check": "output_shift", "scorer": "length", "effect": 0.4})
    '+40.0%'
    """
    effect = finding.get("effect")
    if effect is None:
        return UNKNOWN
    if _is_length(finding):
        return f"{signed(effect * 100)}%"
    if _is_money(finding):
        return f"{signed(effect, 2)} $"
    if _is_time(finding):
        return f"{signed(effect, 2)} s"
    if _is_in_nats(finding):
        return f"{signed(effect, 3)} nats"
    return f"{signed(effect * 100)} points"


def interval(finding: FindingObject) -> str | None:
    """The effect's 95% interval, None where there is none.

    >>> interval({"interval": [-0.164, -0.091]})
    '−16.4 to −9.1'
    """
    ends = finding.get("interval")
    if ends is None:
        return None
    scale, digits = (1, 2) if _is_time(finding) or _is_money(finding) else (100, 1)
    return " to ".join(signed(end * scale, digits) for end in ends)


def is_share(finding: FindingObject) -> bool:
    """True where values are shares and effects points: scores, and the rates of output shifts.

    >>> is_share({"check": "output_shift", "scorer": "refusal"}), is_share({"check": "latency"})
    (True, False)
    """
    check = finding.get("check")
    return check in _ON_SCORES or (check == _OUTPUTS and finding.get("scorer") != _LENGTH)


def _is_in_nats(finding: FindingObject) -> bool:
    """True where values are log-probabilities: of border prompts only their share is known."""
    return finding.get("check") == _IDENTITY and finding.get("scorer") != _BORDER


def _is_length(finding: FindingObject) -> bool:
    """True where values are characters and effects are relative."""
    return finding.get("check") == _OUTPUTS and finding.get("scorer") == _LENGTH


def _is_money(finding: FindingObject) -> bool:
    """True where values are US dollars."""
    return finding.get("check") == _PROMISES and str(finding.get("scorer")).startswith("usd_")


def _is_time(finding: FindingObject) -> bool:
    """True where values are seconds."""
    return finding.get("check") in _IN_SECONDS or (
        finding.get("check") == _PROMISES and not _is_money(finding)
    )


def dollars(amount: float) -> str:
    """US dollars, to the cent or, below a dime, to two digits.

    >>> dollars(1234.5), dollars(0.004213)
    ('$1,234.50', '$0.0042')
    """
    return f"${amount:,.2f}" if amount >= 0.1 else f"${float(f'{amount:.2g}'):f}".rstrip("0")


def signed(amount: float, digits: int = 1) -> str:
    """A number with a sign that lines up with digits; zero has none.

    >>> signed(-9.13), signed(2.0), signed(-0.01)
    ('−9.1', '+2.0', '0.0')
    """
    rounded = round(amount, digits)
    if rounded == 0:
        return f"{0:.{digits}f}"
    return f"{MINUS if rounded < 0 else '+'}{abs(rounded):.{digits}f}"


def seconds(amount: float) -> str:
    """A duration in seconds to two digits, in milliseconds below a tenth.

    >>> seconds(0.042), seconds(12.3)
    ('42 ms', '12.30 s')
    """
    return f"{amount * 1000:.0f} ms" if amount < 0.1 else f"{amount:.2f} s"


def ago(duration_s: float) -> str:
    """How long, in the largest unit that leaves a whole number worth saying.

    >>> ago(12), ago(240), ago(7200), ago(200000)
    ('12 s', '4 min', '2 h', '2 d')
    """
    duration_s = max(duration_s, 0.0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if duration_s >= 2 * size or (duration_s >= size and unit == "min"):
            return f"{duration_s // size:.0f} {unit}"
    return f"{duration_s:.0f} s"


def clock(at: float | None) -> str:
    """A moment, in UTC and to the minute.

    >>> clock(1794625200.0), clock(None)
    ('2026-11-14 03:00 UTC', '–')
    """
    return UNKNOWN if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def worst(findings: Iterable[FindingObject]) -> FindingObject | None:
    """The finding that a headline is about: regressed, of a score, of the whole set, with an effect, the most evident.

    A fall comes before a floor, since it tells from what to what. Among equals the largest effect, then the first. None
    where there are no findings.
    """
    return min(findings, key=_rank, default=None)


def _rank(finding: FindingObject) -> tuple[bool, bool, bool, bool, bool, float, float]:
    return (
        finding.get("verdict") != "regressed",
        finding.get("check") not in _LEADING,
        finding.get("slice") != ALL,
        finding.get("effect") is None,
        finding.get("check") == "floor",
        -(finding.get("evidence") or 0.0),
        -abs(finding.get("effect") or 0.0),
    )


def in_order(findings: Iterable[FindingObject]) -> list[FindingObject]:
    """The findings as people are told them: falls, floors, the adapter, then the rest; in their own order otherwise.

    >>> [f["check"] for f in in_order([{"check": "identity"}, {"check": "floor"}, {"check": "quality"}])]
    ['quality', 'floor', 'identity']
    """
    first = ("quality", "floor", "adapter_applied")
    return sorted(findings, key=lambda f: first.index(f["check"]) if f["check"] in first else len(first))


def failures(counts: Mapping[str, int], most: int = 4) -> str:
    """Why examples have no answer, in words, the commonest first; ``counts`` is by kind of error.

    >>> failures({"timeout": 2, "connect": 58})
    'cannot connect × 58, timed out × 2'
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(
        f"{_FAILURES.get(kind, kind.replace('_', ' '))} × {many}" for kind, many in ordered[:most]
    )


def happened(finding: FindingObject) -> str:
    """What happened to the finding's subject, as the end of a sentence about it.

    >>> happened({"verdict": "regressed", "effect": -0.1, "baseline": 0.9, "current": 0.8})
    'fell from 90.0% to 80.0%'
    >>> happened({"check": "quality", "verdict": "regressed", "effect": 0.1, "baseline": 0.8, "current": 0.9})
    'fails examples that it never failed, though its mean rose from 80.0% to 90.0%'
    >>> shift = {"check": "output_shift", "scorer": "label.labels", "verdict": "regressed"}
    >>> happened({**shift, "baseline": 0.24, "current": 0.3, "reason": 'names "bug" more often, since run 7'})
    'changed: names "bug" more often, 24.0% → 30.0%'
    >>> happened({"check": "adapter_applied", "verdict": "regressed", "baseline": 0.31, "current": 1.0})
    "is not applied: 100.0% of the answers are the base model's (usual: 31.0%)"
    >>> happened({"check": "latency", "verdict": "regressed", "effect": 0.02, "baseline": 0.05, "current": 0.04})
    'is at 40 ms now, as in the baseline; that it got worse stands until more runs agree'
    >>> happened({"check": "promises", "scorer": "latency_p95", "baseline": 2.0, "current": 2.41})
    'is 2.41 s, promised is 2.00 s'
    """
    before, now = finding.get("baseline"), finding.get("current")
    effect, check, verdict = finding.get("effect"), finding.get("check"), finding.get("verdict")
    if stands(finding):
        return f"is at {value(finding, now)} now, as in the baseline; that it got worse stands until more runs agree"
    if check == _OUTPUTS and verdict == "regressed" and before is not None and now is not None:
        what = str(finding.get("reason") or "").rpartition(", since ")[0]
        return f"changed: {what}, {value(finding, before)} → {value(finding, now)}"
    if check == "known_bad" and verdict == "regressed" and now is not None:
        return f"is back: {value(finding, now)} of the answers that were bad before are bad the same way"
    if verdict == "regressed" and now is not None and check in ("adapter_applied", _IDENTITY):
        usual = "" if before is None else f" (usual: {value(finding, before)})"
        if check == "adapter_applied":
            return f"is not applied: {value(finding, now)} of the answers are the base model's{usual}"
        if finding.get("scorer") == _BORDER:
            return f"are answered otherwise: {value(finding, now)} begin with another token{usual}"
        return f"changed: first tokens are more or less likely by {value(finding, now)}{usual}"
    if check == _PROMISES and now is not None:
        limit = "" if before is None else f", promised is {value(finding, before)}"
        return f"is {value(finding, now)}{limit}"
    if check == "floor" and now is not None:
        floor = "" if before is None else f" of {value(finding, before)}"
        below = verdict == "regressed"
        return f"is {'below' if below else 'above'} its floor{floor}: {value(finding, now)}"
    if verdict in ("regressed", "improved") and effect is not None and now is not None:
        moved = "fell" if effect < 0 else "rose"
        origin = "" if before is None else f" from {value(finding, before)}"
        if check == "quality" and verdict == "regressed" and effect > 0:
            return (
                f"fails examples that it never failed, though its mean rose{origin} to {value(finding, now)}"
            )
        return f"{moved}{origin} to {value(finding, now)}"
    if now is not None:
        return f"is at {value(finding, now)}"
    return f"is {verdict}"


def stands(finding: FindingObject) -> bool:
    """Whether a regression stands though this run alone does not show it: the figures are the baseline's again.

    >>> stands({"check": "quality", "verdict": "regressed", "effect": 0.0, "baseline": 1.0, "current": 1.0})
    True
    >>> stands({"check": "latency", "verdict": "regressed", "effect": 0.0, "baseline": 0.05, "current": 0.04})
    True
    """
    before, now, check = finding.get("baseline"), finding.get("current"), finding.get("check")
    if finding.get("verdict") != "regressed" or before is None or now is None:
        return False
    if check in _IN_SECONDS:
        return bool(now <= before)
    return check in ("quality", _OUTPUTS) and value(finding, before) == value(finding, now)


def times(evidence: float) -> str:
    """Evidence relative to the paging threshold.

    >>> times(41.2), times(0.034), times(1e9)
    ('41×', '0.034×', 'over 10,000×')
    """
    if evidence >= 10_000:
        return "over 10,000×"
    if evidence < 0.01:
        return "<0.01×"
    return f"{evidence:.0f}×" if evidence >= 10 else f"{evidence:.2g}×"
