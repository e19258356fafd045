"""Which number has this text? Each distinct text is stored once, found by its digest.

A deterministic model repeats itself, so most texts are there already. Responses refer to texts by number
without a foreign key: it would cost an index over all responses. Instead whoever deletes texts keeps out
whoever refers to them: on SQLite by the write lock, on PostgreSQL by an advisory lock that savers share.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, func, select

from service.store import packing
from service.store.tables import TEXT

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.dialects.sqlite import Insert

_LOCK = 0x676F6C65
_CHUNK = 400  # parameters in one statement; SQLite's oldest bound is 999
_T = TypeVar("_T")


def chunks(items: Iterable[_T], size: int = _CHUNK) -> Iterator[list[_T]]:
    """The items in lists of at most ``size``.

    >>> list(chunks("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def keep_texts(connection: Connection) -> None:
    """Until the transaction ends, no text is deleted."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock_shared(_LOCK)))


def keep_savers_out(connection: Connection) -> None:
    """Until the transaction ends, nobody refers to a text anew."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def intern(
    connection: Connection, insert: Callable[[Table], Insert], texts: Collection[str]
) -> dict[str, int]:
    """The number of each text, stored now where it was not before. Call :func:`keep_texts` first."""
    digests = {digest(text): text for text in texts}
    numbers = _numbers(connection, digests)
    missing = sorted(digests.keys() - numbers.keys())  # in order: two writers never wait for each other
    if missing:
        rows = [{"digest": key, "body": packing.pack_text(digests[key])} for key in missing]
        connection.execute(insert(TEXT).on_conflict_do_nothing(), rows)
        numbers |= _numbers(connection, missing)
    return {text: numbers[key] for key, text in digests.items()}


def bodies(connection: Connection, numbers: Iterable[int]) -> dict[int, str]:
    """The texts of these numbers."""
    found: dict[int, str] = {}
    for part in chunks(sorted(set(numbers))):
        rows = connection.execute(select(TEXT.c.id, TEXT.c.body).where(TEXT.c.id.in_(part)))
        found.update((number, packing.unpack_text(body)) for number, body in rows)
    return found


def digest(text: str) -> bytes:
    """16 bytes that name a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _numbers(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for part in chunks(digests):
        rows = connection.execute(select(TEXT.c.digest, TEXT.c.id).where(TEXT.c.digest.in_(part)))
        found.update((bytes(key), number) for key, number in rows)
    return found
