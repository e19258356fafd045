"""How does a run happen? The one composition: replay, score, save, judge, alert.

``goldwatch run``, the daemon, workers and the demo all come through :func:`run_target`. Everything that
decides is pure and elsewhere; this module orders the steps, so that whatever kills the process leaves a run
either running with the responses that were saved (and it is taken up again) or done with all that follows
from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from checks.types import Verdict
from service.alerts import OF_ANSWERS
from service.conclude import Finished, appraise, conclude
from service.golden import check_lock
from service.records import BaselineRecord, Golden, NewRun, Requests, RunKind, RunRecord
from service.segment import segment_key

if TYPE_CHECKING:
    from checks.judge import Judgement
    from service.anchors import Anchors
    from service.config import Config, Target
    from service.replay import ReplayPlan, ReplayResult
    from service.store import Store

LEASE_S = 30.0
DRAIN_S = 5.0
"""How long requests in flight may take once the process is asked to stop; the daemon leaves within 10 s."""

DAY_S = 86_400.0
CONFIRMATIONS = 2
"""Replays that may follow one bad run before its verdict is left at ``suspect``."""

CHANGED = "the golden set, the scorers or the question changed"
"""The reason of a baseline that nobody asked for."""

Progress = Callable[[int, int], None]
Replay = Callable[..., Awaitable["ReplayResult"]]


@dataclass(frozen=True, slots=True)
class Shell:
    """What a run needs from outside. ``clock`` tells seconds since 1970; ``owner`` names this process."""

    store: Store
    config: Config
    clock: Callable[[], float] = time.time
    owner: str = field(default_factory=lambda: uuid4().hex)
    ask: Replay | None = None
    stop: asyncio.Event | None = None


async def run_target(
    shell: Shell,
    target: Target,
    *,
    kind: RunKind = RunKind.MANUAL,
    scheduled_at: float | None = None,
    progress: Progress | None = None,
) -> list[Finished]:
    """Replay a target once and judge it; a bad run is replayed at once before the verdict.

    Returns:
        The runs that were made, in order; empty if the target is being replayed elsewhere, or its scheduled
        time has had its run. A run that was stopped half-way is not among them: it is neither good nor bad nor
        unmeasurable, so it stays running, with nobody's lease on it, and :func:`resume` takes it up.

    Raises:
        GoldenError: the golden set is not frozen, or was edited.
        AnchorsError: a judge's anchors cannot be read.
        StoreError: the store failed; what was saved is intact.
    """
    golden = await asyncio.to_thread(check_lock, Path(target.golden))
    await asyncio.to_thread(_anchors, target)
    first = await _replayed(shell, target, golden, kind, scheduled_at, progress)
    if first is None:
        return []
    return await _confirmed(shell, target, golden, first, progress)


async def _confirmed(
    shell: Shell, target: Target, golden: Golden, first: Finished, progress: Progress | None
) -> list[Finished]:
    """A finished run, and the replays that one bad run asks for."""
    runs = [first]
    while (
        target.confirm
        and to_confirm(runs[-1].judgement)
        and len(runs) <= CONFIRMATIONS
        and not (shell.stop and shell.stop.is_set())
    ):
        again = await _replayed(shell, target, golden, RunKind.CONFIRM, None, progress)
        if again is None:
            break
        runs.append(again)
    return runs


def to_confirm(judgement: Judgement) -> bool:
    """Whether one bad run must be replayed at once.

    What regressed already need not be; but an alert of something else (slower, longer) that stands does not make
    wrong answers wait for the next run.
    """
    if not judgement.suspect or judgement.verdict is not Verdict.REGRESSED:
        return judgement.suspect
    about = {v: {f.check for f in judgement.findings if f.verdict is v} for v in Verdict}
    return bool(about[Verdict.SUSPECT] & OF_ANSWERS) and not about[Verdict.REGRESSED] & OF_ANSWERS


async def resume(shell: Shell, *, only: Collection[str] | None = None) -> list[Finished]:
    """Take up, or close as inconclusive, the runs that a dead process left behind (of the targets ``only``)."""
    done: list[Finished] = []
    for orphan in await asyncio.to_thread(shell.store.orphans, shell.clock()):
        now = shell.clock()
        if only is not None and orphan.target not in only:
            continue
        if not await asyncio.to_thread(shell.store.adopt_run, orphan.id, shell.owner, now, LEASE_S):
            continue
        target = next((t for t in shell.config.targets if t.name == orphan.target), None)
        golden = None if target is None else await asyncio.to_thread(_same_golden, target, orphan)
        if target is None or golden is None or now - orphan.started_at > target.deadline_s:
            await asyncio.to_thread(
                _close, shell, orphan, "interrupted, and too late or too changed to go on"
            )
            continue
        finished = await _carry_out(shell, target, golden, orphan.id, None)
        if finished is not None:
            done += await _confirmed(shell, target, golden, finished, None)
    return done


def _same_golden(target: Target, orphan: RunRecord) -> Golden | None:
    from service.errors import UserError  # noqa: PLC0415  # on this path only

    try:
        golden = check_lock(Path(target.golden))
    except UserError:
        return None
    same = segment_key(target, golden.digest, orphan.baseline_id) == orphan.segment
    return golden if same else None


def _close(shell: Shell, run: RunRecord, reason: str) -> None:
    shell.store.finish_run(
        run.id,
        verdict=Verdict.INCONCLUSIVE,
        reason=reason,
        measured=False,
        requests=Requests(),
        input_tokens=None,
        output_tokens=None,
        cost_usd=None,
        served=None,
        summaries=(),
        findings=(),
        vectors=(),
        answered=None,
        latency_s=None,
        now=shell.clock(),
        owner=shell.owner,
    )


async def _replayed(
    shell: Shell,
    target: Target,
    golden: Golden,
    kind: RunKind,
    scheduled_at: float | None,
    progress: Progress | None,
) -> Finished | None:
    if any(getattr(scorer, "asks", False) for scorer in target.scorers):
        from service.rescoring import rescore_if_judges_changed  # noqa: PLC0415  # only where one asks

        await rescore_if_judges_changed(shell, target, golden)
    run_id = await asyncio.to_thread(_claim, shell, target, golden, kind, scheduled_at)
    if run_id is None:
        return None
    return await _carry_out(shell, target, golden, run_id, progress)


def _claim(
    shell: Shell, target: Target, golden: Golden, kind: RunKind, scheduled_at: float | None
) -> int | None:
    store = shell.store
    store.put_golden(golden)
    baseline = baseline_for(shell, target, golden)
    return store.claim_run(
        NewRun(
            target=target.name,
            kind=kind,
            scheduled_at=scheduled_at,
            golden_digest=golden.digest,
            segment=segment_key(target, golden.digest, baseline.id),
            baseline_id=baseline.id,
            share=target.share,
            period_h=shell.config.period_h,
            repeats=target.repeats,
        ),
        owner=shell.owner,
        now=shell.clock(),
        lease_s=LEASE_S,
    )


def baseline_for(shell: Shell, target: Target, golden: Golden) -> BaselineRecord:
    """The baseline in force; a new one where there is none, or where what is measured has changed.

    It stays in force for a new version of the golden set that shares at least half of its examples with the one before.

    A target with ``baseline: {from: FILE}`` begins with the file's runs, and again where what is measured changed;
    not after ``goldwatch baseline accept``, which asks for runs of its own. A file that does not fit is told before
    anything is opened.

    Raises:
        BaselineFileError: the configured file cannot be used.
    """
    store = shell.store
    last = store.last_run(target.name)
    baseline = store.baseline(target.name)
    if baseline is not None:
        fresh = not baseline.runs and (last is None or last.id < baseline.from_run)
        if fresh and baseline.reason in (None, CHANGED) and target.baseline.from_file is not None:
            # a process died between opening and filling it
            return _brought_in(shell, target, golden, baseline)
        changed = (
            last is not None
            and last.baseline_id == baseline.id
            and last.segment != segment_key(target, golden.digest, baseline.id)
        )
        if not changed or (last is not None and _carried_on(store, target, golden, baseline, last)):
            return baseline
    reason = None if baseline is None else CHANGED
    if target.baseline.from_file is not None:
        from service.baseline_file import fitting  # noqa: PLC0415  # only where it is configured

        fitting(target, golden)
    opened = store.open_baseline(
        target.name,
        1 if last is None else last.id + 1,
        reason,
        shell.clock(),
        replaces=None if baseline is None else baseline.id,
    )
    return opened if target.baseline.from_file is None else _brought_in(shell, target, golden, opened)


def _carried_on(
    store: Store, target: Target, golden: Golden, baseline: BaselineRecord, last: RunRecord
) -> bool:
    """Whether only the golden set changed, and so little that the new version begins with the runs of the old one."""
    if segment_key(target, last.golden_digest, baseline.id) != last.segment:
        return False
    if 2 * store.shared_examples(golden.digest, last.golden_digest) < len(golden.examples):
        return False
    key = segment_key(target, golden.digest, baseline.id)
    store.carry(target.name, key, last.segment, golden.digest)
    return True


def _brought_in(shell: Shell, target: Target, golden: Golden, baseline: BaselineRecord) -> BaselineRecord:
    from service.baseline_file import bring_in  # noqa: PLC0415  # only where it is configured

    return bring_in(shell, target, golden, baseline)


async def _carry_out(
    shell: Shell, target: Target, golden: Golden, run_id: int, progress: Progress | None
) -> Finished | None:
    """Ask what is still to be asked and close the run; None if it was stopped, and is left for :func:`resume`."""
    from service.replay import SaveError, replay  # noqa: PLC0415  # heavy, and only runs need it

    store, endpoint = shell.store, target.endpoint
    anchors = await asyncio.to_thread(_anchors, target)
    plan = await asyncio.to_thread(plan_of, shell, target)
    already = await asyncio.to_thread(store.answered_keys, run_id)
    trouble: str | None = None
    result: ReplayResult | None = None
    try:
        async with _leased(shell, run_id):
            result = await (shell.ask or replay)(
                golden.examples,
                endpoint,
                plan,
                save=lambda batch: store.save_responses(run_id, batch),
                already=already,
                progress=progress,
                stop=shell.stop,
            )
    except SaveError as error:
        trouble = f"the store failed: {error}"
    if result is not None and result.interrupted:
        await asyncio.to_thread(store.release_lease, run_id, shell.owner)
        return None
    served = result.served if result is not None else None
    async with _leased(shell, run_id):
        base = None
        if trouble is None and target.reference is not None:
            from service.base_answers import to_hold_against  # noqa: PLC0415  # only where one is configured

            base = await to_hold_against(shell, target, golden)
        judged = None
        if trouble is None and anchors is not None:
            from service.judging import ask_judges  # noqa: PLC0415  # only where a scorer asks a model of its own

            judged = await ask_judges(
                shell, target, golden, run_id, anchors, since=accepted_at(store, run_id)
            )
            if judged.interrupted:
                await asyncio.to_thread(store.release_lease, run_id, shell.owner)
                return None
        said = None
        if target.asks_border_prompts and trouble is None and result is not None and result.ok:
            from service.border import ask_border  # noqa: PLC0415  # only where they are asked

            said = await ask_border(shell, target, golden, run_id)
            if said is None:
                await asyncio.to_thread(store.release_lease, run_id, shell.owner)
                return None
        appraised = await asyncio.to_thread(
            appraise,
            store,
            target,
            golden,
            run_id,
            served=served,
            trouble=trouble,
            base=base,
            judged=judged,
            border=said,
        )
        diagnosis = None
        if appraised.judgement.verdict is Verdict.REGRESSED or appraised.judges_told:
            from service.causes import look  # noqa: PLC0415  # only a bad run asks

            diagnosis = await look(shell, target, golden, appraised)
    finished = await asyncio.to_thread(
        conclude,
        shell.store,
        shell.config,
        target,
        golden,
        appraised,
        diagnosis=diagnosis,
        owner=shell.owner,
        clock=shell.clock,
    )
    if target.reference is not None:
        from service.base_answers import refresh  # noqa: PLC0415  # as above

        await refresh(shell, target, golden, appraised)
    return finished


def _anchors(target: Target) -> Mapping[str, Anchors] | None:
    """The anchors of the scorers that ask a model of their own; None where none asks."""
    if not any(getattr(scorer, "asks", False) for scorer in target.scorers):
        return None
    from service.judging import anchors_of  # noqa: PLC0415  # as in the run

    return anchors_of(target)


def accepted_at(store: Store, run_id: int) -> float:
    """When the run's baseline was begun, seconds since 1970."""
    run = store.run(run_id)
    baselines = () if run is None else store.baselines(run.target)
    return next((b.created_at for b in baselines if run is not None and b.id == run.baseline_id), 0.0)


