"""Does each target stand there as what is known of it now, and is the reason of a bad one told?"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from service.alerting import AlertKind, AlertPolicy
from service.records import RunKind
from service.selfwatch import Trouble, watch_transitions
from service.web import standing

EDITED = "golden.jsonl was edited after it was frozen"


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).replace(" ,", ",")


def troubled(store: Any, trouble: Trouble, now: float) -> None:
    """The store as the daemon leaves it when it sees a trouble."""
    store.change_alerts(
        trouble.kind,
        lambda before: (watch_transitions(before, [trouble], now, AlertPolicy(), (), trouble.kind), ()),
    )


def test_a_target_that_is_not_run_is_not_shown_as_ok(
    fleet: Any, browse: Any, daemon: Any, make_facts: Any
) -> None:
    """An edited golden set takes the green away at once: what was found then is told as what was."""
    daemon.known = [make_facts("quiet", trouble=EDITED)]
    for path in ("/", "/targets/quiet"):
        page = browse().get(path).text
        assert "was ok 3 min ago; no run has been measured since" in words(page).lower()
        assert 'class="state inconclusive">not measured' in page
        assert 'class="state ok"' not in page.partition('id="runs"')[0]


def test_a_target_that_is_overdue_is_not_shown_as_ok(fleet: Any, browse: Any, daemon: Any) -> None:
    """Where the newest measurement is older than two intervals, nothing is said to be well."""
    assert "1 ok" in words(browse().get("/").text)
    daemon.at += 3 * 3600
    said = words(browse().get("/").text)
    assert " ok " not in said.partition("under watch")[2].partition("target state")[0]
    assert "was ok 3 h ago" in said


def test_a_bad_verdict_stays_though_no_run_followed(
    fleet: Any, browse: Any, daemon: Any, make_facts: Any
) -> None:
    """A regression does not turn into "not measured" because the watch is in trouble."""
    daemon.known = [make_facts("ticket-router", trouble=EDITED)]
    assert 'class="state regressed">regressed' in browse().get("/").text


def test_the_reasons_of_missing_answers_are_counted(fleet: Any, store: Any, browse: Any) -> None:
    """The target, its run and its alert say what the transport said, and since when nothing could be measured."""
    (alert,) = store.alerts("unreachable")
    run = store.last_run("unreachable")
    for path in ("/targets/unreachable", f"/runs/{run.id}", f"/alerts/{alert.id}"):
        assert "Why there are no answers 60 of 60: connection refused" in words(browse().get(path).text)
    assert "not measured since 2026-11-14 02:00 UTC" in words(browse().get("/targets/unreachable").text)


def test_the_watchs_own_trouble_is_told_in_words(fleet: Any, store: Any, browse: Any, daemon: Any) -> None:
    """The fleet begins with it, and its page says that it says nothing about a model, without an empty table."""
    troubled(store, Trouble("quiet", "golden_set", f"its golden set cannot be replayed: {EDITED}"), daemon.at)
    page = words(browse().get("/").text)
    assert "The watch itself is in trouble" in page
    assert f"its golden set cannot be replayed: {EDITED}" in page
    (alert,) = store.alerts("quiet")
    html = browse().get(f"/alerts/{alert.id}").text
    assert "says nothing about any model" in html
    assert "<table" not in html


@pytest.mark.parametrize("kind", AlertKind)
def test_every_kind_of_alert_has_its_pages(
    kind: AlertKind, fleet: Any, store: Any, browse: Any, daemon: Any
) -> None:
    """The fleet, the target and the alert itself answer, whatever kind of alert fires, and lead to it."""
    troubled(store, Trouble("quiet", "any", "something is the matter", kind=kind), daemon.at)
    (alert,) = store.alerts("quiet")
    for path in ("/", "/targets/quiet"):
        page = browse().get(path)
        assert page.status_code == 200
        assert f"/alerts/{alert.id}" in page.text
    assert browse().get(f"/alerts/{alert.id}").status_code == 200


def test_a_notice_puts_no_target_before_a_broken_one(
    fleet: Any, store: Any, browse: Any, daemon: Any
) -> None:
    """A model that retires in a month is told in its row, below what is broken now."""
    notice = Trouble("quiet", "retirement", "its model retires", once=True, kind=AlertKind.NOTICE)
    troubled(store, notice, daemon.at)
    page = words(browse().get("/").text)
    assert page.index("ticket-router") < page.index("unreachable") < page.index("its model retires")


def test_a_critical_target_comes_before_a_warning(
    fleet: Any, browse: Any, daemon: Any, make_facts: Any
) -> None:
    """Of two that regressed alike, the more severe one is first, whatever its name."""
    fleet.runs("a-router", *["good"] * 14, "bad", "bad", "bad")
    daemon.known = [make_facts("a-router", severity="info"), make_facts("ticket-router")]
    page = browse().get("/").text
    assert page.index("/targets/ticket-router") < page.index("/targets/a-router")


def test_what_was_found_is_what_is_said(fleet: Any, store: Any) -> None:
    """A run that regressed by another check than its best score is not described by that score."""
    run = store.last_run("ticket-router")
    (good, *_) = [f for f in run.findings if f.check == "quality" and f.slice == "all"]
    better = replace(good, verdict=standing.Verdict.IMPROVED, effect=0.2)
    other = replace(
        good, check="output_shift", scorer="label.labels", reason="names bug more often, since run 29"
    )
    assert standing.telling(replace(run, findings=(better, other))) == other


def test_before_is_an_answer_that_was_right(fleet: Any, store: Any, browse: Any) -> None:
    """An example that the last good run had wrong by chance shows what it used to answer, and which run did."""
    run = store.last_run("ticket-router")
    assert run.kind is RunKind.SCHEDULED
    page = browse().get(f"/api/v1/runs/{run.id}/examples?limit=60").json()
    assert {row["before"] == row["expected"] for row in page["examples"]} == {True}
    assert {row["before_run"] for row in page["examples"]} > {page["before_run"]}
    (alert,) = store.alerts("ticket-router")
    told = store.notifications(alert.id)[0].notification.body["examples"]
    assert all(one["before"] == one["expected"] for one in told)


def test_an_alert_leads_to_its_section_of_the_runbook(fleet: Any, store: Any, browse: Any) -> None:
    """One click from the alert's page to what to do."""
    for target, section in (
        ("ticket-router", "goldwatchmodelregressed"),
        ("unreachable", "goldwatchnotmeasured"),
    ):
        (alert,) = store.alerts(target)
        assert f'deploy/runbook.md#{section}"' in browse().get(f"/alerts/{alert.id}").text


