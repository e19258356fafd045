"""Which commands are there? One row each; a command's module is imported only when it is invoked.

A command lives in ``service/cli/commands/<name>.py`` (a dash becomes an underscore; ``import`` is ``import_.py``) and
exposes either ``command``, a function that Typer understands, or ``app``, a Typer application with commands
of its own. Its docstring's first line is its row here; a test compares the two. A command that returns an int
leaves with that exit code. Commands whose file is absent are not listed.
"""

from __future__ import annotations

import importlib
import keyword
import pkgutil
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from service.cli.options import HELP

PACKAGE = "service.cli.commands"

COMMANDS = {
    "demo": "Watch a small fine-tuned model break, here and now: no key, no network, no configuration.",
    "init": "Write a commented goldwatch.yaml and a starter golden set.",
    "import": "Bring a data set that you already have into golden form.",
    "lint": "Find duplicates, leaks and thin slices in a golden set, and how small a drop it would find.",
    "twins": "Write a golden set with disturbed twins of its examples, which expect the same answer.",
    "freeze": "Freeze a golden set: write its lock, so that any later edit is noticed.",
    "doctor": "Check configuration, secrets, endpoints, store and notifiers before the first run.",
    "run": "Replay golden sets once and judge them, now.",
    "serve": "Run the daemon: schedule, replay, judge, metrics, pages, alerts.",
    "worker": "Run one more worker for a serve on PostgreSQL.",
    "baseline": "Look at, accept or export the baseline that says what healthy is.",
    "traffic": "See what production asks, and export what the golden set lacks.",
    "status": "Say how every target stands now, the worst first, and what is firing.",
    "history": "List every run of a target, oldest first.",
    "explain": "Say why a run was judged as it was.",
    "report": "Write the one page that says whether a fine-tune still pays.",
    "compare": "Compare two sets of answers to the same golden set, before and after.",
    "backtest": "Judge recorded response files as if they had been live runs.",
    "drill": "Break a shadow copy of a target on purpose and time the detection.",
    "export": "Write an incident bundle of a run.",
    "verify": "Recompute an incident bundle.",
    "backup": "Copy the whole store to a file, while it is in use.",
    "restore": "Take a backup into a store, of either database.",
    "schema": "Print the JSON Schema of goldwatch.yaml, for editors.",
}
"""Each command's name and its one line of help, in the order of ``goldwatch --help``."""


class ReaderGoneError(Exception):
    """The program that read our output has left. Not an OSError: Typer would leave with 1, which means regressed."""


class LazyGroup(TyperGroup):
    """A group that lists commands from :data:`COMMANDS` and imports one only to run it."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # Typer's signature
        """The commands that are there, in the table's order."""
        return list(present())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # Typer's signature
        """A stand-in that knows its one line of help, for listings."""
        line = COMMANDS.get(cmd_name)  # whole: a listing would cut off a help's end
        return TyperCommand(name=cmd_name, help=line, short_help=line) if cmd_name in present() else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command, imported now."""
        if args and args[0] in present():
            return args[0], load_command(args[0]), args[1:]
        self.commands = {name: self.get_command(ctx, name) for name in present()}  # for its near matches
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a closed pipe has an exception of its own."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGoneError from error


def module_name(command: str) -> str:
    """The module of a command.

    >>> module_name("import"), module_name("run")
    ('service.cli.commands.import_', 'service.cli.commands.run')
    """
    name = command.replace("-", "_")
    return f"{PACKAGE}.{name}_" if keyword.iskeyword(name) else f"{PACKAGE}.{name}"


@cache
def present() -> tuple[str, ...]:
    """The commands whose module is there; nothing is imported."""
    package = importlib.import_module(PACKAGE)
    modules = {f"{PACKAGE}.{module.name}" for module in pkgutil.iter_modules(package.__path__)}
    return tuple(name for name in COMMANDS if module_name(name) in modules)


def load_command(name: str) -> Any:
    """Import one command and make it Typer's.

    Raises:
        ImportError: its module has neither ``command`` nor ``app``.
    """
    module = importlib.import_module(module_name(name))
    made = typer.main.get_command(_typer_of(name, module))
    made.name = name
    for command in getattr(made, "commands", {}).values():
        command.short_help = " ".join((command.help or "").partition("\n\n")[0].split())
    return made


def application() -> Any:
    """The whole command line."""
    app = typer.Typer(
        cls=LazyGroup,
        name="goldwatch",
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings=dict(HELP),
    )
    app.callback()(_root)
    return typer.main.get_command(app)


def without_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """The arguments without ``--debug`` before the command, and whether it was there."""
    rest = list(arguments)
    if rest[:1] == ["--debug"]:
        return rest[1:], True
    return rest, False


def _typer_of(name: str, module: ModuleType) -> typer.Typer:
    if isinstance(app := getattr(module, "app", None), typer.Typer):
        return app
    function = getattr(module, "command", None)
    if not callable(function):
        raise ImportError(  # noqa: TRY004  # as if the command were not there
            f"{module.__name__} has neither a function 'command' nor a Typer 'app'"
        )
    alone = typer.Typer(
        rich_markup_mode=None,
        add_completion=False,
        context_settings=dict(HELP),
    )
    alone.command(name)(function)
    return alone


def _print_version(wanted: bool) -> None:
    if wanted:
        from service import __version__

        print(f"goldwatch {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")] = False,
) -> None:
    """Notice when a deployed fine-tuned model silently gets worse.

    goldwatch replays a frozen golden set against the deployed endpoint on a schedule, judges each replay against
    history, exports what it sees to Prometheus, and pages with the examples that broke.

    \b
    Begin with:
      goldwatch init
      goldwatch freeze golden/tickets.jsonl
      goldwatch doctor
      goldwatch run
      goldwatch serve
    """  # noqa: D301  # Typer reads the \b
