"""What did the judges reply? Kept by the model that was asked and the text, so that nothing is asked twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import delete, select

from service.store import counters, packing
from service.store.database import Database
from service.store.tables import ASKING, REPLY, UNJUDGED
from service.store.texts import chunks, digest

_KEPT_S = 2 * 86_400.0


class Replies(Database):
    """Replies by asked model and text, and what asking took."""

    def replies(self, asked: str, texts: Collection[str], *, since: float = 0.0) -> dict[str, str]:
        """The replies that are kept to these texts.

        Args:
            asked: the fingerprint of the model that was asked.
            texts: what it was asked.
            since: older replies are passed over, seconds since 1970.
        """
        wanted = {digest(text): text for text in texts}
        found: dict[str, str] = {}
        with self._read() as connection:
            for part in chunks(sorted(wanted)):
                query = select(REPLY.c.key, REPLY.c.body)
                query = query.where(REPLY.c.asked == asked, REPLY.c.key.in_(part), REPLY.c.at >= since)
                for key, body in connection.execute(query):
                    found[wanted[bytes(key)]] = packing.unpack_text(body)
        return found

    def put_replies(self, asked: str, replies: Mapping[str, str], at: float) -> None:
        """Keep replies by text; a later one replaces an earlier one."""
        by_key = {digest(text): packing.pack_text(reply) for text, reply in replies.items()}
        # in order: two writers never wait for each other
        rows = [{"asked": asked, "key": key, "at": at, "body": body} for key, body in sorted(by_key.items())]
        if not rows:
            return
        statement = self._insert(REPLY)
        changed = {"at": statement.excluded.at, "body": statement.excluded.body}
        with self._write() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=[REPLY.c.asked, REPLY.c.key], set_=changed),
                rows,
            )

    def put_unjudged(self, target: str, segment: str, rest: str) -> None:
        """Note what of a segment does not depend on its judges; what is noted already stays."""
        row = {"target": target, "segment": segment, "rest": rest}
        with self._write() as connection:
            connection.execute(self._insert(UNJUDGED).values(row).on_conflict_do_nothing())

    def unjudged(self, target: str, segment: str) -> str | None:
        """What was noted of a segment; None if nothing was."""
        query = select(UNJUDGED.c.rest).where(UNJUDGED.c.target == target, UNJUDGED.c.segment == segment)
        with self._read() as connection:
            found: str | None = connection.scalar(query)
        return found

    def put_asking(
        self,
        target: str,
        at: float,
        input_tokens: int | None,
        output_tokens: int | None,
        cost_usd: float | None,
    ) -> None:
        """Count what asking a target's judges took, in its totals and its daily limits; None where unknown."""
        totals: dict[counters.Key, float] = {
            ("tokens", target, "", "input"): input_tokens or 0,
            ("tokens", target, "", "output"): output_tokens or 0,
        }
        if cost_usd is not None:
            totals["cost", target, "", "usd"] = cost_usd
        row = {
            "target": target,
            "asked_at": at,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cost_usd": cost_usd,
        }
        with self._write() as connection:
            connection.execute(
                delete(ASKING).where(ASKING.c.target == target, ASKING.c.asked_at < at - _KEPT_S)
            )
            connection.execute(ASKING.insert().values(row))
            counters.add(connection, self._insert, totals)
