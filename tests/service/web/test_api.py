"""Do programs get the contract's objects, and only those who may change something?"""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from checks.causes import Cause, Diagnosis
from checks.types import Verdict
from service.alerting import AlertKind
from service.records import RunKind
from service.report import run_object
from service.web.app import MOST_BODY_BYTES

RUN_KEYS = [
    "target", "run", "scheduled_at", "started_at", "golden", "verdict", "reason", "scores", "findings",
    "requests", "tokens", "cost_usd",
]  # fmt: skip
FINDING_KEYS = [
    "check", "scorer", "slice", "verdict", "evidence", "threshold", "effect", "interval", "baseline",
    "current", "onset_run", "reason",
]  # fmt: skip


def test_a_run_is_the_contracts_object(fleet: Any, store: Any, browse: Any) -> None:
    """``/runs/{id}`` is what ``run --json`` prints, key by key."""
    run = store.last_run("ticket-router")
    got = browse().get(f"/api/v1/runs/{run.id}").json()
    assert got == run_object(run)
    assert list(got) == RUN_KEYS
    assert list(got["golden"]) == ["digest", "version", "examples"]
    assert list(got["scores"][0]) == ["scorer", "slice", "mean", "n", "unscored"]
    assert all(list(f) == FINDING_KEYS for f in got["findings"])
    assert (list(got["requests"]), list(got["tokens"])) == (["ok", "failed", "retried"], ["input", "output"])
    assert got["verdict"] == "regressed"


def test_unknown_is_null_while_learning(fleet: Any, store: Any, browse: Any) -> None:
    """Effect, interval, baseline and onset are null before there is a baseline."""
    got = browse().get(f"/api/v1/runs/{store.last_run('new').id}").json()
    quality = [f for f in got["findings"] if f["check"] == "quality"]
    assert quality
    for finding in quality:
        assert finding["verdict"] == "learning"
        assert [finding[k] for k in ("effect", "interval", "baseline", "onset_run")] == [None] * 4


def test_a_run_under_way_has_no_verdict(fleet: Any, store: Any, browse: Any) -> None:
    """While responses arrive, verdict and reason are null and the target says that it is running."""
    from service.records import NewRun

    last = store.last_run("quiet")
    new = NewRun("quiet", RunKind.MANUAL, None, last.golden_digest, "s", last.baseline_id, 1.0, 2160.0)
    run = store.claim_run(new, owner="x", now=last.started_at + 100, lease_s=60)
    got = browse().get(f"/api/v1/runs/{run}").json()
    assert (got["verdict"], got["scores"], got["findings"], got["scheduled_at"]) == (None, [], [], None)
    target = browse().get("/api/v1/targets/quiet").json()
    assert (target["running"], target["verdict"], target["last_run"]) == (True, "ok", last.id)


def test_targets_say_how_they_stand(fleet: Any, store: Any, browse: Any) -> None:
    """Every configured target is listed in order, also one that never ran, with verdict and alerts."""
    got = {t["name"]: t for t in browse().get("/api/v1/targets").json()["targets"]}
    assert list(got) == ["quiet", "ticket-router", "unreachable", "new", "never-ran"]
    assert {n: t["verdict"] for n, t in got.items()} == {
        "quiet": "ok", "ticket-router": "regressed", "unreachable": "inconclusive", "new": "learning",
        "never-ran": None,
    }  # fmt: skip
    (alert,) = store.alerts("ticket-router")
    assert got["ticket-router"]["alerts"] == [alert.id]
    assert (got["unreachable"]["measured"], got["never-ran"]["measured"]) == (False, None)
    assert got["quiet"]["endpoint"]["parent"] == "base-8b"
    assert browse().get("/api/v1/targets/quiet").json() == got["quiet"]


