"""How does a run end, and what do the checks read? One transaction in, a stream of measurements out.

:meth:`Judging.finish_run` writes everything that follows from a run at once: its verdict and findings, its
score vectors, the alerts that changed and the messages about them, the cached fold, the totals. Whatever
kills the process, a run is either running with the responses that were saved, or done with all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
from sqlalchemy import Connection, delete, func, select, update

from checks.types import (
    BoolArray,
    Finding,
    FloatArray,
    Measurement,
    ScoreSummary,
    Served,
    Verdict,
)
from service.alerting import Alert, Notification
from service.headline import headline
from service.records import Requests, RunKind, RunState, ScoreVector
from service.store import counters, lineage, packing, values
from service.store.errors import NotRunningError
from service.store.outbox import Outbox
from service.store.responses import Responses
from service.store.tables import JUDGEMENT, LEASE, RESPONSE, RUN, SNAPSHOT, TARGET_STATE, VECTOR

_JUDGED = "judged\0"  # before the names of what was seen of the judges, among what was observed
_PAGE = 200  # runs that are in memory at once while history is streamed


class Judging(Responses, Outbox):
    """The end of runs, and history."""

    def finish_run(
        self,
        run_id: int,
        *,
        verdict: Verdict,
        reason: str | None,
        measured: bool,
        requests: Requests,
        input_tokens: int | None,
        output_tokens: int | None,
        cost_usd: float | None,
        served: Served | None,
        summaries: Sequence[ScoreSummary],
        findings: Sequence[Finding],
        vectors: Sequence[ScoreVector],
        answered: BoolArray | None,
        latency_s: FloatArray | None,
        now: float,
        observed: Mapping[str, FloatArray] | None = None,
        judged: Mapping[str, FloatArray] | None = None,
        judges: Mapping[str, Served] | None = None,
        snapshot: bytes | None = None,
        alerts: Sequence[Alert] = (),
        outbox: Sequence[Notification] = (),
        owner: str | None = None,
    ) -> None:
        """Close a running run with everything that follows from it, in one transaction.

        Args:
            run_id: The run.
            verdict: The run's verdict.
            reason: Why, in words.
            measured: Whether enough was answered to judge.
            requests: Examples that were asked, by outcome.
            input_tokens: Their sum; None if the server does not tell.
            output_tokens: Likewise.
            cost_usd: None where no price is known.
            served: What the server said it is.
            summaries: Means per scorer and slice.
            findings: What the checks found.
            vectors: One per scorer, over the golden set's examples in its order.
            answered: Bool [examples]; None for a run that is closed without its responses being read.
            latency_s: Float [examples], NaN where unknown. Kept in whole microseconds.
            now: Seconds since 1970.
            observed: What was seen of the outputs, float [examples] by name; kept for ever.
            judged: What was seen of the judges, by name; kept for ever.
            judges: What the judges said they are, by scorer.
            snapshot: The fold of the segment's history up to and with this run.
            alerts: Those that were opened or changed.
            outbox: Messages to send. One that is there already (same id) stays as it is.
            owner: If given, the lease must be this owner's.

        Raises:
            NotRunningError: the run is done, unknown, or held by another owner.
        """
        said = values.from_all_served(served, judges or {})
        with self._write() as connection:
            query = select(RUN.c.state, RUN.c.target, RUN.c.segment).where(RUN.c.id == run_id)
            run = connection.execute(query.with_for_update()).one_or_none()
            if run is None or run.state != RunState.RUNNING.value:
                raise NotRunningError(f"run {run_id} is not running, so it cannot be finished")
            if owner is not None:
                held = select(LEASE.c.owner).where(LEASE.c.run_id == run_id)
                if connection.scalar(held.with_for_update()) != owner:
                    raise NotRunningError(f"run {run_id} was taken over by another worker")
            connection.execute(
                update(RUN)
                .where(RUN.c.id == run_id)
                .values(
                    state=RunState.DONE.value,
                    finished_at=now,
                    verdict=verdict.value,
                    reason=reason,
                    measured=measured,
                    requests_ok=requests.ok,
                    requests_failed=requests.failed,
                    requests_retried=requests.retried,
                    input_tokens=input_tokens,
                    output_tokens=output_tokens,
                    cost_usd=cost_usd,
                    served=None if said is None else packing.pack_json(said),
                )
            )
            connection.execute(delete(LEASE).where(LEASE.c.run_id == run_id))
            seen = joined(observed or {}, judged or {})
            put_judgement(
                connection, run_id, verdict, summaries, findings, vectors, answered, latency_s, seen
            )
            self._put_snapshot(connection, run_id, run.target, run.segment, snapshot)
            self._put_alerts(connection, alerts)
            self._put_notifications(connection, outbox)
            self._note_newest(connection, run_id, run.target, measured=measured)
            totals: dict[counters.Key, float] = {
                ("runs", run.target, "", verdict.value): 1,
                ("requests", run.target, "", "ok"): requests.ok,
                ("requests", run.target, "", "failed"): requests.failed,
                ("requests", run.target, "", "retried"): requests.retried,
                ("tokens", run.target, "", "input"): input_tokens or 0,
                ("tokens", run.target, "", "output"): output_tokens or 0,
            }
            if cost_usd is not None:
                totals["cost", run.target, "", "usd"] = cost_usd
            totals |= counters.outcomes(run.target, vectors)
            totals |= _durations(connection, run_id, run.target)
            counters.add(connection, self._insert, totals)

    def vectors(self, run_id: int) -> list[ScoreVector]:
        """A run's scores, one vector per scorer in the order in which they were given; kept for ever."""
        query = select(VECTOR).where(VECTOR.c.run_id == run_id).order_by(VECTOR.c.ordinal)
        with self._read() as connection:
            return [
                ScoreVector(
                    scorer=row.scorer,
                    values=packing.unpack_scores(row.scores),
                    reasons=packing.unpack_words(row.reasons),
                    labels=packing.unpack_words(row.labels),
                    format_failures=packing.unpack_positions(row.format_failures),
                )
                for row in connection.execute(query)
            ]

    def measurements(self, target: str, segment: str, *, after_run: int = 0) -> Iterator[Measurement]:
        """A segment's finished runs as the checks see them, oldest first; those that it carries on (``carry``) first.

        Read a page at a time: memory does not grow with history, and no transaction is open between
        two items. A run that was closed without its responses being read has ``measured`` false, no
        scores, nothing answered.
        """
        while True:
            page = self._page(target, segment, after_run)
            yield from page
            if len(page) < _PAGE:
                return
            after_run = page[-1].run

    def judged(self, run_id: int) -> dict[str, FloatArray]:
        """What was seen of the judges in a finished run, by name; empty where none was asked."""
        query = select(JUDGEMENT.c.observed).where(JUDGEMENT.c.run_id == run_id)
        with self._read() as connection:
            return _judged(connection.scalar(query))

    def snapshot(self, target: str, segment: str) -> tuple[int, bytes] | None:
        """The cached fold of a segment, and the last run in it; None if there is none."""
        query = select(SNAPSHOT.c.run_id, SNAPSHOT.c.body).where(
            SNAPSHOT.c.target == target, SNAPSHOT.c.segment == segment
        )
        with self._read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row.run_id, bytes(row.body))

    def _page(self, target: str, segment: str, after_run: int) -> list[Measurement]:
        with self._read() as connection:
            line = lineage.ancestry(connection, target, segment)
        query = (
            select(
                RUN.c.id,
                RUN.c.golden_id,
                RUN.c.started_at,
                RUN.c.measured,
                RUN.c.share,
                RUN.c.period_h,
                RUN.c.kind,
                JUDGEMENT.c.answered,
                JUDGEMENT.c.latency,
                JUDGEMENT.c.observed,
            )
            .join(JUDGEMENT, JUDGEMENT.c.run_id == RUN.c.id)
            .where(RUN.c.target == target, line.condition(), RUN.c.id > after_run)
            .where(RUN.c.state == RunState.DONE.value)
            .order_by(RUN.c.id)
            .limit(_PAGE)
        )
        with self._read() as connection:
            rows = connection.execute(query).all()
            if not rows:
                return []
            scores = connection.execute(
                select(
                    VECTOR.c.run_id,
                    VECTOR.c.scorer,
                    VECTOR.c.scores,
                    VECTOR.c.labels,
                    VECTOR.c.format_failures,
                )
                .where(VECTOR.c.run_id.in_([row.id for row in rows]))
                .order_by(VECTOR.c.run_id, VECTOR.c.ordinal)
            ).all()
            others = {row.golden_id for row in rows} - {line.golden_id} if line.golden_id else set()
            moves = {g: lineage.places(connection, line.golden_id, g) for g in others if line.golden_id}
        by_run = {run_id: list(group) for run_id, group in groupby(scores, key=lambda row: row.run_id)}
        found = [
            Measurement(
                run=row.id,
                started_at=row.started_at,
                measured=row.measured,
                scores={v.scorer: packing.unpack_scores(v.scores) for v in by_run.get(row.id, ())},
                answered=np.zeros(0, bool) if row.answered is None else packing.unpack_bits(row.answered),
                latency_s=np.zeros(0) if row.latency is None else packing.unpack_latency(row.latency),
                share=row.share,
                period_h=row.period_h,
                observed=_observed(row.observed),
                judged=_judged(row.observed),
                labels={v.scorer: packing.unpack_words(v.labels) for v in by_run.get(row.id, ()) if v.labels},
                malformed={
                    v.scorer: packing.unpack_positions(v.format_failures)
                    for v in by_run.get(row.id, ())
                    if v.format_failures
                },
                burst=row.kind == RunKind.BURST.value,
            )
            for row in rows
        ]
        return [
            lineage.moved(run, moves[row.golden_id]) if row.golden_id in moves else run
            for run, row in zip(found, rows, strict=True)
        ]

    def _put_snapshot(
        self,
        connection: Connection,
        run_id: int,
        target: str,
        segment: str,
        body: bytes | None,
    ) -> None:
        # A run that ends after a later one changes history under the fold: the fold is dropped, and
        # will be computed anew.
        mine = (SNAPSHOT.c.target == target, SNAPSHOT.c.segment == segment)
        overtaken = connection.execute(delete(SNAPSHOT).where(*mine, SNAPSHOT.c.run_id > run_id)).rowcount
        newer = select(func.max(RUN.c.id)).where(
            RUN.c.target == target, RUN.c.segment == segment, RUN.c.state == RunState.DONE.value
        )
        if body is None or overtaken or (connection.scalar(newer) or 0) > run_id:
            return
        statement = self._insert(SNAPSHOT).values(target=target, segment=segment, run_id=run_id, body=body)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[SNAPSHOT.c.target, SNAPSHOT.c.segment],
                set_={"run_id": run_id, "body": body},
            )
        )

    def _note_newest(self, connection: Connection, run_id: int, target: str, *, measured: bool) -> None:
        statement = self._insert(TARGET_STATE).values(
            target=target, last_run=run_id, last_measured=run_id if measured else None
        )
        new = statement.excluded
        known = connection.execute(
            select(TARGET_STATE).where(TARGET_STATE.c.target == target).with_for_update()
        ).one_or_none()
        measured_ids = [run_id] if measured else []
        if known is not None and known.last_measured is not None:
            measured_ids.append(known.last_measured)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[TARGET_STATE.c.target],
                set_={
                    "last_run": max(run_id, known.last_run) if known is not None else new.last_run,
                    "last_measured": max(measured_ids, default=None),
                },
            )
        )


