"""How is a model on Amazon Bedrock asked? ``POST /model/{model}/converse``, the Converse API.

Requests are signed with AWS's own credentials, by the extra ``aws``; with ``api_key_env`` an API key of Bedrock goes
out as ``Authorization: Bearer`` instead, which needs no extra.

What counts as the output: the texts of the message, joined; calls of tools after them as JSON text. Reasoning is no
output. What a guardrail put in place of an answer is one, with ``finish_reason: guardrail_intervened``. The count of
input tokens holds those of the cache, which the API counts apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field

from checks.types import ErrorKind, Served
from service.endpoints._aws import Aws
from service.endpoints._chat import Chat
from service.endpoints._faults import bad_body
from service.endpoints._http import Answer, count_or_none, name_or_none
from service.endpoints.openai_chat import said_by

if TYPE_CHECKING:
    import httpx


class Bedrock(Aws, Chat):
    """A model on Amazon Bedrock: a base model, an imported or a fine-tuned one.

    Example::

        endpoint:
          kind: bedrock
          region: eu-central-1
          model: arn:aws:bedrock:eu-central-1:123456789012:custom-model-deployment/9aXyZ12bcdef
          system: Route the ticket.
          params: {inferenceConfig: {maxTokens: 16, temperature: 0}}
    """

    kind: Literal["bedrock"] = "bedrock"
    model: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2_048,
            description="The id of a model or inference profile, or the ARN of either.",
        ),
    ]

    SERVICE: ClassVar[str] = "bedrock"
    HOST: ClassVar[str] = "bedrock-runtime"
    RESERVED: ClassVar[dict[str, str]] = {
        "modelId": "write model: beside it",
        "messages": "write messages: beside it",
        "system": "write system: beside it",
        "maxTokens": "write inferenceConfig: {maxTokens: ...}",
        "temperature": "write inferenceConfig: {temperature: ...}",
    }
    ERRORS: ClassVar[dict[str, ErrorKind]] = {}

    @property
    def url(self) -> str:
        """The address that requests go to."""
        return f"{self.root}/model/{quote(self.model, safe='')}/converse"

    def request(self, system: str | None, turns: list[dict[str, str]]) -> dict[str, Any]:
        """The request for a conversation."""
        messages = [{"role": turn["role"], "content": [{"text": turn["content"]}]} for turn in turns]
        body = {**self.params, "messages": messages}
        return body if system is None else body | {"system": [{"text": system}]}

    def read_whole(self, content: dict[str, Any], body: bytes) -> Answer:
        """What an answer says."""
        output = content.get("output")
        message = output.get("message") if isinstance(output, dict) else None
        blocks = message.get("content") if isinstance(message, dict) else None
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            bad_body("the body has no list output.message.content", body)
        texts = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
        uses = [block["toolUse"] for block in blocks if isinstance(block.get("toolUse"), dict)]
        calls = [{"name": use.get("name"), "arguments": use.get("input")} for use in uses]
        return {
            "output": said_by("".join(texts), None, calls),
            "finish_reason": name_or_none(content.get("stopReason")),
            **_counts(content.get("usage")),
        }

    async def identify(self, client: httpx.AsyncClient, *, timeout_s: float) -> Served:
        """Nothing: what a model is made of stands in another API, with permissions of its own."""
        del client, timeout_s
        return Served()


def _counts(usage: Any) -> Answer:
    usage = usage if isinstance(usage, dict) else {}
    counts = [
        count_or_none(usage.get(n)) for n in ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    ]
    return {
        "input_tokens": None if counts[0] is None else sum(count or 0 for count in counts),
        "output_tokens": count_or_none(usage.get("outputTokens")),
        "cached_tokens": counts[1],
    }
