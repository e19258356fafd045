"""What may be forgotten? The texts of old runs; what was concluded from them stays.

Run rows, findings, score vectors, alerts and totals are kept for ever: they are small, and history is judged
from them. Responses and their texts go, except those of runs that somebody may still look at: pinned
baseline runs, the runs that firing alerts name, and running ones.
"""

from __future__ import annotations

import json

from sqlalchemy import Connection, delete, select, union, update

from service.alerting import AlertState
from service.records import RunState
from service.store import packing, texts
from service.store.database import Database
from service.store.tables import ALERT, BASELINE, COMPARISON, REPLY, RESPONSE, RUN, TEXT


class Retention(Database):
    """Deletion by age."""

    def prune(self, now: float, keep_s: float) -> int:
        """Delete the responses of runs that ended more than ``keep_s`` ago, and texts that nothing uses.

        One run is one transaction, so that replays go on meanwhile.

        Returns:
            The number of response rows that were deleted.
        """
        with self._read() as connection:
            kept = _kept_runs(connection)
            old = connection.scalars(
                select(RUN.c.id)
                .where(RUN.c.finished_at < now - keep_s, RUN.c.state == RunState.DONE.value)
                .where(RUN.c.pruned.is_(False))
                .order_by(RUN.c.id)
            ).all()
        deleted = 0
        for run_id in (run_id for run_id in old if run_id not in kept):
            with self._write() as connection:
                if run_id in _kept_runs(connection):
                    continue
                deleted += connection.execute(delete(RESPONSE).where(RESPONSE.c.run_id == run_id)).rowcount
                connection.execute(update(RUN).where(RUN.c.id == run_id).values(pruned=True))
        with self._write() as connection:
            connection.execute(
                update(COMPARISON)
                .where(COMPARISON.c.asked_at < now - keep_s, COMPARISON.c.answers.is_not(None))
                .values(answers=None)
            )
            connection.execute(delete(REPLY).where(REPLY.c.at < now - keep_s))
        if deleted:
            with self._write() as connection:
                texts.keep_savers_out(connection)
                used = union(
                    select(RESPONSE.c.text_id).where(RESPONSE.c.text_id.is_not(None)),
                    select(RESPONSE.c.detail_id).where(RESPONSE.c.detail_id.is_not(None)),
                )
                connection.execute(delete(TEXT).where(TEXT.c.id.not_in(used)))
        return deleted


def _kept_runs(connection: Connection) -> set[int]:
    kept: set[int] = set()
    for listed in connection.scalars(select(BASELINE.c.runs)):
        kept.update(json.loads(listed))
    for body in connection.scalars(select(ALERT.c.body).where(ALERT.c.state == AlertState.FIRING.value)):
        alert = packing.unpack_json(body)
        kept.update(
            alert[name] for name in ("opened_run", "updated_run", "onset_run") if alert[name] is not None
        )
    return kept
