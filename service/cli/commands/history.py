"""``goldwatch history``: how has this target been?"""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.options import CONFIG, AsJson, ConfigFile


def command(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A target's name.")],
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="Only the newest N runs.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = CONFIG,
) -> None:
    """List every run of a target, oldest first.

    \b
    Examples:
      goldwatch history ticket-router --limit 24
      goldwatch history ticket-router --json | jq .verdict
    """  # noqa: D301  # Typer reads the \b
    import json

    from service.cli.opened import opened_store, read_config
    from service.report import run_object

    loaded = read_config(config)
    name = loaded.target(target).name
    with opened_store(loaded) as store:
        records = store.runs(name, limit=limit)
        runs = sorted((run_object(record) for record in records), key=lambda run: int(run["run"]))
    if as_json:
        for run in runs:
            print(json.dumps(run, ensure_ascii=False, allow_nan=False))
        return
    from service.cli.render.console import console, show
    from service.cli.render.history import render_history

    screen = console()
    show(render_history(runs, width=screen.width), screen)
