"""Which samples do these OpenTelemetry logs or spans hold? GenAI semantic conventions, OTLP/HTTP with a JSON body.

Read are, by the current conventions (development status, v1.37 and later), the attributes ``gen_ai.input.messages`` and
``gen_ai.output.messages`` of the event ``gen_ai.client.inference.operation.details`` and of inference spans, structured
or as a JSON text; and by those before (v1.36), the events ``gen_ai.user.message`` and ``gen_ai.choice`` of one span,
which belong together by their trace and span id. Other records are passed over: an exporter may send all that it has.

Content is recorded only where an instrumentation was told to (``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from checks.types import Message
from service.traffic.sample import OWN_AGENT, Sample, SampleError, at_of, input_of

DETAILS = "gen_ai.client.inference.operation.details"
_NOT_INFERENCE = frozenset({"embeddings", "execute_tool", "create_agent", "invoke_agent", "invoke_workflow"})


@dataclass(frozen=True, slots=True)
class Read:
    """The samples by the model that was asked (None: not said), and how many GenAI records held no text to count."""

    samples: tuple[tuple[str | None, Sample], ...]
    without_text: int


def from_logs(body: Mapping[str, Any]) -> Read:
    """The samples of an ``ExportLogsServiceRequest``."""
    samples: list[tuple[str | None, Sample]] = []
    turns: dict[tuple[str, str], dict[str, Any]] = {}
    without = 0
    for resource, record in _records(body, "resourceLogs", "scopeLogs", "logRecords"):
        attributes = {**resource, **_attributes(record.get("attributes"))}
        name = record.get("eventName") or attributes.get("event.name")
        at = _time(record.get("timeUnixNano") or record.get("observedTimeUnixNano"))
        if name == DETAILS:
            made = _sample(attributes, at)
            without += made is None
            if made is not None:
                samples.append((_model(attributes), made))
        elif name in ("gen_ai.user.message", "gen_ai.choice"):
            content = _content(_value(record.get("body")), name)
            key = (str(record.get("traceId") or ""), str(record.get("spanId") or ""))
            if content is None or not key[1]:
                without += 1
                continue
            held = turns.setdefault(key, {"at": at, "model": _model(attributes), "agent": attributes})
            held["input" if name == "gen_ai.user.message" else "output"] = content
    for held in turns.values():
        if "input" in held:
            own = _own(held["agent"])
            samples.append((held["model"], Sample(held["input"], held.get("output"), held["at"], own)))
        else:
            without += 1
    return Read(tuple(samples), without)


def from_traces(body: Mapping[str, Any]) -> Read:
    """The samples of an ``ExportTraceServiceRequest``: its inference spans."""
    samples: list[tuple[str | None, Sample]] = []
    without = 0
    for resource, span in _records(body, "resourceSpans", "scopeSpans", "spans"):
        attributes = {**resource, **_attributes(span.get("attributes"))}
        operation = attributes.get("gen_ai.operation.name")
        if operation is None or operation in _NOT_INFERENCE:
            continue
        held = dict(attributes)
        for event in _list(span.get("events")):
            if isinstance(event, Mapping) and event.get("name") == DETAILS:
                held.update(_attributes(event.get("attributes")))
        made = _sample(held, _time(span.get("endTimeUnixNano")))
        without += made is None
        if made is not None:
            samples.append((_model(held), made))
    return Read(tuple(samples), without)


def _sample(attributes: Mapping[str, Any], at: float | None) -> Sample | None:
    asked = _messages(attributes.get("gen_ai.input.messages"))
    if not asked:
        return None
    answers = _messages(attributes.get("gen_ai.output.messages"))
    with suppress(SampleError):
        given = input_of([{"role": m.role, "content": m.content} for m in asked])
        return Sample(given, answers[0].content if answers else None, at, _own(attributes))
    return None


def _messages(held: Any) -> tuple[Message, ...]:
    """The messages of an attribute; parts that are no text are passed over, empty messages with them."""
    if isinstance(held, str):
        try:
            held = json.loads(held)
        except (ValueError, RecursionError):
            return ()
    made = []
    for message in _list(held):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            continue
        texts = [
            part["content"]
            for part in _list(message.get("parts"))
            if isinstance(part, Mapping)
            and part.get("type") == "text"
            and isinstance(part.get("content"), str)
        ]
        if texts:
            made.append(Message(message["role"], "\n".join(texts)))
    return tuple(made)


def _content(body: Any, event: str) -> str | None:
    if not isinstance(body, Mapping):
        return None
    held = body.get("message") if event == "gen_ai.choice" else body
    content = held.get("content") if isinstance(held, Mapping) else None
    return content if isinstance(content, str) and content.strip() else None


def _model(attributes: Mapping[str, Any]) -> str | None:
    model = attributes.get("gen_ai.request.model") or attributes.get("gen_ai.response.model")
    return model if isinstance(model, str) else None


def _own(attributes: Mapping[str, Any]) -> bool:
    return str(attributes.get("user_agent.original") or "").startswith(OWN_AGENT)


def _time(nanoseconds: Any) -> float | None:
    try:
        return at_of(int(nanoseconds) / 1e9)
    except (TypeError, ValueError):
        return None


def _records(
    body: Mapping[str, Any], outer: str, middle: str, inner: str
) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    for group in _list(body.get(outer)):
        if not isinstance(group, Mapping):
            continue
        about = group.get("resource")
        resource = _attributes(about.get("attributes")) if isinstance(about, Mapping) else {}
        for scope in _list(group.get(middle)):
            for record in _list(scope.get(inner)) if isinstance(scope, Mapping) else []:
                if isinstance(record, Mapping):
                    yield resource, record


def _attributes(held: Any) -> dict[str, Any]:
    return {
        pair["key"]: _value(pair.get("value"))
        for pair in _list(held)
        if isinstance(pair, Mapping) and isinstance(pair.get("key"), str)
    }


def _value(held: Any, depth: int = 0) -> Any:
    """An OTLP ``AnyValue`` as plain JSON."""
    if not isinstance(held, Mapping) or depth > 20:
        return None
    if "arrayValue" in held:
        inside = held["arrayValue"]
        values = inside.get("values") if isinstance(inside, Mapping) else None
        return [_value(one, depth + 1) for one in _list(values)]
    if "kvlistValue" in held:
        inside = held["kvlistValue"]
        pairs = inside.get("values") if isinstance(inside, Mapping) else None
        return {
            pair["key"]: _value(pair.get("value"), depth + 1)
            for pair in _list(pairs)
            if isinstance(pair, Mapping) and isinstance(pair.get("key"), str)
        }
    return next(
        (held[kind] for kind in ("stringValue", "intValue", "doubleValue", "boolValue") if kind in held), None
    )


def _list(held: Any) -> list[Any]:
    return held if isinstance(held, list) else []
