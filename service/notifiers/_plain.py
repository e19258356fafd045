"""How does an alert read as plain text? Lines for channels that know no markup, from the versioned body, pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from checks.types import ALL
from service import wording
from service.text import safe

_MOST_LINE = 600
_MOST_FINDINGS = 8
_MOST_TEXT = 400


def title(message: Mapping[str, Any], limit: int) -> str:
    """The headline on one line, with what became of the alert in front where the title does not say it."""
    alert = message["alert"]
    word = "RESOLVED" if message["event"] == "alert.resolved" else alert["severity"].upper()
    return safe(f"[{word}] {alert['title']}", limit)


def lines(message: Mapping[str, Any]) -> list[str]:
    """What happened, since when, probably why, what broke, and where to look; each line harmless and bounded."""
    return [safe(line, _MOST_LINE) for line in _lines(message)]


def _lines(message: Mapping[str, Any]) -> Iterator[str]:
    alert = message["alert"]
    if alert.get("test"):
        yield from map(str, message["cause"])
        return
    if alert["kind"] == "regression":
        findings = sorted(alert["findings"], key=lambda f: -abs(f["effect"] or 0.0))
        findings = sorted(wording.in_order(findings), key=lambda f: f["slice"] != ALL)
        yield from map(_finding, findings[:_MOST_FINDINGS])
        if more := len(findings) - _MOST_FINDINGS:
            yield from [f"... and {more} more"] if more > 0 else []
    yield _when(alert)
    if alert["reason"] and alert["kind"] == "outage":
        yield str(alert["reason"]).removeprefix("availability: ")
        if alert["failures"]:
            yield wording.failures(alert["failures"])
    if alert["kind"] == "judge" and not alert.get("causes"):
        yield from (f"{wording.subject(f)}: {f['reason']}" for f in alert["findings"][:_MOST_FINDINGS])
    if alert.get("flapping"):
        yield "Flapping: it comes and goes, and resolves once it has stayed away for a while."
    if seen := alert.get("acknowledged"):
        yield f"Acknowledged by {seen['by']}{': ' + seen['reason'] if seen['reason'] else ''}"
    likelihood = next((cause["likelihood"] for cause in alert.get("causes", ())), None)
    for position, cause in enumerate(message["cause"][:6]):
        known = not cause.startswith("no cause found")
        lead = "Possibly: " if likelihood == "possible" else "Probably: " if known else "What changed? "
        yield f"{lead if position == 0 else '- '}{cause}"
    for top in alert.get("causes", ())[:1]:
        yield f"Next: {top['next']}"
    if message["event"] != "alert.resolved":
        yield from _examples(message)
    if message["url"]:
        yield message["url"]


def _finding(finding: Mapping[str, Any]) -> str:
    ends = wording.interval(finding)
    change = f"  {wording.change(finding)}" if finding["effect"] is not None else ""
    return (
        f"{wording.subject(finding)} {wording.happened(finding)}{change}{f' (95% CI {ends})' if ends else ''}"
    )


def _when(alert: Mapping[str, Any]) -> str:
    since = f"Since {wording.clock(alert['onset_at'] or alert['opened_at'])}"
    if alert["kind"] == "watch":
        return f"{since}. The watch itself is in trouble; this says nothing about the model."
    if alert["kind"] == "judge":
        return f"{since}. This is about the judge, not about the model."
    if alert["kind"] == "notice":
        return f"{since}. Nothing is broken now: plan for it."
    ended = "" if alert["resolved_at"] is None else f", resolved {wording.clock(alert['resolved_at'])}"
    return f"{since}{ended}, answered {alert['answered']}/{alert['asked']}"


def _examples(message: Mapping[str, Any]) -> Iterator[str]:
    for example in message["examples"]:
        parts = [
            f"{word} {_shown(example[key])}"
            for key, word in (("expected", "expected"), ("before", "before"), ("now", "now"))
            if example[key] is not None
        ]
        reason = f" ({example['reason']})" if example["reason"] else ""
        yield (
            f"{safe(str(example['id']), 100)}: {', '.join(parts)}{reason}"
            if parts
            else safe(str(example["id"]), 100)
        )


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return safe(repr(text) if not text.strip() else text, _MOST_TEXT)
