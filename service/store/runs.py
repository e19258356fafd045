"""Which runs are there, and who is making one now? Claims, leases and records.

A run belongs to whoever holds its target's lease. There is one lease row per target, taken by an upsert
that only succeeds where the old lease is over; therefore runs of a target never overlap, however many
processes try. ``(target, scheduled_at)`` is unique, so that a scheduled time happens once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select, update

from checks.types import Finding, Verdict
from service.headline import headline
from service.records import Headline, NewRun, Requests, RunKind, RunLine, RunRecord, RunState
from service.store import packing, values
from service.store.golden import GoldenSets
from service.store.tables import ASKING, BASE_ANSWERS, COMPARISON, GOLDEN, JUDGEMENT, LEASE, RESPONSE, RUN
from service.store.texts import chunks


class Runs(GoldenSets):
    """Runs: claimed, adopted, looked at."""

    def claim_run(self, new: NewRun, *, owner: str, now: float, lease_s: float) -> int | None:
        """Begin a run and hold it for ``lease_s``.

        Returns:
            The run's id. None if its scheduled time has had its run, or if the target has a run that is not
            finished: one with a live lease is being made, an orphan comes first, so that runs are judged in the
            order in which they began.

        Raises:
            StoreError: the golden set is not in the store.
        """
        with self._write() as connection:
            statement = self._insert(RUN).values(
                target=new.target,
                kind=new.kind.value,
                state=RunState.RUNNING.value,
                scheduled_at=new.scheduled_at,
                started_at=now,
                golden_id=self._golden_id(connection, new.golden_digest),
                segment=new.segment,
                baseline_id=new.baseline_id,
                share=new.share,
                period_h=new.period_h,
                repeats=new.repeats,
                requests_ok=0,
                requests_failed=0,
                requests_retried=0,
                pruned=False,
            )
            run_id: int | None = connection.scalar(statement.on_conflict_do_nothing().returning(RUN.c.id))
            if run_id is None:
                return None
            free = self._take_lease(connection, new.target, run_id, owner, now, lease_s)
            if not free or self._unfinished(connection, new.target, run_id):
                connection.execute(delete(LEASE).where(LEASE.c.run_id == run_id))
                connection.execute(delete(RUN).where(RUN.c.id == run_id))
                return None
            self._begin_after_the_last(connection, new.target, run_id, now, lease_s)
        return run_id

    def _begin_after_the_last(
        self, connection: Connection, target: str, run_id: int, now: float, lease_s: float
    ) -> None:
        """A claim may have waited for the run before to be finished: then it begins when that one ended.

        An end that is further ahead than a lease was written by a clock that ran ahead, and does not count.
        """
        ended = connection.scalar(
            select(RUN.c.finished_at)
            .where(RUN.c.target == target, RUN.c.id < run_id)
            .order_by(RUN.c.id.desc())
            .limit(1)
        )
        if ended is not None and now < ended <= now + lease_s:
            connection.execute(update(RUN).where(RUN.c.id == run_id).values(started_at=ended))

    def renew_lease(self, run_id: int, owner: str, now: float, lease_s: float) -> bool:
        """Hold a run for another ``lease_s``. False if it is no longer the owner's: stop working on it."""
        with self._write() as connection:
            result = connection.execute(
                update(LEASE)
                .where(LEASE.c.run_id == run_id, LEASE.c.owner == owner)
                .values(until=now + lease_s)
            )
            return result.rowcount == 1

    def release_lease(self, run_id: int, owner: str) -> bool:
        """Let go of a running run, so that whoever starts next can take it up. False if it was not the owner's."""
        with self._write() as connection:
            result = connection.execute(delete(LEASE).where(LEASE.c.run_id == run_id, LEASE.c.owner == owner))
            return result.rowcount == 1

    def orphans(self, now: float) -> list[RunRecord]:
        """Runs that are running by name only, oldest first: nobody holds a live lease on them."""
        alive = select(LEASE.c.run_id).where(LEASE.c.until > now)
        query = _runs().where(RUN.c.state == RunState.RUNNING.value, RUN.c.id.not_in(alive))
        with self._read() as connection:
            return [record(row) for row in connection.execute(query.order_by(RUN.c.id))]

    def adopt_run(self, run_id: int, owner: str, now: float, lease_s: float) -> bool:
        """Take over an orphan. False if somebody else was quicker, or its target is busy with another run."""
        with self._write() as connection:
            target = connection.scalar(
                select(RUN.c.target).where(RUN.c.id == run_id, RUN.c.state == RunState.RUNNING.value)
            )
            if target is None:
                return False
            return self._take_lease(connection, target, run_id, owner, now, lease_s)

    def run(self, run_id: int) -> RunRecord | None:
        """One run with its summaries and findings; None if there is none of that id."""
        with self._read() as connection:
            row = connection.execute(_runs().where(RUN.c.id == run_id)).one_or_none()
        return None if row is None else record(row)

    def runs(
        self,
        target: str,
        *,
        limit: int | None,
        before: int | None = None,
        after: int | None = None,
        newest_first: bool = True,
    ) -> list[RunRecord]:
        """A target's runs in every state, imported ones included.

        Args:
            target: Its name.
            limit: At most so many, counted from where the order begins; None for all.
            before: Only runs with a smaller id.
            after: Only runs with a greater id.
            newest_first: The order.
        """
        query = _runs().where(RUN.c.target == target)
        if before is not None:
            query = query.where(RUN.c.id < before)
        if after is not None:
            query = query.where(RUN.c.id > after)
        query = query.order_by(RUN.c.id.desc() if newest_first else RUN.c.id).limit(limit)
        with self._read() as connection:
            return [record(row) for row in connection.execute(query)]

    def run_lines(self, target: str, *, limit: int | None) -> list[RunLine]:
        """One line of each of a target's runs in every state, imported ones included; oldest first.

        Args:
            target: Its name.
            limit: Only the newest so many; None for all.
        """
        query = (
            select(RUN.c.id, RUN.c.started_at, RUN.c.verdict, RUN.c.reason, JUDGEMENT.c.headline)
            .join(JUDGEMENT, JUDGEMENT.c.run_id == RUN.c.id, isouter=True)
            .where(RUN.c.target == target)
            .order_by(RUN.c.id.desc())
            .limit(limit)
        )
        with self._read() as connection:
            rows = connection.execute(query).all()
            unread = [row.id for row in rows if row.headline is None and row.verdict is not None]
            whole = {i: one for part in chunks(unread) for i, one in self._records(connection, part).items()}
        verdicts = {str(v): v for v in Verdict}
        lines = []
        for run_id, started_at, verdict, reason, text in reversed(rows):
            if text is not None:
                head = values.to_headline(text)
            elif (run := whole.get(run_id)) is not None:  # judged by an earlier version
                head = headline(run.verdict, run.summaries, run.findings)
            else:
                head = Headline({})
            lines.append(RunLine(run_id, started_at, verdicts.get(verdict), reason, head))
        return lines

    def repeated_runs(self, target: str, segment: str, *, limit: int) -> list[RunRecord]:
        """The newest ``limit`` bursts of a segment and the run before each, newest first."""
        mine = (RUN.c.target == target, RUN.c.segment == segment)
        bursts = select(RUN.c.id).where(*mine, RUN.c.kind == RunKind.BURST.value)
        with self._read() as connection:
            ids = connection.scalars(bursts.order_by(RUN.c.id.desc()).limit(limit)).all()
            known = set(ids)
            for part in chunks(ids):
                other = RUN.alias()
                before = (
                    select(func.max(other.c.id))
                    .where(other.c.target == target, other.c.segment == segment, other.c.id < RUN.c.id)
                    .scalar_subquery()
                )
                known.update(i for i in connection.scalars(select(before).where(RUN.c.id.in_(part))) if i)
            found = [
                record(row)
                for part in chunks(sorted(known))
                for row in connection.execute(_runs().where(RUN.c.id.in_(part)))
            ]
        return sorted(found, key=lambda run: -run.id)

    def last_run(self, target: str, *, state: RunState | None = None) -> RunRecord | None:
        """The newest run of a target, imported ones apart; in a given state if one is named."""
        query = _runs().where(RUN.c.target == target, RUN.c.kind != RunKind.IMPORTED.value)
        if state is not None:
            query = query.where(RUN.c.state == state.value)
        return self._first(query.order_by(RUN.c.id.desc()))

    def last_scheduled_at(self, target: str, *, until: float | None = None) -> float | None:
        """The newest scheduled time of a target that has its run, whatever became of it; None before the first.

        Args:
            target: Its name.
            until: Later times do not count: they were scheduled by a clock that ran ahead.
        """
        query = select(func.max(RUN.c.scheduled_at)).where(RUN.c.target == target)
        if until is not None:
            query = query.where(RUN.c.scheduled_at <= until)
        with self._read() as connection:
            at: float | None = connection.scalar(query)
        return at

    def last_measured(self, target: str) -> RunRecord | None:
        """The newest finished run that could be measured, imported ones apart."""
        query = _runs().where(
            RUN.c.target == target,
            RUN.c.kind != RunKind.IMPORTED.value,
            RUN.c.state == RunState.DONE.value,
            RUN.c.measured.is_(True),
        )
        return self._first(query.order_by(RUN.c.id.desc()))

    def findings(self, run_id: int) -> tuple[Finding, ...]:
        """The findings of a run; none while it is running."""
        with self._read() as connection:
            blob = connection.scalar(select(JUDGEMENT.c.findings).where(JUDGEMENT.c.run_id == run_id))
        return () if blob is None else values.to_findings(packing.unpack_json(blob))

    def usage_since(
        self,
        target: str,
        at: float,
        *,
        input_usd_per_mtok: float = 0.0,
        output_usd_per_mtok: float = 0.0,
    ) -> tuple[int, float]:
        """Tokens and US dollars that a target has used since ``at``, for its daily limits.

        A finished run counts whole if it ended since then. A running one counts by the tokens of its
        saved responses, and by the prices given. What the base model, the challengers and judges were asked counts
        when they were asked.
        """
        mine = (RUN.c.target == target, RUN.c.kind != RunKind.IMPORTED.value)
        finished = select(
            func.coalesce(func.sum(RUN.c.input_tokens), 0),
            func.coalesce(func.sum(RUN.c.output_tokens), 0),
            func.coalesce(func.sum(RUN.c.cost_usd), 0.0),
        ).where(*mine, RUN.c.state == RunState.DONE.value, RUN.c.finished_at >= at)
        running = (
            select(
                func.coalesce(func.sum(RESPONSE.c.input_tokens), 0),
                func.coalesce(func.sum(RESPONSE.c.output_tokens), 0),
            )
            .join(RUN, RUN.c.id == RESPONSE.c.run_id)
            .where(*mine, RUN.c.state == RunState.RUNNING.value)
        )
        base = select(
            func.coalesce(func.sum(BASE_ANSWERS.c.input_tokens), 0),
            func.coalesce(func.sum(BASE_ANSWERS.c.output_tokens), 0),
            func.coalesce(func.sum(BASE_ANSWERS.c.cost_usd), 0.0),
        ).where(BASE_ANSWERS.c.target == target, BASE_ANSWERS.c.asked_at >= at)
        others = select(
            func.coalesce(func.sum(COMPARISON.c.input_tokens), 0),
            func.coalesce(func.sum(COMPARISON.c.output_tokens), 0),
            func.coalesce(func.sum(COMPARISON.c.cost_usd), 0.0),
        ).where(COMPARISON.c.target == target, COMPARISON.c.asked_at >= at)
        judges = select(
            func.coalesce(func.sum(ASKING.c.input_tokens), 0),
            func.coalesce(func.sum(ASKING.c.output_tokens), 0),
            func.coalesce(func.sum(ASKING.c.cost_usd), 0.0),
        ).where(ASKING.c.target == target, ASKING.c.asked_at >= at)
        with self._read() as connection:
            done_in, done_out, usd = connection.execute(finished).one()
            now_in, now_out = connection.execute(running).one()
            base_in, base_out, base_usd = connection.execute(base).one()
            other_in, other_out, other_usd = connection.execute(others).one()
            judge_in, judge_out, judge_usd = connection.execute(judges).one()
        usd = float(usd) + float(base_usd) + float(other_usd) + float(judge_usd)
        usd += (now_in * input_usd_per_mtok + now_out * output_usd_per_mtok) / 1e6
        tokens = done_in + done_out + now_in + now_out + base_in + base_out + other_in + other_out
        tokens += judge_in + judge_out
        return int(tokens), float(usd)

    def _first(self, query: Select[Any]) -> RunRecord | None:
        with self._read() as connection:
            row = connection.execute(query.limit(1)).one_or_none()
        return None if row is None else record(row)

    def _records(self, connection: Connection, run_ids: Iterable[int]) -> dict[int, RunRecord]:
        rows = connection.execute(_runs().where(RUN.c.id.in_(sorted(set(run_ids)))))
        return {row.id: record(row) for row in rows}

    @staticmethod
    def _unfinished(connection: Connection, target: str, but: int) -> bool:
        query = select(RUN.c.id).where(
            RUN.c.target == target, RUN.c.state == RunState.RUNNING.value, RUN.c.id != but
        )
        return connection.scalar(query.limit(1)) is not None

    def _take_lease(
        self, connection: Connection, target: str, run_id: int, owner: str, now: float, lease_s: float
    ) -> bool:
        statement = self._insert(LEASE).values(target=target, run_id=run_id, owner=owner, until=now + lease_s)
        taken = connection.scalar(
            statement.on_conflict_do_update(
                index_elements=[LEASE.c.target],
                set_={"run_id": run_id, "owner": owner, "until": now + lease_s},
                where=LEASE.c.until <= now,
            ).returning(LEASE.c.run_id)
        )
        return bool(taken == run_id)


