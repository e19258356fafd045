"""What says healthy? Baselines: opened, filled, pinned, replaced; and runs that another store made.

One baseline per target is in force; a unique index keeps it so. Opening a new one replaces it and keeps the
old one as history.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, func, select, text, update

from checks.types import Verdict
from service.records import BaselineRecord, ImportedRun, RunKind, RunState
from service.store import lineage, packing, values
from service.store.errors import StoreError
from service.store.judging import Judging, put_judgement
from service.store.responses import insert_responses
from service.store.tables import BASELINE, LINEAGE, RUN

_LOCK = 0x62617365  # "base": one process at a time opens a baseline


@dataclass(frozen=True, slots=True)
class Carried:
    """Runs that a new baseline begins with: in which segment they are, over which golden set.

    ``into`` names the new segment, given the new baseline's id.
    """

    segment: str
    golden_digest: str
    into: Callable[[int], str]


class Baselines(Judging):
    """Baselines by target."""

    def baseline(self, target: str) -> BaselineRecord | None:
        """The baseline in force; None before the first."""
        query = select(BASELINE).where(BASELINE.c.target == target, BASELINE.c.replaced_at.is_(None))
        with self._read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _record(row)

    def baselines(self, target: str) -> list[BaselineRecord]:
        """All baselines that a target has had, oldest first."""
        query = select(BASELINE).where(BASELINE.c.target == target).order_by(BASELINE.c.id)
        with self._read() as connection:
            return [_record(row) for row in connection.execute(query)]

    def open_baseline(
        self,
        target: str,
        from_run: int,
        reason: str | None,
        now: float,
        *,
        carried: Carried | None = None,
        replaces: int | EllipsisType | None = ...,
    ) -> BaselineRecord:
        """Begin a new baseline, collecting measured runs from ``from_run`` on, and replace the old one.

        Returns:
            The new one; or the one in force, where another process was quicker than the caller that says what it
            ``replaces``: then nothing is opened, for a second opening would let a target learn anew.

        Args:
            target: Whose.
            from_run: The first run that counts.
            reason: Why, None for the first.
            now: Seconds since 1970.
            carried: The segment that holds the runs from ``from_run`` on that were made already.
            replaces: The id of the baseline that the caller saw in force, None if it saw none; left out, whatever is
                in force is replaced.
        """
        in_force = select(BASELINE).where(BASELINE.c.target == target, BASELINE.c.replaced_at.is_(None))
        with self._write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            now_in_force = connection.execute(in_force).one_or_none()
            if replaces is not ... and now_in_force is not None and now_in_force.id != replaces:
                return _record(now_in_force)
            connection.execute(
                update(BASELINE)
                .where(BASELINE.c.target == target, BASELINE.c.replaced_at.is_(None))
                .values(replaced_at=now)
            )
            row = connection.execute(
                self._insert(BASELINE)
                .values(target=target, created_at=now, reason=reason, from_run=from_run, runs="[]")
                .returning(*BASELINE.c)
            ).one()
            if carried is not None:
                self._carry(
                    connection, target, carried.into(row.id), carried.segment, from_run, carried.golden_digest
                )
        return _record(row)

    def carry(self, target: str, segment: str, parent: str, golden_digest: str, *, from_run: int = 0) -> None:
        """Let a segment begin with the runs of another from ``from_run`` on; one that carries on already stays.

        Runs of another golden set than ``golden_digest`` are read over the examples that both share.
        """
        with self._write() as connection:
            self._carry(connection, target, segment, parent, from_run, golden_digest)

    def _carry(
        self,
        connection: Connection,
        target: str,
        segment: str,
        parent: str,
        from_run: int,
        golden_digest: str,
    ) -> None:
        statement = self._insert(LINEAGE).values(
            target=target,
            segment=segment,
            parent=parent,
            from_run=from_run,
            golden_id=self._golden_id(connection, golden_digest),
        )
        connection.execute(statement.on_conflict_do_nothing())

    def shared_examples(self, golden_digest: str, earlier_digest: str) -> int:
        """How many examples of a golden set an earlier one has with the same content."""
        return int((self.places(golden_digest, earlier_digest) >= 0).sum())

    def places(self, golden_digest: str, earlier_digest: str) -> NDArray[np.int64]:
        """Where each example of a golden set stands in an earlier one; -1 where that has none of the same content."""
        with self._read() as connection:
            later = self._golden_id(connection, golden_digest)
            return lineage.places(connection, later, self._golden_id(connection, earlier_digest))

    def carried_version(self, target: str, segment: str) -> tuple[int, int] | None:
        """Since which run, and with how many examples, a new version of a golden set carries on; None if none does."""
        query = select(LINEAGE).where(LINEAGE.c.target == target, LINEAGE.c.segment == segment)
        with self._read() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            mine = (RUN.c.target == target, RUN.c.golden_id == row.golden_id, RUN.c.segment == segment)
            first = connection.scalar(select(func.min(RUN.c.id)).where(*mine))
            newest = select(RUN.c.golden_id).where(RUN.c.target == target, RUN.c.segment == row.parent)
            earlier = connection.scalar(newest.order_by(RUN.c.id.desc()).limit(1))
            if first is None or earlier is None or earlier == row.golden_id:
                return None
            shared = int((lineage.places(connection, row.golden_id, earlier) >= 0).sum())
        return first, shared

    def pin_baseline(self, baseline_id: int, runs: Sequence[int]) -> None:
        """Fix the runs that a baseline is made of.

        Raises:
            StoreError: there is no such baseline, or it is pinned to other runs.
        """
        listed = json.dumps(list(runs))
        with self._write() as connection:
            query = select(BASELINE.c.runs).where(BASELINE.c.id == baseline_id)
            known = connection.scalar(query.with_for_update())
            if known is None:
                raise StoreError(f"there is no baseline {baseline_id}")
            if known not in {"[]", listed}:
                raise StoreError(
                    f"baseline {baseline_id} is pinned already", "open a new one: goldwatch baseline accept"
                )
            connection.execute(update(BASELINE).where(BASELINE.c.id == baseline_id).values(runs=listed))

    def import_runs(
        self,
        target: str,
        runs: Sequence[ImportedRun],
        *,
        golden_digest: str,
        segment: str,
        baseline_id: int | None,
        share: float,
        period_h: float,
    ) -> tuple[int, ...]:
        """Take in finished, measured runs of another store, in one transaction and in the given order.

        They are of kind ``imported``, count in no total, and are read by ``measurements``.

        Returns:
            Their ids here.

        Raises:
            StoreError: the golden set is not in the store.
        """
        ids: list[int] = []
        with self._write() as connection:
            golden_id = self._golden_id(connection, golden_digest)
            positions = self._golden_positions(connection, golden_id)
            for run in runs:
                run_id = connection.execute(
                    self._insert(RUN)
                    .values(
                        target=target,
                        kind=RunKind.IMPORTED.value,
                        state=RunState.DONE.value,
                        started_at=run.started_at,
                        finished_at=run.started_at if run.finished_at is None else run.finished_at,
                        golden_id=golden_id,
                        segment=segment,
                        baseline_id=baseline_id,
                        share=share,
                        period_h=period_h,
                        repeats=1,
                        verdict=Verdict.LEARNING.value,
                        reason="imported",
                        measured=True,
                        requests_ok=int(run.answered.sum()),
                        requests_failed=int((~run.answered).sum()),
                        requests_retried=0,
                        served=None
                        if run.served is None
                        else packing.pack_json(values.from_served(run.served)),
                        pruned=False,
                    )
                    .returning(RUN.c.id)
                ).scalar_one()
                put_judgement(
                    connection,
                    run_id,
                    Verdict.LEARNING,
                    run.summaries,
                    (),
                    run.vectors,
                    run.answered,
                    run.latency_s,
                    run.observed,
                )
                if run.responses:
                    insert_responses(
                        connection, self._insert, run_id, run.started_at, positions, run.responses
                    )
                ids.append(run_id)
        return tuple(ids)


def _record(row: Row[Any]) -> BaselineRecord:
    return BaselineRecord(
        id=row.id,
        target=row.target,
        created_at=row.created_at,
        reason=row.reason,
        from_run=row.from_run,
        runs=tuple(json.loads(row.runs)),
        replaced_at=row.replaced_at,
    )
