"""How does an alert look in Slack? The message body as Block Kit, pure.

Everything that a model, a golden set or a configuration wrote is hostile: ``&``, ``<`` and ``>`` are
escaped, so that it can neither link nor call anyone; hidden characters are made visible; model
output stands in code spans, whose backticks it cannot close. ``verbatim`` stops Slack from making links
and mentions of its own.
Slack's limits: 50 blocks, 3000 characters in a section's text, 150 in a header's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from checks.types import ALL
from service import wording
from service.text import safe

MOST_TEXT = 3000
MOST_HEADER = 150
_MOST_SUBJECTS = 4
_MOST_SLICES = 5
_MOST_LABELS = 8
_MOST_FIELD = 400
"""Characters of one example's text as escaped: three of them and an id stay below MOST_TEXT."""

_MOST_URL = 500
"""A longer address is left out: cut it would lead nowhere."""

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LIGHTS = {"critical": "🔴", "warning": "🟠", "info": "🔵"}

Block = dict[str, Any]


def payload(message: Mapping[str, Any]) -> dict[str, Any]:
    """The request body for an incoming webhook, from the versioned body with its texts already cut."""
    alert = message["alert"]
    resolved = message["event"] == "alert.resolved"
    light = "🟢" if resolved else _LIGHTS.get(alert["severity"], "🟠")
    title = f"{light} {safe(alert['title'])}"
    blocks: list[Block | None] = [
        {"type": "header", "text": {"type": "plain_text", "text": safe(title, MOST_HEADER), "emoji": True}},
        *(
            [_section([plain(line, 600) for line in message["cause"]])]
            if alert.get("test")
            else _told(message)
        ),
        *_examples(message["examples"], alert, resolved=resolved),
        _section(_links(message)),
        _context(_footer(message)),
    ]
    return {
        "text": escape(title, MOST_TEXT),
        "blocks": [block for block in blocks if block is not None],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def reply(message: Mapping[str, Any]) -> str:
    """One line for the thread under the first message: what has become of the alert."""
    alert = message["alert"]
    if message["event"] == "alert.acknowledged":
        seen = alert["acknowledged"]
        said = f": {plain(seen['reason'], 500)}" if seen["reason"] else ""
        return f"👀 acknowledged by {plain(seen['by'], 200)}{said}"
    light = "🟢" if message["event"] == "alert.resolved" else _LIGHTS.get(alert["severity"], "🟠")
    run = "" if message["run"] is None else f" · run {message['run']}"
    still = "still: " if message["event"] == "alert.repeated" else ""
    return f"{light} {still}{plain(alert['title'], 1000)}{run}"


def escape(text: str, limit: int) -> str:
    """The text on one line, harmless in Slack's markup and at most ``limit`` characters when escaped.

    >>> escape("<!channel> & co", 100)
    '&lt;!channel&gt; &amp; co'
    """
    shown, room = [], limit
    for character in safe(text, limit):
        escaped = _ESCAPES.get(character, character)
        if len(escaped) > room - 1 and len(escaped) != room:
            shown.append("…")
            break
        shown.append(escaped)
        room -= len(escaped)
    return "".join(shown)


def plain(text: str, limit: int = 200) -> str:
    """A name or label in running text: escaped, and without the signs that would format it.

    >>> plain("a*b_c~d`e")
    'a∗b＿c∼dˋe'
    """
    return escape(text, limit).translate({42: "∗", 95: "＿", 126: "∼", 96: "ˋ"})


def code(value: Any, limit: int = _MOST_FIELD) -> str:
    """A value in a code span that it cannot leave.

    >>> code("say `hi`"), code("")
    ('`say ˋhiˋ`', '_empty_')
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{escape(text.replace('`', 'ˋ'), limit)}`" if text.strip() else "_empty_"


def _told(message: Mapping[str, Any]) -> list[Block | None]:
    return [_section(_what(message["alert"])), _section(_cause(message))]


def _what(alert: Mapping[str, Any]) -> list[str]:
    findings = alert["findings"]
    whole = wording.in_order(f for f in findings if f["slice"] == ALL)
    slices = sorted((f for f in findings if f["slice"] != ALL), key=lambda f: -abs(f["effect"] or 0.0))
    lines = []
    if alert["kind"] == "regression":
        shown = (whole or slices)[:_MOST_SUBJECTS]
        lines += [_from_to(f) for f in shown]
        lines += [f"… and {n} more"] if (n := len(whole or slices) - len(shown)) else []
        if whole and slices:
            heading = "Worst slices" if alert["state"] == "firing" else "Slices"
            lines.append(f"*{heading}:* " + " · ".join(_slice(f) for f in slices[:_MOST_SLICES]))
    lines.append(" · ".join(_when_and_how_much(alert)))
    if alert.get("flapping"):
        lines.append("_Flapping: it comes and goes, and resolves once it has stayed away for a while_")
    if seen := alert.get("acknowledged"):
        said = f": {plain(seen['reason'], 300)}" if seen["reason"] else ""
        lines.append(f"👀 *Acknowledged* by {plain(seen['by'], 200)} {wording.clock(seen['at'])}{said}")
    if alert["reason"] and alert["kind"] == "outage":
        lines.append(plain(alert["reason"].removeprefix("availability: "), 500))
    if alert["kind"] == "judge" and not alert.get("causes"):
        lines += [plain(f"{wording.subject(f)}: {f['reason']}", 500) for f in findings[:_MOST_SUBJECTS]]
    return lines


def _from_to(finding: Mapping[str, Any]) -> str:
    if finding["verdict"] not in ("regressed", "improved") or finding["check"] == "floor":
        return f"*{plain(wording.subject(finding))}* {wording.happened(finding)}"
    before = wording.value(finding, finding["baseline"])
    now = wording.value(finding, finding["current"])
    ends = wording.interval(finding)
    how = f"  *{wording.change(finding)}*{f' (95% CI {ends})' if ends else ''}" if finding["effect"] else ""
    return f"*{plain(wording.subject(finding))}*  {before} → {now}{how}"


def _slice(finding: Mapping[str, Any]) -> str:
    before = wording.value(finding, finding["baseline"])
    now = wording.value(finding, finding["current"])
    return f"{plain(finding['slice'], 80)} {before} → {now}"


def _when_and_how_much(alert: Mapping[str, Any]) -> Iterable[str]:
    if alert["kind"] == "watch":
        yield f"Since {wording.clock(alert['opened_at'])}"
        yield "the watch itself is in trouble; this says nothing about the model"
        return
    if alert["kind"] == "judge":
        yield f"Since {wording.clock(alert['opened_at'])}"
        yield "this is about the judge, not about the model"
        return
    if alert["kind"] == "notice":
        yield f"Since {wording.clock(alert['opened_at'])}"
        yield "nothing is broken now: plan for it"
        return
    if alert["kind"] == "outage":
        yield f"Since {wording.clock(alert['opened_at'])} (run {alert['opened_run']})"
        yield f"answered {alert['answered']}/{alert['asked']}"
        if alert["failures"]:
            yield plain(wording.failures(alert["failures"]), 200)
        yield "quality is unknown meanwhile" if alert["state"] == "firing" else "quality is measured again"
        return
    first = f" (first bad run {alert['onset_run']})" if alert["onset_run"] is not None else ""
    yield f"Since {wording.clock(alert['onset_at'] or alert['opened_at'])}{first}"
    whole = alert["answered"] == alert["asked"]
    yield f"measured {alert['answered']}/{alert['asked']}{', no outage' if whole else ''}"
    if alert["resolved_at"] is not None:
        yield f"resolved {wording.clock(alert['resolved_at'])}"


def _cause(message: Mapping[str, Any]) -> list[str]:
    """The likeliest cause with its facts and what to do, and the others in a line each."""
    causes = message["alert"].get("causes") or []
    if not causes:
        first, *rest = (plain(line, 600) for line in message["cause"][:6] or [""])
        unknown = first.startswith("no cause found")
        heading = [f"*What changed?* {first}" if unknown else f"*Probably:* {first}"] if first else []
        return heading + [f"• {line}" for line in rest]
    top, *others = causes[:3]
    return [
        f"*Possibly:* {plain(top['title'], 200)}"
        if top["likelihood"] == "possible"
        else f"*Probably:* {plain(top['title'], 200)} ({plain(top['likelihood'], 40)})",
        *(f"• {plain(fact, 300)}" for fact in top["facts"][:4]),
        *(f"Or: {plain(other['title'], 200)}: {plain(other['facts'][0], 300)}" for other in others),
        f"*Next:* {plain(top['next'], 300)}",
    ]


def _examples(
    examples: list[Mapping[str, Any]], alert: Mapping[str, Any], *, resolved: bool
) -> list[Block | None]:
    if resolved or not examples:
        return []
    broke, fixed = alert["broke"], alert["fixed"]
    counted = [f"{word} {n}" for word, n in (("broke", broke), ("fixed", fixed)) if n is not None]
    heading = f"*Examples:* {', '.join(counted)}" if counted else "*Examples that broke*"
    lines = [_section([_example(e)]) for e in examples]
    more = (broke or 0) - len(examples)
    return [_section([heading]), *lines, _context(f"… {more} more") if more > 0 else None]


def _example(example: Mapping[str, Any]) -> str:
    line = f"• {code(example['id'], 100)}"
    if example["expected"] is not None:
        line += f" expected {code(example['expected'])}"
    if example["now"] is not None:
        before = "" if example["before"] is None else f"{code(example['before'])} → "
        line += f":  {before}{code(example['now'])}"
    return line + (f"  {plain(example['reason'], 200)}" if example["reason"] else "")


def _links(message: Mapping[str, Any]) -> list[str]:
    """Where to go next, on one line: links, since a webhook's buttons would need an application that answers."""
    alert = message["alert"]
    ways = alert.get("links") or {}
    over = message["event"] == "alert.resolved"
    named = [
        ("Broken examples", None if over else ways.get("examples")),
        ("Alert: acknowledge, silence" if not over else "Alert", message["url"]),
        ("Target", ways.get("target")),
        ("Runbook", None if over else ways.get("runbook")),
    ]
    shown = [f"<{escape(url, 5 * _MOST_URL)}|{name}>" for name, url in named if url and len(url) <= _MOST_URL]
    return [" · ".join(shown)] if shown else []


def _footer(message: Mapping[str, Any]) -> str:
    alert = message["alert"]
    labels = [f"{plain(k, 60)}={plain(str(v), 60)}" for k, v in list(alert["labels"].items())[:_MOST_LABELS]]
    repeat = [f"repeated {alert['repeats']}×"] if alert["repeats"] else []
    run = [] if message["run"] is None else [f"run {message['run']}"]
    return " · ".join([plain(alert["severity"], 40), *labels, *run, *repeat])


def _section(lines: list[str]) -> Block | None:
    """A section of as many whole lines as Slack takes."""
    shown, room = [], MOST_TEXT
    for line in lines:
        if len(line) > room:
            break
        shown.append(line)
        room -= len(line) + 1
    if not shown:
        return None
    return {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(shown), "verbatim": True}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}
