"""What does ``goldwatch`` do on the command line? ``main`` runs one command and leaves with its exit code.

``app`` is the Typer application; a command is one file in ``commands/`` and one row in ``app.COMMANDS``, imported only
when it is invoked. ``render/`` draws results with Rich. Exit codes: 0 ok, 1 regressed, 2 usage or configuration,
3 could not measure, 70 internal error, 130 interrupted, 141 the reader went away.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence

EXIT_OK = 0
EXIT_REGRESSED = 1
EXIT_USAGE = 2
EXIT_NOT_MEASURED = 3
EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``goldwatch`` and leave with its exit code.

    Raises:
        SystemExit: always, with the exit code.
    """
    if (
        os.getpid() == 1
    ):  # in a container: the kernel passes the first process no signal that it does not handle
        signal.signal(signal.SIGTERM, _terminated)
    code = run(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _reader_gone()
    raise SystemExit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing that a user can cause escapes as a traceback."""
    import typer

    from service.cli.app import ReaderGoneError, application, without_debug
    from service.errors import UserError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a narrow encoding must not become an internal error
    arguments, debug = without_debug(arguments)
    try:
        code = application().main(args=arguments, prog_name="goldwatch", standalone_mode=False)
    except typer.TyperException as error:
        show = getattr(error, "show", None)
        if show is None:
            _complain(f"Error: {error}")
        else:
            show(file=sys.stderr)
        return int(error.exit_code) if error.exit_code != EXIT_REGRESSED else EXIT_USAGE
    except UserError as error:
        _complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted")
        return EXIT_INTERRUPTED
    except (BrokenPipeError, ReaderGoneError):
        return _reader_gone()
    except Exception as error:  # noqa: BLE001  # the last resort: an internal error is never a verdict
        return _internal(error, debug=debug)
    return code if isinstance(code, int) else EXIT_OK


def _terminated(number: int, _frame: object) -> None:
    """Leave at SIGTERM, as any other process does; the daemon puts its own handler in place once it watches."""
    raise SystemExit(128 + number)


def _complain(message: str) -> None:
    from service.text import safe

    lines = [safe(line) for line in message.splitlines()]
    print("\n".join(lines), file=sys.stderr)


def _reader_gone() -> int:
    """The program that read our output has left: be quiet, and let nothing be written at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return EXIT_PIPE


def _internal(error: Exception, *, debug: bool) -> int:
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(error))
    where = "above"
    if debug:
        print(text, file=sys.stderr, end="")
    else:
        try:
            descriptor, where = tempfile.mkstemp(prefix="goldwatch-", suffix=".traceback.txt")
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            where = "to be had with: goldwatch --debug ..."
    _complain(
        f"internal error: {type(error).__name__}: {error}\n"
        f"This is a fault of goldwatch and says nothing about your model. The traceback is {where}"
    )
    return EXIT_INTERNAL
