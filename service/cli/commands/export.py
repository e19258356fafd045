"""``goldwatch export``: everything that a verdict followed from, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import CONFIG, ConfigFile


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's number, as history prints it.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; default: TARGET-RUN.goldwatch.zip."),
    ] = None,
    texts: Annotated[
        str,
        typer.Option(
            "--texts",
            metavar="WHICH",
            help="all; or none: without inputs, prompts and answers, so only the verdict can be recomputed.",
        ),
    ] = "all",
    config: ConfigFile = CONFIG,
) -> int:
    """Write an incident bundle of a run.

    The bundle holds the golden set, the answers, the scores of the run and of all runs that it was judged against,
    and the verdict. `goldwatch verify` recomputes scores and verdict from it alone, on any machine, offline. Addresses,
    headers and keys are never in it. It is verified as soon as it is written: leaves with 0 if it reproduces, 3 if not.

    \b
    Examples:
      goldwatch export 1413
      goldwatch export 1413 -o incident.zip --texts none
    """  # noqa: D301  # Typer reads the \b
    import sys

    from service.bundle.read import opened
    from service.bundle.recompute import recompute
    from service.bundle.write import export
    from service.cli.opened import opened_store, read_config
    from service.errors import UserError
    from service.logs import Redactor, secrets_of
    from service.text import safe

    number = run.removeprefix("run:")
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        raise UserError(f"RUN: {safe(run, 40)!r} is no run's number", "list them: goldwatch history TARGET")
    if texts not in ("all", "none"):
        raise UserError(f"--texts: {safe(texts, 40)!r} is not all or none")
    loaded = read_config(config)
    with opened_store(loaded) as store:
        record = store.run(int(number))
        if record is None:
            raise UserError(
                f"no run {number} in the store {store.shown}", "list them: goldwatch history TARGET"
            )
        path = output or Path(f"{record.target}-{number}.goldwatch.zip")
        clean = Redactor(secrets_of(loaded)).without_secrets
        seal = export(
            store, loaded.target(record.target), int(number), path, texts=texts == "all", clean=clean
        )
    with opened(path) as bundle:
        found = recompute(bundle)
    size = path.stat().st_size
    print(f"{path}: run {number} of {record.target}, {found.recorded}, {size:,} bytes")
    print(f"  digest  {seal}")
    if not found.answers:
        print("  without texts: the verdict can be recomputed from the scores, the scores cannot")
    if found.differences:
        print("  it does NOT reproduce here, so another version or configuration judged it:", file=sys.stderr)
        for line in found.differences:
            print(f"    {line}", file=sys.stderr)
        return 3
    print(f"  next    goldwatch verify {path}")
    return 0
