"""``goldwatch history``: how has this target been?"""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.options import CONFIG, AsJson, ConfigFile, TargetName


def command(
    target: TargetName,
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
    from service.cli.opened import opened_store, read_config

    loaded = read_config(config)
    name = loaded.target(target).name
    with opened_store(loaded) as store:
        if as_json:
            import json

            from service.report import run_object

            for record in reversed(store.runs(name, limit=limit)):
                print(json.dumps(run_object(record), ensure_ascii=False, allow_nan=False))
            return
        lines = store.run_lines(name, limit=limit)
    from service.cli.render.console import console
    from service.cli.render.history import show_history

    show_history(name, lines, console())
