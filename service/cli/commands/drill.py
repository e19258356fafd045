"""``goldwatch drill``: how long would this fault stay unnoticed?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.options import CONFIG, AsJson, ConfigFile

if TYPE_CHECKING:
    from service.drill.rehearse import Rehearsal


def command(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A target with a pinned baseline.")],
    fault: Annotated[
        str,
        typer.Option("--fault", metavar="F", help="mix, labels, truncate, latency, format, stale or outage."),
    ],
    ratio: Annotated[
        float, typer.Option("--ratio", metavar="X", help="The share of requests that it hits, in (0, 1].")
    ] = 1.0,
    delay: Annotated[
        str, typer.Option("--delay", metavar="DURATION", help="With latency: how much longer answers take.")
    ] = "1s",
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="With stale: an older model's answers.")
    ] = None,
    most: Annotated[
        int,
        typer.Option(
            "--most", min=1, max=1000, metavar="N", help="Scheduled replays with the fault at most."
        ),
    ] = 24,
    healthy: Annotated[
        int, typer.Option("--healthy", min=0, max=100, metavar="N", help="Healthy replays before it.")
    ] = 2,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the dice that pick requests.")] = 0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before requests are made.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = CONFIG,
) -> int:
    """Break a shadow copy of a target on purpose and time the detection.

    The shadow begins with the real baseline in a store of its own, and nobody is notified. Its replays are real, back
    to back, while its clock follows the schedule. Leaves with 0 if the fault was found by when the detectability card
    promises it, 1 if later, not at all, or an alert came before the fault, 3 if nothing could be measured, or the
    fault is too small for what was promised in that time.

    \b
    Examples:
      goldwatch drill ticket-router --fault mix --ratio 0.2
      goldwatch drill ticket-router --fault outage --yes --json
    """  # noqa: D301  # Typer reads the \b
    import asyncio
    import json
    import time

    from service.base_answers import SAMPLE
    from service.cli.opened import opened_store, read_config
    from service.config.durations import parse_duration
    from service.cost import cost_of
    from service.detectability import cards_for
    from service.drill.faults import MEANS, Fault, FaultKind, check
    from service.drill.rehearse import Plan, check_limits, rehearsal_object, rehearse
    from service.errors import UserError
    from service.golden import check_lock
    from service.pipeline import CONFIRMATIONS
    from service.responses_file import read_responses
    from service.text import safe

    if fault not in list(FaultKind):
        listed = "\n  ".join(f"{kind}: {MEANS[kind]}" for kind in FaultKind)
        raise UserError(f"--fault: {safe(fault, 40)!r} is no fault", f"write one of\n  {listed}")
    if not 0.0 < ratio <= 1.0:
        raise UserError(f"--ratio: {ratio} does not lie in (0, 1]")
    try:
        delay_s = parse_duration(delay)
    except ValueError as error:
        raise UserError(f"--delay: {error}") from None
    loaded = read_config(config)
    chosen, now = loaded.target(target), time.time()
    golden = check_lock(chosen.golden)
    old = None
    if answers is not None:
        old = {r.example_id: r for r in read_responses(answers, golden.examples).responses}
    plan = Plan(Fault(FaultKind(fault), ratio, delay_s, old), healthy, most, seed)
    check(plan.fault, chosen)
    with opened_store(loaded) as store:
        cost = cost_of(chosen, golden.examples, store.last_measured(chosen.name), now)
        replays = (healthy + most) * (1 + CONFIRMATIONS if chosen.confirm else 1)
        check_limits(store, chosen, cost, replays, now)
        usd = "" if cost.usd_per_run is None else f", ${cost.usd_per_run * replays:,.2f}"
        own = cost.requests_per_run - cost.judge_requests_per_run
        most_asked = own * replays + 2 * min(SAMPLE, len(golden.examples))
        judges = (
            f", {cost.judge_requests_per_run * replays:,} to judges" if cost.judge_requests_per_run else ""
        )
        asked = f"at most {most_asked:,} requests{usd} to {safe(chosen.endpoint.url, 100)}{judges}"
        if not yes:
            _ask(asked)
        cards = cards_for(loaded, chosen, golden, store=store, now=now)
        told = asyncio.run(rehearse(store, loaded, chosen, plan, now=now, cards=cards))
    if as_json:
        print(json.dumps(rehearsal_object(told, chosen.name), ensure_ascii=False, allow_nan=False))
    else:
        _say(told, chosen.name, MEANS[told.fault], ratio)
    if told.false_alarm:
        return 1
    if not told.measured:
        return 3
    return {True: 0, False: 1, None: 3}[told.in_time]


def _ask(asked: str) -> None:
    import sys

    from service.errors import UserError

    if not sys.stdin.isatty():
        raise UserError(f"the drill makes {asked}", "say that this is meant: --yes")
    if not typer.confirm(f"The drill makes {asked}. Go on?"):
        raise UserError("nothing was asked")


def _say(told: Rehearsal, name: str, means: str, ratio: float) -> None:
    from service import wording

    print(f"{name}: {means}, in {ratio:.0%} of the requests ({told.hit:,} of {told.requests:,} were hit)")
    if told.false_alarm:
        print("FALSE ALARM  an alert fired before the fault: look at the healthy replays")
    elif told.alert is None:
        print(f"NOT FOUND  in {told.runs} replays")
    else:
        by = f", by {', '.join(told.found_by)}" if told.found_by else ""
        print(f"FOUND  {told.alert}, after {told.runs} replays{by}")
    hours = None if told.hours is None else wording.ago(told.hours * 3600)
    promised = None if told.promised_h is None else wording.ago(told.promised_h * 3600)
    if hours is not None:
        print(f"  delay     {hours} at the schedule, counted from the last healthy tick")
    print(f"  promised  {'nothing for this' if promised is None else f'within {promised}'}")
    if told.drop is not None:
        print(f"  lost      {100 * told.drop:.1f} points of the mean score")
    print(f"  verdicts  {' '.join(told.verdicts)}")
