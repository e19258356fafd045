"""``goldwatch demo``: what is it like when a fine-tuned model silently gets worse?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from service.demo.stage import Stage
    from service.demo.story import Alerted, Event, Story


def command(
    leave: Annotated[
        bool,
        typer.Option("--exit", help="Leave at the end; 0 only if the alert fired, and not before the drop."),
    ] = False,
    llm: Annotated[bool, typer.Option("--llm", help="With a real language model (extra demo-llm).")] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Of pages and metrics; 0 takes a free one.")
    ] = 0,
) -> int:
    """Watch a small fine-tuned model break, here and now: no key, no network, no configuration.

    Trains a small ticket router, serves it on loopback, replays it for twelve healthy hours, silently drops its
    fine-tune, and shows the alert: here, at a local webhook and in /metrics. Each replay stands for an hour. Without
    --exit the pages stay up until Ctrl-C.

    \b
    Examples:
      goldwatch demo
      goldwatch demo --exit
      goldwatch demo --llm --port 9790
    """  # noqa: D301  # Typer reads the \b
    import asyncio
    import tempfile
    from pathlib import Path

    from service.cli import EXIT_INTERRUPTED

    with tempfile.TemporaryDirectory(prefix="goldwatch-demo-") as folder:
        try:
            return asyncio.run(_watch(_stage(llm=llm), Path(folder), port, leave=leave))
        except asyncio.CancelledError:
            return EXIT_INTERRUPTED


def _stage(*, llm: bool) -> Stage:
    if llm:
        from service.demo.llm_stage import LlmStage

        return LlmStage()
    from service.demo.stage import TicketStage

    return TicketStage()


async def _watch(stage: Stage, folder: Path, port: int, *, leave: bool) -> int:
    import asyncio
    import signal
    import sys

    import structlog

    from service.cli import EXIT_USAGE
    from service.cli.render.console import console
    from service.demo.story import Ended, Story
    from service.errors import UserError

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    assert this is not None  # noqa: S101  # a coroutine runs in a task
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, this.cancel)
    console(stderr=True).print("starting ...", style="dim")
    story, code = Story(stage, folder, port=port), EXIT_USAGE
    try:
        await story.__aenter__()
    except OSError as error:
        raise UserError(
            f"the demo cannot start: {error.strerror or error}", "choose another port: --port 0"
        ) from None
    try:
        async for event in story.tell():
            _show(event, story, stage)
            if isinstance(event, Ended):
                code = event.exit_code
        if not leave:
            console().print("\nThe pages stay up until you press Ctrl-C.", style="dim")
            try:
                await story.serve_on()
            except asyncio.CancelledError:
                this.uncancel()
    finally:
        await story.__aexit__(None, None, None)
    return code


def _show(event: Event, story: Story, stage: Stage) -> None:
    import sys

    from service.cli.render import demo
    from service.cli.render.console import show
    from service.demo.story import Alerted, Dropped, Ended, Examined, Opened, Replayed

    if isinstance(event, Opened):
        for part in (*demo.opening(event), *demo.before_the_first(event.pages_url)):
            show(part)
    elif isinstance(event, Examined):
        for part in demo.examined(event):
            show(part)
    elif isinstance(event, Replayed):
        show(demo.replayed(event))
    elif isinstance(event, Dropped):
        for part in demo.dropped(event):
            show(part)
    elif isinstance(event, Alerted):
        _show_alert(event, story)
        for part in demo.alerted(event):
            show(part)
    elif isinstance(event, Ended):
        for part in demo.ended(event, story.pages_url, stage.model, stage.healthy_replays):
            show(part)
    sys.stdout.flush()


def _show_alert(event: Alerted, story: Story) -> None:
    """The run that fired, as ``goldwatch run`` shows it."""
    from rich.text import Text

    from service.cli.details import details_of
    from service.cli.render.console import show
    from service.cli.render.run import render_run
    from service.report import run_object

    details = details_of(story.store, event.run, baseline_needed=story.target.baseline.runs, limit=5)
    show(Text())
    show(render_run(run_object(event.run), details))
    show(Text())
