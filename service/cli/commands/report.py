"""``goldwatch report``: does the fine-tune still pay?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import CONFIG, ConfigFile, TargetName


class Format(StrEnum):
    """What the page is written as."""

    MD = "md"
    HTML = "html"


def command(
    target: TargetName,
    as_format: Annotated[Format, typer.Option("--format", help="Markdown, or HTML to print.")] = Format.MD,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write; default: to stdout."),
    ] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask the challengers first, due or not, beside the last run.")
    ] = False,
    config: ConfigFile = CONFIG,
) -> None:
    """Write the one page that says whether a fine-tune still pays.

    Beside each challenger: quality with an interval, latency, and cost by 1,000 requests and by the month. The daemon
    asks the challengers as `worth.every` says; a verdict needs two comparisons.

    \b
    Examples:
      goldwatch report ticket-router
      goldwatch report ticket-router --format html -o report.html
    """  # noqa: D301  # Typer reads the \b
    import asyncio
    import time

    from service.before_after import read_before_after
    from service.challengers import ask_due, beside
    from service.cli.opened import opened_store, read_config
    from service.errors import UserError
    from service.golden import check_lock
    from service.pipeline import Shell
    from service.records import RunState
    from service.retirement import listed_at, retirement
    from service.worth_report import Page, html, markdown

    loaded = read_config(config)
    chosen = loaded.target(target)
    golden = check_lock(Path(chosen.golden))
    kept, scorer = chosen.worth.before_after, chosen.worth.scorer or chosen.scorers[0].scorer_name
    with opened_store(loaded) as store:
        if ask:
            asyncio.run(ask_due(Shell(store, loaded), chosen, now=True))
        last = store.last_run(chosen.name, state=RunState.DONE)
        measured = store.last_measured(chosen.name)
        page = Page(
            target=chosen.name,
            now=time.time(),
            besides=beside(store, chosen, golden),
            last=last,
            retires=retirement(chosen.retires_on, listed_at(last, measured)),
            every_s=chosen.worth.every_s,
            before_after=None if kept is None else read_before_after(kept, scorer, golden.digest),
        )
    text = html(page) if as_format is Format.HTML else markdown(page)
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror}", "choose another file") from None
