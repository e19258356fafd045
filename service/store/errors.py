"""What went wrong with the database, in words for a person? Driver errors become one :class:`StoreError`.

A message never holds a password, a row's content or a traceback; it says whether waiting may help.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from service.errors import UserError


class StoreError(UserError):
    """The store cannot do what was asked. ``retryable`` says whether the same call may work later."""

    def __init__(self, message: str, remedy: str | None = None, *, retryable: bool = False) -> None:
        super().__init__(message, remedy)
        self.retryable = retryable


class NotRunningError(StoreError):
    """The run is not (or no longer) running, or its lease belongs to somebody else."""


# What a driver says (in lower case) -> what happened, what to do, may it pass by itself?
_KNOWN: tuple[tuple[str, str, str, bool], ...] = (
    (
        "database is locked",
        "is locked by another process",
        "wait for the other goldwatch command to end, or use PostgreSQL for several writers",
        True,
    ),
    (
        "database or disk is full",
        "cannot grow: the disk is full",
        "free some space; what was saved before is intact",
        True,
    ),
    (
        "no space left on device",
        "cannot grow: the disk is full",
        "free some space; what was saved before is intact",
        True,
    ),
    (
        "readonly database",
        "cannot be written",
        "make the file and its directory writable for this user",
        False,
    ),
    (
        "file is not a database",
        "is not a SQLite database",
        "name another file in `store:`, or move this one away",
        False,
    ),
    (
        "database disk image is malformed",
        "is damaged",
        "restore it from a backup, or save what is left with: sqlite3 FILE .recover",
        False,
    ),
    (
        "unable to open database file",
        "cannot be opened",
        "make the file and its directory readable and writable for this user",
        False,
    ),
    ("disk i/o error", "cannot be read or written: disk I/O error", "look at the disk and its mount", True),
    (
        "password authentication failed",
        "refuses the user or the password",
        "put the right ones into `store:`",
        False,
    ),
    (
        "no password supplied",
        "wants a password",
        "add it to the URL in `store:`, or set PGPASSWORD or a ~/.pgpass file",
        False,
    ),
    ("does not exist", "has no such database, role or table", "create it, or correct `store:`", False),
    ("permission denied", "refuses this user", "grant the user the right to create and write tables", False),
    ("the database system is", "is starting or stopping", "wait a moment", True),
    ("terminating connection", "closed the connection", "try again", True),
    ("closed the connection unexpectedly", "closed the connection", "look whether the server is up", True),
    ("connection refused", "refuses connections", "start PostgreSQL, or correct host and port", True),
    (
        "name or service not known",
        "cannot be found: no such host",
        "correct the host name in `store:`",
        True,
    ),
    (
        "could not translate host name",
        "cannot be found: no such host",
        "correct the host name in `store:`",
        True,
    ),
    (
        "failed to resolve host",
        "cannot be found: no such host",
        "correct the host name in `store:`",
        True,
    ),
    ("too many clients", "has no free connection", "raise max_connections, or run fewer workers", True),
    (
        "lock timeout",
        "is locked by another process",
        "wait for the other goldwatch command to end",
        True,
    ),
    ("timeout", "does not answer in time", "look whether the server is up and can be reached", True),
)


def explain(error: BaseException, shown: str) -> StoreError:
    """The :class:`StoreError` for a driver's error. ``shown`` is the URL without its password."""
    original = error.orig if isinstance(error, DBAPIError) else error
    said = str(original).strip()
    low = said.lower()
    for needle, happened, remedy, retryable in _KNOWN:
        if needle in low:
            return StoreError(f"store {shown} {happened}", remedy, retryable=retryable)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return StoreError(f"store {shown} closed the connection", "try again", retryable=True)
    first = said.splitlines()[0][:200] if said else type(error).__name__
    return StoreError(f"store {shown} failed: {first}")


@contextmanager
def explained(shown: str) -> Iterator[None]:
    """Turn what a driver raises within into a :class:`StoreError`; other errors pass."""
    try:
        yield
    except PoolTimeoutError as error:
        message = f"store {shown} is busy: no free connection"
        raise StoreError(
            message, "lower `concurrency`, or run fewer targets at once", retryable=True
        ) from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise explain(error, shown) from error
