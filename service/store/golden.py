"""What was asked? Golden sets in order; versions share the examples that did not change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from sqlalchemy import Connection, select

from checks.types import Example
from service.records import Golden
from service.store import packing, values
from service.store.database import Database
from service.store.errors import StoreError
from service.store.tables import EXAMPLE, GOLDEN, GOLDEN_EXAMPLE
from service.store.texts import chunks


class GoldenSets(Database):
    """Golden sets by digest."""

    def put_golden(self, golden: Golden) -> None:
        """Keep a golden set. One that is kept already (same digest) stays, and learns its version."""
        with self._write() as connection:
            statement = self._insert(GOLDEN).values(
                digest=golden.digest,
                name=golden.name,
                version=golden.version,
                examples=len(golden.examples),
                ids=packing.pack_json([example.id for example in golden.examples]),
            )
            golden_id = connection.scalar(statement.on_conflict_do_nothing().returning(GOLDEN.c.id))
            if golden_id is None:
                if golden.version is not None:
                    known = GOLDEN.update().where(GOLDEN.c.digest == golden.digest)
                    connection.execute(known.values(version=golden.version))
                return
            numbers = self._put_examples(connection, golden.examples)
            for part in chunks(enumerate(numbers), 5000):
                rows = [{"golden_id": golden_id, "position": at, "example_id": n} for at, n in part]
                connection.execute(GOLDEN_EXAMPLE.insert(), rows)

    def golden(self, digest: str) -> Golden | None:
        """The golden set with its examples; None if it is not kept here."""
        with self._read() as connection:
            row = connection.execute(select(GOLDEN).where(GOLDEN.c.digest == digest)).one_or_none()
            if row is None:
                return None
            found = connection.execute(
                select(EXAMPLE.c.content)
                .join(GOLDEN_EXAMPLE, GOLDEN_EXAMPLE.c.example_id == EXAMPLE.c.id)
                .where(GOLDEN_EXAMPLE.c.golden_id == row.id)
                .order_by(GOLDEN_EXAMPLE.c.position)
            )
            examples = tuple(values.to_example(packing.unpack_json(content)) for (content,) in found)
        return Golden(name=row.name, digest=row.digest, version=row.version, examples=examples)

    def golden_examples(self, digest: str, ids: Iterable[str]) -> list[Example]:
        """Some examples of a golden set, in its order; ids that it does not have are left out."""
        with self._read() as connection:
            golden_id = connection.scalar(select(GOLDEN.c.id).where(GOLDEN.c.digest == digest))
            if golden_id is None:
                return []
            known = self._golden_positions(connection, golden_id)
            wanted = sorted({known[name] for name in ids if name in known})
            found: list[Example] = []
            for part in chunks(wanted):
                rows = connection.execute(
                    select(EXAMPLE.c.content)
                    .join(GOLDEN_EXAMPLE, GOLDEN_EXAMPLE.c.example_id == EXAMPLE.c.id)
                    .where(GOLDEN_EXAMPLE.c.golden_id == golden_id, GOLDEN_EXAMPLE.c.position.in_(part))
                    .order_by(GOLDEN_EXAMPLE.c.position)
                )
                found.extend(values.to_example(packing.unpack_json(content)) for (content,) in rows)
        return found

    def golden_at(self, digest: str, positions: Iterable[int]) -> dict[int, Example]:
        """Some examples of a golden set by their position; positions that it does not have are left out."""
        found: dict[int, Example] = {}
        with self._read() as connection:
            golden_id = connection.scalar(select(GOLDEN.c.id).where(GOLDEN.c.digest == digest))
            if golden_id is None:
                return {}
            for part in chunks(sorted(set(positions))):
                rows = connection.execute(
                    select(GOLDEN_EXAMPLE.c.position, EXAMPLE.c.content)
                    .join(EXAMPLE, GOLDEN_EXAMPLE.c.example_id == EXAMPLE.c.id)
                    .where(GOLDEN_EXAMPLE.c.golden_id == golden_id, GOLDEN_EXAMPLE.c.position.in_(part))
                )
                found.update((at, values.to_example(packing.unpack_json(content))) for at, content in rows)
        return found

    def _golden_id(self, connection: Connection, digest: str) -> int:
        golden_id: int | None = connection.scalar(select(GOLDEN.c.id).where(GOLDEN.c.digest == digest))
        if golden_id is None:
            raise StoreError(
                f"the golden set {digest} is not in the store {self.shown}", "put_golden comes first"
            )
        return golden_id

    def _golden_positions(self, connection: Connection, golden_id: int) -> dict[str, int]:
        """Where each example id stands. Kept in memory by digest: a golden set never changes, whose number it is may.

        Another process may have taken in a backup (:meth:`Dumps.restore`), where the numbers are others.
        """
        digest = connection.execute(select(GOLDEN.c.digest).where(GOLDEN.c.id == golden_id)).scalar_one()
        if (known := self._positions.get(digest)) is None:
            blob = connection.execute(select(GOLDEN.c.ids).where(GOLDEN.c.id == golden_id)).scalar_one()
            known = {name: position for position, name in enumerate(packing.unpack_json(blob))}
            with self._positions_lock:
                while len(self._positions) >= 16:
                    self._positions.pop(next(iter(self._positions)))
                self._positions[digest] = known
        return known

    def _put_examples(self, connection: Connection, examples: Sequence[Example]) -> list[int]:
        numbers: list[int] = []
        for part in chunks(examples):
            contents = {_digest(whole): whole for whole in map(_content, part)}
            rows = [{"digest": key, "content": packing.squeeze(contents[key])} for key in sorted(contents)]
            connection.execute(self._insert(EXAMPLE).on_conflict_do_nothing(), rows)
            found = connection.execute(
                select(EXAMPLE.c.digest, EXAMPLE.c.id).where(EXAMPLE.c.digest.in_(list(contents)))
            )
            known = {bytes(key): number for key, number in found}
            numbers.extend(known[_digest(_content(example))] for example in part)
        return numbers


def _content(example: Example) -> bytes:
    whole = json.dumps(values.from_example(example), separators=(",", ":"), sort_keys=True)
    return whole.encode("ascii")


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
