"""What does an alert say? The versioned body that every notifier is given, and how much text it may show.

``body`` builds the webhook's body from an alert and its evidence; :func:`with_texts` cuts it to what a
channel may see (``none``, ``short``, ``all``). Both are pure. The outbox stores the body with all texts, so
that a message that is delivered late says what was known when it was written.

Texts are what was asked and answered: ``expected``, ``before``, ``now``, and the reasons that may quote
them. Ids, names, numbers and verdicts are not texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from checks.causes import Cause
from checks.types import ErrorKind, Json, Verdict
from service import wording
from service.alerting import (
    Acknowledgement,
    Alert,
    AlertEvent,
    AlertKind,
    Notice,
    Notification,
    notification_id,
)
from service.report import finding_object, number
from service.runbook import ADAPTER, runbook_url

VERSION = 1
MOST_EXAMPLES = 5
SHORT = 120
"""The most characters of one text at the ``short`` level."""

_SILENT = frozenset({ErrorKind.CONNECT, ErrorKind.TLS, ErrorKind.TIMEOUT})
_OURS = frozenset({ErrorKind.DEADLINE, ErrorKind.LIMIT})


class Texts(StrEnum):
    """How much of the examples' texts a channel may see."""

    NONE = "none"
    SHORT = "short"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class BrokenExample:
    """One example that was right in the baseline and is wrong now. Unknown is None."""

    id: str
    expected: Json = None
    before: str | None = None
    now: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a message shows besides the alert: facts about the run that it speaks of.

    ``answered`` and ``asked`` are None where no run is spoken of. ``failures`` counts the unanswered
    examples by :class:`~checks.types.ErrorKind`. ``broke`` and ``fixed`` count all examples that
    changed sides; ``examples`` are the most telling of those that broke.
    ``onset_at`` is the start of the onset run. ``cause`` lists likely causes as sentences, the
    likeliest first, and ``causes`` the same with the facts behind them.
    """

    answered: int | None
    asked: int | None
    started_at: float
    onset_at: float | None = None
    reason: str | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    examples: Sequence[BrokenExample] = ()
    broke: int | None = None
    fixed: int | None = None
    cause: Sequence[str] = ()
    causes: Sequence[Cause] = ()


def body(
    event: AlertEvent, alert: Alert, evidence: Evidence, *, external_url: str | None = None
) -> dict[str, Any]:
    """The body of one message, with all texts.

    Args:
        event: What happened to the alert.
        alert: The alert after its transition.
        evidence: The facts of the run ``alert.updated_run``.
        external_url: Where people reach the pages; without it ``url`` is null.

    Returns:
        A JSON object with the contract's keys: ``version``, ``event``, ``alert``, ``finding`` (the worst, or
        null), ``target``, ``run``, ``examples``, ``cause``, ``url``.
    """
    findings = [finding_object(f) for f in alert.findings]
    finding = wording.worst(findings)
    reached = reachable(evidence.answered or 0, evidence.failures)
    return {
        "version": VERSION,
        "event": str(event),
        "alert": {
            "id": alert.id,
            "kind": str(alert.kind),
            "state": str(alert.state),
            "severity": alert.severity,
            "title": _title(event, alert, evidence, finding, reached),
            "labels": dict(alert.labels),
            "opened_at": number(alert.opened_at),
            "opened_run": alert.opened_run,
            "onset_at": number(evidence.onset_at),
            "onset_run": alert.onset_run,
            "resolved_at": number(alert.resolved_at),
            "repeats": alert.repeats,
            "flapping": alert.flapping,
            "topic": alert.topic or None,
            "acknowledged": _acknowledgement(alert.acknowledgement),
            "identity": dict(alert.identity),
            "answered": evidence.answered,
            "asked": evidence.asked,
            "reachable": reached,
            "failures": dict(evidence.failures),
            "reason": evidence.reason,
            "broke": evidence.broke,
            "fixed": evidence.fixed,
            "findings": findings,
            "causes": [cause_object(cause) for cause in evidence.causes],
            "links": _links(alert, finding, external_url),
        },
        "finding": finding,
        "target": alert.target,
        "run": alert.updated_run,
        "examples": [
            {"id": e.id, "expected": e.expected, "before": e.before, "now": e.now, "reason": e.reason}
            for e in evidence.examples[:MOST_EXAMPLES]
        ],
        "cause": list(evidence.cause),
        "url": page_url(external_url, "alerts", alert.id),
    }


def acknowledged(message: Mapping[str, Any], said: Acknowledgement) -> dict[str, Any]:
    """The body that tells of an acknowledgement, from the body of the last message about the same alert."""
    alert = {**message["alert"], "acknowledged": _acknowledgement(said)}
    return {**message, "event": str(AlertEvent.ACKNOWLEDGED), "alert": alert}


def _acknowledgement(said: Acknowledgement | None) -> dict[str, Any] | None:
    return None if said is None else {"by": said.by, "at": number(said.at), "reason": said.reason}


def cause_object(cause: Cause) -> dict[str, Any]:
    """A likely cause as messages and the API hold it."""
    return {
        "name": cause.name,
        "title": cause.title,
        "likelihood": cause.likelihood,
        "strength": cause.strength,
        "facts": list(cause.facts),
        "next": cause.next,
        "names_labels": cause.names_labels,
    }


def with_texts(message: Mapping[str, Any], level: Texts) -> dict[str, Any]:
    """The body as a channel may see it: without texts, with texts cut to 120 characters, or whole."""
    if level is Texts.ALL:
        return dict(message)
    cut = _cut if level is Texts.SHORT else _drop
    alert = message["alert"]
    causes = alert.get("causes", [])
    lines = message["cause"]
    if level is Texts.NONE and any(cause["names_labels"] for cause in causes):
        causes = [_without_labels(cause) for cause in causes]
        lines = [f"{cause['title']}: {cause['facts'][0]}" for cause in causes]
    return {
        **message,
        "alert": {**alert, "reason": cut(alert["reason"]), "causes": causes},
        "cause": lines,
        "examples": [
            {"id": e["id"], **{key: cut(e[key]) for key in ("expected", "before", "now", "reason")}}
            for e in message["examples"]
        ],
    }


def outbox(
    messages: Sequence[Notice],
    bodies: Mapping[AlertKind, Mapping[str, Any]],
    notifiers: Sequence[str],
    now: float,
) -> tuple[Notification, ...]:
    """The rows of the outbox: each message once for every notifier, under ids that never change.

    Args:
        messages: What :func:`service.alerting.transitions` returned.
        bodies: The body of the message about each kind of alert; a run has at most one of a kind.
        notifiers: The names of the target's notifiers.
        now: When the messages are written, in seconds since 1970.
    """
    return tuple(
        Notification(
            id=notification_id(notice.alert.id, notice.event, _moment(notice.alert), notifier),
            alert_id=notice.alert.id,
            event=notice.event,
            notifier=notifier,
            body=bodies[notice.alert.kind],
            created_at=now,
        )
        for notice in messages
        for notifier in notifiers
    )


def _moment(alert: Alert) -> int:
    """What tells an alert's messages of one event apart: the run, or the count where no run told of it."""
    return alert.repeats if alert.updated_run is None else alert.updated_run