def test_noise_of_a_healthy_run_is_not_called_broken(fleet: Any, store: Any, browse: Any) -> None:
    """A run without a change tells what it had wrong as what is usual, below what is watched."""
    page = words(browse().get(f"/runs/{store.last_run('quiet').id}").text)
    assert " broke" not in page
    assert page.index("What is watched") < page.index("No change found: within what is usual")


def test_without_a_baseline_nothing_is_known_to_have_broken(fleet: Any, store: Any, browse: Any) -> None:
    """Not "0 broke": there is nothing yet to hold the answers against, and an unmeasured run has none."""
    for target in ("new", "unreachable"):
        page = words(browse().get(f"/runs/{store.last_run(target).id}/examples").text)
        assert "What broke is not known" in page
        assert "0 broke" not in page


def test_of_many_silences_the_last_to_end_is_told(fleet: Any, store: Any, browse: Any, daemon: Any) -> None:
    """One line says until when nobody is told, however many silences there are."""
    for hours in (1, 8, 4):
        body = {"for_s": hours * 3600, "by": "Ada", "reason": "rollback"}
        assert browse().post("/api/v1/targets/quiet/silences", json=body).status_code < 300
    page = words(browse().get("/targets/quiet").text)
    assert page.count("silenced until") == 1
    assert "silenced until 2026-11-14 11:04 UTC" in page
