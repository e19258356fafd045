"""What does ``goldwatch`` do on the command line? The page of the commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from service.cli.app import application, load_command, present
from service.reference.markdown import inline, join, table

EXIT_CODES = {
    0: "ok: nothing regressed (ok, suspect, improved, learning)",
    1: "regressed",
    2: "usage or configuration: an option, a file or a value is wrong, or a golden set is not frozen as it is",
    3: "could not measure: too few answers, or a server that is not there; never a verdict on the model",
    70: "internal error of goldwatch; never a verdict on the model",
    130: "interrupted",
    141: "the program that read the output went away",
}
"""What each exit code means."""

_INTRO = """\
Every command explains itself with `--help`. `-c FILE` stands after the command; without it `goldwatch.yaml` in the
current folder is read."""


def page() -> str:
    """The page as Markdown."""
    names = present()
    index = table(
        ("Command", "What it does"), ((f"[`{n}`](#goldwatch-{n})", summary(load_command(n))) for n in names)
    )
    codes = table(("Code", "Meaning"), ((f"{code}", meaning) for code, meaning in EXIT_CODES.items()))
    root = _parameters(application())
    parts = ["# Commands", _INTRO, index, "## Exit codes", codes]
    parts += ["Several targets leave with 2, then 1, then 3, then 0. `--fail-on` says which verdicts count."]
    parts += ["## `goldwatch`", root]
    for name in names:
        parts += _told(load_command(name), f"goldwatch {name}", "##")
    return join(parts)


def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """A command and the commands under it, each with its full name."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, f"{path} {name}")


def summary(command: Any) -> str:
    """The first line of a command's help."""
    return inline((command.help or "").strip().split("\n")[0])


def parameters(command: Any) -> Iterator[tuple[str, str]]:
    """What a command takes, arguments first: each as it is written, and what it is for."""
    listed = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    for parameter in sorted(listed, key=lambda found: found.param_type_name != "argument"):
        said = inline(parameter.help or "")
        if parameter.param_type_name == "argument":
            yield _argument(parameter), said
            continue
        metavar = (
            "" if parameter.is_flag or parameter.count else f" {parameter.metavar or parameter.name.upper()}"
        )
        names = ", ".join(sorted(parameter.opts + parameter.secondary_opts, key=len))
        yield f"{names}{metavar}", said + (" Required." if parameter.required else _default(parameter))


def _told(command: Any, path: str, heading: str) -> Iterator[str]:
    yield f"{heading} `{path}`"
    yield from _help(command.help or "")
    yield f"Usage: `{_usage(command, path)}`"
    yield _parameters(command)
    for name, inner in getattr(command, "commands", {}).items():
        yield from _told(inner, f"{path} {name}", heading + "#")


def _help(text: str) -> Iterator[str]:
    """The paragraphs of a help text; those that Typer keeps as they are become a console's lines."""
    for paragraph in text.strip().split("\n\n"):
        if not paragraph.startswith("\b"):
            yield inline(" ".join(paragraph.split()))
            continue
        lines = paragraph.removeprefix("\b\n").split("\n")
        if re.fullmatch(r"Examples?:", lines[0]):
            lines = lines[1:]
        yield "\n".join(["```console", *(f"$ {line.strip()}" for line in lines), "```"])


def _usage(command: Any, path: str) -> str:
    arguments = [_argument(p) for p in command.params if p.param_type_name == "argument"]
    optional = [p for p in command.params if p.param_type_name == "option"]
    under = ["COMMAND"] if getattr(command, "commands", None) else []
    return " ".join([path, *(["[OPTIONS]"] if optional else []), *arguments, *under])


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name.upper()).strip("[]{}").removesuffix("...").strip("[]{}")
    name += "..." if parameter.nargs == -1 else ""
    return name if parameter.required else f"[{name}]"


def _default(parameter: Any) -> str:
    value = parameter.default
    if value is None or value is False or value in ([], ()) or callable(value):
        return ""
    return " Default: the option is on." if value is True else f" Default: `{value}`."


def _parameters(command: Any) -> str:
    rows = [(f"`{written}`", said) for written, said in parameters(command)]
    return table(("Argument or option", "What it is for"), rows) if rows else ""
