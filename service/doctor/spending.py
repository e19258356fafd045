"""What will a month cost, and what will it find? Told before the first request is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.cost import cost_of, over_limits
from service.doctor import Diagnosis, Level, Part
from service.text import safe

if TYPE_CHECKING:
    from checks.detectability import Card
    from service.config import Target
    from service.cost import Cost
    from service.records import Golden, RunRecord

_WEAK = 0.05


def look_at_cost(target: Target, golden: Golden, last: RunRecord | None, now: float) -> Diagnosis:
    """Requests, tokens and money; a warning where they exceed the limits, or where nothing will ever run."""
    cost = cost_of(target, golden.examples, last, now)
    source = f"as run {cost.from_run} counted" if cost.from_run is not None else "estimated"
    money = "unknown without a price" if cost.usd_per_month is None else f"${cost.usd_per_month:,.2f} a month"
    message = (
        f"{money}: {cost.requests_per_month:,.0f} requests and {cost.tokens_per_month:,.0f} tokens a month "
        f"({cost.requests_per_day:,.0f} requests a day; tokens {source}; confirmations and retries on top)"
        f"{_others(cost)}"
    )
    facts = {
        "requests_per_day": cost.requests_per_day,
        "requests_per_month": cost.requests_per_month,
        "tokens_per_day": cost.tokens_per_day,
        "tokens_per_month": cost.tokens_per_month,
        "usd_per_day": cost.usd_per_day,
        "usd_per_month": cost.usd_per_month,
        "from_run": cost.from_run,
        "judge_requests_per_run": cost.judge_requests_per_run,
        "unpriced": list(cost.unpriced),
    }
    if over := over_limits(target, cost):
        remedy = "raise limits, replay less often (schedule), or use fewer examples or repeats"
        return Diagnosis(
            Part.COST, target.name, Level.WARNING, f"{'; '.join(over)}. {message}", remedy, facts
        )
    if cost.runs_per_day == 0:
        why = f"the schedule {target.schedule.cron!r} does not come within a year"
        return Diagnosis(Part.COST, target.name, Level.WARNING, why, "correct schedule.cron", facts)
    return Diagnosis(Part.COST, target.name, Level.OK, message, facts=facts)


def _others(cost: Cost) -> str:
    """Whom else it is that is asked, and of whom no price is known."""
    beside = 0.0 if cost.beside is None else cost.beside.requests
    parts = [
        f"judges and their anchors at most {cost.judge_requests_per_run:,} requests a run"
        if cost.judge_requests_per_run
        else None,
        f"base model and challengers {beside:,.0f} a day" if beside else None,
    ]
    said = ", ".join(part for part in parts if part)
    unknown = (
        f"without {', '.join(safe(name, 40) for name in cost.unpriced)}: no price" if cost.unpriced else None
    )
    return "".join(f"; {part}" for part in (said and f"in it {said}", unknown) if part)


def look_at_detectability(
    target: Target, golden: Golden, card: Card | None, last: RunRecord | None, now: float
) -> Diagnosis:
    """The smallest drop that is found, and what more would buy; a warning where a week finds no drop of five points."""
    from service.detectability import card_object, sentences  # noqa: PLC0415

    if card is None:
        why = "nothing: the schedule never comes"
        return Diagnosis(Part.DETECTS, target.name, Level.WARNING, why, "correct schedule.cron")
    cost = cost_of(target, golden.examples, last, now)
    lines = list(sentences(card, cost))
    name = f"{card.scorer}: " if len(target.scorers) > 1 else ""
    week = next(d.fade for d in card.drops if d.within == "week")
    blind = week is None or week > _WEAK
    return Diagnosis(
        Part.DETECTS,
        target.name,
        Level.WARNING if blind else Level.OK,
        name + "\n".join(lines),
        "add examples, ask each more than once (repeats), or replay more often" if blind else None,
        card_object(card, cost),
    )