def test_runs_are_paged(fleet: Any, browse: Any) -> None:
    """Following ``next_cursor`` gives each run once, newest first, and ends."""
    seen, cursor = [], None
    for _ in range(10):
        query = {"limit": 5, **({"cursor": cursor} if cursor else {})}
        page = browse().get("/api/v1/targets/ticket-router/runs", params=query).json()
        seen += [r["run"] for r in page["runs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 17
    assert seen == sorted(seen, reverse=True)


def test_broken_examples_are_paged_with_before_and_now(fleet: Any, store: Any, browse: Any) -> None:
    """Each broken example comes once, with what was expected, what was said before, and what is said now."""
    run = store.last_run("ticket-router").id
    first = browse().get(f"/api/v1/runs/{run}/examples", params={"limit": 20}).json()
    rest = (
        browse()
        .get(f"/api/v1/runs/{run}/examples", params={"limit": 20, "cursor": first["next_cursor"]})
        .json()
    )
    examples = first["examples"] + rest["examples"]
    assert rest["next_cursor"] is None
    assert len({e["id"] for e in examples}) == len(examples) == first["broke"]
    assert all(e["now"] == "other" for e in examples)
    assert sum(e["before"] == e["expected"] for e in examples) >= len(examples) - 3
    assert first["before_run"] < run


def test_hidden_texts_stay_hidden(fleet: Any, store: Any, browse: Any, daemon: Any) -> None:
    """With ``show_texts: false`` neither API nor pages hold an input, an expected value or an output."""
    daemon.show_texts = False
    run, (alert,) = store.last_run("ticket-router").id, store.alerts("ticket-router")
    got = browse().get(f"/api/v1/runs/{run}/examples").json()["examples"]
    assert got
    assert all(e[k] is None for e in got for k in ("expected", "before", "now", "reason"))
    for page in (
        f"/runs/{run}",
        f"/runs/{run}/examples",
        f"/alerts/{alert.id}",
        "/targets/ticket-router",
        f"/api/v1/alerts/{alert.id}",
    ):
        text = browse().get(page).text
        assert "T-0003" in text or "/runs/" not in page
        assert "Ticket number" not in text
        for secret in ("other", "billing", "shipping", "no_label", "Ticket number"):
            assert f">{secret}<" not in text
            assert f'"{secret}"' not in text


def test_alerts_can_be_asked_for(fleet: Any, store: Any, browse: Any) -> None:
    """By target and state; one by its id with its findings."""
    (alert,) = (
        browse().get("/api/v1/alerts", params={"target": "ticket-router", "state": "firing"}).json()["alerts"]
    )
    assert alert["kind"] == AlertKind.REGRESSION
    assert all(list(f) == FINDING_KEYS and f["verdict"] == Verdict.REGRESSED for f in alert["findings"])
    assert browse().get(f"/api/v1/alerts/{alert['id']}").json() == alert
    assert browse().get("/api/v1/alerts", params={"state": "resolved"}).json()["alerts"] == []
    assert len(browse().get("/api/v1/alerts").json()["alerts"]) == 2


@pytest.mark.parametrize(
    "path",
    ["/api/v1/targets/none", "/api/v1/targets/none/runs", "/api/v1/runs/99999", "/api/v1/runs/99999/examples",
     "/api/v1/alerts/none", "/api/v1/nothing"],
)  # fmt: skip
def test_what_is_not_there_is_404_in_json(path: str, fleet: Any, browse: Any) -> None:
    """A missing thing is a 404 with a reason, in JSON under the API."""
    answer = browse().get(path)
    assert answer.status_code == 404
    assert list(answer.json()) == ["detail"]


@pytest.mark.parametrize(
    "path",
    ["/api/v1/runs/x", "/api/v1/runs/0", "/api/v1/runs/99999999999999999999", "/api/v1/targets/quiet/runs?limit=0",
     "/api/v1/targets/quiet/runs?limit=501", "/api/v1/runs/1/examples?cursor=-1", "/api/v1/alerts?state=odd"],
)  # fmt: skip
def test_nonsense_is_422_with_a_reason(path: str, fleet: Any, browse: Any) -> None:
    """A wrong parameter is named; nothing is guessed."""
    answer = browse().get(path)
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_the_openapi_document_is_true(fleet: Any, store: Any, browse: Any) -> None:
    """Every GET of the document answers with what its schema says."""
    document = browse().get("/api/v1/openapi.json").json()
    alert = store.alerts()[0].id
    fill = {
        "{name}": "ticket-router",
        "{run_id}": str(store.last_run("ticket-router").id),
        "{alert_id}": alert,
    }
    asked = 0
    for path, operations in document["paths"].items():
        if "get" not in operations:
            continue
        url = path
        for key, value in fill.items():
            url = url.replace(key, value)
        schema = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": document["components"]}
        answer = browse().get(url)
        if answer.status_code == 404:  # this target has no traffic
            continue
        jsonschema.Draft202012Validator(whole).validate(answer.json())
        asked += 1
    assert asked == 14
    assert not [p for p in document["paths"] if not p.startswith("/api/v1/")]


def test_run_now_asks_the_daemon(fleet: Any, browse: Any, daemon: Any) -> None:
    """A local request without a token is accepted; a second while one runs says so."""
    assert browse().post("/api/v1/targets/quiet/runs").json() == {"target": "quiet", "accepted": True}
    daemon.busy = True
    answer = browse().post("/api/v1/targets/quiet/runs")
    assert (answer.status_code, answer.json()["accepted"]) == (202, False)
    assert daemon.asked == [("quiet", RunKind.MANUAL)] * 2
    assert browse().post("/api/v1/targets/none/runs").status_code == 404


@pytest.mark.parametrize(
    ("body", "version", "note"),
    [
        ({"version": "0.32", "note": "night"}, "0.32", "night"),
        ({"version": "0.32"}, "0.32", None),
        (
            {"entity": "model_version_alias", "action": "created", "timestamp": "2026-11-14T02:41:00Z",
             "data": {"name": "router", "alias": "champion", "version": "7"}},
            "7", "MLflow: router is champion",
        ),
    ],
)  # fmt: skip
def test_a_mark_is_kept_and_starts_a_run(
    body: dict[str, Any], version: str, note: str | None, fleet: Any, store: Any, browse: Any, daemon: Any
) -> None:
    """A deployment mark, in our form or MLflow's, is stored with the time and asks for a run."""
    answer = browse().post("/api/v1/targets/quiet/marks", json=body)
    assert answer.status_code == 201
    assert answer.json() == {
        "target": "quiet", "at": daemon.at, "version": version, "note": note, "accepted": True,
    }  # fmt: skip
    (mark,) = store.marks("quiet", 0)
    assert (mark.at, mark.version, mark.note) == (daemon.at, version, note)
    assert daemon.asked == [("quiet", RunKind.MARK)]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"version": ""}', b'{"version": 7}', b'{"version": "' + b"x" * 300 + b'"}',
     b'{"entity": "model_version_alias", "action": "deleted", "data": {}}',
     b'{"entity": "model_version_alias", "action": "created"}'],
)  # fmt: skip
def test_a_bad_mark_changes_nothing(body: bytes, fleet: Any, store: Any, browse: Any, daemon: Any) -> None:
    """What is no mark is refused with a reason, stored nowhere, and starts nothing."""
    answer = browse().post(
        "/api/v1/targets/quiet/marks", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert (store.marks("quiet", 0), daemon.asked) == ([], [])


def test_a_huge_body_is_refused(fleet: Any, browse: Any, daemon: Any) -> None:
    """Bodies are bounded, whether or not their length is announced."""

    async def chunks() -> Any:
        for _ in range(MOST_BODY_BYTES // 1000 + 2):
            yield b"x" * 1000

    for content in (b"x" * (MOST_BODY_BYTES + 1), chunks()):
        assert browse().post("/api/v1/targets/quiet/marks", content=content).status_code == 413
    assert daemon.asked == []


def test_an_answer_that_is_known_is_not_sent_again(fleet: Any, store: Any, browse: Any) -> None:
    """The API's answers have an ETag; who names it gets 304 without a body until the answer changes."""
    path = "/api/v1/targets/quiet/marks"
    first = browse().get(path)
    tag = first.headers["etag"]
    for named in (tag, f'W/{tag}, "other"', "*"):
        again = browse().get(path, headers={"if-none-match": named})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert "private" in first.headers["cache-control"]
    browse().post(path, json={"version": "2"})
    later = browse().get(path, headers={"if-none-match": tag})
    assert (later.status_code, later.json()["marks"][0]["version"]) == (200, "2")


def test_a_baseline_is_accepted_with_a_reason(fleet: Any, browse: Any, daemon: Any) -> None:
    """A reason is needed; what never ran cannot be accepted, and is told what to do."""
    path = "/api/v1/targets/quiet/baselines"
    assert browse().post(path, json={"reason": "  "}).status_code == 422
    assert browse().post(path, json={}).status_code == 422
    answer = browse().post(path, json={"reason": "adapter v3"})
    assert (answer.status_code, answer.json()["reason"]) == (201, "adapter v3")
    assert daemon.accepted == [("quiet", "adapter v3")]
    refused = browse().post("/api/v1/targets/never-ran/baselines", json={"reason": "x"})
    assert refused.status_code == 409
    assert "goldwatch run never-ran" in refused.json()["detail"]


def test_alerts_are_acknowledged_and_silenced(fleet: Any, store: Any, browse: Any, daemon: Any) -> None:
    """By whom and why is kept; an alert that has resolved, or a silence that is over, is 409 or 404."""
    path = f"/api/v1/alerts/{store.alerts('ticket-router')[0].id}"
    got = browse().post(f"{path}/acknowledge", json={"by": "Ada"}).json()
    assert got["acknowledgement"] == {"by": "Ada", "at": daemon.at, "reason": None}
    made = browse().post(f"{path}/silence", json={"by": "Ada", "reason": "rollback", "for_s": 600})
    assert made.status_code == 201
    listed = browse().get("/api/v1/targets/ticket-router/silences").json()["silences"]
    assert [(s["id"], s["active"], s["until"]) for s in listed] == [
        (made.json()["id"], True, daemon.at + 600)
    ]
    lift = f"/api/v1/silences/{made.json()['id']}/lift"
    assert browse().post(lift).status_code == 204
    assert browse().post(lift).status_code == 404
    assert (
        browse().post(f"{path}/silence", json={"by": "Ada", "reason": "r", "for_s": 1e9}).status_code == 422
    )
    assert browse().post("/api/v1/alerts/none/acknowledge", json={"by": "Ada"}).status_code == 404


def test_likely_causes_are_told_with_their_facts(fleet: Any, store: Any, browse: Any, daemon: Any) -> None:
    """The newest diagnosis of the alert's runs, on its page and in the API; without texts, names only."""
    alert = store.alerts("ticket-router")[0]
    path = f"/api/v1/alerts/{alert.id}/causes"
    assert browse().get(path).json()["causes"] == []
    cause = Cause(
        "label_swallowed", "bug swallowed login", 0.8, ("12 answers went over",), "read the examples"
    )
    store.put_diagnosis(alert.updated_run, Diagnosis((cause,), ("labels",), ("the base model",)))
    got = browse().get(path).json()
    assert got["causes"] == [
        {"name": "label_swallowed", "title": "bug swallowed login", "likelihood": "likely",
         "facts": ["12 answers went over"], "next": "read the examples"}
    ]  # fmt: skip
    assert (got["looked_at"], got["not_looked_at"]) == (["labels"], ["the base model"])
    for page in (f"/alerts/{alert.id}", "/targets/ticket-router"):
        text = browse().get(page).text
        assert "Bug swallowed login" in text
        assert "12 answers went over" in text
    daemon.show_texts = False
    assert browse().get(path).json()["causes"][0]["facts"] == []
    for page in (f"/alerts/{alert.id}", "/targets/ticket-router", path):
        assert "swallowed login" not in browse().get(page).text
    store.put_diagnosis(alert.updated_run, Diagnosis((), ("labels",), ("the base model",)))
    assert "No cause found. Looked at: labels." in browse().get(f"/alerts/{alert.id}").text


def test_a_wrong_method_is_told_all_the_right_ones(fleet: Any, browse: Any) -> None:
    """A path that is read and written names both, whichever route was asked first."""
    for path in ("/api/v1/targets/quiet/runs", "/api/v1/targets/quiet/silences"):
        answer = browse().request("PUT", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert browse().request("PUT", "/api/v1/targets").headers["allow"] == "GET"


def test_every_list_is_paged(fleet: Any, store: Any, daemon: Any, browse: Any) -> None:
    """Each list of the document takes ``limit`` and ``cursor``; pages of one make up the whole, each with its ETag."""
    run = store.last_run("ticket-router").id
    known = {"name": "ticket-router", "run_id": run, "alert_id": store.alerts("ticket-router")[0].id}
    document = browse().get("/api/v1/openapi.json").json()
    lists = {
        path: operations["get"]
        for path, operations in document["paths"].items()
        if "get" in operations
        and operations["get"]["operationId"].startswith("list_")
        and "causes" not in path
    }
    assert len(lists) >= 10
    longest = 0
    for path, operation in lists.items():
        assert {"limit", "cursor"} <= {p["name"] for p in operation["parameters"]}, path
        whole = browse().get(path.format(**known), params={"limit": 500}).json()
        name = next(key for key in reversed(whole) if isinstance(whole[key], list))
        paged, cursor = [], None
        for _ in range(len(whole[name]) + 1):
            asked = {"limit": 1} | ({} if cursor is None else {"cursor": cursor})
            answer = browse().get(path.format(**known), params=asked)
            assert answer.headers["etag"], path
            paged += answer.json()[name]
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                break
        assert (cursor, paged) == (None, whole[name]), path
        longest = max(longest, len(paged))
    assert longest > 1
