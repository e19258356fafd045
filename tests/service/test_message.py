"""What does an alert say?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from checks.types import ALL, Finding, Verdict
from service.alerting import Alert, AlertEvent, AlertKind, AlertState, Notice
from service.message import BrokenExample, Evidence, Texts, body, outbox, reachable, with_texts

FELL = Finding("quality", "label", ALL, Verdict.REGRESSED, 2.0, 1.0, -0.1, (-0.15, -0.05), 0.9, 0.8, 7)
ALERT = Alert(
    "a-1",
    "router",
    AlertKind.REGRESSION,
    AlertState.FIRING,
    "critical",
    10.0,
    8,
    10.0,
    8,
    7,
    findings=(FELL,),
)
OUTAGE = replace(ALERT, kind=AlertKind.OUTAGE, findings=(), onset_run=None)
FACTS = Evidence(400, 400, 9.0)


def title(event: AlertEvent, alert: Alert, evidence: Evidence) -> str:
    return str(body(event, alert, evidence)["alert"]["title"])


@pytest.mark.parametrize(
    ("event", "alert", "evidence", "expected"),
    [
        (AlertEvent.FIRING, ALERT, FACTS, "router: label fell from 90.0% to 80.0%"),
        (
            AlertEvent.RESOLVED,
            replace(ALERT, findings=(replace(FELL, verdict=Verdict.OK, current=0.91),)),
            FACTS,
            "router has recovered: label is at 91.0%",
        ),
        (
            AlertEvent.FIRING,
            replace(ALERT, findings=(replace(FELL, check="floor", baseline=0.9, current=0.85, effect=None),)),
            FACTS,
            "router: label is below its floor of 90.0%: 85.0%",
        ),
        (
            AlertEvent.FIRING,
            OUTAGE,
            Evidence(0, 400, 9.0, failures={"connect": 400}),
            "router cannot be reached: 0/400 answered",
        ),
        (
            AlertEvent.FIRING,
            OUTAGE,
            Evidence(120, 400, 9.0, failures={"timeout": 280}),
            "router is reached but answers too little: 120/400 answered",
        ),
        (AlertEvent.FIRING, OUTAGE, Evidence(0, 0, 9.0), "router could not be measured"),
        (AlertEvent.RESOLVED, OUTAGE, FACTS, "router is measured again: 400/400 answered"),
    ],
)
def test_the_title_says_it(event: AlertEvent, alert: Alert, evidence: Evidence, expected: str) -> None:
    """Wrong, unreachable and unmeasured are told apart in the first line."""
    assert title(event, alert, evidence) == expected


def test_the_worst_finding_is_of_the_whole_set() -> None:
    """A slice that fell deeper does not take the headline from the whole."""
    slice_ = replace(FELL, slice="lang=de", effect=-0.5, evidence=9.0)
    made = body(AlertEvent.FIRING, replace(ALERT, findings=(slice_, FELL)), FACTS)
    assert made["finding"]["slice"] == ALL
    assert [f["slice"] for f in made["alert"]["findings"]] == ["lang=de", ALL]


def test_unknown_is_null() -> None:
    """A body is strict JSON: no NaN and no infinity, and what is unknown is null."""
    odd = replace(FELL, evidence=float("inf"), effect=float("nan"), interval=(float("nan"), 0.0))
    made = body(AlertEvent.FIRING, replace(ALERT, findings=(odd,)), FACTS)
    finding = json.loads(json.dumps(made, allow_nan=False))["finding"]
    assert (finding["evidence"], finding["effect"], finding["interval"]) == (None, None, None)
    assert (made["url"], made["alert"]["broke"], made["alert"]["onset_at"]) == (None, None, None)


def test_at_most_five_examples() -> None:
    """However many broke, five are shown and all are counted."""
    examples = [BrokenExample(f"T-{n}") for n in range(9)]
    made = body(AlertEvent.FIRING, ALERT, replace(FACTS, examples=examples, broke=9))
    assert [e["id"] for e in made["examples"]] == ["T-0", "T-1", "T-2", "T-3", "T-4"]
    assert made["alert"]["broke"] == 9


def test_texts_are_cut_to_the_level() -> None:
    """``none`` leaves no text anywhere, ``short`` cuts at 120 characters, ``all`` changes nothing."""
    example = BrokenExample("T-1", {"k": "w0rd" * 60}, "w0rd" * 60, "w0rd", "w0rd")
    made = body(AlertEvent.FIRING, OUTAGE, replace(FACTS, examples=[example], reason="w0rd" * 60))
    assert with_texts(made, Texts.ALL) == made
    none = with_texts(made, Texts.NONE)
    assert "w0rd" not in json.dumps(none)
    assert none["examples"] == [{"id": "T-1", "expected": None, "before": None, "now": None, "reason": None}]
    short = with_texts(made, Texts.SHORT)
    cut = short["examples"][0]
    assert [len(cut[k]) for k in ("expected", "before", "now")] == [120, 120, 4]
    assert cut["before"].endswith("…")
    assert len(short["alert"]["reason"]) == 120
    assert "w0rd" * 60 in json.dumps(made)


def test_short_structures_stay_structures() -> None:
    """An expected value that is small enough keeps its JSON type."""
    made = body(
        AlertEvent.FIRING,
        ALERT,
        replace(FACTS, examples=[BrokenExample("a", ["x", 1]), BrokenExample("b", 3)]),
    )
    assert [e["expected"] for e in with_texts(made, Texts.SHORT)["examples"]] == [["x", 1], 3]


def test_the_outbox_has_a_row_per_notifier() -> None:
    """Each message goes to each notifier once, under ids that a second computation repeats."""
    notices = [Notice(AlertEvent.RESOLVED, OUTAGE), Notice(AlertEvent.REPEATED, ALERT)]
    bodies = {AlertKind.OUTAGE: {"o": 1}, AlertKind.REGRESSION: {"r": 1}}
    rows = outbox(notices, bodies, ["a", "b"], 5.0)
    assert [(r.notifier, r.event, r.body) for r in rows] == [
        ("a", AlertEvent.RESOLVED, {"o": 1}),
        ("b", AlertEvent.RESOLVED, {"o": 1}),
        ("a", AlertEvent.REPEATED, {"r": 1}),
        ("b", AlertEvent.REPEATED, {"r": 1}),
    ]
    assert len({r.id for r in rows}) == 4
    assert outbox(notices, bodies, ["a", "b"], 9.0)[0].id == rows[0].id


def test_reaching_is_not_answering() -> None:
    """A server that refuses was reached, one that is silent was not, and what was not asked is unknown."""
    assert reachable(0, {"connect": 3, "server_error": 1}) is True
    assert reachable(0, {"timeout": 4}) is False
    assert reachable(0, {"deadline": 4}) is None
    assert reachable(0, {"connect": 0}) is None
    assert reachable(1, {}) is True


def test_a_lost_adapter_is_the_headline() -> None:
    """Where the adapter is not applied that is said first, and then what it did to the score; once over, neither."""
    lost = Finding("adapter_applied", None, ALL, Verdict.REGRESSED, 3.0, 1.0, 0.6, None, 0.3, 0.98, 7)
    alert = replace(ALERT, findings=(FELL, lost))
    said = "router answers like its base model: label fell from 90.0% to 80.0%"
    assert title(AlertEvent.FIRING, alert, FACTS) == said
    assert "base model" not in title(AlertEvent.RESOLVED, alert, FACTS)


def test_links_lead_to_pages_that_are_there() -> None:
    """The newest broken examples, the target, the runbook's own section; pages only where they are reached."""

    def links(alert: Alert, url: str | None = "https://gold.example/") -> dict[str, str | None]:
        return dict(body(AlertEvent.FIRING, alert, FACTS, external_url=url)["alert"]["links"])

    found = links(ALERT)
    assert found["examples"] == "https://gold.example/runs/8/examples"
    assert found["target"] == "https://gold.example/targets/router"
    assert str(found["runbook"]).endswith("deploy/runbook.md#goldwatchmodelregressed")
    lost = replace(ALERT, findings=(FELL, replace(FELL, check="adapter_applied", scorer=None)))
    assert str(links(lost)["runbook"]).endswith("#goldwatchadapternotapplied")
    assert links(OUTAGE)["examples"] is None
    assert links(ALERT, None) == {"examples": None, "target": None, "runbook": found["runbook"]}
