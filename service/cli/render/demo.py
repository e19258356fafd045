"""How is the demo's story told on a terminal? One line per replay, then the alert, then where to look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from checks.types import ALL, Verdict
from service.cli.render.run import STYLES
from service.cli.render.words import clock, percent
from service.doctor import Level
from service.text import safe

if TYPE_CHECKING:
    from service.demo.story import Alerted, Dropped, Ended, Examined, Opened, Replayed

_HEAD = 9
"""Columns of the word that a line begins with."""


def opening(event: Opened) -> Iterator[RenderableType]:
    """What runs where, and the configuration that makes it so."""
    yield Text(f"{event.about}, answers at {event.endpoint_url}")
    yield Text(f"goldwatch asks it {event.examples} frozen examples per replay, with this goldwatch.yaml:\n")
    for line in event.config.splitlines():
        yield Text(f"  {line}", style="dim", no_wrap=True, overflow="ellipsis")
    yield Text()


def examined(event: Examined) -> Iterator[RenderableType]:
    """What doctor says of the fine-tune."""
    style = {Level.OK: "green", Level.WARNING: "bold yellow", Level.FAILED: "bold red"}[event.diagnosis.level]
    yield _line("doctor", Text(event.diagnosis.message, style=style))
    if event.diagnosis.remedy is not None:
        yield _line("", Text(event.diagnosis.remedy, style="dim"))


def before_the_first(pages_url: str) -> Iterator[RenderableType]:
    """How to read the lines that follow."""
    yield _line("pages", Text(pages_url))
    yield Text("Each replay stands for an hour.", style="bold")


def replayed(event: Replayed) -> RenderableType:
    """One replay: which hour, the score, the verdict."""
    run = event.run
    mean = next((s.mean for s in run.summaries if s.slice == ALL), None)
    scorer = next((s.scorer for s in run.summaries), "score")
    text = Text(f"{clock(run.started_at, near=run.started_at):<11}{safe(scorer, 20)} {percent(mean):<8}")
    text.append(f"{run.verdict or 'unknown':<13}", style=STYLES.get(str(run.verdict), ""))
    if event.confirms:
        text.append("replayed at once, to be sure", style="dim")
    elif run.reason and run.verdict is not Verdict.OK:
        reason = run.reason.removeprefix(f"{scorer}: ").removeprefix("learning: ")
        text.append(safe(reason, 100), style="dim")
    return _line(f"hour {event.hour:>2}", text)


def dropped(event: Dropped) -> Iterator[RenderableType]:
    """What was done to the model."""
    yield Text()
    yield _line("dropped", Text(event.how, style="bold"))


def alerted(event: Alerted) -> Iterator[RenderableType]:
    """What arrived at the webhook."""
    alert = event.delivery.body["alert"]
    yield _line(
        "webhook", Text(f"{event.delivery.body['event']}, signature valid: {safe(alert['title'], 160)}")
    )


def ended(event: Ended, pages_url: str, target: str, healthy: int) -> Iterator[RenderableType]:
    """Where to look, and whether all went as it should."""
    if event.metric is not None:
        yield _line("metrics", Text(f"{pages_url}/metrics  {event.metric}"))
    yield _line("pages", Text(f"{pages_url}/targets/{target}"))
    yield Text()
    if not event.missing:
        yield Text(
            f"{healthy} healthy replays were quiet; the dropped fine-tune raised its alert.",
            style="bold green",
        )
    for missing in event.missing:
        yield Text(f"MISSING  {safe(missing, 300)}", style="bold red")


def _line(head: str, text: Text) -> RenderableType:
    """A word, and beside it a text that keeps its own margin."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True, min_width=_HEAD - 1)
    grid.add_column(overflow="fold")
    grid.add_row(Text(head, style="dim"), text)
    return grid
