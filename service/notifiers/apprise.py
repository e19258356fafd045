"""How are all the other channels told? Mail, Teams, Discord, Telegram, SMS and a hundred more, by Apprise.

Apprise says only whether a channel took the message, not why it did not. So a failure is tried again like any
other; it may arrive twice where a channel took it and did not say so.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from typing import Any, ClassVar, Literal

import httpx
from pydantic import field_validator

from service.alerting import AlertEvent, Notification
from service.message import with_texts
from service.notifiers import Delivery, Notifier, SecretError, _plain, read_secret

_MOST_TITLE = 250
_TYPES = {"critical": "failure", "warning": "warning", "info": "info"}
_INSTALL = "pip install 'goldwatch[apprise]'"


class AppriseChannel(Notifier):
    """Sends plain text through an Apprise address, such as ``mailtos://``, ``msteams://`` or ``discord://``.

    The address holds the channel's secrets: give it by ``url_env`` or ``url_file``. Addresses are described at
    https://appriseit.com. Needs the extra ``apprise``.

    Example:
        - {name: mail, kind: apprise, url_env: MAIL_URL}
    """

    tells_why: ClassVar[bool] = False

    kind: Literal["apprise"] = "apprise"

    @field_validator("url")
    @classmethod
    def _address_is_usable(cls, url: str | None) -> str | None:
        if url is not None and (fault := _fault(url)):
            raise ValueError(fault)
        return url

    def address(self) -> str:
        """The Apprise address.

        Raises:
            SecretError: the variable or file that holds it is missing or holds no such address.
        """
        if self.url is not None:
            return self.url
        url, source = read_secret(env=self.url_env, file=self.url_file)
        if fault := _fault(url):
            raise SecretError(f"{source} holds no usable address: {fault}", f"put the full URL into {source}")
        return url

    def problem(self) -> str | None:
        """Why nothing can be sent as configured: no Apprise, no address, or one that Apprise does not know."""
        if (found := super().problem()) is not None:
            return found
        try:
            _channel(self.address(), self.timeout_s)
        except SecretError as error:
            return str(error)
        return None

    async def send(self, client: httpx.AsyncClient, notification: Notification, *, now: float) -> Delivery:  # noqa: ARG002
        """One attempt, through Apprise's own connection."""
        message = with_texts(notification.body, self.texts)
        over = notification.event is AlertEvent.RESOLVED
        kind = "success" if over else _TYPES.get(message["alert"]["severity"], "warning")
        try:
            async with asyncio.timeout(self.timeout_s):
                taken = await asyncio.to_thread(
                    self._notify, _plain.title(message, _MOST_TITLE), "\n".join(_plain.lines(message)), kind
                )
        except SecretError as error:
            return Delivery.retry(error.message)
        except TimeoutError:
            return Delivery.unclear(f"{self.name} did not answer within {self.timeout_s:g} s")
        return Delivery.delivered() if taken else Delivery.retry(f"{self.name} did not take the message")

    def _notify(self, title: str, text: str, kind: str) -> bool:
        """Send; in a thread, since the import and the connection block."""
        channel = _channel(self.address(), self.timeout_s)
        return bool(channel.notify(body=text, title=title, notify_type=kind, body_format="text"))


def _fault(url: str) -> str | None:
    """What is wrong with an Apprise address, without quoting it; None if it can be used.

    >>> _fault("discord://webhook_id/token") is None
    True
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme.replace("+", "").isalnum() or not rest.strip("/"):
        return "an address begins with a channel's name and ://, as discord:// or mailtos://"
    if " " in url or not url.isprintable():
        return "an address holds no spaces or control characters"
    return None


def _channel(url: str, timeout_s: float) -> Any:
    """Apprise with one channel; no redirects, no storage on disk, and nothing of the address in a log.

    Raises:
        SecretError: Apprise is not installed, or knows no such channel.
    """
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    logging.getLogger("urllib3").setLevel(logging.WARNING)  # it logs whole addresses at DEBUG
    separator = "&" if "?" in url else "?"
    bounded = url if "rto=" in url else f"{url}{separator}cto={timeout_s:g}&rto={timeout_s:g}"
    with warnings.catch_warnings():  # it imports what Python will take out, and says so
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            import apprise  # noqa: PLC0415  # an extra, and slow to import
        except ModuleNotFoundError:
            raise SecretError("apprise is not installed", _INSTALL) from None
        made = apprise.Apprise(
            asset=apprise.AppriseAsset(
                http_redirects=False, async_mode=False, secure_logging=True, app_id="goldwatch"
            )
        )
        if not made.add(bounded):
            remedy = "look it up at https://appriseit.com"
            raise SecretError("the address names no channel that Apprise knows", remedy)
    return made
