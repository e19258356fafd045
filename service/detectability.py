"""What will this watch find, and at what cost? The detectability card of a target, for the command line and the pages.

:func:`cards_for` gathers what is known of a target: its golden set, its schedule and share of the false-alarm budget,
and the fold over its own runs where it has some. :func:`sentences` says a card to a person, :func:`card_object` to a
program. The figures are ``checks/detectability.py``'s, the cost is ``service/cost.py``'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from checks.detectability import Card, Drop, Plan, cards
from service.text import safe

if TYPE_CHECKING:
    from checks import judge
    from checks.types import Example, Subject
    from service.config import Config, Target
    from service.cost import Cost
    from service.records import Golden
    from service.store import Store

_NAMED = 3


def cards_for(
    config: Config, target: Target, golden: Golden, *, store: Store | None, now: float
) -> tuple[Card, ...]:
    """The cards of a target, one per scorer, from its own runs where the store has some that can be compared.

    Args:
        config: whose false-alarm budget it is.
        target: the target as configured.
        golden: its golden set as it would be replayed.
        store: None where it cannot be read; then all is assumed.
        now: seconds since 1970, from where a cron is followed.

    Raises:
        StoreError: the store failed.
    """
    from service.cost import DAY_S, runs_per_day  # noqa: PLC0415  # not needed by ``lint``

    a_day = runs_per_day(target.schedule, now)
    if a_day <= 0.0:
        return ()
    about, state = _known(target, golden, store)
    plan = Plan(
        interval_h=DAY_S / 3600.0 / a_day,
        repeats=target.repeats,
        share=target.share,
        period_h=config.period_h,
        confirm=target.confirm,
    )
    return cards(about, plan, state)


def card_of_set(examples: Sequence[Example], plan: Plan) -> Card:
    """The card of a golden set that nobody watches yet: one scorer, all assumed."""
    from checks.types import Subject  # noqa: PLC0415
    from service.scoring import slice_masks  # noqa: PLC0415

    return cards(Subject(len(examples), ("score",), slice_masks(examples)), plan)[0]


def _known(target: Target, golden: Golden, store: Store | None) -> tuple[Subject, judge.State | None]:
    from service import history  # noqa: PLC0415
    from service.segment import segment_key  # noqa: PLC0415

    if store is not None:
        from service.conclude import subject_of  # noqa: PLC0415

        baseline = store.baseline(target.name)
        if baseline is not None:
            about = subject_of(store, target, golden)
            segment = segment_key(target, golden.digest, baseline.id)
            return about, history.state_before(store, target.name, segment, about)
    return history.configured_subject(target, golden, baseline_runs=target.baseline.runs), None


def sentences(card: Card, cost: Cost | None = None) -> Iterator[str]:
    """The card in words for a person, one sentence each, the most telling first.

    Args:
        card: the figures.
        cost: what watching costs; None where that is not known, and then nothing is said of it.
    """
    yield _finds(card)
    if lost := _lost(card):
        yield lost
    yield from (said for option in card.options if (said := _buys(option.name, option.drops)))
    if cost is not None:
        yield _costs(cost)
    if card.slices:
        yield _slices(card)
    yield _basis(card)


def _finds(card: Card) -> str:
    known = [(d.fade, d.within) for d in card.drops if d.fade is not None]
    if not known:
        return "Finds nothing within a month: too few examples, or too few runs."
    said = ", ".join(f"{points_of(drop)} within a {within}" for drop, within in known)
    blind = [d.within for d in card.drops if d.fade is None]
    none = f"; nothing within a {blind[-1]}" if blind else ""
    return f"Finds a loss of {said}{none} ({card.power * 100:.0f} of 100 times)."


def _lost(card: Card) -> str | None:
    known = [(d.loss, d.within) for d in card.drops if d.loss is not None]
    if not known:
        return None
    said = ", ".join(f"{points_of(drop)} within a {within}" for drop, within in known)
    return f"Sooner where right answers are lost at random (a broken format, a bad adapter): {said}."


def _buys(name: str, drops: Sequence[Drop]) -> str | None:
    known = [f"{points_of(d.fade)} within a {d.within}" for d in drops if d.fade is not None]
    return f"{name.capitalize()}: {', '.join(known)}." if known else None


def _costs(cost: Cost) -> str:
    money = "" if cost.usd_per_month is None else f" = ${cost.usd_per_month:,.2f} a month"
    runs = f"{cost.runs_per_day:,.0f}" if cost.runs_per_day >= 1.0 else f"{cost.runs_per_day:.2g}"
    judges = f" ({cost.judge_requests_per_run:,} of them to judges)" if cost.judge_requests_per_run else ""
    return (
        f"Costs {runs} x {cost.requests_per_run:,} requests a day{judges}{money}; "
        "more examples cost in proportion."
    )


def _slices(card: Card) -> str:
    said = [
        f"{safe(s.name, 40)} (n={s.examples}) {points_of(s.week) if s.week is not None else 'nothing'}"
        for s in card.slices[:_NAMED]
    ]
    more = len(card.slices) - _NAMED + card.slices_left_out
    return f"A loss in one slice alone, within a week: {', '.join(said)}{f', and {more} more' if more > 0 else ''}."


def _basis(card: Card) -> str:
    history = f"after {card.history_runs} healthy runs"
    if not card.own_runs:
        return f"Assumed, {history}: {', '.join(card.assumed)}. Own runs will tell better."
    noise = f"noise {card.dispersion:.2g} x what chance gives"
    slow = (
        f", {card.slow_noise:.0%} of a lasting shift looks like slow noise" if card.slow_noise >= 0.05 else ""
    )
    assumed = f"; assumed: {', '.join(card.assumed)}" if card.assumed else ""
    return f"From {card.own_runs} own runs, {history}: {card.accuracy:.1%} right, {noise}{slow}{assumed}."


def points_of(drop: float | None) -> str:
    """A drop as points of the score, to two digits.

    >>> points_of(0.0143), points_of(0.01), points_of(0.116), points_of(None)
    ('1.4 points', '1 point', '12 points', 'unknown')
    """
    if drop is None:
        return "unknown"
    figure = f"{100 * drop:.2g}"
    figure = f"{100 * drop:.0f}" if drop >= 0.1 else figure.removesuffix(".0")
    return f"{figure} point{'' if figure == '1' else 's'}"


def card_object(card: Card, cost: Cost | None = None) -> dict[str, Any]:
    """The card as ``lint --json`` and ``doctor --json`` print it; drops on the score's own scale, unknown null."""
    made = asdict(card)
    made["sentences"] = list(sentences(card, cost))
    for name in ("assumed", "drops", "options", "slices"):
        made[name] = list(made[name])
    for option in made["options"]:
        option["drops"] = list(option["drops"])
    made["cost"] = None if cost is None else {
        "runs_per_day": cost.runs_per_day,
        "requests_per_day": cost.requests_per_day,
        "requests_per_month": cost.requests_per_month,
        "tokens_per_month": cost.tokens_per_month,
        "usd_per_month": cost.usd_per_month,
    }  # fmt: skip
    month = None if cost is None else cost.usd_per_month
    for option in made["options"]:
        option["usd_per_month"] = None if month is None else month * option["factor"]
    return made
