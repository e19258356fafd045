"""How is a person told? One channel per file.

To add one: a module named like its kind, holding one subclass of :class:`Notifier` with
``kind: Literal["your_kind"] = "your_kind"`` and a ``send`` method. Its fields are its configuration; it is
then known to the configuration, the documentation and the battery in
``tests/service/notifiers/test_every_notifier.py``.

A notifier sends once and says what came of it. Trying again, and for how long, is
``service/dispatch.py``'s business. An address may be a secret (Slack's is), so no error, log line or
representation shows more of it than the host.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from checks.registry import Plugin
from service.alerting import AlertEvent
from service.errors import UserError
from service.message import Texts

if TYPE_CHECKING:
    import httpx

    from service.alerting import Notification

ROOM = "service.notifiers"


class SecretError(UserError):
    """A secret that the configuration names is not there or cannot be used; the value is never shown."""


class DeliveryOutcome(StrEnum):
    """What came of one attempt.

    ``unclear``: the request went out and no answer came back. It may have arrived, so it is sent again
    under the same id.
    """

    DELIVERED = "delivered"
    RETRY = "retry"
    UNCLEAR = "unclear"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of one attempt; ``reason`` is for a person and holds no secret.

    ``after_s`` is the receiver's own wish when to be asked again. ``receipt`` is what it calls the message, for a
    notifier whose later messages join the first; it comes back as ``Notification.receipt``.
    """

    outcome: DeliveryOutcome
    reason: str | None = None
    after_s: float | None = None
    receipt: str | None = None

    @classmethod
    def delivered(cls, receipt: str | None = None) -> Delivery:
        """The receiver accepted it, and calls it ``receipt``."""
        return cls(DeliveryOutcome.DELIVERED, receipt=receipt)

    @classmethod
    def retry(cls, reason: str, after_s: float | None = None) -> Delivery:
        """It did not arrive, and may do so later."""
        return cls(DeliveryOutcome.RETRY, reason, after_s)

    @classmethod
    def unclear(cls, reason: str) -> Delivery:
        """It may have arrived."""
        return cls(DeliveryOutcome.UNCLEAR, reason)

    @classmethod
    def permanent(cls, reason: str) -> Delivery:
        """The receiver will never take this message; sending it again is noise."""
        return cls(DeliveryOutcome.PERMANENT, reason)


class Notifier(Plugin):
    """The base of all notifiers.

    ``events`` are those that it can show; others are not sent through it. ``tells_why`` is false where what the
    receiver answers stays unknown: every failure is then tried again.
    """

    events: ClassVar[frozenset[AlertEvent]] = frozenset(
        {AlertEvent.FIRING, AlertEvent.REPEATED, AlertEvent.RESOLVED}
    )
    tells_why: ClassVar[bool] = True

    kind: str
    name: Annotated[str, Field(min_length=1, max_length=64, description="How targets name this channel.")]
    url: Annotated[str | None, Field(repr=False, description="Where messages are sent.")] = None
    url_env: Annotated[
        str | None, Field(min_length=1, description="The environment variable that holds the address.")
    ] = None
    url_file: Annotated[str | None, Field(min_length=1, description="The file that holds the address.")] = (
        None
    )
    texts: Annotated[
        Texts,
        Field(description="How much of inputs and outputs is sent: none, short (120 characters) or all."),
    ] = Texts.SHORT
    timeout_s: Annotated[
        float, Field(gt=0, le=30, description="How long one attempt may take, in seconds.")
    ] = 10.0

    @field_validator("url")
    @classmethod
    def _address_is_usable(cls, url: str | None) -> str | None:
        if url is not None and (fault := address_fault(url)):
            raise ValueError(fault)
        return url

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        given = [key for key in ("url", "url_env", "url_file") if getattr(self, key) is not None]
        if len(given) != 1 and not (self.default_url() and not given):
            found = " and ".join(given) or "none of them"
            raise ValueError(f"give exactly one of url, url_env and url_file, not {found}")
        return self

    @abstractmethod
    async def send(self, client: httpx.AsyncClient, notification: Notification, *, now: float) -> Delivery:
        """One attempt to deliver a message. A failure is a :class:`Delivery`; this never raises.

        Args:
            client: From :func:`service.notifiers._http.client`; it follows no redirects.
            notification: What to send; its ``id`` is the same at every attempt.
            now: The time of this attempt, in seconds since 1970.
        """

    def default_url(self) -> str | None:
        """Where messages go if no address is configured; None if one must be."""
        return None

    def remind_every_s(self) -> float | None:
        """How often the receiver must hear again of what still fires; None if it remembers by itself."""
        return None

    def address(self) -> str:
        """Where messages go.

        Raises:
            SecretError: the variable or file that holds the address is missing or holds no address.
        """
        if self.url is not None:
            return self.url
        default = self.default_url()
        if default is not None and self.url_env is None and self.url_file is None:
            return default
        url, source = read_secret(env=self.url_env, file=self.url_file)
        if fault := address_fault(url):
            raise SecretError(f"{source} holds no usable address: {fault}", f"put the full URL into {source}")
        return url

    def secrets(self) -> dict[str, str]:
        """The variables and files that hold this notifier's secrets, by configuration key, for ``doctor``."""
        keys = [key for key in type(self).model_fields if key.endswith(("_env", "_file"))]
        return {key: value for key in keys if (value := getattr(self, key)) is not None}

    def problem(self) -> str | None:
        """Why nothing can be sent as configured, and what to do; None if nothing stands in the way."""
        try:
            self.address()
        except SecretError as error:
            return str(error)
        return None


def address_fault(url: str) -> str | None:
    """What is wrong with an address, without quoting it; None if it can be used.

    >>> address_fault("http://127.0.0.1:9/hook") is None
    True
    >>> address_fault("ftp://host/")
    'an address begins with http:// or https:// and names a host'
    """
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "the address cannot be read: check its host and port"
    if parts.scheme not in ("http", "https") or not named:
        return "an address begins with http:// or https:// and names a host"
    if parts.username is not None or parts.password is not None:
        return "an address holds no user name and password"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "an address holds no spaces, control characters or letters beyond ASCII"
    return None


def read_secret(*, env: str | None, file: str | None) -> tuple[str, str]:
    """A secret and where it stands, in words that may be shown.

    Raises:
        SecretError: it is missing, empty or not one printable line.
    """
    if env is not None:
        source = f"the environment variable {env}"
        value = os.environ.get(env)
        if value is None:
            raise SecretError(f"{source} is not set", f"export {env}=...")
    else:
        source = f"the file {file}"
        try:
            value = Path(file or "").expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(
                f"{source} cannot be read: {type(error).__name__}", "check path and rights"
            ) from None
    value = value.strip()
    if not value:
        raise SecretError(f"{source} is empty", "put the secret into it")
    if not value.isprintable():
        raise SecretError(f"{source} holds more than one line", "put the secret alone into it")
    return value, source
