"""Who is at the door? The token, login sessions of a browser, and those who guess.

A program sends the token with each request. A person logs in with it once: the browser then holds a cookie that no
script and no other site can use (HttpOnly, SameSite=Strict), signed with a key that is made of the token. So a session
holds on every replica and over a restart, and ends when the token changes. A form bears a second secret besides (the
CSRF token), and must come from a page of this site. Whoever sends wrong tokens is let try only a few times a minute.
"""

from __future__ import annotations

import hmac
import math
import secrets
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.responses import Response

from service.facts import Facts
from service.web.guard import fault_without_token

COOKIE = "goldwatch_session"
SESSION_S = 12 * 3600.0
"""How long a login lasts."""

MOST_FAILURES = 10
FAILURES_WITHIN_S = 60.0
_MOST_CLIENTS = 1000
_MOST_ENDED = 10_000

_READ_ONLY = "this goldwatch was started with --read-only: it shows, and changes nothing"
_REMEDY = "configure web.token_env and send the token as: Authorization: Bearer TOKEN"


@dataclass(frozen=True, slots=True)
class Session:
    """One login: a random id, and when it ends (seconds since 1970)."""

    id: str
    until: float


def sign(session: Session, token: str) -> str:
    """The cookie's value.

    >>> read(sign(Session("ab", 20.0), "t"), "t", now=10.0)
    Session(id='ab', until=20.0)
    """
    return f"{session.id}.{session.until:.0f}.{_mac(token, 'session', session)}"


def read(cookie: str | None, token: str, now: float) -> Session | None:
    """The session of a cookie; None if it is not ours, was signed with another token, or is over.

    >>> cookie = sign(Session("ab", 20.0), "t")
    >>> read(cookie, "other", now=10.0), read(cookie, "t", now=30.0), read("x", "t", now=10.0)
    (None, None, None)
    """
    if cookie is None or len(cookie) > 200 or cookie.count(".") != 2:
        return None
    name, until, mac = cookie.split(".")
    if not (until.isascii() and until.isdigit()):
        return None
    session = Session(name, float(until))
    right = hmac.compare_digest(mac.encode(), _mac(token, "session", session).encode())
    return session if right and now < session.until else None


def csrf(session: Session, token: str) -> str:
    """What a form of this session bears; another site cannot know it."""
    return _mac(token, "csrf", session)


class Failures:
    """Wrong tokens by client, within the last minute. Holds at most a thousand clients."""

    def __init__(self, most: int = MOST_FAILURES, within_s: float = FAILURES_WITHIN_S) -> None:
        self._most, self._within_s = most, within_s
        self._at: OrderedDict[str, deque[float]] = OrderedDict()

    def note(self, client: str, now: float) -> None:
        """A wrong token came from there."""
        times = self._at.setdefault(client, deque(maxlen=self._most))
        times.append(now)
        self._at.move_to_end(client)
        while len(self._at) > _MOST_CLIENTS:
            self._at.popitem(last=False)

    def wait_s(self, client: str, now: float) -> float | None:
        """How long it must wait; None if it may try.

        >>> failures = Failures(most=2, within_s=60.0)
        >>> failures.note("a", 0.0); failures.note("a", 10.0)
        >>> failures.wait_s("a", 20.0), failures.wait_s("b", 20.0), failures.wait_s("a", 61.0)
        (40.0, None, None)
        """
        times = self._at.get(client)
        if times is None or len(times) < self._most:
            return None
        left = times[0] + self._within_s - now
        return left if left > 0 else None


