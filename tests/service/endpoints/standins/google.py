"""Google's token service and Vertex AI: assertions are verified, tokens end, and a request has only known names."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any
from urllib.parse import parse_qs, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.service.endpoints.standins.common import (
    RefusedError,
    Reply,
    StandIn,
    events,
    json_object,
    parts,
    unknown,
)

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
FIELDS = frozenset({
    "cachedContent", "contents", "generationConfig", "labels", "modelArmorConfig", "safetySettings",
    "systemInstruction", "toolConfig", "tools",
})  # fmt: skip
CONFIG = frozenset({
    "audioTimestamp", "candidateCount", "frequencyPenalty", "logprobs", "maxOutputTokens", "mediaResolution",
    "modelConfig", "presencePenalty", "responseJsonSchema", "responseLogprobs", "responseMimeType",
    "responseModalities", "responseSchema", "routingConfig", "seed", "speechConfig", "stopSequences", "temperature",
    "thinkingConfig", "topK", "topP",
})  # fmt: skip
USAGE = {
    "promptTokenCount": 30,
    "cachedContentTokenCount": 10,
    "candidatesTokenCount": 2,
    "thoughtsTokenCount": 5,
    "totalTokenCount": 37,
}
KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def error(http_status: int, name: str, message: str, *, delay: str | None = None) -> Reply:
    body: dict[str, Any] = {"code": http_status, "message": message, "status": name}
    if delay is not None:
        body["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    return Reply(http_status, {"error": body})


def account(token_uri: str) -> dict[str, Any]:
    """The file of a service account, with a key made here."""
    pem = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    named = {"type": "service_account", "project_id": "my-project", "private_key_id": "k1", "client_id": "1"}
    named |= {"client_email": "watch@my-project.iam.gserviceaccount.com", "private_key": pem.decode()}
    return named | {"token_uri": token_uri}


class TokenService(StandIn):
    """Hands out tokens for assertions that the account's key has signed."""

    def __init__(self, uri: str, lasts_s: int = 3_600) -> None:
        super().__init__()
        self.uri, self.lasts_s = uri, lasts_s
        self.tokens: list[str] = []

    def check(self, request: Any) -> Any:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            raise RefusedError(Reply(400, {"error": "unsupported_grant_type"}))
        signed, _, mark = form["assertion"].rpartition(".")
        try:
            KEY.public_key().verify(_decoded(mark), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            said = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            raise RefusedError(Reply(400, said)) from None
        head, claims = (json.loads(_decoded(part)) for part in signed.split("."))
        wrong = [
            name
            for name, right in (
                ("alg", head.get("alg") == "RS256" and head.get("kid") == "k1"),
                ("iss", claims.get("iss") == "watch@my-project.iam.gserviceaccount.com"),
                ("aud", claims.get("aud") in (self.uri, "https://oauth2.googleapis.com/token")),
                ("scope", SCOPE in claims.get("scope", "").split()),
                ("exp", 0 < claims.get("exp", 0) - time.time() <= 3_700),
            )
            if not right
        ]
        if wrong:
            raise RefusedError(
                Reply(400, {"error": "invalid_grant", "error_description": f"wrong {wrong[0]}"})
            )
        return claims

    def answer(self, asked: Any) -> Reply:
        self.tokens.append(f"ya29.token-{len(self.tokens) + 1}-0123456789")
        return Reply(
            200, {"access_token": self.tokens[-1], "expires_in": self.lasts_s, "token_type": "Bearer"}
        )


class VertexAI(StandIn):
    """Vertex AI with one fine-tuned model and one of Google's."""

    tuned = "projects/my-project/locations/europe-west4/endpoints/1234567890123456789"
    own = "publishers/google/models/gemini-2.5-flash"

    def __init__(self, service: TokenService, key: str | None = None) -> None:
        super().__init__()
        self.service, self.key = service, key
        self.revoked: set[str] = set()

    def check(self, request: Any) -> Any:
        path, query = parts(request.path)
        match = re.fullmatch(r"/v1(?:beta1)?/(.+):(generateContent|streamGenerateContent)", unquote(path))
        if request.method != "POST" or match is None:
            raise RefusedError(Reply(404, b"<html>404</html>", {"Content-Type": "text/html"}))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        good = token in self.service.tokens[-1:] and token not in self.revoked
        if not good and (self.key is None or request.headers.get("x-goog-api-key") != self.key):
            raise RefusedError(
                error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
            )
        name = match[1]
        express = name == self.own and not good
        full = (self.tuned, f"projects/my-project/locations/europe-west4/{self.own}")
        if not name.startswith("projects/my-project/") and not express:
            raise RefusedError(error(403, "PERMISSION_DENIED", f"Permission denied on resource {name[:40]}"))
        if name not in full and not express:
            raise RefusedError(error(404, "NOT_FOUND", f"{name} is not found."))
        content = json_object(request, lambda said: error(400, "INVALID_ARGUMENT", said))
        config = content.get("generationConfig", {})
        if wrong := unknown(content, FIELDS) or unknown(config, CONFIG):
            raise RefusedError(
                error(400, "INVALID_ARGUMENT", f'Unknown name "{wrong[0]}": Cannot find field.')
            )
        turns = content.get("contents")
        if not turns or any(t.get("role") not in ("user", "model") or not t.get("parts") for t in turns):
            raise RefusedError(error(400, "INVALID_ARGUMENT", "Use a valid role: user, model."))
        if "logprobs" in config and not config.get("responseLogprobs"):
            raise RefusedError(error(400, "INVALID_ARGUMENT", "logprobs needs responseLogprobs"))
        if match[2] == "streamGenerateContent" and query.get("alt") != "sse":
            raise RefusedError(error(400, "INVALID_ARGUMENT", "this stand-in streams events alone: alt=sse"))
        return content | {"stream": match[2] == "streamGenerateContent"}

    def answer(self, asked: Any) -> Reply:
        facts = {"modelVersion": "gemini-2.5-flash", "responseId": "r1", "createTime": "2026-11-28T00:00:00Z"}
        if "FORBIDDEN" in str(asked["contents"][-1]):
            blocked = {
                "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
                "usageMetadata": {"promptTokenCount": 3},
            }
            return events([(None, blocked | facts)]) if asked["stream"] else Reply(200, blocked | facts)
        said = [
            {"text": "hm", "thought": True},
            {"text": "bill"},
            {"text": "ing", "thoughtSignature": "c2ln"},
        ]
        logprobs = {}
        if asked.get("generationConfig", {}).get("responseLogprobs"):
            chosen = [{"token": "bill", "tokenId": 1, "logProbability": -0.1}]
            logprobs = {"logprobsResult": {"chosenCandidates": chosen}, "avgLogprobs": -0.1}
        if not asked["stream"]:
            candidate = {"content": {"role": "model", "parts": said}, "finishReason": "STOP", **logprobs}
            return Reply(200, {"candidates": [candidate], "usageMetadata": USAGE} | facts)
        each: list[dict[str, Any]] = [{"content": {"role": "model", "parts": [part]}} for part in said]
        each[-1] |= {"finishReason": "STOP"} | logprobs
        sent: list[dict[str, Any]] = [{"candidates": [candidate]} | facts for candidate in each]
        sent[-1]["usageMetadata"] = USAGE
        return events([(None, one) for one in sent])


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
