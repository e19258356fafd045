"""How is a model behind OpenAI's Responses API asked? ``POST {base_url}/responses``.

The system prompt goes out as ``instructions``, few-shot messages and the example as ``input``. What counts as the
output: the texts of all messages, joined; a refusal, where there is no text; calls of functions after them as JSON
text; an empty text where the model stopped before saying anything. ``finish_reason`` is ``completed``, or why the
answer is incomplete (``max_output_tokens``, ``content_filter``). Reasoning is no output.

Answers are not stored at the provider, unless params say ``store: true``; ``store: null`` sends no such field.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from checks.types import ErrorKind, Served
from service.endpoints._chat import Chat, Reading
from service.endpoints._faults import bad_body
from service.endpoints._http import Address, Answer, count_or_none, logprobs_or_none, name_or_none
from service.endpoints._openai import who_serves
from service.endpoints.openai_chat import said_by

if TYPE_CHECKING:
    import httpx

_LOGPROBS = "message.output_text.logprobs"
_ENDS = ("response.completed", "response.incomplete", "response.failed")
_PARTS = ("response.output_text.delta", "response.refusal.delta", "response.function_call_arguments.delta")


class OpenAIResponses(Chat):
    """A model behind OpenAI's Responses API.

    Example::

        endpoint:
          kind: openai_responses
          model: ft:gpt-4.1-mini-2025-04-14:acme:tickets:9aXyZ12
          api_key_env: OPENAI_API_KEY
          system: Route the ticket.
          params: {temperature: 0, max_output_tokens: 16}
    """

    kind: Literal["openai_responses"] = "openai_responses"
    base_url: Annotated[Address, Field(description="The address up to and with /v1.")] = (
        "https://api.openai.com/v1"
    )
    stream: Annotated[bool, Field(description="Stream, which measures the time to the first token.")] = False
    logprobs: Annotated[
        bool | Annotated[int, Field(ge=0, le=20)],
        Field(description="Ask for log-probabilities; a number: the top N too."),
    ] = False

    RESERVED: ClassVar[dict[str, str]] = {
        "model": "write model: beside it",
        "input": "write messages: beside it",
        "instructions": "write system: beside it",
        "stream": "write stream: true beside it",
        "background": "an answer is waited for",
        "conversation": "every example is asked alone",
        "previous_response_id": "every example is asked alone",
        "max_tokens": "this API calls it max_output_tokens",
        "max_completion_tokens": "this API calls it max_output_tokens",
        "response_format": "this API takes it as text: {format: ...}",
        "reasoning_effort": "this API takes it as reasoning: {effort: ...}",
    }
    ERRORS: ClassVar[dict[str, ErrorKind]] = {
        "server_error": ErrorKind.SERVER,
        "rate_limit_exceeded": ErrorKind.RATE_LIMITED,
        "insufficient_quota": ErrorKind.RATE_LIMITED,
        "invalid_prompt": ErrorKind.REFUSED,
        "context_length_exceeded": ErrorKind.REFUSED,
        "bio_policy": ErrorKind.REFUSED,
        "data_residency_mismatch": ErrorKind.REFUSED,
    }

    @property
    def url(self) -> str:
        """The address that requests go to."""
        return f"{self.base_url}/responses"

    @property
    def streams(self) -> bool:
        """``stream``."""
        return self.stream

    @cached_property
    def question_params(self) -> dict[str, Any]:
        """``params``, with ``store: false`` where they do not say otherwise."""
        return {"store": False, **self.params}

    def request(self, system: str | None, turns: list[dict[str, str]]) -> dict[str, Any]:
        """The request for a conversation."""
        body: dict[str, Any] = {"model": self.model, **self.question_params, "input": turns}
        if body["store"] is None:
            del body["store"]
        if system is not None:
            body["instructions"] = system
        if self.logprobs is not False:
            body["include"] = [*(body.get("include") or ()), _LOGPROBS]
            if self.logprobs is not True:
                body["top_logprobs"] = self.logprobs
        if self.stream:
            body["stream"] = True
        return body

    def read_whole(self, content: dict[str, Any], body: bytes) -> Answer:
        """What a whole response says."""
        items, status = content.get("output"), content.get("status", "completed")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            bad_body("the body has no list output", body)
        if status not in ("completed", "incomplete"):
            bad_body(f"the response is no answer: its status is {str(status)[:40]!r}", body)
        parts = [
            part
            for item in items
            if item.get("type") == "message" and isinstance(item.get("content"), list)
            for part in item["content"]
            if isinstance(part, dict)
        ]
        texts = [
            p["text"] for p in parts if p.get("type") == "output_text" and isinstance(p.get("text"), str)
        ]
        refusals = [p["refusal"] for p in parts if isinstance(p.get("refusal"), str)]
        tokens = [t for p in parts if isinstance(p.get("logprobs"), list) for t in p["logprobs"]]
        details = content.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return {
            "output": said_by(
                "".join(texts), "".join(refusals), [i for i in items if i.get("type") == "function_call"]
            ),
            "finish_reason": name_or_none(reason) or name_or_none(status),
            "logprobs": logprobs_or_none([t.get("logprob") if isinstance(t, dict) else None for t in tokens]),
            "served_model": name_or_none(content.get("model")),
            **_counts(content.get("usage")),
        }

    def read_event(self, content: dict[str, Any], reading: Reading) -> bool:
        """Add an event; the last one holds the whole response, the others time its first token."""
        kind = content.get("type")
        if kind == "error":
            self.no_error({"error": content})
        if kind in _ENDS:
            response = content.get("response")
            if not isinstance(response, dict):
                bad_body("the last event of the stream has no response", str(content))
            self.no_error(response)
            reading.facts = self.read_whole(response, str(response).encode())
            reading.complete = True
        return kind in _PARTS and bool(content.get("delta"))

    async def identify(self, client: httpx.AsyncClient, *, timeout_s: float) -> Served:
        """What ``/v1/models`` lists of the model asked for."""
        return await who_serves(self, self.base_url, self.model, client, timeout_s)


def _counts(usage: Any) -> Answer:
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("input_tokens_details")
    return {
        "input_tokens": count_or_none(usage.get("input_tokens")),
        "output_tokens": count_or_none(usage.get("output_tokens")),
        "cached_tokens": count_or_none(details.get("cached_tokens")) if isinstance(details, dict) else None,
    }
