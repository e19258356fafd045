"""``goldwatch explain``: why was this run judged so?"""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.options import CONFIG, AsJson, ConfigFile


def command(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A target's name.")],
    run: Annotated[
        int | None, typer.Option("--run", min=1, metavar="N", help="A run; default: the last.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="Broken examples to list.")] = 200,
    as_json: AsJson = False,
    config: ConfigFile = CONFIG,
) -> None:
    """Say why a run was judged as it was.

    Shows every finding with its figures, and the examples that broke with their answers before and now.

    \b
    Examples:
      goldwatch explain ticket-router
      goldwatch explain ticket-router --run 1413
    """  # noqa: D301  # Typer reads the \b
    import json

    from service.cli.opened import opened_store, read_config
    from service.errors import UserError
    from service.records import RunState
    from service.report import run_object

    loaded = read_config(config)
    chosen = loaded.target(target)
    with opened_store(loaded) as store:
        record = store.run(run) if run is not None else store.last_run(chosen.name, state=RunState.DONE)
        if record is None and run is None:
            raise UserError(f"{chosen.name} has no finished run yet", f"run: goldwatch run {chosen.name}")
        if record is None or record.target != chosen.name:
            raise UserError(f"{chosen.name} has no run {run}", f"list them: goldwatch history {chosen.name}")
        if record.state is not RunState.DONE:
            raise UserError(f"run {record.id} is still under way", "explain it when it is finished")
        if as_json:
            print(json.dumps(run_object(record), ensure_ascii=False, allow_nan=False))
            return
        from service.cli.details import details_of
        from service.cli.render.console import show
        from service.cli.render.explain import render_explanation

        details = details_of(store, record, baseline_needed=chosen.baseline.runs, limit=limit)
        show(render_explanation(run_object(record), details, limit=limit))
