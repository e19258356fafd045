"""How is a model on Google's Vertex AI asked? ``POST {resource}:generateContent``.

``model`` is a model of Google's (``gemini-2.5-flash``), of another publisher (``meta/...``), a fine-tuned one
(``endpoints/ID``), or the whole name of a resource. A token of Google's own credentials goes out, by the extra ``gcp``;
with ``api_key_env`` an API key does, as ``x-goog-api-key``, which needs no extra and, in express mode, no project.
Redirects are not followed.

What counts as the output: the texts of the first candidate, joined; calls of functions after them as JSON text; an
empty text where the model was stopped before it said anything (``finish_reason: SAFETY``). Thoughts are no output,
though they count as output tokens. A prompt that is blocked was not answered.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from checks.types import ErrorKind, ResponseError, Served
from service.endpoints._chat import Chat, Reading, known
from service.endpoints._faults import Fault, bad_body, retry_after_s
from service.endpoints._google import Tokens
from service.endpoints._http import Address, Answer, Headers, count_or_none, logprobs_or_none, name_or_none
from service.endpoints._names import Like
from service.endpoints._secrets import unusable
from service.endpoints.openai_chat import said_by

if TYPE_CHECKING:
    import httpx

_REGIONS_TOGETHER = ("us", "eu")
_PART = "[A-Za-z0-9][A-Za-z0-9._@:-]*"
_DELAY = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")


class Vertex(Chat):
    """A model on Google's Vertex AI.

    Example::

        endpoint:
          kind: vertex
          project: my-project
          location: europe-west4
          model: endpoints/1234567890123456789
          system: Route the ticket.
          params: {generationConfig: {temperature: 0, maxOutputTokens: 16}}
    """

    kind: Literal["vertex"] = "vertex"
    model: Annotated[
        str,
        Field(
            max_length=300,
            description="A model's name, endpoints/ID of a fine-tuned one, or a resource's whole name.",
        ),
        Like(rf"{_PART}(/{_PART})*", "a model: write it like gemini-2.5-flash or endpoints/1234"),
    ]
    project: Annotated[
        Annotated[str, Like("[a-z0-9][a-z0-9.:-]{3,62}", "a project's id or number")] | None,
        Field(description="The project's id or number."),
    ] = None
    location: Annotated[
        str,
        Like("[a-z][a-z0-9-]{1,40}", "a location: write it like europe-west4, or us, eu, global"),
        Field(description="The region, or us, eu, global."),
    ] = "global"
    credentials_file: Annotated[
        str | None,
        Field(min_length=1, description="A file of credentials; default: those that Google's tools find."),
    ] = None
    base_url: Annotated[
        Address | None, Field(description="The address, where it is not Google's own: a private endpoint.")
    ] = None
    logprobs: Annotated[
        bool | Annotated[int, Field(ge=1, le=20)],
        Field(description="Ask for log-probabilities; a number: the top N too."),
    ] = False

    CONNECTION: ClassVar[frozenset[str]] = Chat.CONNECTION | {"project", "location", "credentials_file"}
    KEY_HEADER: ClassVar[str] = "x-goog-api-key"
    KEY_PREFIX: ClassVar[str] = ""
    FOLLOWS: ClassVar[bool] = False
    RESERVED: ClassVar[dict[str, str]] = {
        "model": "write model: beside it",
        "contents": "write messages: beside it",
        "systemInstruction": "write system: beside it",
        "temperature": "write generationConfig: {temperature: ...}",
        "maxOutputTokens": "write generationConfig: {maxOutputTokens: ...}",
    }
    ERRORS: ClassVar[dict[str, ErrorKind]] = {
        "UNAUTHENTICATED": ErrorKind.AUTH,
        "PERMISSION_DENIED": ErrorKind.AUTH,
        "NOT_FOUND": ErrorKind.NOT_FOUND,
        "RESOURCE_EXHAUSTED": ErrorKind.RATE_LIMITED,
        "INVALID_ARGUMENT": ErrorKind.REFUSED,
        "FAILED_PRECONDITION": ErrorKind.REFUSED,
        "OUT_OF_RANGE": ErrorKind.REFUSED,
        "INTERNAL": ErrorKind.SERVER,
        "UNAVAILABLE": ErrorKind.SERVER,
        "DEADLINE_EXCEEDED": ErrorKind.SERVER,
        "ABORTED": ErrorKind.SERVER,
    }

    @model_validator(mode="after")
    def _one_answer_of_somebodys_model(self) -> Vertex:
        config = self.params.get("generationConfig", {})
        if not isinstance(config, dict):
            raise ValueError("params.generationConfig must be a mapping")  # noqa: TRY004  # Pydantic's way
        if config.get("candidateCount", 1) != 1:
            raise ValueError(
                "params cannot ask for several answers (candidateCount): write repeats: N on the target"
            )
        keyed = bool(self.api_key_env or self.api_key_file)
        if keyed and self.credentials_file is not None:
            raise ValueError("credentials_file and an API key exclude each other")
        if self.project is None and not self.model.startswith("projects/") and not self.express:
            raise ValueError("project is missing; write project: ID (without one, api_key_env: express mode)")
        if self.express and self.model.startswith("endpoints/"):
            raise ValueError("a fine-tuned model needs project: and location: beside its endpoints/ID")
        return self

    @property
    def express(self) -> bool:
        """Whether an API key says whose project it is."""
        return self.project is None and bool(self.api_key_env or self.api_key_file)

    @property
    def resource(self) -> str:
        """The name of what is asked."""
        if self.model.startswith("projects/"):
            return self.model
        publisher, _, name = self.model.rpartition("/")
        named = self.model if self.model.startswith(("endpoints/", "publishers/")) else (
            f"publishers/{publisher or 'google'}/models/{name}"
        )  # fmt: skip
        return named if self.express else f"projects/{self.project}/locations/{self.location}/{named}"

    @property
    def root(self) -> str:
        """The address without a path."""
        if self.base_url is not None:
            return self.base_url
        whole = re.match(r"projects/[^/]+/locations/([^/]+)/", self.model)
        location = whole[1] if whole else self.location
        if self.express or location == "global":
            return "https://aiplatform.googleapis.com"
        if location in _REGIONS_TOGETHER:
            return f"https://aiplatform.{location}.rep.googleapis.com"
        return f"https://{location}-aiplatform.googleapis.com"

    @property
    def url(self) -> str:
        """The address that requests go to."""
        method = "streamGenerateContent?alt=sse" if self.stream else "generateContent"
        return f"{self.root}/v1/{self.resource}:{method}"

    async def authorised(
        self, client: httpx.AsyncClient, content: bytes | None, secrets: tuple[str, ...], headers: Headers
    ) -> tuple[tuple[str, ...], Headers]:
        """The request's headers with a token, unless a key is sent."""
        del client, content
        if self._sends_its_own:
            return secrets, headers
        token = await self._tokens.token()
        return (*secrets, token), [*headers, ("Authorization", f"Bearer {token}")]

    def request(self, system: str | None, turns: list[dict[str, str]]) -> dict[str, Any]:
        """The request for a conversation."""
        contents = [
            {"role": "model" if t["role"] == "assistant" else t["role"], "parts": [{"text": t["content"]}]}
            for t in turns
        ]
        body: dict[str, Any] = {**self.params, "contents": contents}
        if system is not None:
            body["systemInstruction"] = {"parts": [{"text": system}]}
        if self.logprobs is not False:
            asked = {"responseLogprobs": True} | (
                {} if self.logprobs is True else {"logprobs": self.logprobs}
            )
            body["generationConfig"] = {**body.get("generationConfig", {}), **asked}
        return body

    def read_whole(self, content: dict[str, Any], body: bytes) -> Answer:
        """What an answer says."""
        reading = Reading()
        self._add(content, reading)
        if not reading.complete and not reading.texts and not reading.calls:
            bad_body("the body has no candidates[0]", body)
        return self._end(reading)

    def read_event(self, content: dict[str, Any], reading: Reading) -> bool:
        """Add an event, which looks as a whole answer does."""
        found = self._add(content, reading)
        if reading.complete:
            reading.facts = self._end(reading)
        return found

    async def identify(self, client: httpx.AsyncClient, *, timeout_s: float) -> Served:
        """Nothing: who may ask a model may not look it up. Its answers name the model and its version."""
        del client, timeout_s
        return Served()

    def secrets(self) -> dict[str, Any]:
        """As of every endpoint, and the file of credentials."""
        named = {} if self.credentials_file is None else {"credentials_file": self.credentials_file}
        return super().secrets() | named

    def check_secrets(self) -> list[Any]:
        """What is wrong with the keys or with Google's credentials; empty if nothing is."""
        faults = super().check_secrets()
        return faults or ([] if self._sends_its_own else unusable(self._tokens.load))

    def refined(self, error: ResponseError, headers: Mapping[str, str], body: bytes) -> ResponseError:
        """When to ask again, which stands in the body; a token that was refused is not used again."""
        if error.status == 401 and not self._sends_its_own:
            self._tokens.forget()
        message = error.message
        if error.kind is ErrorKind.AUTH and not self._sends_its_own:
            allowed = "check the credentials, their roles (aiplatform.user), project and location"
            message = message.replace("check the key that is sent", allowed)
        wait_s = retry_after_s(headers, time.time()) if error.retry_after_s is None else error.retry_after_s
        if error.kind.retryable and wait_s is None:
            wait_s = _delay(body)
        return ResponseError(error.kind, message, error.status, wait_s if error.kind.retryable else None)

    def _add(self, content: dict[str, Any], reading: Reading) -> bool:
        feedback, candidates = content.get("promptFeedback"), content.get("candidates")
        if not candidates and isinstance(feedback, dict) and (reason := feedback.get("blockReason")):
            said = f"the prompt was blocked: {str(reason)[:40]!r}"
            raise Fault(ResponseError(ErrorKind.REFUSED, said, 200))
        reading.usage |= {k: v for k, v in (_dict(content.get("usageMetadata"))).items() if v is not None}
        reading.facts |= known({"served_model": name_or_none(content.get("modelVersion"))})
        if not isinstance(candidates, list) or not candidates or not isinstance(candidates[0], dict):
            return False
        candidate, found = candidates[0], False
        parts = _dict(candidate.get("content")).get("parts")
        for part in parts if isinstance(parts, list) else ():
            text, call = (
                (part.get("text"), part.get("functionCall")) if isinstance(part, dict) else (None, None)
            )
            if isinstance(text, str) and text and not part.get("thought"):
                reading.texts.append(text)
                found = True
            if isinstance(call, dict):
                arguments = json.dumps(call.get("args") or {})
                reading.calls[len(reading.calls)] = {"name": str(call.get("name")), "arguments": arguments}
                found = True
        tokens = _dict(candidate.get("logprobsResult")).get("chosenCandidates")
        reading.logprobs += tokens if isinstance(tokens, list) else []
        if (reason := name_or_none(candidate.get("finishReason"))) is not None:
            reading.facts["finish_reason"], reading.complete = reason, True
        return found

    def _end(self, reading: Reading) -> Answer:
        usage = reading.usage
        said = [count_or_none(usage.get(name)) for name in ("candidatesTokenCount", "thoughtsTokenCount")]
        logprobs = [t.get("logProbability") if isinstance(t, dict) else None for t in reading.logprobs]
        calls = [reading.calls[place] for place in sorted(reading.calls)]
        return reading.facts | {
            "output": said_by("".join(reading.texts), None, calls),
            "logprobs": logprobs_or_none(logprobs),
            "input_tokens": count_or_none(usage.get("promptTokenCount")),
            "cached_tokens": count_or_none(usage.get("cachedContentTokenCount")),
            "output_tokens": None if said == [None, None] else sum(count or 0 for count in said),
        }

    @property
    def _sends_its_own(self) -> bool:
        """Whether a key, or a header with a token, is configured."""
        sent = {name.lower() for name in self.headers_env}
        return bool(self.api_key_env or self.api_key_file) or bool(sent & {"authorization", "x-goog-api-key"})

    @cached_property
    def _tokens(self) -> Tokens:
        return Tokens(self.credentials_file)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _delay(body: bytes) -> float | None:
    """The delay of a RetryInfo among an error's details, in seconds."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    content = content[0] if isinstance(content, list) and content else content
    details = _dict(_dict(content).get("error")).get("details")
    for detail in details if isinstance(details, list) else ():
        delay = _dict(detail).get("retryDelay")
        if isinstance(delay, str) and (match := _DELAY.fullmatch(delay)):
            return float(match[1])
    return None
