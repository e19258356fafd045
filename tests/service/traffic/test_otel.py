"""Are OpenTelemetry's GenAI records read as its conventions write them?"""

from __future__ import annotations

import json

from checks.types import Message
from service.traffic.otel import from_logs, from_traces

ASKED = [
    {"role": "system", "parts": [{"type": "text", "content": "Route the ticket."}]},
    {
        "role": "user",
        "parts": [{"type": "text", "content": "Where is my parcel?"}, {"type": "blob", "content": "aGk="}],
    },
]
ANSWERED = [
    {"role": "assistant", "parts": [{"type": "text", "content": "shipping"}], "finish_reason": "stop"}
]


def value(held):
    """Plain JSON as an OTLP AnyValue."""
    if isinstance(held, str):
        return {"stringValue": held}
    if isinstance(held, list):
        return {"arrayValue": {"values": [value(one) for one in held]}}
    if isinstance(held, dict):
        return {"kvlistValue": {"values": [{"key": k, "value": value(v)} for k, v in held.items()]}}
    return {"intValue": str(held)}


def pairs(held):
    return [{"key": key, "value": value(one)} for key, one in held.items()]


def logs(*records):
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": pairs({"service.name": "x"})},
                "scopeLogs": [{"logRecords": list(records)}],
            }
        ]
    }


def spans(*held):
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(held)}]}]}


def check(read, model="router-ft"):
    assert read.without_text == 0
    [(named, sample)] = read.samples
    assert named == model
    assert sample.output == "shipping"
    return sample


def test_the_event_of_the_current_conventions_is_read():
    """Structured messages of the operation's details, with its time and model."""
    attributes = {
        "gen_ai.request.model": "router-ft",
        "gen_ai.input.messages": ASKED,
        "gen_ai.output.messages": ANSWERED,
    }
    record = {
        "eventName": "gen_ai.client.inference.operation.details",
        "timeUnixNano": "1790000000500000000",
        "attributes": pairs(attributes),
    }
    sample = check(from_logs(logs(record)))
    assert sample.at == 1790000000.5
    assert sample.input == (Message("system", "Route the ticket."), Message("user", "Where is my parcel?"))


def test_messages_on_a_span_are_read_also_as_json_text():
    """What an SDK without structured attributes writes; other spans are passed over."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "router-ft",
        "gen_ai.input.messages": json.dumps(ASKED),
        "gen_ai.output.messages": json.dumps(ANSWERED),
    }
    other = {"name": "GET /", "attributes": pairs({"http.request.method": "GET"})}
    tool = {"attributes": pairs({"gen_ai.operation.name": "execute_tool"})}
    span = {"endTimeUnixNano": "1790000000000000000", "attributes": pairs(attributes)}
    assert check(from_traces(spans(other, tool, span))).at == 1790000000.0


def test_the_events_before_those_are_joined_by_their_span():
    """A user's message and the choice of one span are one sample."""
    where = {"traceId": "aa", "spanId": "bb", "timeUnixNano": "1790000000000000000"}
    asked = {**where, "eventName": "gen_ai.user.message", "body": value({"content": "Where is my parcel?"})}
    chosen = {
        **where,
        "attributes": pairs({"event.name": "gen_ai.choice"}),
        "body": value({"index": 0, "message": {"role": "assistant", "content": "shipping"}}),
    }
    sample = check(from_logs(logs(asked, chosen)), model=None)
    assert sample.input == "Where is my parcel?"


def test_records_without_content_are_counted_and_not_made_up():
    """An instrumentation that captures no content gives no sample, and says how many there were."""
    bare = {
        "eventName": "gen_ai.client.inference.operation.details",
        "attributes": pairs({"gen_ai.request.model": "m"}),
    }
    assert from_logs(logs(bare)) == from_logs(logs(bare, {"body": value("an ordinary log line")}))
    assert from_logs(logs(bare)).without_text == 1
    assert from_traces(spans({"attributes": pairs({"gen_ai.operation.name": "chat"})})).without_text == 1


def test_goldwatchs_own_requests_are_known():
    """Its replays are no production traffic."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": ASKED,
        "user_agent.original": "goldwatch/0.1.0",
    }
    [(_, sample)] = from_traces(spans({"attributes": pairs(attributes)})).samples
    assert sample.own


def test_nonsense_is_no_sample_and_no_crash():
    """Any JSON of any shape is read as nothing."""
    for body in (
        {},
        {"resourceLogs": 3},
        {"resourceLogs": [None, {"scopeLogs": [7, {"logRecords": ["x", {"attributes": 5}]}]}]},
    ):
        assert from_logs(body).samples == ()
        assert from_traces({"resourceSpans": body.get("resourceLogs")}).samples == ()
