"""What do the domain's values look like as JSON in a row? Pure functions, there and back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from checks.types import (
    ErrorKind,
    Example,
    Finding,
    Message,
    Origin,
    Response,
    ResponseError,
    ScoreSummary,
    Served,
    Verdict,
)
from service.alerting import Alert, AlertKind, AlertState
from service.records import Headline

_FINDING = tuple(f.name for f in fields(Finding))


def from_summaries(summaries: Iterable[ScoreSummary]) -> list[list[Any]]:
    """Summaries as rows."""
    return [[s.scorer, s.slice, s.mean, s.n, s.unscored] for s in summaries]


def to_summaries(rows: Iterable[list[Any]]) -> tuple[ScoreSummary, ...]:
    """Rows as summaries."""
    return tuple(ScoreSummary(*row) for row in rows)


def from_findings(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as objects without what is unknown."""
    return [
        {name: value for name in _FINDING if (value := getattr(finding, name)) is not None}
        for finding in findings
    ]


def to_findings(rows: Iterable[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """Objects as findings."""
    return tuple(_to_finding(row) for row in rows)


def _to_finding(row: Mapping[str, Any]) -> Finding:
    known = {"scorer": None, **row, "verdict": Verdict(row["verdict"])}
    if (interval := row.get("interval")) is not None:
        known["interval"] = (interval[0], interval[1])
    return Finding(**known)


def from_headline(headline: Headline) -> str:
    """A headline as short JSON of ASCII; what is not finite is unknown."""
    figures = [None if v is None or not math.isfinite(v) else v for v in (headline.effect, headline.evidence)]
    means = {k: v if v is None or math.isfinite(v) else None for k, v in headline.means.items()}
    return json.dumps([means, headline.scorer, headline.slice, *figures], separators=(",", ":"))


def to_headline(text: str) -> Headline:
    """What :func:`from_headline` wrote."""
    return Headline(*json.loads(text))


def from_alert(alert: Alert) -> dict[str, Any]:
    """An alert as an object."""
    return {
        name: getattr(alert, name)
        for name in (f.name for f in fields(Alert))
        if name not in {"findings", "labels", "identity", "acknowledgement"}
    } | {
        "labels": dict(alert.labels),
        "identity": dict(alert.identity),
        "findings": from_findings(alert.findings),
    }


def to_alert(row: Mapping[str, Any]) -> Alert:
    """An object as an alert."""
    known = dict(row)
    known["kind"] = AlertKind(row["kind"])
    known["state"] = AlertState(row["state"])
    known["findings"] = to_findings(row["findings"])
    return Alert(**known)


def from_served(served: Served) -> dict[str, Any]:
    """What the server said it is, without what it did not say."""
    return {name: value for name, value in asdict(served).items() if value is not None}


def to_served(row: Mapping[str, Any]) -> Served:
    """An object as what the server said it is."""
    models = row.get("models")
    return Served(**{**row, "models": None if models is None else tuple(models)})


def from_all_served(served: Served | None, judges: Mapping[str, Served]) -> dict[str, Any] | None:
    """What the servers of a run said they are: the endpoint's, and the judges' by scorer; None if none did."""
    row = {} if served is None else from_served(served)
    asked = {_JUDGES: {name: from_served(said) for name, said in judges.items()}} if judges else {}
    return None if served is None and not judges else {**row, **asked}


def to_all_served(row: Mapping[str, Any]) -> tuple[Served | None, dict[str, Served]]:
    """The reverse of :func:`from_all_served`."""
    own = {name: value for name, value in row.items() if name != _JUDGES}
    judges = {name: to_served(said) for name, said in row.get(_JUDGES, {}).items()}
    return (None if judges and not own else to_served(own)), judges


def from_example(example: Example) -> dict[str, Any]:
    """An example as an object without defaults."""
    text = example.input
    asked = text if isinstance(text, str) else [[m.role, m.content] for m in text]
    row: dict[str, Any] = {"id": example.id, "input": asked}
    if example.expected is not None:
        row["expected"] = example.expected
    if example.slices:
        row["slices"] = dict(example.slices)
    for name in ("group", "as_of", "origin"):
        if (value := getattr(example, name)) is not None:
            row[name] = value
    if example.weight != 1.0:
        row["weight"] = example.weight
    return row


def to_example(row: Mapping[str, Any]) -> Example:
    """An object as an example."""
    known = dict(row)
    if not isinstance(row["input"], str):
        known["input"] = tuple(Message(role, content) for role, content in row["input"])
    if "origin" in known:
        known["origin"] = Origin(row["origin"])
    return Example(**known)


_JUDGES = "judges"
_DETAIL = ("finish_reason", "served_model", "fingerprint", "cached_tokens")


def response_detail(response: Response) -> dict[str, Any]:
    """What is the same for most responses of a run: the error, the identity, the number of attempts."""
    row: dict[str, Any] = {name: value for name in _DETAIL if (value := getattr(response, name)) is not None}
    if response.attempts != 1:
        row["attempts"] = response.attempts
    if (error := response.error) is not None:
        row["error"] = {name: value for name, value in asdict(error).items() if value is not None}
    return row


def to_error(row: Mapping[str, Any]) -> ResponseError:
    """An object as the reason for which there is no answer."""
    return ResponseError(**{**row, "kind": ErrorKind(row["kind"])})