def joined(observed: Mapping[str, FloatArray], judged: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """What was seen of the outputs and of the judges, as it is kept."""
    return {**observed, **{_JUDGED + name: row for name, row in judged.items()}}


def _observed(blob: bytes | None) -> dict[str, FloatArray]:
    return {name: row for name, row in packing.unpack_observed(blob).items() if not name.startswith(_JUDGED)}


def _judged(blob: bytes | None) -> dict[str, FloatArray]:
    kept = packing.unpack_observed(blob).items()
    return {name.removeprefix(_JUDGED): row for name, row in kept if name.startswith(_JUDGED)}


def put_judgement(
    connection: Connection,
    run_id: int,
    verdict: Verdict,
    summaries: Sequence[ScoreSummary],
    findings: Sequence[Finding],
    vectors: Sequence[ScoreVector],
    answered: BoolArray | None,
    latency_s: FloatArray | None,
    observed: Mapping[str, FloatArray],
) -> None:
    """Write what a finished run was found to be."""
    connection.execute(
        JUDGEMENT.insert().values(
            run_id=run_id,
            summaries=packing.pack_json(values.from_summaries(summaries)),
            findings=packing.pack_json(values.from_findings(findings)),
            answered=None if answered is None else packing.pack_bits(answered),
            latency=None if latency_s is None else packing.pack_latency(latency_s),
            observed=packing.pack_observed(observed),
            headline=values.from_headline(headline(verdict, summaries, findings)),
        )
    )
    rows = [
        {
            "run_id": run_id,
            "ordinal": ordinal,
            "scorer": vector.scorer,
            "scores": packing.pack_scores(vector.values),
            "reasons": packing.pack_words(vector.reasons, len(vector.values)),
            "labels": packing.pack_words(vector.labels, len(vector.values)),
            "format_failures": packing.pack_positions(vector.format_failures, len(vector.values)),
        }
        for ordinal, vector in enumerate(vectors)
    ]
    if rows:
        connection.execute(VECTOR.insert(), rows)


def _durations(connection: Connection, run_id: int, target: str) -> dict[counters.Key, float]:
    rows = connection.execute(
        select(RESPONSE.c.latency_us, RESPONSE.c.ttft_us).where(RESPONSE.c.run_id == run_id)
    ).all()
    latency = [row.latency_us for row in rows if row.latency_us is not None]
    ttft = [row.ttft_us for row in rows if row.ttft_us is not None]
    return counters.durations("latency", target, latency) | counters.durations("ttft", target, ttft)
