"""``goldwatch serve``: the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.options import CONFIG, ConfigFile

if TYPE_CHECKING:
    from service.daemon.daemon import Daemon


def command(
    read_only: Annotated[
        bool,
        typer.Option("--read-only", help="Only show: pages, API and metrics; no run, no message, no change."),
    ] = False,
    no_work: Annotated[
        bool,
        typer.Option("--no-work", help="Make no runs here: goldwatch worker does (needs PostgreSQL)."),
    ] = False,
    config: ConfigFile = CONFIG,
) -> int:
    """Run the daemon: schedule, replay, judge, metrics, pages, alerts.

    Each target is replayed on its schedule; one that never ran starts at once, and of missed ticks only the newest is
    run. SIGHUP reads the configuration again. SIGTERM and Ctrl-C leave within 10 s, and the next start goes on where
    this one stopped. On PostgreSQL as many may run as you like, and ``goldwatch worker`` beside them: each tick is run
    once. Logs go to standard error, as JSON where that is no terminal.

    \b
    Examples:
      goldwatch serve
      goldwatch serve -c /etc/goldwatch/goldwatch.yaml
      goldwatch serve --read-only
      kill -HUP $(pgrep -o -x goldwatch)
    """  # noqa: D301  # Typer reads the \b
    import asyncio
    import os
    import sys

    _import_without_colours()
    from service import logs
    from service.cli.opened import opened_queue, read_config

    loaded = read_config(config)
    redactor = logs.Redactor(logs.secrets_of(loaded))
    logs.configure(loaded.log.level, loaded.log.format, redactor)
    from service.daemon.daemon import Daemon
    from service.daemon.reader import Reader
    from service.daemon.server import bind
    from service.daemon.shared_secrets import token_of
    from service.errors import UserError
    from service.store import Store

    token_of(loaded)
    with (
        bind(loaded.web) as bound,
        Store.open(loaded.store_url(os.environ), base_dir=loaded.base_dir, read_only=read_only) as store,
    ):
        if no_work and not store.shares_work:
            raise UserError(
                "--no-work needs a store on PostgreSQL", "leave it out: on SQLite, serve makes the runs"
            )

        async def live() -> None:
            daemon = (
                Reader(config, loaded, store, bound, redactor)
                if read_only
                else Daemon(
                    config,
                    loaded,
                    store,
                    bound,
                    redactor,
                    queue=opened_queue(loaded, store),
                    work=not no_work,
                )
            )
            if sys.stdout.isatty():
                _greet(daemon)
            await daemon.run()

        asyncio.run(live())
    return 0


def _import_without_colours() -> None:
    """Load structlog and httpx as if Rich and Pygments were absent: 7 MB for what the daemon never draws."""
    import importlib
    import sys

    absent = [name for name in ("rich", "pygments") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: Python's way to say "there is none"
    try:
        for name in ("structlog", "httpx"):
            importlib.import_module(name)
    finally:
        for name in absent:
            del sys.modules[name]


def _greet(daemon: Daemon) -> None:
    """Say to a person what is watched, where it is seen and when the next runs are."""
    import time

    from service import wording
    from service.daemon.facts import described
    from service.schedule import next_tick
    from service.text import safe

    now = time.time()
    print(f"goldwatch watches {len(daemon.config.targets)} target(s). Stop with Ctrl-C.\n")
    width = max(len(target.name) for target in daemon.config.targets)
    for target in daemon.config.targets:
        tick = next_tick(target.schedule, now)
        when = (
            f"next {wording.clock(tick)}, in {wording.ago(tick - now)}" if tick is not None else "never again"
        )
        print(f"  {target.name:<{width}}  {safe(target.endpoint.model_name)} at {safe(target.endpoint.url)}")
        print(f"  {'':<{width}}  {described(target.schedule)}, {when}")
    print(f"\n  pages    {daemon.config.web.external_url or daemon.url}/")
    print(f"  metrics  {daemon.url}/metrics\n")
