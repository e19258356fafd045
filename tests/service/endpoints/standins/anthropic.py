"""Anthropic's Messages API in both of its versions, by its reference and the SDK."""

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

SAMPLING = frozenset({"temperature", "top_p", "top_k"})
VERSIONS = {"2023-06-01": SAMPLING, "2026-10-21": frozenset[str]()}
FIELDS = frozenset({
    "cache_control", "container", "context_management", "inference_geo", "max_tokens", "mcp_servers", "messages",
    "metadata", "model", "output_config", "service_tier", "stop_sequences", "stream", "system", "thinking",
    "tool_choice", "tools",
})  # fmt: skip
USAGE = {
    "input_tokens": 9,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 20,
    "output_tokens": 3,
    "service_tier": "standard",
}


def error(status: int, name: str, message: str, **headers: str) -> Reply:
    body = {"type": "error", "error": {"type": name, "message": message}, "request_id": "req_1"}
    return Reply(status, body, {"request-id": "req_1"} | {k.replace("_", "-"): v for k, v in headers.items()})


class Anthropic(StandIn):
    """One key, one model under its alias."""

    def __init__(self, key: str, model: str = "claude-x") -> None:
        super().__init__()
        self.key, self.model = key, model

    def check(self, request: Any) -> Any:
        bad = "invalid_request_error"
        path, query = parts(request.path)
        if (request.method, path) != ("POST", "/v1/messages") or query:
            raise RefusedError(error(404, "not_found_error", "no such path"))
        sent = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix(
            "Bearer "
        )
        if sent != self.key:
            raise RefusedError(error(401, "authentication_error", "the key is not valid"))
        version = request.headers.get("anthropic-version")
        if version not in VERSIONS:
            raise RefusedError(error(400, bad, "anthropic-version: a valid version is required"))
        content = json_object(request, lambda said: error(400, bad, said))
        if wrong := unknown(content, FIELDS | VERSIONS[version]):
            raise RefusedError(error(400, bad, f"{wrong[0]}: extra inputs are not permitted"))
        for name, kind in (("model", str), ("max_tokens", int), ("messages", list)):
            if not isinstance(content.get(name), kind):
                raise RefusedError(error(400, bad, f"{name}: field required"))
        turns = content["messages"]
        if not turns or any(
            set(t) != {"role", "content"} or t["role"] not in ("user", "assistant") for t in turns
        ):
            raise RefusedError(error(400, bad, "messages: turns of user and assistant are required"))
        if content["model"] != self.model:
            raise RefusedError(error(404, "not_found_error", f"model: {content['model']}"))
        return content

    def answer(self, asked: Any) -> Reply:
        whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": f"{self.model}-20251001"}
        whole |= {
            "content": [{"type": "text", "text": "billing"}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
        }
        whole["usage"] = USAGE
        if not asked.get("stream"):
            return Reply(200, whole, {"request-id": "req_1"})
        delta = {"type": "content_block_delta", "index": 0}
        said = [
            {"type": "message_start", "message": whole | {"content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "ping"},
            {**delta, "delta": {"type": "text_delta", "text": "bill"}},
            {**delta, "delta": {"type": "text_delta", "text": "ing"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
             "usage": {"output_tokens": 5}},
            {"type": "message_stop"},
        ]  # fmt: skip
        return events([(str(one["type"]), one) for one in said])