@contextlib.asynccontextmanager
async def _leased(shell: Shell, run_id: int) -> AsyncIterator[None]:
    """Keep the run's lease while the block lasts."""
    keeper = asyncio.create_task(_keep_lease(shell, run_id))
    try:
        yield
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper


async def _keep_lease(shell: Shell, run_id: int) -> None:
    from service.store import StoreError  # noqa: PLC0415  # loaded already by whoever opened the store

    while True:
        await asyncio.sleep(LEASE_S / 3.0)
        with contextlib.suppress(StoreError):  # a moment's lock: there are two more tries within the lease
            await asyncio.to_thread(shell.store.renew_lease, run_id, shell.owner, shell.clock(), LEASE_S)


def plan_of(shell: Shell, target: Target) -> ReplayPlan:
    """How the target is replayed now, within what is left of the day's limits."""
    from service.replay import ReplayPlan  # noqa: PLC0415  # heavy, and only runs need it

    now, limits, price = shell.clock(), target.limits, target.endpoint.price
    tokens_left: int | None = None
    usd_left: float | None = None
    if limits.tokens_per_day is not None or limits.usd_per_day is not None:
        tokens, usd = shell.store.usage_since(
            target.name,
            now - now % DAY_S,
            input_usd_per_mtok=price.input_per_mtok if price else 0.0,
            output_usd_per_mtok=price.output_per_mtok if price else 0.0,
        )
        if limits.tokens_per_day is not None:
            tokens_left = max(limits.tokens_per_day - tokens, 0)
        if limits.usd_per_day is not None:
            usd_left = max(limits.usd_per_day - usd, 0.0)
    return ReplayPlan(
        repeats=target.repeats,
        concurrency=target.concurrency,
        timeout_s=target.timeout_s,
        deadline_s=target.deadline_s,
        retries=target.retries,
        requests_per_second=limits.requests_per_second,
        drain_s=DRAIN_S,
        tokens_left=tokens_left,
        usd_left=usd_left,
    )
