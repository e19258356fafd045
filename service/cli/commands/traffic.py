"""``goldwatch traffic``: what does production ask, and what of it does the golden set lack?"""

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
    """See what production asks, and export what the golden set lacks.

    Samples come from a followed file (`traffic: {file: PATH}`), from POSTs to /api/v1/targets/TARGET/samples, from
    OpenTelemetry, or from `traffic add`. What is said here is about the world, never about the model's quality.

    \b
    Examples:
      goldwatch traffic show ticket-router
      goldwatch traffic export ticket-router -o draft.jsonl
      goldwatch traffic accept ticket-router --reason "French is supported since Monday"
    """  # noqa: D301  # Typer reads the \b


@app.command("show")
def show_traffic(target: TargetName, as_json: AsJson = False, config: ConfigFile = CONFIG) -> None:
    """Show how much of the traffic no golden example represents, and whether anything moved.

    \b
    Examples:
      goldwatch traffic show ticket-router
      goldwatch traffic show ticket-router --json | jq .coverage_debt.ratio
    """  # noqa: D301  # Typer reads the \b
    import json

    from checks.traffic import WINDOW_S
    from service.cli.opened import opened_store, read_config
    from service.cli.render.traffic import traffic_lines
    from service.errors import UserError
    from service.traffic.view import traffic_object, view

    loaded = read_config(config)
    chosen = loaded.target(target)
    window_s = chosen.traffic.window_s if chosen.traffic is not None else WINDOW_S
    with opened_store(loaded) as store:
        found = view(store, chosen.name, window_s)
        kept = len(store.traffic_texts(chosen.name))
    if found is None:
        watched = (
            "post samples, or: goldwatch traffic add" if chosen.traffic else "add to the target:  traffic: {}"
        )
        raise UserError(f"no traffic of {chosen.name} was ever seen", watched)
    if as_json:
        print(json.dumps(traffic_object(found), ensure_ascii=False, allow_nan=False))
        return
    print("\n".join(traffic_lines(found, kept)))


@app.command("add")
def add_samples(
    target: TargetName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL, one sample per line, oldest first.")],
    config: ConfigFile = CONFIG,
) -> None:
    """Count the samples of a recorded file, once: a second time they would count twice.

    A line is `{"input": text or conversation, "output": text, "at": seconds or ISO 8601}`; all but input optional.

    \b
    Example:
      goldwatch traffic add ticket-router march.jsonl
    """  # noqa: D301  # Typer reads the \b
    import time

    from service.cli.opened import opened_store, read_config
    from service.errors import UserError
    from service.text import safe
    from service.traffic.follow import read_new
    from service.traffic.ingest import Ingest

    loaded = read_config(config)
    chosen = loaded.target(target)
    counted = own = windows = rejected = 0
    reason = None
    with opened_store(loaded, create=True) as store:
        ingest, place = Ingest(store), None
        try:
            while (chunk := read_new(file, place, whole=True)) is not None:
                done = ingest.take(loaded, chosen, chunk.samples, now=time.time(), rejected=chunk.rejected)
                counted, own, windows = counted + done.counted, own + done.own, windows + done.windows
                rejected, reason = rejected + chunk.rejected, chunk.reason or reason
                place = chunk.position
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror or error}") from None
    if place is None and not file.exists():
        raise UserError(f"there is no file {file}", "name a JSONL file of samples")
    print(f"{chosen.name}: {counted} samples counted, {windows} windows ended")
    if own:
        print(f"  {own} of goldwatch's own requests left out")
    if rejected:
        print(f"  {rejected} lines are no samples: {safe(reason or '', 200)}")


@app.command("export")
def export_draft(
    target: TargetName,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; default: standard output."),
    ] = None,
    most: Annotated[int, typer.Option("--most", "-n", min=1, max=500, help="At most so many examples.")] = 50,
    config: ConfigFile = CONFIG,
) -> None:
    """Write the requests that are most worth a label, as golden lines without `expected`.

    They are those that no golden example represents, the one that stands for most of them first. It needs their texts:
    `traffic: {keep_texts: true}` at the target. Label them, add them to the golden set, freeze it.

    \b
    Example:
      goldwatch traffic export ticket-router -n 20 -o draft.jsonl
    """  # noqa: D301  # Typer reads the \b
    import json
    import sys

    from service.cli.opened import opened_store, read_config
    from service.errors import UserError
    from service.traffic.draft import draft
    from service.traffic.ingest import Ingest

    loaded = read_config(config)
    chosen = loaded.target(target)
    with opened_store(loaded) as store:
        texts = store.traffic_texts(chosen.name)
        anchors = Ingest(store).terms(chosen).anchors
    if anchors is None:
        raise UserError(
            f"the golden set of {chosen.name} is too small to say what it represents",
            "give it 20 examples or more",
        )
    if not texts:
        keeps = chosen.traffic is not None and chosen.traffic.keep_texts
        raise UserError(
            f"no request of {chosen.name} is kept that no golden example represents",
            "wait for samples"
            if keeps
            else "write  traffic: {keep_texts: true}  at the target, then wait for samples",
        )
    made = draft(anchors, texts, most)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in made.lines)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror or error}") from None
    share = sum(made.ratios)
    print(
        f"{output}: {len(made.lines)} examples to label; they represent {share:.0%} of {made.of} kept requests"
    )
    print("  next  add `expected`, move them into the golden set, goldwatch freeze")


@app.command("accept")
def accept_traffic(
    target: TargetName,
    reason: Annotated[
        str,
        typer.Option(
            "--reason", "-r", metavar="TEXT", help="Why what production asks now is usual; is kept."
        ),
    ],
    config: ConfigFile = CONFIG,
) -> None:
    """Take what production asks from now on as usual: a new week is learnt, and a standing notice ends.

    \b
    Example:
      goldwatch traffic accept ticket-router --reason "French is supported since Monday"
    """  # noqa: D301  # Typer reads the \b
    import time

    from checks.traffic import WINDOW_S
    from checks.traffic.streams import baseline_windows
    from service.cli.opened import opened_store, read_config
    from service.errors import UserError
    from service.traffic.ingest import Ingest

    if not reason.strip():
        raise UserError("--reason: is empty", "say why, for those who will look at this later")
    loaded = read_config(config)
    chosen = loaded.target(target)
    with opened_store(loaded) as store:
        Ingest(store).accept(chosen, reason.strip(), time.time())
    window_s = chosen.traffic.window_s if chosen.traffic is not None else WINDOW_S
    print(
        f"{chosen.name}: learning what is usual for {baseline_windows(window_s)} windows; nothing moves before"
    )
