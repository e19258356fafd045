"""What does ``baseline accept`` take as healthy? The runs since a standing change, or the last healthy ones.

- While a change stands (a regression, an improvement, one bad run) the new baseline **starts at its onset**:
  the runs since then become its first runs, and those that are still missing follow.
- Without a change the last healthy runs are pinned, as many as a baseline needs.
- Where nothing can be taken over (the target is learning, what is measured has changed since, or ``fresh`` is
  asked for) the next runs are the baseline.

The run that is under way when somebody accepts is judged against the baseline that it began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from checks.types import Verdict
from service.records import BaselineRecord, RunKind, RunRecord, RunState

if TYPE_CHECKING:
    from service.config import Target
    from service.store import Store

_LOOK_BACK = 1000


@dataclass(frozen=True, slots=True)
class Start:
    """Where a new baseline starts: with run ``from_run``; None for the next one.

    ``runs`` measured runs are there already; ``why`` says in words what was taken.
    """

    from_run: int | None
    runs: int
    why: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The baseline that was opened, and where it starts."""

    baseline: BaselineRecord
    start: Start


def start_of(runs: Sequence[RunRecord], needed: int) -> Start:
    """Where a baseline that is accepted now starts.

    Args:
        runs: the finished runs of the segment that is accepted, newest first.
        needed: how many runs a baseline has.
    """
    measured = [run for run in runs if run.measured]
    if not measured or measured[0].verdict is Verdict.LEARNING:
        return Start(None, 0, "the next measured runs")
    newest = measured[0]
    if newest.verdict in (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.SUSPECT):
        onset = _onset(measured)
        count = sum(run.id >= onset for run in measured)
        return Start(onset, count, f"{_many(count)} since the change began with run {onset}")
    if newest.verdict is Verdict.INCONCLUSIVE:
        return Start(None, 0, "the next measured runs")
    healthy: list[RunRecord] = []
    for run in measured:
        if len(healthy) == needed or run.verdict not in (Verdict.OK, Verdict.LEARNING):
            break
        healthy.append(run)
    return Start(healthy[-1].id, len(healthy), f"the last {_many(len(healthy))}, which were healthy")


def accept(store: Store, target: Target, reason: str, now: float, *, fresh: bool = False) -> Accepted:
    """Open a new baseline; the old one is kept.

    Args:
        store: where the target's runs are.
        target: as configured.
        reason: why, for those who will look at it later.
        now: seconds since 1970.
        fresh: take the next runs only, whatever was measured before.

    Raises:
        UserError: the target never ran.
        GoldenError: the golden set cannot be read, is not frozen or was edited.
    """
    from service.errors import UserError  # noqa: PLC0415  # on this path only
    from service.golden import check_lock  # noqa: PLC0415  # heavy
    from service.segment import segment_key  # noqa: PLC0415  # with it
    from service.store import Carried  # noqa: PLC0415  # heavy

    last = store.last_run(target.name)
    if last is None:
        raise UserError(
            f"{target.name} never ran, so there is nothing to accept",
            f"its first {target.baseline.runs} measured runs become its baseline: goldwatch run {target.name}",
        )
    digest = check_lock(Path(target.golden)).digest
    start = Start(None, 0, "the next measured runs")
    if any(f.check == "judge_drift" and f.verdict is Verdict.INCONCLUSIVE for f in last.findings):
        fresh, start = (
            True,
            Start(None, 0, "the next measured runs, since a judge changed or gives no verdicts"),
        )
    if not fresh and last.segment == segment_key(target, digest, last.baseline_id):
        runs = store.runs(target.name, limit=_LOOK_BACK)
        mine = [r for r in runs if r.segment == last.segment and r.state is RunState.DONE]
        start = start_of([r for r in mine if r.kind is not RunKind.IMPORTED], target.baseline.runs)
    if start.from_run is None:
        return Accepted(store.open_baseline(target.name, last.id + 1, reason, now), start)
    carried = Carried(last.segment, digest, lambda opened: segment_key(target, digest, opened))
    return Accepted(store.open_baseline(target.name, start.from_run, reason, now, carried=carried), start)


def _onset(measured: Sequence[RunRecord]) -> int:
    """The first run of the change that the newest run shows."""
    newest = measured[0]
    known = [f.onset_run for f in newest.findings if f.verdict is newest.verdict and f.onset_run is not None]
    if known:
        return min(known)
    first = newest.id
    for run in measured:
        if run.verdict is not newest.verdict:
            break
        first = run.id
    return first


def _many(count: int) -> str:
    return "one run" if count == 1 else f"{count} runs"
