"""How are requests to AWS signed, and what do its errors mean? Signature Version 4, with AWS's own credentials.

botocore, of the extra ``aws``, finds the credentials (environment, profile, single sign-on, container, instance) and
signs; the request itself goes out as every other, with the same bounds. Redirects are not followed: a signature is
for one address, and these APIs have none.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from checks.types import ErrorKind, ResponseError
from service.endpoints._faults import Fault, excerpt, retry_after_s
from service.endpoints._http import Address, Headers, HttpEndpoint
from service.endpoints._names import Like
from service.endpoints._secrets import SecretError, unusable
from service.text import safe

if TYPE_CHECKING:
    import httpx

_INSTALL = "pip install 'goldwatch[aws]'"
_LOOK_AGAIN_S = 300.0  # static credentials may be rotated where they stand
_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_UNSIGNED = frozenset({"accept", "accept-encoding", "user-agent"})  # what a proxy may change
_NOT_READY = frozenset({"ModelNotReadyException"})
_MODEL = frozenset({"ModelErrorException", "ModelError"})
_KINDS = {
    ErrorKind.AUTH: """AccessDeniedException UnrecognizedClientException InvalidSignatureException ExpiredTokenException
        ExpiredToken IncompleteSignature IncompleteSignatureException InvalidClientTokenId MissingAuthenticationToken
        MissingAuthenticationTokenException SignatureDoesNotMatch NotAuthorized OptInRequired""",
    ErrorKind.RATE_LIMITED: """ThrottlingException Throttling ThrottledException TooManyRequestsException
        ServiceQuotaExceededException RequestLimitExceeded""",
    ErrorKind.NOT_FOUND: "ResourceNotFoundException ResourceNotFound",
    ErrorKind.TIMEOUT: "ModelTimeoutException",
    ErrorKind.SERVER: """InternalServerException InternalFailure InternalDependencyException ServiceUnavailable
        ServiceUnavailableException""",
}
_KIND_OF = {code: kind for kind, codes in _KINDS.items() for code in codes.split()}
_WORDS = {
    ErrorKind.AUTH: "check the credentials, what they allow, the region, and this machine's clock",
    ErrorKind.RATE_LIMITED: "too many requests",
    ErrorKind.TIMEOUT: "the model took too long",
    ErrorKind.SERVER: "the service failed",
    ErrorKind.REFUSED: "the request is refused",
}


class Signer:
    """Signs requests to one service in one region."""

    def __init__(self, service: str, region: str, profile: str | None) -> None:
        self._service, self._region, self._profile = service, region, profile
        self._lock = threading.Lock()
        self._found: Any = None
        self._found_at = 0.0

    def sign(
        self, method: str, url: str, headers: Headers, content: bytes | None
    ) -> tuple[tuple[str, ...], Headers]:
        """The secrets that went into a signature, and the headers that carry it.

        May ask AWS for fresh credentials, and so take a while.

        Raises:
            SecretError: there are no usable credentials, or botocore is not installed.
            Fault: where credentials are handed out cannot be reached.
        """
        frozen = self.credentials()
        from botocore.auth import SigV4Auth  # noqa: PLC0415  # an extra
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415

        signed = [(name, value) for name, value in headers if name.lower() not in _UNSIGNED]
        request = AWSRequest(method=method, url=url, data=content, headers=dict(signed))
        SigV4Auth(frozen, self._service, self._region).add_auth(request)
        added = {name.lower() for name in request.headers}
        kept = [(name, value) for name, value in headers if name.lower() not in added]
        authorization = str(request.headers["Authorization"])
        secrets = (frozen.secret_key, frozen.token, authorization.rpartition("Signature=")[2])
        return tuple(s for s in secrets if s), kept + [(n, str(v)) for n, v in request.headers.items()]

    def credentials(self) -> Any:
        """The credentials as they are now; refreshes those that end soon. Errors as in :meth:`sign`."""
        try:
            from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError  # noqa: PLC0415
            from botocore.session import Session  # noqa: PLC0415
        except ModuleNotFoundError:
            raise SecretError(
                "requests to AWS cannot be signed: botocore is not installed", _INSTALL
            ) from None
        for noisy in (
            "botocore",
            "urllib3",
        ):  # at DEBUG they log what is signed, the session's token included
            logging.getLogger(noisy).setLevel(logging.WARNING)
        try:
            with self._lock:
                if self._found is None or time.monotonic() - self._found_at > _LOOK_AGAIN_S:
                    found = Session(profile=self._profile).get_credentials()
                    self._found, self._found_at = found, time.monotonic()
                found = self._found
            frozen = None if found is None else found.get_frozen_credentials()
        except HTTPClientError as error:
            message = f"AWS credentials cannot be fetched: {safe(str(error), 200)}"
            raise Fault(ResponseError(ErrorKind.CONNECT, message)) from None
        except (BotoCoreError, ClientError) as error:
            raise SecretError(
                f"the AWS credentials cannot be used: {safe(str(error), 200)}",
                "try: aws sts get-caller-identity",
            ) from None
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise SecretError(
                "no AWS credentials are found",
                "export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=..., or write profile: NAME",
            )
        return frozen


class Aws(HttpEndpoint):
    """The base of endpoints on AWS."""

    region: Annotated[
        str,
        Like(r"[a-z]{2,3}(-[a-z]+)+-[0-9]+", "a region of AWS: write it like eu-central-1"),
        Field(description="The region, such as eu-central-1."),
    ]
    profile: Annotated[
        str | None,
        Field(min_length=1, description="The profile of AWS's configuration; default: as its tools choose."),
    ] = None
    base_url: Annotated[
        Address | None, Field(description="The address, where it is not the region's own: a private link.")
    ] = None

    CONNECTION: ClassVar[frozenset[str]] = HttpEndpoint.CONNECTION | {"region", "profile"}
    SERVICE: ClassVar[str]
    """The name that requests are signed for."""
    HOST: ClassVar[str]
    """The first label of the service's addresses."""
    FOLLOWS: ClassVar[bool] = False

    @property
    def root(self) -> str:
        """The address without a path."""
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return self.base_url or f"https://{self.HOST}.{self.region}.{suffix}"

    @property
    def signs(self) -> bool:
        """Whether requests are signed; else a key goes out with them."""
        sent = {name.lower() for name in self.headers_env}
        return not (self.api_key_env or self.api_key_file or "authorization" in sent)

    async def authorised(
        self, client: httpx.AsyncClient, content: bytes | None, secrets: tuple[str, ...], headers: Headers
    ) -> tuple[tuple[str, ...], Headers]:
        """The request's headers with its signature, unless a key is sent."""
        del client
        if not self.signs:
            return secrets, headers
        url = str(self._parsed)
        used, signed = await asyncio.to_thread(self._signer.sign, self.method, url, headers, content)
        return secrets + used, signed

    def secrets(self) -> dict[str, Any]:
        """As of every endpoint; those of AWS that stand in the environment too."""
        named = {name: name for name in _VARIABLES if self.signs and os.environ.get(name)}
        return super().secrets() | named

    def check_secrets(self) -> list[Any]:
        """What is wrong with the keys or with AWS's credentials; empty if nothing is."""
        faults = super().check_secrets()
        return faults or (unusable(self._signer.credentials) if self.signs else [])

    def refined(self, error: ResponseError, headers: Mapping[str, str], body: bytes) -> ResponseError:
        """What AWS's own code of an error means; without one the status speaks."""
        code, said, original = _told(headers, body)
        if code is None:
            return error
        words = None
        if code in _NOT_READY:
            kind, words = ErrorKind.SERVER, "the model is not ready to answer yet"
        elif code in _MODEL:
            kind, words = _of_model(original), f"the model's container answered {original or 'with an error'}"
        elif code.startswith("Validation"):
            missing = "not found" in said.lower() or "identifier is invalid" in said.lower()
            kind = ErrorKind.NOT_FOUND if missing else ErrorKind.REFUSED
        else:
            kind = _KIND_OF.get(code, error.kind)
        if kind is ErrorKind.NOT_FOUND:
            words = f"no model {self.model_name!r} in {self.region}: check model, region and the account"
        told = words or _WORDS.get(kind) or "no answer"
        wait_s = retry_after_s(headers, time.time()) if kind.retryable else None
        return ResponseError(kind, f"{error.status} {code}: {told}: {excerpt(said)}", error.status, wait_s)

    @cached_property
    def _signer(self) -> Signer:
        return Signer(self.SERVICE, self.region, self.profile)


def _of_model(original: int | None) -> ErrorKind:
    if original == 429:
        return ErrorKind.RATE_LIMITED
    return ErrorKind.REFUSED if original is not None and 400 <= original < 500 else ErrorKind.SERVER


def _told(headers: Mapping[str, str], body: bytes) -> tuple[str | None, str, int | None]:
    """The code of an error, its words, and the status that the model's own container answered with."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    content = content if isinstance(content, dict) else {}
    code = headers.get("x-amzn-errortype") or content.get("__type") or content.get("code")
    code = code.partition(":")[0].rpartition("#")[2].strip() if isinstance(code, str) else ""
    found = [content.get(name) for name in ("message", "Message", "OriginalMessage")]
    said = next((text for text in found if isinstance(text, str) and text), "")
    original = content.get("OriginalStatusCode", content.get("originalStatusCode"))
    known = code.replace("_", "").isalnum() and len(code) <= 80
    return code if known else None, said, original if isinstance(original, int) else None
