"""``goldwatch baseline``: what says healthy, and who may change that?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import CONFIG, HELP, AsJson, ConfigFile, TargetName

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings=dict(HELP),
)


@app.callback()
def group() -> None:
    """Look at, accept or export the baseline that says what healthy is.

    A target's first measured runs pin themselves as its baseline, and every later run is judged against them. It is
    replaced only on an explicit act with a reason, or where what is measured changes.

    \b
    Examples:
      goldwatch baseline show ticket-router
      goldwatch baseline accept ticket-router --reason "adapter v3, reviewed in PR 41"
      goldwatch baseline export ticket-router -o tickets.baseline.jsonl
    """  # noqa: D301  # Typer reads the \b


@app.command("show")
def show_baseline(target: TargetName, as_json: AsJson = False, config: ConfigFile = CONFIG) -> None:
    """Show which runs are the baseline, since when and why, what they scored, and what has changed since.

    \b
    Examples:
      goldwatch baseline show ticket-router
      goldwatch baseline show ticket-router --json | jq .since.changes
    """  # noqa: D301  # Typer reads the \b
    import json

    from service.baseline_facts import baseline_object
    from service.cli.opened import opened_store, read_config

    loaded = read_config(config)
    chosen = loaded.target(target)
    with opened_store(loaded) as store:
        facts = baseline_object(store, chosen)
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, allow_nan=False))
        return
    from service.cli.render.baseline import render_baseline
    from service.cli.render.console import show

    show(render_baseline(facts))


@app.command("accept")
def accept_baseline(
    target: TargetName,
    reason: Annotated[
        str,
        typer.Option("--reason", "-r", metavar="TEXT", help="Why what it answers now is healthy; is kept."),
    ],
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Take the next runs only, whatever was measured before.")
    ] = False,
    config: ConfigFile = CONFIG,
) -> None:
    """Accept what a target answers now as healthy.

    While a change stands, the runs since its onset become the first runs of the new baseline; otherwise the last
    healthy runs are pinned. The old baseline is kept, and `explain` goes on comparing with the original one. Until the
    new one is complete the target is learning, and no drop of a score pages.

    \b
    Examples:
      goldwatch baseline accept ticket-router --reason "adapter v3, reviewed in PR 41"
      goldwatch baseline accept ticket-router --fresh --reason "moved to other hardware just now"
    """  # noqa: D301  # Typer reads the \b
    import time

    from service.acceptance import accept
    from service.alerting import AlertKind, AlertState
    from service.cli.opened import opened_store, read_config
    from service.errors import UserError
    from service.text import safe

    if not reason.strip():
        raise UserError("--reason: is empty", "say why, for those who will look at this alert later")
    loaded = read_config(config)
    chosen = loaded.target(target)
    with opened_store(loaded) as store:
        made = accept(store, chosen, reason.strip(), time.time(), fresh=fresh)
        firing = store.alerts(chosen.name, AlertState.FIRING)
    opened, start = made.baseline, made.start
    print(f"{chosen.name}: baseline {opened.id} is {start.why}. Reason: {safe(opened.reason or '', 200)}")
    missing = chosen.baseline.runs - start.runs
    if missing > 0:
        print(
            f"  learning for {missing} more measured runs; no drop of a score pages before they are complete"
        )
    if any(alert.kind is AlertKind.REGRESSION for alert in firing):
        print("  the alert that is firing resolves at the next measured run")
    print(f"  next  goldwatch run {chosen.name}")


@app.command("export")
def export(
    target: TargetName,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; default: standard output."),
    ] = None,
    texts: Annotated[
        bool,
        typer.Option("--texts", help="With the answers, so that broken examples show what was said before."),
    ] = False,
    config: ConfigFile = CONFIG,
) -> None:
    """Write the pinned baseline to a file that another store, or CI without one, can start from.

    The other side names it as ``baseline: {from: FILE}``, and its very first run is judged. The file holds scores by
    example id, the prompt and the parameters; answers only with --texts; never a key or a header.

    \b
    Example:
      goldwatch baseline export ticket-router -o tickets.baseline.jsonl
    """  # noqa: D301  # Typer reads the \b
    import sys

    from service.baseline_file import export_lines
    from service.cli.opened import opened_store, read_config

    loaded = read_config(config)
    chosen = loaded.target(target)
    with opened_store(loaded) as store:
        lines = list(export_lines(store, chosen, texts=texts))
    text = "\n".join(lines) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    _write(output, text)
    shown = f"use it as baseline: {{from: {output.name}}}"
    print(f"{output}: the baseline of {chosen.name}, {len(lines) - 1} runs; {shown}")


def _write(path: Path, text: str) -> None:
    """Write the file whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    import contextlib
    import os
    import tempfile

    from service.errors import UserError

    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8"
        ) as file:
            temporary = Path(file.name)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from None
