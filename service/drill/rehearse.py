"""How long does a fault stay unnoticed? A shadow of the target is replayed back to back, in virtual time.

The shadow has a throw-away store that begins with the real baseline, the target's own share of the false-alarm budget,
and no notifier: neither the real store nor any receiver learns of it. Each replay is real, at the next tick of the
schedule as its clock tells; a few healthy ones come first, then the fault until an alert fires.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from checks.types import ALL, Verdict
from service.alerting import AlertKind, AlertState
from service.drill.faults import Fault, FaultKind, Faulty, check
from service.errors import UserError
from service.text import safe

if TYPE_CHECKING:
    from checks.detectability import Card, Drop
    from service.conclude import Finished
    from service.config import Config, Target
    from service.cost import Cost
    from service.endpoints import Endpoint
    from service.store import Store

HOUR_S = 3600.0
_TOLD = (AlertKind.REGRESSION, AlertKind.OUTAGE)


@dataclass(frozen=True, slots=True)
class Plan:
    """``healthy`` replays first, then at most ``most`` scheduled ones with the fault; ``seed`` of the dice."""

    fault: Fault
    healthy: int = 2
    most: int = 24
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it. Unknown is None.

    ``alert`` is the kind of the first alert after the fault, ``found_by`` the checks whose findings it holds, ``runs``
    how many replays with the fault it took, confirmations included, and ``hours`` the time since the last healthy tick,
    as a fault just after it would be noticed. ``false_alarm``: an alert fired before the fault. ``drop`` is the mean
    score lost while the fault was on (the greatest of the scorers). ``watched_h`` is how long the fault was on.
    ``promised_h``: by when the detectability card promises to find such a drop.
    """

    fault: FaultKind
    alert: str | None
    runs: int
    hours: float | None
    watched_h: float
    false_alarm: bool
    measured: bool
    drop: float | None
    promised_h: float | None
    verdicts: tuple[str, ...]
    requests: int
    hit: int
    found_by: tuple[str, ...] = ()

    @property
    def in_time(self) -> bool | None:
        """Whether it was found as promised; None where it was not found and the time promised is not over."""
        if self.alert is None:
            return None if self.promised_h is None or self.watched_h < self.promised_h else False
        return self.promised_h is None or (self.hours is not None and self.hours <= self.promised_h)


def shadow_of(
    config: Config, target: Target, baseline: Path, *, known_base: bool = False
) -> tuple[Config, Target]:
    """The configuration of the shadow: the same questions and statistics, nobody to tell, no limit per day.

    Border prompts are not asked: a search of the shadow's own would learn the model that it is to tell.
    The base model is held against where its answers are known (``known_base``), and is not asked anew.

    What a drill may use is held against the real limits before it begins (:func:`check_limits`), since a virtual day
    passes in seconds.
    """
    from service.config.target_parts import BaselineSource, Bursts, Limits  # noqa: PLC0415

    shadow = target.model_copy(
        update={
            "baseline": BaselineSource.model_construct(runs=target.baseline.runs, from_file=baseline),
            "reference": target.reference if known_base else None,
            "challengers": {},
            "identity": None,
            "notify": (),
            "bursts": Bursts(per_hour=0),
            "limits": Limits(requests_per_second=target.limits.requests_per_second),
        }
    )
    return config.model_copy(update={"targets": (shadow,), "notifiers": ()}), shadow


def check_limits(store: Store, target: Target, cost: Cost, replays: int, now: float) -> None:
    """Hold the most that a drill can use against what is left of today's limits.

    Raises:
        UserError: it does not fit.
    """
    limits, price = target.limits, target.endpoint.price
    if limits.tokens_per_day is None and limits.usd_per_day is None:
        return
    tokens, usd = store.usage_since(
        target.name,
        now - now % (24 * HOUR_S),
        input_usd_per_mtok=price.input_per_mtok if price else 0.0,
        output_usd_per_mtok=price.output_per_mtok if price else 0.0,
    )
    needed, money = cost.tokens_per_run * replays, (cost.usd_per_run or 0.0) * replays
    over = limits.tokens_per_day is not None and tokens + needed > limits.tokens_per_day
    if over or (limits.usd_per_day is not None and usd + money > limits.usd_per_day):
        raise UserError(
            f"{target.name}: the drill may use {needed:,} tokens (${money:,.2f}), more than today's limits leave",
            "take fewer replays: --most N, or drill tomorrow",
        )


async def rehearse(
    store: Store,
    config: Config,
    target: Target,
    plan: Plan,
    *,
    now: float,
    cards: Sequence[Card] = (),
    progress: Callable[[Finished], None] | None = None,
) -> Rehearsal:
    """Break the shadow of a target and wait for its alert.

    Args:
        store: the real one; it is read for the baseline only.
        config: whose false-alarm budget it is.
        target: as configured.
        plan: which fault, how long.
        now: seconds since 1970, where virtual time begins.
        cards: what was promised, one card per scorer.
        progress: told of each finished run.

    Raises:
        UserError: the target has no pinned baseline, or what the fault needs is not there.
    """
    from service.base_answers import known_answers  # noqa: PLC0415
    from service.baseline_file import export_lines  # noqa: PLC0415
    from service.golden import check_lock  # noqa: PLC0415
    from service.store import Store as OpenStore  # noqa: PLC0415

    check(plan.fault, target)
    lines = list(export_lines(store, target, texts=True))
    with tempfile.TemporaryDirectory(prefix="goldwatch-drill-") as folder:
        path = Path(folder) / "baseline.jsonl"
        path.write_text("\n".join(lines) + "\n", "utf-8")
        golden = check_lock(target.golden)
        base = known_answers(store, target, golden)
        mirrored, shadow = shadow_of(config, target, path, known_base=base is not None)
        with OpenStore.open(f"sqlite:///{folder}/shadow.db") as own:
            if base is not None:
                own.put_base_answers(replace(base, asked_at=now))
            return await _watched(own, mirrored, shadow, target, plan, now, cards, progress)


