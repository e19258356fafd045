"""What does ``/metrics`` need? Everything about all targets, in a handful of queries.

The cost depends on the number of targets, never on the length of history.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TypeAlias

from sqlalchemy import Connection, func, select

from service.alerting import AlertState
from service.records import MetricsSnapshot, RunKind, RunRecord, TargetMetrics
from service.store.counters import histogram
from service.store.outbox import Outbox
from service.store.runs import Runs
from service.store.tables import ALERT, COUNTER, RUN, TARGET_STATE
from service.store.texts import chunks

_Totals: TypeAlias = dict[str, dict[str, float]]
_PAGE = 500
_LONGEST_RUN_S = 2 * 86_400.0


class Metrics(Runs, Outbox):
    """What is exported."""

    def metrics_snapshot(self) -> MetricsSnapshot:
        """The totals and the newest runs of every target that has finished a run."""
        with self._read() as connection:
            newest = connection.execute(select(TARGET_STATE)).all()
            wanted = {r.last_run for r in newest} | {r.last_measured for r in newest} - {None}
            records: dict[int, RunRecord] = {}
            for part in chunks(sorted(wanted)):
                records |= self._records(connection, part)
            totals = _totals(connection)
            firing = _firing(connection)
            sent = self._delivery_totals(connection)
        targets = {
            row.target: _target(
                row.target,
                records.get(row.last_run),
                records.get(row.last_measured),
                totals.get(row.target, {}),
                firing.get(row.target, {}),
            )
            for row in newest
        }
        return MetricsSnapshot(targets=targets, notifications=sent)

    def spent_since(self, target: str, at: float) -> tuple[int, float]:
        """Tokens and US dollars of the runs that ended since ``at``.

        Unlike ``usage_since`` it leaves out a run under way, and looks no further back than it must: a run that
        began more than two days before ``at`` has ended before it.
        """
        columns = (RUN.c.id, RUN.c.started_at, RUN.c.finished_at, RUN.c.input_tokens, RUN.c.output_tokens)
        query = select(*columns, RUN.c.cost_usd).where(
            RUN.c.target == target, RUN.c.kind != RunKind.IMPORTED.value
        )
        tokens, usd, below = 0, 0.0, None
        with self._read() as connection:
            while True:
                page = query if below is None else query.where(RUN.c.id < below)
                rows = connection.execute(page.order_by(RUN.c.id.desc()).limit(_PAGE)).all()
                for row in rows:
                    if row.finished_at is not None and row.finished_at >= at:
                        tokens += (row.input_tokens or 0) + (row.output_tokens or 0)
                        usd += row.cost_usd or 0.0
                if len(rows) < _PAGE or rows[-1].started_at < at - _LONGEST_RUN_S:
                    return tokens, usd
                below = rows[-1].id


def _totals(connection: Connection) -> dict[str, _Totals]:
    """By subject, by name (and scorer), by outcome."""
    found: dict[str, _Totals] = defaultdict(lambda: defaultdict(dict))
    for row in connection.execute(select(COUNTER).where(COUNTER.c.name != "notifications")):
        found[row.subject][f"{row.name}/{row.part}"][row.outcome] = row.value
    return found


def _firing(connection: Connection) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    query = select(ALERT.c.target, ALERT.c.severity, func.count()).where(
        ALERT.c.state == AlertState.FIRING.value
    )
    for target, severity, count in connection.execute(query.group_by(ALERT.c.target, ALERT.c.severity)):
        found[target][severity] = count
    return found


def _target(
    target: str,
    last_run: RunRecord | None,
    last_measured: RunRecord | None,
    totals: _Totals,
    firing: dict[str, int],
) -> TargetMetrics:
    def whole(name: str) -> dict[str, int]:
        return {outcome: int(value) for outcome, value in totals.get(name, {}).items()}

    return TargetMetrics(
        target=target,
        last_run=last_run,
        last_measured=last_measured,
        runs=whole("runs/"),
        requests=whole("requests/"),
        tokens=whole("tokens/"),
        cost_usd=totals.get("cost/", {}).get("usd"),
        examples={
            name.removeprefix("examples/"): whole(name)
            for name in sorted(totals)
            if name.startswith("examples/")
        },
        latency=histogram(totals.get("latency/", {})),
        ttft=histogram(totals.get("ttft/", {})),
        firing=firing,
    )
