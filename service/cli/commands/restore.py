"""``goldwatch restore``: a backup becomes a store again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import CONFIG, ConfigFile


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What backup wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace what the store holds; it is gone then.")
    ] = False,
    config: ConfigFile = CONFIG,
) -> None:
    """Take a backup into a store, of either database.

    All of it is taken in, or nothing. Stop `goldwatch serve` first. A backup of an older version is migrated. Messages
    that were waiting when the backup was taken are sent by the next start, with their old ids.

    \b
    Examples:
      goldwatch restore goldwatch-2026-11-24.backup
      goldwatch restore goldwatch-2026-11-24.backup -c on-postgresql.yaml
    """  # noqa: D301  # Typer reads the \b
    import time

    from service.cli.opened import opened_store, read_config
    from service.errors import UserError

    loaded = read_config(config)
    try:
        with file.open("rb") as opened, opened_store(loaded, create=True) as store:
            counts = store.restore(opened, str(file), now=time.time(), force=force)
            shown = store.shown
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from None
    print(f"{shown}: {counts.get('goldwatch_run', 0):,} runs, {sum(counts.values()):,} rows from {file}")
    print("  next  goldwatch doctor, then goldwatch serve")
