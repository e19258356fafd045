"""Azure OpenAI's chat completions, by its reference of the data plane and the SDK that speaks it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from tests.service.endpoints.standins.common import (
    RefusedError,
    Reply,
    StandIn,
    events,
    json_object,
    parts,
    unknown,
)

VERSIONS = ("2024-02-01", "2024-06-01", "2024-10-21", "2025-04-01-preview")
FIELDS = frozenset({
    "messages", "model", "data_sources", "frequency_penalty", "function_call", "functions", "logit_bias",
    "logprobs", "max_completion_tokens", "max_tokens", "metadata", "modalities", "n", "parallel_tool_calls",
    "prediction", "presence_penalty", "reasoning_effort", "response_format", "seed", "stop", "store", "stream",
    "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user",
})  # fmt: skip
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 2,
    "total_tokens": 32,
    "prompt_tokens_details": {"cached_tokens": 10},
}
SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}


def error(http_status: int, code: str, message: str, **more: Any) -> Reply:
    return Reply(http_status, {"error": {"code": code, "message": message} | more})


def throttled(wait_s: int) -> Reply:
    """What a deployment says above its quota."""
    said = error(
        429, "429", f"The call rate limit of the deployment is exceeded; retry after {wait_s} seconds."
    )
    return Reply(429, said.body, {"retry-after": str(wait_s), "retry-after-ms": str(wait_s * 1000)})


class Azure(StandIn):
    """A resource with one deployment and one key."""

    def __init__(self, key: str, deployment: str) -> None:
        super().__init__()
        self.key, self.deployment = key, deployment

    def check(self, request: Any) -> Any:
        path, query = parts(request.path)
        match = re.fullmatch(r"/openai/deployments/([^/]+)/chat/completions", path)
        if match is None or query.get("api-version") not in VERSIONS:
            raise RefusedError(error(404, "404", "Resource not found"))
        if request.headers.get("api-key") != self.key:
            raise RefusedError(
                error(401, "401", "Access denied: the key is wrong, or the endpoint is another region's.")
            )
        if unquote(match[1]) != self.deployment:
            raise RefusedError(error(404, "DeploymentNotFound", "This resource has no such deployment."))
        content = json_object(request, lambda said: error(400, "BadRequest", said))
        if wrong := unknown(content, FIELDS):
            said = f"Unrecognized request argument supplied: {wrong[0]}"
            raise RefusedError(error(400, "", said, type="invalid_request_error", param=None))
        turns = content.get("messages")
        if not turns or any(
            t.get("role") not in ("system", "developer", "user", "assistant", "tool") for t in turns
        ):
            raise RefusedError(
                error(400, "", "messages is wrong", type="invalid_request_error", param="messages")
            )
        if "stream_options" in content and not content.get("stream"):
            raise RefusedError(error(400, "", "stream_options without stream", param="stream_options"))
        if "FORBIDDEN" in str(turns[-1]["content"]):
            found = {"content_filter_result": {"violence": {"filtered": True, "severity": "medium"}}}
            inner = {"code": "ResponsibleAIPolicyViolation"} | found
            said = "The prompt triggered the content management policy."
            raise RefusedError(
                error(400, "content_filter", said, param="prompt", type=None, status=400, innererror=inner)
            )
        return content

    def answer(self, asked: Any) -> Reply:
        whole = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "gpt-4o-mini-2024-07-18.ft-1"}
        whole["system_fingerprint"] = "fp_1"
        prompt = [{"prompt_index": 0, "content_filter_results": SAFE}]
        if not asked.get("stream"):
            choice = {
                "index": 0,
                "finish_reason": "stop",
                "logprobs": None,
                "content_filter_results": SAFE,
                "message": {"role": "assistant", "content": "billing", "refusal": None},
            }
            whole |= {"object": "chat.completion", "choices": [choice], "usage": USAGE}
            return Reply(200, whole | {"prompt_filter_results": prompt})
        whole["object"] = "chat.completion.chunk"
        said = [whole | {"choices": [], "prompt_filter_results": prompt}]
        for delta, end in (
            ({"role": "assistant", "content": ""}, None),
            ({"content": "bill"}, None),
            ({"content": "ing"}, None),
            ({}, "stop"),
        ):
            said.append(whole | {"choices": [{"index": 0, "delta": delta, "finish_reason": end}]})
        if (asked.get("stream_options") or {}).get("include_usage"):
            said.append(whole | {"choices": [], "usage": USAGE})
        return events([(None, one) for one in said] + [(None, "[DONE]")])