async def _watched(
    store: Store,
    config: Config,
    shadow: Target,
    target: Target,
    plan: Plan,
    now: float,
    cards: Sequence[Card],
    progress: Callable[[Finished], None] | None,
) -> Rehearsal:
    from service.pipeline import Shell, run_target  # noqa: PLC0415
    from service.replay import replay  # noqa: PLC0415
    from service.schedule import next_tick  # noqa: PLC0415

    proxy = Faulty(shadow.endpoint, plan.fault, target, plan.seed)
    at, broken, early = now, False, False

    async def ask(examples: Any, endpoint: Any, how: Any, **more: Any) -> Any:
        through = cast("Endpoint", proxy) if broken and endpoint is shadow.endpoint else endpoint
        return await replay(examples, through, how, **more)

    shell = Shell(store, config, clock=lambda: at, ask=ask)
    seen: list[_Seen] = []
    last_healthy_at, alert = now, None
    found_by: tuple[str, ...] = ()
    for number in range(plan.healthy + plan.most):
        tick = next_tick(shadow.schedule, at)
        if tick is None:
            raise UserError(f"the schedule of {shadow.name} never comes again")
        at, broken = tick, number >= plan.healthy
        for finished in await run_target(shell, shadow):
            asked = finished.run.requests.ok + finished.run.requests.failed
            seen.append(_Seen(finished.run.verdict, broken, asked, _drop(finished)))
            if progress is not None:
                progress(finished)
        if proxy.trouble is not None:
            raise UserError(
                f"the base model of {target.name} could not answer: {safe(proxy.trouble, 200)}",
                "see reference: in the configuration, and: goldwatch doctor",
            )
        found = [a for a in store.alerts(shadow.name, AlertState.FIRING) if a.kind in _TOLD]
        if found:
            early, alert = not broken, str(found[-1].kind) if broken else None
            found_by = tuple(sorted({f.check for f in found[-1].findings})) if broken else ()
            break
        if not broken:
            last_healthy_at = at
    watched_h = (at - last_healthy_at) / HOUR_S if broken else 0.0
    during = [one for one in seen if one.broken]
    lost = [one.drop for one in during if one.drop is not None]
    drop = sum(lost) / len(lost) if lost else None
    return Rehearsal(
        fault=plan.fault.kind,
        alert=alert,
        runs=len(during),
        hours=watched_h if alert is not None else None,
        watched_h=watched_h,
        false_alarm=early,
        measured=plan.fault.kind is FaultKind.OUTAGE
        or any(v.verdict != Verdict.INCONCLUSIVE for v in during),
        drop=drop,
        promised_h=_promise(plan.fault, cards, drop, config.alerting.outage_after),
        verdicts=tuple(str(one.verdict) for one in seen),
        requests=sum(one.requests for one in seen),
        hit=proxy.hit,
        found_by=found_by,
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """One finished run: its verdict, whether the fault was on, requests, and the mean score lost."""

    verdict: Verdict | None
    broken: bool
    requests: int
    drop: float | None


def _promise(fault: Fault, cards: Sequence[Card], drop: float | None, outage_after: int) -> float | None:
    if fault.kind is FaultKind.OUTAGE and fault.ratio == 1.0:
        return outage_after * max((card.interval_h for card in cards), default=0.0) or None
    return None if fault.kind is FaultKind.LATENCY else promised_h(cards, drop)


def promised_h(cards: Sequence[Card], drop: float | None) -> float | None:
    """By when the card promises to find a drop of the mean score; the soonest of the scorers, None for no promise.

    A common weakening (``fade``) is what it promises; right answers lost at random (``loss``) are found sooner.
    """
    if drop is None or drop <= 0.0:
        return None
    held: list[Drop] = [d for card in cards for d in card.drops]
    return min((d.hours for d in held if d.fade is not None and d.fade <= drop), default=None)


def _drop(finished: Finished) -> float | None:
    lost = [
        f.baseline - f.current
        for f in finished.judgement.findings
        if f.check == "quality" and f.slice == ALL and f.baseline is not None and f.current is not None
    ]
    return max(lost) if lost else None


def rehearsal_object(told: Rehearsal, target: str) -> dict[str, Any]:
    """What ``drill --json`` prints; unknown is null."""
    return {
        "target": target,
        "fault": str(told.fault),
        "found": told.alert is not None,
        "alert": told.alert,
        "found_by": list(told.found_by),
        "runs": told.runs,
        "hours": told.hours,
        "watched_hours": told.watched_h,
        "promised_hours": told.promised_h,
        "in_time": told.in_time,
        "drop": told.drop,
        "false_alarm": told.false_alarm,
        "measured": told.measured,
        "verdicts": list(told.verdicts),
        "requests": told.requests,
        "requests_hit": told.hit,
    }