def _runs() -> Select[Any]:
    return (
        select(
            RUN,
            GOLDEN.c.digest.label("golden_digest"),
            GOLDEN.c.version.label("golden_version"),
            GOLDEN.c.examples.label("golden_examples"),
            JUDGEMENT.c.summaries,
            JUDGEMENT.c.findings,
        )
        .join(GOLDEN, GOLDEN.c.id == RUN.c.golden_id)
        .join(JUDGEMENT, JUDGEMENT.c.run_id == RUN.c.id, isouter=True)
    )


def record(row: Row[Any]) -> RunRecord:
    """The run in a row of the query above."""
    judged = row.summaries is not None
    served, judges = (
        (None, {}) if row.served is None else values.to_all_served(packing.unpack_json(row.served))
    )
    return RunRecord(
        id=row.id,
        target=row.target,
        kind=RunKind(row.kind),
        state=RunState(row.state),
        scheduled_at=row.scheduled_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        golden_digest=row.golden_digest,
        golden_version=row.golden_version,
        golden_examples=row.golden_examples,
        segment=row.segment,
        baseline_id=row.baseline_id,
        share=row.share,
        period_h=row.period_h,
        repeats=row.repeats,
        verdict=None if row.verdict is None else Verdict(row.verdict),
        reason=row.reason,
        measured=row.measured,
        requests=Requests(ok=row.requests_ok, failed=row.requests_failed, retried=row.requests_retried),
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_usd=row.cost_usd,
        served=served,
        judges=judges,
        summaries=values.to_summaries(packing.unpack_json(row.summaries)) if judged else (),
        findings=values.to_findings(packing.unpack_json(row.findings)) if judged else (),
    )
