"""``goldwatch worker``: more hands for the runs of ``goldwatch serve`` on PostgreSQL."""

from __future__ import annotations

from service.cli.options import CONFIG, ConfigFile


def command(config: ConfigFile = CONFIG) -> int:
    """Run one more worker for a serve on PostgreSQL.

    It takes due runs out of the queue in the store's database and makes up to four at a time. Start as many as you
    like, on as many machines: each tick is run once, and runs of one target never overlap. It needs the same
    configuration, golden sets and secrets as serve. SIGHUP reads the configuration again; SIGTERM and Ctrl-C leave
    within 10 s, and another worker goes on with what was under way.

    \b
    Examples:
      goldwatch worker
      goldwatch worker -c /etc/goldwatch/goldwatch.yaml
      goldwatch serve --no-work & goldwatch worker & goldwatch worker
    """  # noqa: D301  # Typer reads the \b
    import asyncio
    import os

    from service import logs
    from service.cli.opened import opened_queue, read_config
    from service.errors import UserError

    loaded = read_config(config)
    redactor = logs.Redactor(logs.secrets_of(loaded))
    logs.configure(loaded.log.level, loaded.log.format, redactor)
    from service.daemon.worker import Worker
    from service.store import Store

    with Store.open(loaded.store_url(os.environ), base_dir=loaded.base_dir) as store:
        if not store.shares_work:
            raise UserError(
                "a worker needs a store on PostgreSQL",
                "write store: postgresql+psycopg://..., or let goldwatch serve make the runs",
            )

        async def live() -> None:
            await Worker(config, loaded, store, None, redactor, queue=opened_queue(loaded, store)).run()

        asyncio.run(live())
    return 0
