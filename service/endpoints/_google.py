"""Where does a token for Google's APIs come from? From the credentials of Google's tools, refreshed before it ends.

google-auth, of the extra ``gcp``, finds the credentials: a file that is named, ``GOOGLE_APPLICATION_CREDENTIALS``,
those of ``gcloud``, or the machine's own. The requests for tokens go out by httpx: bounded, without redirects, through
the proxy of the environment.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies_environment

from checks.types import ErrorKind, ResponseError
from service.endpoints._faults import Fault
from service.endpoints._secrets import SecretError
from service.text import safe

if TYPE_CHECKING:
    from collections.abc import Mapping

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_INSTALL = "pip install 'goldwatch[gcp]'"
_LOGIN = "gcloud auth application-default login, or write credentials_file: FILE"
_TIMEOUT_S = 10.0
_MAX_BYTES = 1_000_000


class Tokens:
    """The access token of one set of credentials; safe to be asked from several threads."""

    def __init__(self, file: str | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._credentials: Any = None

    async def token(self) -> str:
        """A token that is valid for minutes.

        Raises:
            SecretError: there are no usable credentials, or google-auth is not installed.
            Fault: tokens cannot be fetched at the moment.
        """
        credentials = self._credentials
        if credentials is not None and _is_fresh(credentials):
            return str(credentials.token)
        return await asyncio.to_thread(self._fetch)

    def forget(self) -> None:
        """Have the next token fetched anew: this one was refused."""
        if self._credentials is not None:
            self._credentials.token = None

    def load(self) -> Any:
        """The credentials, without a token yet. Errors as in :meth:`token`."""
        with self._lock:
            if self._credentials is None:
                self._credentials = _load(self._file)
            return self._credentials

    def _fetch(self) -> str:
        credentials = self.load()
        from google.auth import exceptions  # noqa: PLC0415  # an extra

        with self._lock:
            if _is_fresh(credentials):  # another thread was faster
                return str(credentials.token)
            try:
                credentials.refresh(_exchange)
            except exceptions.GoogleAuthError as error:
                if credentials.token_state.name == "STALE":  # it is to be renewed, but still holds
                    return str(credentials.token)
                raise _in_words(error) from None
            return str(credentials.token)


def _is_fresh(credentials: Any) -> bool:
    """Whether the token holds for another 3 min 45 s; a service that hands it out may then be down for a while."""
    return bool(credentials.token_state.name == "FRESH")


def _load(file: str | None) -> Any:
    try:
        import google.auth  # noqa: PLC0415  # an extra
        from google.auth import exceptions  # noqa: PLC0415
    except ModuleNotFoundError:
        raise SecretError("Google gives no token: google-auth is not installed", _INSTALL) from None
    for noisy in ("google", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    load: Any = google.auth.load_credentials_from_dict
    transport: Any = _exchange
    try:
        with warnings.catch_warnings():  # of credentials that it would rather not see; the user has chosen
            warnings.simplefilter("ignore")
            if file is None:
                return google.auth.default(scopes=[SCOPE], request=transport)[0]
            info = json.loads(Path(file).read_text("utf-8"))
            return load(info, scopes=[SCOPE], request=transport)[0]
    except OSError as error:
        raise SecretError(
            f"the file {file} (credentials_file) cannot be read: {error.strerror or error}"
        ) from None
    except ValueError:
        raise SecretError(
            f"the file {file} (credentials_file) holds no credentials of Google", _LOGIN
        ) from None
    except exceptions.DefaultCredentialsError as error:
        if file is not None:
            message = f"the file {file} (credentials_file) holds no credentials of Google"
            raise SecretError(message, _LOGIN) from None
        raise SecretError(f"no Google credentials are found: {safe(_first(error), 120)}", _LOGIN) from None
    except exceptions.GoogleAuthError as error:
        raise _in_words(error) from None


def _in_words(error: Any) -> SecretError | Fault:
    """What keeps the token away: an outage, or credentials that are refused."""
    said = f"Google gives no token: {safe(_first(error), 200)}"
    if type(error).__name__ == "TransportError":
        return Fault(ResponseError(ErrorKind.CONNECT, said))
    if getattr(error, "retryable", False):
        return Fault(ResponseError(ErrorKind.SERVER, said))
    return SecretError(said, _LOGIN)


def _first(error: Any) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response as google-auth reads it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


def _exchange(
    url: str,
    method: str = "GET",
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    **_: Any,
) -> _Answer:
    """One request of google-auth's, as its transports make it."""
    import httpx  # noqa: PLC0415
    from google.auth import exceptions  # noqa: PLC0415

    from service.endpoints._network import of_exception  # noqa: PLC0415
    from service.http import USER_AGENT, proxy_for  # noqa: PLC0415

    logging.getLogger("httpx").setLevel(logging.WARNING)
    parsed = httpx.URL(url)
    host = parsed.host
    try:
        with (
            httpx.Client(
                verify=httpx.create_ssl_context(),
                proxy=proxy_for(parsed.scheme, host, getproxies_environment()),
                timeout=timeout or _TIMEOUT_S,
                trust_env=False,
                follow_redirects=False,
                headers={"User-Agent": USER_AGENT},
            ) as client,
            client.stream(method, parsed, content=body, headers=dict(headers or {})) as response,
        ):
            data = b""
            for piece in response.iter_bytes():
                data += piece
                if len(data) > _MAX_BYTES:
                    break
            return _Answer(response.status_code, response.headers, data[:_MAX_BYTES])
    except httpx.HTTPError as error:
        said = str(error)
        with suppress(Exception):
            said = of_exception(error, host, began=False).message
        failed: Any = exceptions.TransportError
        raise failed(said) from None
