"""``goldwatch run``: one replay and its judgement, now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.options import CONFIG, AsJson, ConfigFile
from service.cli.outcome import FAIL_ON, FailOn, exit_code, fail_on_verdicts

if TYPE_CHECKING:
    from service.conclude import Finished
    from service.config import Config, Target
    from service.pipeline import Shell
    from service.store import Store


def command(
    targets: Annotated[list[str] | None, typer.Argument(metavar="TARGET", help="Default: all.")] = None,
    fail_on: FailOn = FAIL_ON,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")] = None,
    github: Annotated[bool, typer.Option("--github", help="Step summary and annotations.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = CONFIG,
) -> int:
    """Replay golden sets once and judge them, now.

    The run is stored, counted and alerted like a scheduled one. A bad run is replayed at once before the verdict.
    Leaves with 0 (ok, suspect, improved, learning), 1 (regressed), 2 (usage or configuration) or 3 (could not
    measure).

    \b
    Examples:
      goldwatch run
      goldwatch run ticket-router --junit goldwatch.xml
      goldwatch run --json --fail-on regressed
    """  # noqa: D301  # Typer reads the \b
    import asyncio

    from service.cli.opened import opened_store, read_config

    verdicts = fail_on_verdicts(fail_on)
    loaded = read_config(config)
    chosen = [loaded.target(name) for name in dict.fromkeys(targets)] if targets else list(loaded.targets)
    with opened_store(loaded, create=True) as store:
        return asyncio.run(_run(loaded, chosen, store, verdicts, junit, github=github, as_json=as_json))


async def _run(
    config: Config,
    targets: list[Target],
    store: Store,
    fail_on: frozenset[str],
    junit: Path | None,
    *,
    github: bool,
    as_json: bool,
) -> int:
    import asyncio
    import contextlib
    import signal

    from service.cli import EXIT_INTERRUPTED, EXIT_NOT_MEASURED
    from service.cli.render.console import console
    from service.errors import UserError
    from service.pipeline import LEASE_S, Shell, resume
    from service.report import run_object
    from service.store import StoreError

    stop = asyncio.Event()
    with contextlib.suppress(NotImplementedError):
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    shell = Shell(store, config, stop=stop)
    said = console(stderr=True)
    codes: list[int] = []
    objects: list[dict[str, Any]] = []
    for notifier in config.notifiers:
        if (problem := notifier.problem()) is not None:
            said.print(f"{notifier.name}: nothing can be sent yet: {problem}", soft_wrap=True)
    await resume(shell, only={target.name for target in targets})
    for target in targets:
        if stop.is_set():
            break
        try:
            runs = await _replayed(shell, target, quiet=as_json)
        except StoreError as error:
            said.print(f"{target.name}: inconclusive, the store failed: {error}", soft_wrap=True)
            codes.append(EXIT_NOT_MEASURED)
            continue
        except UserError as error:
            said.print(f"{target.name}: {error}", soft_wrap=True)
            codes.append(error.exit_code)
            continue
        if not runs and not stop.is_set():
            said.print(f"{target.name}: another process is replaying it now; nothing was measured here")
            said.print(
                f"  if that process was killed, its run is taken up by the next goldwatch run in {LEASE_S:.0f} s"
            )
            codes.append(EXIT_NOT_MEASURED)
        objects += [run_object(finished.run) for finished in runs]
        if runs:
            codes.append(exit_code([str(runs[-1].run.verdict)], fail_on))
            _show(store, target, runs, codes[-1], as_json=as_json)
    _summaries(objects, junit, github=github)
    await _deliver(shell)
    return EXIT_INTERRUPTED if stop.is_set() else _worst(codes)


async def _replayed(shell: Shell, target: Target, *, quiet: bool) -> list[Finished]:
    import sys

    from service.pipeline import run_target

    if quiet or not sys.stderr.isatty():
        return await run_target(shell, target)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from service.cli.render.console import console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(target.name, total=None)
        return await run_target(
            shell, target, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )


def _show(store: Store, target: Target, runs: list[Finished], code: int, *, as_json: bool) -> None:
    import json

    from service.report import run_object

    if as_json:
        for finished in runs:
            print(json.dumps(run_object(finished.run), ensure_ascii=False, allow_nan=False))
        return
    from service.cli.details import details_of
    from service.cli.render.console import console, show
    from service.cli.render.run import render_run

    if len(runs) > 1:
        console().print(f"{target.name}  run {runs[0].run.id} looked bad and was replayed at once")
    last = runs[-1].run
    details = details_of(store, last, baseline_needed=target.baseline.runs, limit=5)
    show(render_run(run_object(last), details, exit_code=code))


def _summaries(objects: list[dict[str, Any]], junit: Path | None, *, github: bool) -> None:
    if junit is None and not github:
        return
    from service.cli.outcome import write_summaries

    write_summaries(objects, junit, github=github)


async def _deliver(shell: Shell) -> None:
    """Send what this run has to say, once; what fails stays in the outbox for the daemon or the next run."""
    if not shell.config.notifiers or shell.store.next_due_at(shell.clock()) is None:
        return
    from service.dispatch import deliver_due
    from service.notifiers._http import client as open_client

    notifiers = {notifier.name: notifier for notifier in shell.config.notifiers}
    async with open_client() as client:
        while await deliver_due(shell.store, notifiers, client, owner=shell.owner, clock=shell.clock):
            due_at = shell.store.next_due_at(shell.clock())
            if due_at is None or due_at > shell.clock():
                break


def _worst(codes: list[int]) -> int:
    """Several targets: 2, then 1, then 3, then 0."""
    return next((code for code in (2, 1, 3) if code in codes), 0)