class Door:
    """Lets changes of state pass, or says why not. One per application; a ``read_only`` one lets nothing pass."""

    def __init__(self, facts: Facts, *, read_only: bool = False) -> None:
        self._facts, self._read_only = facts, read_only
        self._failures = Failures()
        self._ended: OrderedDict[str, None] = OrderedDict()

    def session(self, request: Request) -> Session | None:
        """The login that a request belongs to; None without one, or where no token is configured."""
        token = self._facts.token
        if token is None:
            return None
        found = read(request.cookies.get(COOKIE), token, self._facts.now())
        return None if found is None or found.id in self._ended else found

    def may_change(self, request: Request) -> bool:
        """Whether a button on a page would work for whoever asks for that page."""
        if self._read_only:
            return False
        if self._facts.token is not None:
            return self.session(request) is not None
        return self._fault_without_token(request) is None

    def form_token(self, request: Request) -> str | None:
        """What the forms of a page bear; None where there is no login."""
        session, token = self.session(request), self._facts.token
        return csrf(session, token) if session is not None and token is not None else None

    def require(self, request: Request) -> None:
        """Let a program's change of state pass.

        Raises:
            HTTPException: 401 without the right token, 403 where no token is configured and the request is not a
                plain one from this machine, 429 after too many wrong ones.
        """
        if self._read_only:
            raise HTTPException(403, _READ_ONLY)
        token = self._facts.token
        if token is None:
            if fault := self._fault_without_token(request):
                raise HTTPException(403, f"{fault}; {_REMEDY}")
            return
        given = _bearer(request.headers.get("authorization"))
        if given is None:
            raise _unauthorized()
        self._check(request, given, token)

    def require_sender(self, request: Request, fault: str | None) -> None:
        """Let a webhook pass that ``fault`` found nothing wrong with.

        Raises:
            HTTPException: 401 with the fault, 403 where nothing may be changed, 429 after too many wrong ones.
        """
        if self._read_only:
            raise HTTPException(403, _READ_ONLY)
        client, now = self._not_too_many(request)
        if fault is not None:
            self._failures.note(client, now)
            raise HTTPException(401, fault)

    def require_form(self, request: Request, fields: Mapping[str, str]) -> None:
        """Let a form of a page pass: of a login with its CSRF token, or what :meth:`require` lets pass.

        Raises:
            HTTPException: as :meth:`require`; 403 for a form of another site or an older login.
        """
        if self._read_only:
            raise HTTPException(403, _READ_ONLY)
        token, session = self._facts.token, self.session(request)
        if token is None or session is None or "authorization" in request.headers:
            self.require(request)
            return
        if not from_here(request.headers, self._facts.external_url):
            raise HTTPException(403, "the form comes from a page of another site")
        if not hmac.compare_digest(fields.get("csrf", "").encode(), csrf(session, token).encode()):
            raise HTTPException(403, "the form belongs to another login: go back, reload the page, try again")

    def login(self, request: Request, given: str, answer: Response) -> None:
        """Put a new session's cookie on an answer, if the token is right.

        Raises:
            HTTPException: 401, 403 (from another site), 404 where no token is configured, 429.
        """
        token = self._facts.token
        if token is None:
            raise HTTPException(404, "no token is configured, so there is nothing to log in to")
        if not from_here(request.headers, self._facts.external_url):
            raise HTTPException(403, "the form comes from a page of another site")
        self._check(request, given.strip(), token)
        session = Session(secrets.token_hex(16), self._facts.now() // 1 + SESSION_S)
        secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
        answer.set_cookie(
            COOKIE,
            sign(session, token),
            max_age=int(SESSION_S),
            path="/",
            secure=secure,
            httponly=True,
            samesite="strict",
        )

    def logout(self, request: Request, answer: Response) -> None:
        """End the session here, and have the browser forget its cookie."""
        session = self.session(request)
        if session is not None:
            self._ended[session.id] = None
            while len(self._ended) > _MOST_ENDED:
                self._ended.popitem(last=False)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")

    def _check(self, request: Request, given: str, token: str) -> None:
        client, now = self._not_too_many(request)
        if not hmac.compare_digest(given.encode(), token.encode()):
            self._failures.note(client, now)
            raise _unauthorized()

    def _not_too_many(self, request: Request) -> tuple[str, float]:
        """Who asks, and now; 429 for those who were wrong too often."""
        client, now = _client(request) or "", self._facts.now()
        if (wait_s := self._failures.wait_s(client, now)) is not None:
            raise HTTPException(
                429, "too many wrong tokens: wait a minute", {"Retry-After": str(math.ceil(wait_s))}
            )
        return client, now

    def _fault_without_token(self, request: Request) -> str | None:
        return fault_without_token(_client(request), request.url.scheme, request.headers)


def from_here(headers: Mapping[str, str], external_url: str | None) -> bool:
    """Whether a browser says that a request comes from a page of this site, or is no browser.

    A proxy may have changed the scheme, so hosts are compared.

    >>> from_here({"host": "gold.example", "origin": "https://gold.example", "sec-fetch-site": "same-origin"}, None)
    True
    >>> from_here({"host": "gold.example", "origin": "https://evil.example"}, None)
    False
    >>> from_here({"host": "10.0.0.7:9790", "origin": "https://gold.example"}, "https://gold.example/")
    True
    """
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        here = {headers.get("host", ""), urlsplit(external_url or "").netloc}
        return urlsplit(origin).netloc in here - {""}
    except ValueError:
        return False


def _unauthorized() -> HTTPException:
    return HTTPException(
        401, "this needs the token: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
    )


def _bearer(authorization: str | None) -> str | None:
    scheme, _, given = (authorization or "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" and given.strip() else None


def _client(request: Request) -> str | None:
    return request.client.host if request.client else None


def _mac(token: str, what: str, session: Session) -> str:
    key = hmac.digest(token.encode(), b"goldwatch login", "sha256")
    return hmac.digest(key, f"{what}\0{session.id}\0{session.until:.0f}".encode(), "sha256").hex()
