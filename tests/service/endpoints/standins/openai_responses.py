"""OpenAI's Responses API, by its reference and the SDK."""

from __future__ import annotations

from typing import Any

from tests.service.endpoints.standins.common import (
    RefusedError,
    Reply,
    StandIn,
    events,
    json_object,
    parts,
    unknown,
)

FIELDS = frozenset({
    "background", "context_management", "conversation", "include", "input", "instructions", "max_output_tokens",
    "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt",
    "prompt_cache_key", "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "stream",
    "stream_options", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
})  # fmt: skip
INCLUDABLE = frozenset(
    {"message.output_text.logprobs", "reasoning.encrypted_content", "file_search_call.results"}
)
USAGE = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 10},
    "output_tokens": 2,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 32,
}


def error(
    http_status: int, message: str, code: str | None, param: str | None = None, **headers: str
) -> Reply:
    named = {401: "invalid_request_error", 429: "tokens", 500: "server_error"}
    body = {
        "message": message,
        "type": named.get(http_status, "invalid_request_error"),
        "param": param,
        "code": code,
    }
    return Reply(http_status, {"error": body}, {k.replace("_", "-"): v for k, v in headers.items()})


def message(*content: dict[str, Any], status: str = "completed") -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "status": status, "role": "assistant", "content": list(content)}


def text(said: str, *logprobs: float) -> dict[str, Any]:
    tokens = [{"token": "t", "logprob": value, "bytes": [116], "top_logprobs": []} for value in logprobs]
    return {"type": "output_text", "text": said, "annotations": [], "logprobs": tokens}


def response(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    whole = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "error": None,
    }
    whole |= {
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "ft:gpt-4.1-mini:acme::1",
    }
    whole |= {"output": list(output), "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    return whole | {"usage": USAGE} | more


class Responses(StandIn):
    """One key, one model."""

    def __init__(self, key: str, model: str = "ft:gpt-4.1-mini:acme::1") -> None:
        super().__init__()
        self.key, self.model = key, model

    def check(self, request: Any) -> Any:
        path, query = parts(request.path)
        if (request.method, path) != ("POST", "/v1/responses") or query:
            raise RefusedError(error(404, "Unknown request URL", "unknown_url"))
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise RefusedError(error(401, "The API key is wrong.", "invalid_api_key"))
        content = json_object(request, lambda said: error(400, said, None))
        if wrong := unknown(content, FIELDS):
            raise RefusedError(error(400, f"Unknown parameter: '{wrong[0]}'.", "unknown_parameter", wrong[0]))
        if content.get("model") != self.model:
            raise RefusedError(
                error(400, f"The model '{content.get('model')}' is not there.", "model_not_found")
            )
        turns = content.get("input")
        turns = [{"role": "user", "content": turns}] if isinstance(turns, str) else turns
        if not turns or any(t.get("role") not in ("user", "assistant", "system", "developer") for t in turns):
            raise RefusedError(error(400, "input is wrong", "invalid_value", "input"))
        if not set(content.get("include") or ()) <= INCLUDABLE:
            raise RefusedError(error(400, "include is wrong", "invalid_value", "include"))
        form = (content.get("text") or {}).get("format") or {}
        if form.get("type", "text") == "json_schema" and not {"name", "schema"} <= form.keys():
            raise RefusedError(
                error(400, "Missing: 'text.format.name'.", "missing_required_parameter", "text.format")
            )
        if "response_format" in content:
            raise RefusedError(
                error(400, "It moved to 'text.format'.", "unsupported_parameter", "response_format")
            )
        return content

    def answer(self, asked: Any) -> Reply:
        logprobs = (-0.1, -0.2) if "message.output_text.logprobs" in (asked.get("include") or ()) else ()
        whole = response(
            {"type": "reasoning", "id": "rs_1", "summary": []}, message(text("billing", *logprobs))
        )
        if not asked.get("stream"):
            return Reply(200, whole)
        begun = response(status="in_progress", usage=None)
        place = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
        said: list[dict[str, Any]] = [
            {"type": "response.created", "response": begun},
            {"type": "response.in_progress", "response": begun},
            {"type": "response.output_item.added", "output_index": 1, "item": message(status="in_progress")},
            {"type": "response.content_part.added", **place, "part": text("")},
            {"type": "response.output_text.delta", **place, "delta": "bill", "logprobs": []},
            {"type": "response.output_text.delta", **place, "delta": "ing", "logprobs": []},
            {"type": "response.output_text.done", **place, "text": "billing", "logprobs": []},
            {"type": "response.content_part.done", **place, "part": text("billing")},
            {"type": "response.output_item.done", "output_index": 1, "item": message(text("billing"))},
            {"type": "response.completed", "response": whole},
        ]
        return events([(str(one["type"]), one | {"sequence_number": n}) for n, one in enumerate(said)])
