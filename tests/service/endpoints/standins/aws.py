"""AWS's door and two services behind it: signatures computed anew, requests checked by AWS's own models of its APIs.

The signature follows AWS's description of Signature Version 4, without botocore's signer; whether a body is one that
the service takes is asked of botocore's validator and the service's model.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from botocore.session import Session
from botocore.validate import ParamValidator

from tests.service.endpoints.standins.common import RefusedError, Reply, StandIn, json_object

Shown = tuple[str, dict[str, str]]


def error(http_status: int, code: str, message: str, *, key: str = "message", **more: Any) -> Reply:
    headers = {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/coral/", "x-amzn-RequestId": "1"}
    return Reply(http_status, {key: message} | more, headers)


def signature(secret: str, request: Any, date: str, scope: list[str], signed: list[str]) -> tuple[str, str]:
    """The signature that a request should have, and the canonical request that it is made of."""
    path, _, query = request.path.partition("?")
    canonical = "\n".join([
        request.method,
        quote(path, safe="/~-._"),  # encoded once more: a path that is sent as %3A counts as %253A
        "&".join(sorted(query.split("&"))) if query else "",
        *[f"{name}:{' '.join(request.headers[name].split())}" for name in signed],
        "",
        ";".join(signed),
        hashlib.sha256(request.body).hexdigest(),
    ])  # fmt: skip
    to_sign = "\n".join(
        ["AWS4-HMAC-SHA256", date, "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest(), canonical


class Aws(StandIn):
    """One account with one key pair, which may have a session's token; a key of Bedrock; one region."""

    SERVICE: str
    OPERATION: tuple[str, str]
    ERROR_KEY = "message"

    def __init__(self, secret: str, token: str | None = None, *, bearer: str | None = None) -> None:
        super().__init__()
        self.access, self.secret, self.token, self.bearer = "AKIDEXAMPLE", secret, token, bearer
        self.region = "eu-central-1"
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        service, operation = self.OPERATION
        self._shape = Session().get_service_model(service).operation_model(operation).input_shape

    def refuse(self, http_status: int, code: str, message: str) -> RefusedError:
        return RefusedError(error(http_status, code, message, key=self.ERROR_KEY))

    def enter(self, request: Any) -> None:
        """Check who asks."""
        sent = request.headers.get("authorization", "")
        if self.bearer is not None and sent.startswith("Bearer "):
            if sent != f"Bearer {self.bearer}":
                raise self.refuse(403, "AccessDeniedException", "The API key is not valid")
            return
        if not sent:
            raise self.refuse(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        match = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=(\w{64})", sent
        )
        if match is None:
            raise self.refuse(403, "IncompleteSignatureException", "Authorization header cannot be read")
        (access, *scope), signed, date = (
            match[1].split("/"),
            match[2].split(";"),
            request.headers.get("x-amz-date", ""),
        )
        if access != self.access or request.headers.get("x-amz-security-token") != self.token:
            raise self.refuse(
                403, "UnrecognizedClientException", "The security token in the request is invalid."
            )
        if scope != [date[:8], self.region, self.SERVICE, "aws4_request"]:
            raise self.refuse(
                403, "InvalidSignatureException", f"Credential should be scoped to {self.region}."
            )
        must = {"host", *(name for name in request.headers if name.startswith("x-amz-"))}
        if not must <= set(signed) or signed != sorted(signed):
            raise self.refuse(403, "InvalidSignatureException", "Headers that must be signed are not.")
        when = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(when - self.now()) > timedelta(minutes=5):
            raise self.refuse(
                403, "InvalidSignatureException", f"Signature expired: {date} is too far from now"
            )
        right, canonical = signature(self.secret, request, date, scope, signed)
        if not hmac.compare_digest(right, match[3]):
            raise self.refuse(
                403, "InvalidSignatureException", f"It does not match; the canonical one is {canonical}"
            )

    def validated(self, params: dict[str, Any]) -> None:
        """Check parameters by the service's model; its validator takes no unknown ones."""
        report = ParamValidator().validate(params, self._shape)
        if report.has_errors():
            raise self.refuse(400, "ValidationException", report.generate_report().replace("\n", " "))


