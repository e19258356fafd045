"""How does everything stand? A line or two for each target, the worst first, and where to look next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.text import Text

from service.alerting import Alert, AlertKind
from service.cli.render.console import show
from service.cli.render.run import STYLES
from service.text import safe
from service.wording import ago, clock

if TYPE_CHECKING:
    from service.web.views import TargetView

_CALM = frozenset({"ok", "learning", "improved"})


def show_status(
    rows: Sequence[Mapping[str, Any]],
    tally: Sequence[tuple[str, str, int]],
    troubles: Sequence[Alert],
    now: float,
    screen: Console,
) -> None:
    """Draw the fleet.

    Args:
        rows: as ``service.web.shown.fleet_row`` makes them, the worst first.
        tally: how many stand how, as ``service.web.shown.tally``.
        troubles: firing alerts about the watch itself.
        now: seconds since 1970.
        screen: where.
    """
    counted = "  ".join(f"{many} {word}" for word, _, many in tally)
    lines = [
        Text(f"{len(rows)} target{'' if len(rows) == 1 else 's'}", style="bold").append(
            f"  {counted}", "not bold"
        )
    ]
    for alert in troubles:
        reason = alert.findings[0].reason if alert.findings else alert.topic
        lines.append(
            Text(
                f"the watch itself, {safe(alert.target, 64)}: {safe(reason or '', 300)}",
                STYLES["inconclusive"],
            )
        )
    lines.append(Text())
    width = max((len(row["view"].facts.name) for row in rows), default=0)
    for row in rows:
        lines += [_hanging(line, screen.width) for line in _target(row, min(width, 32), now)]
    bad = next(
        (row["view"].facts.name for row in rows if row["state"][1] not in _CALM and row["view"].last_run),
        None,
    )
    if bad is not None:
        lines += [Text(), Text(f"next  goldwatch explain {bad}", style="dim")]
    show(Group(*lines), screen)


def _target(row: Mapping[str, Any], width: int, now: float) -> list[Text]:
    view: TargetView = row["view"]
    word, look = row["state"]
    measured = (
        "never measured"
        if row["measured_at"] is None
        else f"{'last ' if row['dated'] else ''}measured {ago(now - row['measured_at'])} ago"
    )
    head = Text(f"{view.facts.name:<{width}}  ", style="bold").append(f"{word:<12}", STYLES.get(look, ""))
    head.append(f"  {safe(row['says'], 200)}", "not bold").append(f"  ({measured})", "dim not bold")
    more = [] if row["why"] is None else [_cause(*row["why"])]
    if view.facts.trouble is not None:
        more.append(Text(f"  {safe(view.facts.trouble, 300)}", STYLES["inconclusive"]))
    more += [Text(f"  {_alert(alert, row['silenced'], now)}", "dim") for alert in row["firing"]]
    return [head, *more]


def _hanging(line: Text, width: int) -> Text:
    """What does not fit goes on under the target's name, indented as what belongs to it."""
    first, *rest = line.wrap(Console(width=width), width) or [line]
    if not rest:
        return line
    below = line[len(first.plain) :]
    below = below[len(below.plain) - len(below.plain.lstrip()) :]
    more = below.wrap(Console(width=width), max(width - 4, 1))
    return Text("\n").join([first, *(Text("    ").append_text(part) for part in more)])


def _cause(title: str, sure: bool) -> Text:
    return Text(f"  {'probably' if sure else 'possibly'}: {title}", style="" if sure else "dim")


def _alert(alert: Alert, silenced: float | None, now: float) -> str:
    if alert.kind is AlertKind.NOTICE:
        reason = alert.findings[0].reason if alert.findings else None
        return f"notice: {safe(reason or alert.topic, 300)}"
    said = [f"{alert.kind} alert, {alert.severity}, firing for {ago(now - alert.opened_at)}"]
    if alert.flapping:
        said.append("flapping: ends after a calm while")
    if alert.acknowledgement is not None:
        said.append(f"{safe(alert.acknowledgement.by, 60)} sees to it")
    if silenced is not None:
        said.append(f"silenced until {clock(silenced)}")
    return "; ".join(said)
