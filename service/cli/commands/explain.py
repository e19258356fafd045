"""``goldwatch explain``: why was this run judged so?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.options import CONFIG, AsJson, ConfigFile, TargetName

if TYPE_CHECKING:
    from service.explanation import Told


def command(
    target: TargetName,
    run: Annotated[
        int | None, typer.Option("--run", min=1, metavar="N", help="A run; default: the last.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="Broken examples to list.")] = 200,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Also write the plots as one SVG file.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = CONFIG,
) -> None:
    """Say why a run was judged as it was.

    Shows every finding with its figures, and the examples that broke with their answers before and now; then how it
    came about: scores against the baseline, evidence stream by stream, what each of the last runs added, since when,
    and which examples moved it. History is judged once more by the same code, so that it cannot differ.

    \b
    Examples:
      goldwatch explain ticket-router
      goldwatch explain ticket-router --run 1413 --svg 1413.svg
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
        from service.explanation import explanation_object, explanation_of

        told = explanation_of(store, chosen, record)
        if svg is not None:
            _write(svg, told, chosen.name)
        if as_json:
            print(
                json.dumps(
                    {**run_object(record), "explanation": told and explanation_object(told)},
                    ensure_ascii=False,
                    allow_nan=False,
                )
            )
            return
        from service.cli.details import details_of
        from service.cli.render.console import show
        from service.cli.render.explain import render_explanation

        details = details_of(store, record, baseline_needed=chosen.baseline.runs, limit=limit)
        show(render_explanation(run_object(record), details, limit=limit))
        if told is not None:
            from service.cli.render.streams import Streams

            show("")
            show(Streams(told))


def _write(path: Path, told: Told | None, target: str) -> None:
    """The SVG.

    Raises:
        UserError: there is nothing to draw, or the file cannot be written.
    """
    from service.errors import UserError
    from service.explain_svg import drawing

    if told is None:
        raise UserError("nothing can be drawn: the run's golden set is not kept", "leave --svg out")
    try:
        path.write_text(drawing(told, target), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}", "choose another file") from None
