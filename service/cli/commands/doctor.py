"""``goldwatch doctor``: what stands in the way of a true measurement?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.options import CONFIG, AsJson, ConfigFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.config import Config
    from service.config.errors import ConfigError
    from service.doctor import Diagnosis


def command(
    targets: Annotated[list[str] | None, typer.Argument(metavar="TARGET", help="Default: all.")] = None,
    examples: Annotated[
        int,
        typer.Option(
            "--examples", min=8, max=100_000, metavar="N", help="Examples asked of target and base model."
        ),
    ] = 20,
    send_test: Annotated[
        bool, typer.Option("--send-test", help="Send every notifier a message that is marked as a test.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = CONFIG,
) -> int:
    """Check configuration, secrets, endpoints, store and notifiers before the first run.

    Tells the monthly cost before the first request is sent, and warns where a target answers like its base model:
    an adapter that never loaded must not become the baseline. Nothing is stored as a run. Leaves with 0 (ok, or
    warnings only), 2 (configuration) or 3 (an endpoint could not be measured).

    \b
    Examples:
      goldwatch doctor
      goldwatch doctor ticket-router --examples 60
      goldwatch doctor --send-test --json
    """  # noqa: D301  # Typer reads the \b
    import asyncio

    from service.cli.opened import read_config
    from service.config.errors import ConfigError

    found: list[Diagnosis] = []
    tell = _teller(found, as_json=as_json)
    try:
        loaded = read_config(config)
    except ConfigError as error:
        for one in _faults(error):
            tell(one)
    else:
        names = list(dict.fromkeys(targets or [target.name for target in loaded.targets]))
        asyncio.run(_examine(loaded, names, tell, examples, send_test=send_test))
    return _end(found, as_json=as_json)


async def _examine(
    config: Config, names: list[str], tell: Callable[[Diagnosis], None], examples: int, *, send_test: bool
) -> None:
    import os

    from service.doctor.examine import examine

    targets = [config.target(name) for name in names]
    async for one in examine(config, targets, os.environ, examples=examples, send_test=send_test):
        tell(one)


def _faults(error: ConfigError) -> list[Diagnosis]:
    """Every fault of a configuration that cannot be loaded."""
    from service.doctor import Diagnosis, Level, Part

    remedy = "correct the file; goldwatch schema prints what an editor needs to check it"
    found = [
        Diagnosis(Part.CONFIG, None, Level.FAILED, problem.render(error.file)) for problem in error.problems
    ]
    why = "nothing else was looked at: the configuration must be readable first"
    return [*found, Diagnosis(Part.CONFIG, None, Level.WARNING, why, remedy)]


def _teller(found: list[Diagnosis], *, as_json: bool) -> Callable[[Diagnosis], None]:
    """Keeps each diagnosis, and prints it as it comes."""
    import json
    import sys

    from service.doctor import diagnosis_object

    def tell(one: Diagnosis) -> None:
        found.append(one)
        if as_json:
            print(json.dumps(diagnosis_object(one), ensure_ascii=False, allow_nan=False))
        else:
            from service.cli.render.console import show
            from service.cli.render.doctor import render_diagnosis

            show(render_diagnosis(one))
        sys.stdout.flush()

    return tell


def _end(found: list[Diagnosis], *, as_json: bool) -> int:
    from service.doctor import exit_code

    code = exit_code(found)
    if not as_json:
        from service.cli.render.console import show
        from service.cli.render.doctor import render_summary

        show(render_summary(found, code))
    return code