class BedrockRuntime(Aws):
    """Bedrock's Converse API with one model."""

    SERVICE = "bedrock"
    OPERATION = ("bedrock-runtime", "Converse")
    model = "arn:aws:bedrock:eu-central-1:123456789012:custom-model-deployment/9aXyZ12bcdef"

    def check(self, request: Any) -> Any:
        self.enter(request)
        match = re.fullmatch(r"/model/([^/]+)/converse", request.path)
        if request.method != "POST" or match is None:
            raise self.refuse(404, "UnknownOperationException", "There is no such operation")
        content = json_object(request, lambda said: error(400, "SerializationException", said))
        self.validated({"modelId": unquote(match[1])} | content)
        if unquote(match[1]) != self.model:
            raise self.refuse(400, "ValidationException", "The provided model identifier is invalid.")
        turns = content.get("messages")
        if not turns or turns[0]["role"] != "user":
            raise self.refuse(400, "ValidationException", "A conversation must start with a user message.")
        return content

    def answer(self, asked: Any) -> Reply:
        usage = {"inputTokens": 9, "outputTokens": 3, "totalTokens": 32}
        usage |= {"cacheReadInputTokens": 20, "cacheWriteInputTokens": 0}
        reasoning = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}
        message = {"role": "assistant", "content": [reasoning, {"text": "billing"}]}
        body = {
            "output": {"message": message},
            "stopReason": "end_turn",
            "usage": usage,
            "metrics": {"latencyMs": 7},
        }
        return Reply(200, body, {"x-amzn-RequestId": "1"})


class SageMakerRuntime(Aws):
    """SageMaker's InvokeEndpoint with one endpoint, whose container speaks the form of Hugging Face's."""

    SERVICE = "sagemaker"
    OPERATION = ("sagemaker-runtime", "InvokeEndpoint")
    ERROR_KEY = "Message"
    endpoint = "ticket-router"
    component = "adapter-1"

    def check(self, request: Any) -> Any:
        self.enter(request)
        match = re.fullmatch(r"/endpoints/([^/]+)/invocations", request.path)
        if request.method != "POST" or match is None:
            raise self.refuse(404, "UnknownOperationException", "There is no such operation")
        named = {"Content-Type": "ContentType", "Accept": "Accept"} | {
            f"X-Amzn-SageMaker-{header}": name
            for header, name in (
                ("Target-Model", "TargetModel"),
                ("Target-Variant", "TargetVariant"),
                ("Inference-Component", "InferenceComponentName"),
            )
        }
        sent = {
            param: request.headers[n.lower()] for n, param in named.items() if n.lower() in request.headers
        }
        self.validated({"EndpointName": unquote(match[1]), "Body": request.body} | sent)
        strange = [
            n
            for n in request.headers
            if n.startswith("x-amzn-sagemaker-") and n.title() not in map(str.title, named)
        ]
        if strange or match[1] != self.endpoint:
            raise self.refuse(
                400, "ValidationError", f"Endpoint {match[1]} of account 123456789012 not found."
            )
        if sent.get("InferenceComponentName", self.component) != self.component:
            raise self.refuse(400, "ValidationError", "Inference component not found.")
        content = json.loads(request.body)
        if not isinstance(content, dict) or "inputs" not in content:
            said = "Received client error (400) from primary with message: inputs is missing"
            more = {
                "OriginalStatusCode": 400,
                "OriginalMessage": "inputs is missing",
                "LogStreamArn": "arn:aws:logs:x",
            }
            raise RefusedError(error(424, "ModelError", said, key="Message", **more))
        return content

    def answer(self, asked: Any) -> Reply:
        return Reply(
            200, [{"generated_text": "billing"}], {"x-Amzn-Invoked-Production-Variant": "AllTraffic"}
        )
