"""The command line's frame: lean, lazy, and with exit codes that never lie."""

from __future__ import annotations

import os
import subprocess
import sys
import typing
from pathlib import Path

import pytest
import typer

from service.cli import app, run
from service.cli.commands import schema as schema_command
from service.errors import UserError


def python(code: str, **options: typing.Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, **options
    )


def test_help_imports_nothing_heavy() -> None:
    """``goldwatch --help`` starts without the libraries that commands need."""
    heavy = [
        "pydantic", "httpx", "aiohttp", "numpy", "scipy", "sqlalchemy", "sqlmodel", "fastapi", "rich", "yaml",
        "alembic", "apscheduler", "asyncio", "structlog", "jsonschema",
    ]  # fmt: skip
    done = python(
        "import sys; from service.cli import run; run(['--help']);"
        f"print('LOADED', [m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
    )
    assert done.returncode == 0
    assert "LOADED []" in done.stderr


@pytest.mark.parametrize("name", app.present())
def test_a_row_of_the_table_is_the_first_line_of_the_docstring(name: str) -> None:
    """The list of commands and the commands themselves say the same."""
    command = app.load_command(name)
    assert (command.help or "").strip().splitlines()[0] == app.COMMANDS[name]


@pytest.mark.parametrize("name", app.present())
def test_the_help_of_every_command_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It can be copied."""
    assert run([name, "--help"]) == 0
    assert f"  goldwatch {name}" in capsys.readouterr().out


def test_every_command_module_has_its_row() -> None:
    """A file that is dropped in without a row would never be listed."""
    folder = Path(schema_command.__file__).parent
    modules = {f"{app.PACKAGE}.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__"}
    assert modules == {app.module_name(name) for name in app.present()}


def test_help_lists_the_commands_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Only those that are there."""
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "] == list(
        app.present()
    )


@pytest.mark.parametrize("asked", [["--help"], ["baseline", "--help"], ["traffic", "--help"]])
def test_no_row_of_a_listing_is_cut_off(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What a command does is said to its end."""
    assert run(asked) == 0
    rows = " ".join(capsys.readouterr().out.partition("Commands:\n")[2].split())
    assert "..." not in rows
    assert rows.endswith(".")


def test_no_arguments_show_the_help_and_are_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, so that a script notices."""
    assert run([]) == 2
    shown = capsys.readouterr()
    assert "goldwatch init" in shown.out + shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["schem"], "Did you mean 'schema'"), (["schema", "--nope"], "No such option"), (["lint"], "GOLDEN")],
)
def test_wrong_usage_is_exit_2_on_standard_error(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says what was wrong, and nothing goes to standard output."""
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""


class ThreeError(UserError):
    exit_code = 3


def _raise(error: BaseException) -> typing.Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("no store", "make one"), 2, "no store\n  make one\n"),
        (ThreeError("endpoint \x1b[31mdown"), 3, "endpoint ␛[31mdown\n"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(3), 3, ""),
        (typer.Abort(), 130, "interrupted\n"),
        (typer.BadParameter("bad"), 2, "bad"),
    ],
)
def test_an_exit_code_says_whose_fault_it_was(
    error: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Users' errors, interrupts and exits each have theirs, without a traceback."""
    monkeypatch.setattr(schema_command, "command", _raise(error))
    assert run(["schema"]) == code
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown


def test_an_internal_error_is_70_and_its_traceback_goes_to_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A fault of goldwatch never looks like a regression (1)."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(schema_command, "command", _raise(RuntimeError("boom")))
    assert run(["schema"]) == 70
    shown = capsys.readouterr().err
    assert "RuntimeError: boom" in shown
    assert "Traceback (" not in shown
    (written,) = tmp_path.iterdir()
    assert str(written) in shown
    assert "Traceback (" in written.read_text()
    assert written.stat().st_mode & 0o077 == 0


def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, with the same exit code."""
    monkeypatch.setattr(schema_command, "command", _raise(RuntimeError("boom")))
    assert run(["--debug", "schema"]) == 70
    assert "Traceback (" in capsys.readouterr().err


def test_an_int_that_a_command_returns_is_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """``run`` leaves with 1 by returning 1."""
    monkeypatch.setattr(schema_command, "command", lambda: 1)
    assert run(["schema"]) == 1


def test_a_reader_that_leaves_is_no_error() -> None:
    """``goldwatch schema | head -1`` prints nothing on standard error, and does not exit 1."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", "from service.cli import main; main(['schema'])"],
        stdout=write, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 141


def test_a_narrow_encoding_is_no_internal_error() -> None:
    """An ASCII terminal gets escapes instead of arrows."""
    code = "from service.cli import main; from service.cli.commands import schema as s\n"
    code += "s.command = lambda: print('a → b')\nmain(['schema'])"
    done = python(code, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout) == (0, "a \\u2192 b\n")