def reachable(answered: int, failures: Mapping[str, int]) -> bool | None:
    """Whether the endpoint could be reached: True if it said anything, even an error; None if not tried.

    >>> reachable(0, {"connect": 400}), reachable(0, {"auth": 400}), reachable(0, {"limit": 400})
    (False, True, None)
    """
    kinds = {kind for kind, count in failures.items() if count} - _OURS
    if answered or kinds - _SILENT:
        return True
    return False if kinds else None


def page_url(external_url: str | None, *parts: str | int) -> str | None:
    """The address of a page, None where nobody said under which address people reach them.

    >>> page_url("https://gold.example/", "targets", "a b")
    'https://gold.example/targets/a%20b'
    """
    if external_url is None:
        return None
    return "/".join([external_url.rstrip("/"), *(quote(str(part), safe="") for part in parts)])


def _links(
    alert: Alert, finding: Mapping[str, Any] | None, external_url: str | None
) -> dict[str, str | None]:
    """Where to go from the message: the broken examples, the target's page, the runbook's section. None: no page."""
    broke = alert.kind is AlertKind.REGRESSION and alert.updated_run is not None
    lost = any(f.check == ADAPTER and f.verdict is Verdict.REGRESSED for f in alert.findings)
    check = ADAPTER if lost else None if finding is None else str(finding["check"])
    own = alert.kind is AlertKind.WATCH and not alert.labels and alert.target == "goldwatch"
    return {
        "examples": page_url(external_url, "runs", alert.updated_run or 0, "examples") if broke else None,
        "target": None if own else page_url(external_url, "targets", alert.target),
        "runbook": runbook_url(alert.kind, check),
    }


def _title(
    event: AlertEvent,
    alert: Alert,
    evidence: Evidence,
    finding: Mapping[str, Any] | None,
    reached: bool | None,
) -> str:
    answered = f"{evidence.answered}/{evidence.asked} answered"
    resolved = event is AlertEvent.RESOLVED
    if alert.kind is AlertKind.WATCH:
        trouble = next((f.reason for f in alert.findings if f.reason), "the watch is in trouble")
        return f"{alert.target}: {'mended: ' if resolved else ''}{trouble}"
    if alert.kind is AlertKind.NOTICE:
        notice = next((f.reason for f in alert.findings if f.reason), "something to plan for")
        return f"{alert.target}: {'no longer so: ' if resolved else ''}{notice}"
    if alert.kind is AlertKind.OUTAGE:
        if resolved:
            return f"{alert.target} is measured again: {answered}"
        if reached is None:
            return f"{alert.target} could not be measured"
        if reached is False:
            return f"{alert.target} cannot be reached: {answered}"
        return f"{alert.target} is reached but answers too little: {answered}"
    if finding is None:
        return f"{alert.target} {'has recovered' if resolved else 'has regressed'}"
    happened = f"{wording.subject(finding)} {wording.happened(finding)}"
    lost = any(f.check == ADAPTER and f.verdict is Verdict.REGRESSED for f in alert.findings)
    if lost and not resolved and finding["check"] != ADAPTER:
        return f"{alert.target} answers like its base model: {happened}"
    return f"{alert.target} has recovered: {happened}" if resolved else f"{alert.target}: {happened}"


def _without_labels(cause: Mapping[str, Any]) -> Mapping[str, Any]:
    """The cause without the labels that it names."""
    if not cause["names_labels"]:
        return cause
    title = str(cause["name"]).replace("_", " ")
    return {**cause, "title": title, "facts": ["which labels: goldwatch explain"]}


def _drop(_: Json) -> None:
    return None


def _cut(text: Json) -> Json:
    """At most SHORT characters; a structure that is longer as JSON becomes the start of that JSON."""
    if text is None or isinstance(text, bool | int | float):
        return text
    written = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    if len(written) <= SHORT:
        return text
    return written[: SHORT - 1] + "…"
