"""``goldwatch backup``: the whole store in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import CONFIG, ConfigFile


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; must not exist yet.")],
    config: ConfigFile = CONFIG,
) -> None:
    """Copy the whole store to a file, while it is in use.

    The copy is one moment of the store, and `goldwatch restore` takes it into SQLite and PostgreSQL alike. It holds
    inputs and answers, so only its owner may read it; keys and tokens are not in the store.

    \b
    Example:
      goldwatch backup goldwatch-2026-11-24.backup
    """  # noqa: D301  # Typer reads the \b
    import os
    import tempfile
    from contextlib import suppress

    from service.cli.opened import opened_store, read_config
    from service.errors import UserError

    loaded = read_config(config)
    if file.exists():
        raise UserError(f"{file} is there already", "name a new file")
    temporary: str | None = None
    try:
        with opened_store(loaded) as store:
            descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
            with os.fdopen(descriptor, "wb") as opened:
                counts = store.dump(opened)
                opened.flush()
                os.fsync(opened.fileno())
        Path(temporary).replace(file)
    except BaseException as error:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary).unlink()
        if isinstance(error, OSError):
            raise UserError(f"{file} cannot be written: {error.strerror or error}") from None
        raise
    runs, rows = counts.get("goldwatch_run", 0), sum(counts.values())
    print(f"{file}: {runs:,} runs, {rows:,} rows, {file.stat().st_size:,} bytes")
    print(f"  next  goldwatch restore {file} -c OTHER.yaml")
