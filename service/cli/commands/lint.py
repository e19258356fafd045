"""``goldwatch lint``: is this golden set fit to tell that a model got worse?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from checks.lint import Input, LintFinding


def command(
    golden: Annotated[Path, typer.Argument(metavar="GOLDEN", help="A golden file (JSONL).")],
    train: Annotated[
        Path | None,
        typer.Option("--train", metavar="FILE", help="Training data (JSONL) to look for leaks in."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per finding, one per line.")
    ] = False,
) -> int:
    """Find duplicates, leaks and thin slices in a golden set.

    Training data is JSONL with input, prompt or messages on each line (of messages, all before the last answer
    count). An error makes scores wrong and leaves with exit code 2; warnings leave with 0.

    \b
    Examples:
      goldwatch lint golden/tickets.jsonl
      goldwatch lint golden/tickets.jsonl --train train.jsonl
    """  # noqa: D301  # Typer reads the \b
    import json

    from checks.lint import LintLevel, leaks, lint
    from service.golden import load

    loaded = load(golden)
    found = lint(loaded.examples)
    if train is not None:
        found = [*leaks(loaded.examples, training_inputs(train)), *found]
    for finding in found:
        if as_json:
            line = {
                "level": finding.level,
                "code": finding.code,
                "message": finding.message,
                "ids": finding.ids,
            }
            print(json.dumps(line, ensure_ascii=False))
        else:
            print(_line(finding))
    faulty = sum(finding.level is LintLevel.ERROR for finding in found)
    if not as_json:
        noun = "example" if len(loaded.examples) == 1 else "examples"
        print(f"{len(loaded.examples)} {noun}, {faulty} errors, {len(found) - faulty} remarks")
    return 2 if faulty else 0


def training_inputs(path: Path) -> Iterator[Input]:
    """The inputs of training data in JSONL.

    Raises:
        UserError: the file cannot be read, or a line is no object with ``input``, ``prompt`` or ``messages``.
    """
    import json

    from service.errors import UserError

    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    yield _asked(json.loads(line))
                except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                    raise UserError(
                        f"{path}:{number}: not a training example",
                        "each line is a JSON object with input, prompt or messages",
                    ) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8: {error.reason}", "save the file as UTF-8") from None
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read: {error.strerror}", "give the path of a JSONL file"
        ) from None


def _asked(record: dict[str, Any]) -> Input:
    """What one training example asks, without the answer."""
    from checks.types import Message

    asked = record.get("input", record.get("prompt", record.get("messages")))
    if isinstance(asked, str):
        return asked
    turns = [Message(str(turn["role"]), str(turn["content"])) for turn in asked or [None]]
    while turns and turns[-1].role == "assistant":
        turns.pop()
    return turns


def _line(finding: LintFinding) -> str:
    from service.text import safe

    ids = ", ".join(safe(i, 40) for i in finding.ids[:5])
    more = f" and {len(finding.ids) - 5} more" if len(finding.ids) > 5 else ""
    about = f" ({ids}{more})" if ids else ""
    return f"{finding.level:<7}  {finding.code}: {safe(finding.message, 300)}{about}"
