"""``goldwatch lint``: is this golden set fit to tell that a model got worse?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from checks.detectability import Card, Plan
    from checks.lint import LintFinding
    from checks.types import Example

_DAY_S = 86_400.0


def command(
    golden: Annotated[Path, typer.Argument(metavar="GOLDEN", help="A golden file (JSONL).")],
    train: Annotated[
        Path | None,
        typer.Option(
            "--train", metavar="FILE", help="Training data to look for copies in: JSONL, CSV, TSV or text."
        ),
    ] = None,
    every: Annotated[
        str, typer.Option("--every", metavar="TIME", help="How often it would be replayed.")
    ] = "1h",
    false_alarms: Annotated[
        str, typer.Option("--false-alarms", metavar="N/TIME", help="At most N false pages in that time.")
    ] = "1/90d",
    targets: Annotated[
        int, typer.Option("--targets", min=1, metavar="N", help="Targets that share the false alarms.")
    ] = 1,
    repeats: Annotated[
        int, typer.Option("--repeats", min=1, max=16, metavar="N", help="Times each is asked.")
    ] = 1,
    accuracy: Annotated[
        float,
        typer.Option("--accuracy", min=0.02, max=0.999, metavar="P", help="The share expected to be right."),
    ] = 0.8,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per finding, one per line.")
    ] = False,
) -> int:
    """Find duplicates, leaks and thin slices in a golden set, and how small a drop it would find.

    The last lines say what a watch over this set finds within a day, a week and a month, 80 of 100 times, and what
    more examples would buy. Nothing is asked: a share of right answers is assumed. goldwatch doctor tells it for a
    target, from its own runs.

    Training data is JSONL, CSV or TSV with messages, input, prompt, instruction, question or text (of messages, all
    before the last answer count), or plain text by lines. Examples that stand in it, exactly or nearly, measure memory:
    mark them origin: train. An error makes scores wrong and leaves with exit code 2; warnings leave with 0.

    \b
    Examples:
      goldwatch lint golden/tickets.jsonl
      goldwatch lint golden/tickets.jsonl --train train.jsonl
      goldwatch lint golden/tickets.jsonl --every 6h --accuracy 0.95 --targets 40
    """  # noqa: D301  # Typer reads the \b
    import json
    from dataclasses import asdict

    from checks.lint import LintLevel, leaks, lint
    from service.golden import load
    from service.text import safe
    from service.training import training_inputs

    plan = planned(every, false_alarms, targets, repeats, accuracy)
    loaded = load(golden)
    found = lint(loaded.examples)
    if train is not None:
        found = [*leaks(loaded.examples, training_inputs(train)), *found]
    for finding in found:
        if as_json:
            line: dict[str, Any] = {
                "level": finding.level,
                "code": finding.code,
                "message": finding.message,
                "ids": finding.ids,
            }
            if finding.copies:
                line["copies"] = [asdict(copy) for copy in finding.copies]
            print(json.dumps(line, ensure_ascii=False))
        else:
            print(_line(finding))
    card = _card(loaded.examples, plan)
    if card is not None:
        from service.detectability import card_object, sentences

        said = list(sentences(card))
        if as_json:
            line = {"level": "info", "code": "detectability", "message": " ".join(said), "ids": []}
            print(json.dumps({**line, "card": card_object(card)}, ensure_ascii=False, allow_nan=False))
        else:
            print(f"\nReplayed every {safe(every, 20)}, at most {_pages(false_alarms)}"
                  f" over {targets} target{'' if targets == 1 else 's'}:")  # fmt: skip
            for sentence in said:
                print(_wrapped(sentence))
            print()
    faulty = sum(finding.level is LintLevel.ERROR for finding in found)
    if not as_json:
        noun = "example" if len(loaded.examples) == 1 else "examples"
        print(f"{len(loaded.examples)} {noun}, {faulty} errors, {len(found) - faulty} remarks")
    return 2 if faulty else 0


def planned(every: str, false_alarms: str, targets: int, repeats: int, accuracy: float) -> Plan:
    """How the set would be watched.

    Raises:
        UserError: a time or the number of false alarms cannot be read.
    """
    from checks.detectability import Plan
    from service.config.durations import parse_duration
    from service.errors import UserError

    try:
        interval_s = parse_duration(every)
    except ValueError as error:
        raise UserError(f"--every {every}: {error}", "write it like 15m, 1h or 1d") from None
    at_most, _, per = false_alarms.partition("/")
    try:
        pages, period_s = float(at_most), parse_duration(per)
    except ValueError:
        pages, period_s = 0.0, 0.0
    if not (0.0 < pages <= 10_000 and period_s >= _DAY_S and interval_s >= 1.0):
        what = f"--every {every}" if interval_s < 1.0 else f"--false-alarms {false_alarms}"
        raise UserError(
            f"{what}: out of range", "write --false-alarms 1/90d (pages/time of a day or more), --every 1h"
        )
    return Plan(interval_s / 3600.0, repeats, 1.0 / targets, period_s / 3600.0 / pages, accuracy=accuracy)


def _card(examples: Sequence[Example], plan: Plan) -> Card | None:
    if not examples:
        return None
    from service.detectability import card_of_set

    return card_of_set(examples, plan)


def _pages(false_alarms: str) -> str:
    """``1/90d`` in words."""
    from service.text import safe

    at_most, _, per = false_alarms.partition("/")
    return f"{safe(at_most, 20)} false page{'' if at_most == '1' else 's'} in {safe(per, 20)}"


def _wrapped(sentence: str) -> str:
    import textwrap

    return textwrap.fill(sentence, 98, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _line(finding: LintFinding) -> str:
    from service.text import safe

    if finding.copies:
        listed = [f"{safe(c.id, 40)} ~ line {c.line} ({c.similarity:.2f})" for c in finding.copies[:5]]
    else:
        listed = [safe(i, 40) for i in finding.ids[:5]]
    more = f" and {len(finding.ids) - 5} more" if len(finding.ids) > 5 else ""
    about = f" ({', '.join(listed)}{more})" if listed else ""
    return f"{finding.level:<7}  {finding.code}: {safe(finding.message, 400)}{about}"
