"""May programs post production samples, and only those that may?"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from service.errors import UserError
from service.traffic.ingest import Taken
from service.web.app import create_app

DETAILS = "gen_ai.client.inference.operation.details"
JSON = {"content-type": "application/json"}


def export(model: str, text: str = "Where is my parcel?") -> dict[str, Any]:
    """An OTLP log export of one operation."""
    messages = json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}])
    attributes = [
        {"key": "gen_ai.request.model", "value": {"stringValue": model}},
        {"key": "gen_ai.input.messages", "value": {"stringValue": messages}},
    ]
    return {
        "resourceLogs": [{"scopeLogs": [{"logRecords": [{"eventName": DETAILS, "attributes": attributes}]}]}]
    }


@pytest.fixture
def counted() -> list[tuple[str, list[Any], int]]:
    """What was handed over: target, inputs, rejected."""
    return []


@pytest.fixture
def post(fleet: Any, store: Any, daemon: Any, browse: Any, counted: list[Any]) -> Any:
    """Posts to an application whose target ``quiet`` is watched."""
    daemon.known = [
        replace(one, traffic_window_s=3600.0, model=f"{one.name}-ft") if one.name == "quiet" else one
        for one in daemon.known
    ]

    def take(target: str, samples: Any, rejected: int) -> Taken:
        if target != "quiet":
            raise UserError(f"the traffic of {target} is not watched", "add traffic: {}")
        counted.append((target, [s.input for s in samples], rejected))
        return Taken(len(samples), 0, 0)

    browser = browse()
    browser.app = create_app(store, daemon, take=take)
    return browser.post


def test_a_batch_is_counted_and_what_is_no_sample_told(post: Any, counted: list[Any]) -> None:
    """Good ones count, bad ones are rejected with a reason, and the answer says how many of each."""
    answer = post(
        "/api/v1/targets/quiet/samples", json={"samples": [{"input": "a"}, {"input": ""}, {"x": 1}]}
    )
    assert answer.status_code == 202
    assert answer.json() == {
        "target": "quiet",
        "accepted": 1,
        "own": 0,
        "rejected": 2,
        "reason": 'input is a text, or a list of {"role", "content"}',
    }
    assert counted == [("quiet", ["a"], 2)]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/api/v1/targets/nobody/samples", {"samples": [{"input": "a"}]}, 404, "nobody"),
        ("/api/v1/targets/sunk/samples", {"samples": [{"input": "a"}]}, 409, "add traffic: {}"),
        ("/api/v1/targets/quiet/samples", {"samples": []}, 422, "samples"),
        ("/api/v1/targets/quiet/samples", {}, 422, "samples"),
        ("/api/v1/targets/nobody/otel/v1/logs", {}, 404, "nobody"),
    ],
)
def test_what_cannot_be_counted_says_why(
    post: Any, daemon: Any, path: str, body: Any, status: int, words: str
) -> None:
    """An unknown target, one whose traffic is not watched, and a body without samples."""
    other = next(one.name for one in daemon.known if one.name != "quiet")
    answer = post(path.replace("sunk", other), json=body)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_opentelemetry_is_counted_for_the_target_of_its_path_or_model(post: Any, counted: list[Any]) -> None:
    """By path whatever the model, by model where one watched target asks for it; else told as rejected."""
    assert post("/api/v1/targets/quiet/otel/v1/logs", json=export("any")).json() == {"partialSuccess": {}}
    assert post("/api/v1/otel/v1/logs", json=export("quiet-ft")).json() == {"partialSuccess": {}}
    assert [one[0] for one in counted] == ["quiet", "quiet"]
    told = post("/api/v1/otel/v1/logs", json=export("unknown")).json()["partialSuccess"]
    assert told["rejectedLogRecords"] == "1"
    assert "no target watches" in told["errorMessage"]
    assert post("/api/v1/otel/v1/traces", json={"resourceSpans": []}).json() == {"partialSuccess": {}}


def test_bodies_are_json_perhaps_packed_and_bounded(post: Any, counted: list[Any]) -> None:
    """Gzip is read, Protobuf refused with a remedy, a bomb and a broken body refused."""
    path = "/api/v1/targets/quiet/otel/v1/logs"
    packed = gzip.compress(json.dumps(export("m")).encode())
    assert post(path, content=packed, headers={**JSON, "content-encoding": "gzip"}).status_code == 200
    assert len(counted) == 1
    proto = post(path, content=b"\x0a", headers={"content-type": "application/x-protobuf"})
    assert (proto.status_code, "http/json" in proto.json()["detail"]) == (415, True)
    bomb = gzip.compress(b" " * (5 << 20))
    assert post(path, content=bomb, headers={**JSON, "content-encoding": "gzip"}).status_code == 413
    assert post(path, content=b"\x1f\x8b", headers={**JSON, "content-encoding": "gzip"}).status_code in (
        400,
        413,
    )
    assert post(path, content=b"{", headers=JSON).status_code == 400
    assert post(path, content=b"[]", headers=JSON).status_code == 400
    large = {"samples": [{"input": "x" * 100_000}]}
    assert post("/api/v1/targets/quiet/samples", json=large).status_code == 202
    assert post("/api/v1/targets/quiet/samples", content=b" " * (5 << 20), headers=JSON).status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/targets/quiet/samples",
        "/api/v1/targets/quiet/otel/v1/logs",
        "/api/v1/targets/quiet/otel/v1/traces",
        "/api/v1/otel/v1/logs",
        "/api/v1/otel/v1/traces",
    ],
)
def test_each_post_needs_the_token(post: Any, daemon: Any, counted: list[Any], path: str) -> None:
    """Without it or with a wrong one nothing is counted."""
    daemon.token = "right"
    body = {"samples": [{"input": "a"}], **export("quiet-ft")}
    assert post(path, json=body).status_code == 401
    assert post(path, json=body, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert counted == []
    assert post(path, json=body, headers={"authorization": "Bearer right"}).status_code in (200, 202)


def test_the_page_and_the_api_say_that_the_world_moved(
    post: Any, store: Any, daemon: Any, browse: Any
) -> None:
    """Nothing before a sample came; then the debt with what is to be expected, and the model is not blamed."""
    from checks.traffic.window import Window
    from service.records import TrafficRecord
    from service.store.traffic import TrafficChange

    browser = browse()
    assert browser.get("/api/v1/targets/quiet/traffic").status_code == 404
    assert "Production traffic" not in browser.get("/targets/quiet").text
    opened = Window(0.0, 60.0, samples=60, compared=60, novel=12, answered=60, read=60, malformed=1)
    store.change_traffic(
        "quiet", lambda _: TrafficChange(TrafficRecord("quiet", "x", 0.0, open=opened, samples=60))
    )
    told = browser.get("/api/v1/targets/quiet/traffic").json()
    assert told["coverage_debt"]["ratio"] == 0.2
    assert told["learning"] == {"windows": 0, "of": 168}
    assert told["moved"] == []
    page = browser.get("/targets/quiet").text
    assert "Production traffic" in page
    assert "20.0%" in page
