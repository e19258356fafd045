"""With which exit code does a verdict leave, and where are summaries for CI written?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from checks.types import Verdict
from service.errors import UserError

FAIL_ON = "regressed,inconclusive"
"""The default of :data:`FailOn`."""

FailOn = Annotated[
    str,
    typer.Option(
        "--fail-on",
        metavar="VERDICTS",
        help="Verdicts, separated by commas, that leave with 1 (3: inconclusive).",
    ),
]
"""``fail_on: FailOn = FAIL_ON``."""


def fail_on_verdicts(text: str) -> frozenset[str]:
    """The verdicts named in ``--fail-on``; ``none`` is nobody.

    >>> sorted(fail_on_verdicts("regressed, suspect"))
    ['regressed', 'suspect']

    Raises:
        UserError: one of them is no verdict.
    """
    named = {part.strip().lower() for part in text.split(",") if part.strip()} - {"none"}
    known = [str(verdict) for verdict in Verdict]
    for name in sorted(named):
        if name not in known:
            raise UserError(f"--fail-on: {name!r} is no verdict", f"write some of: {', '.join(known)}, none")
    return frozenset(named)


def exit_code(verdicts: Iterable[str], fail_on: frozenset[str]) -> int:
    """0, 1 or 3 for the verdicts of several runs or comparisons: 1 before 3 before 0.

    >>> exit_code(["ok", "inconclusive"], frozenset({"regressed", "inconclusive"}))
    3
    """
    bad = {verdict for verdict in verdicts if verdict in fail_on}
    if bad - {str(Verdict.INCONCLUSIVE)}:
        return 1
    return 3 if bad else 0


def write_summaries(objects: Sequence[dict[str, Any]], junit: Path | None, *, github: bool) -> None:
    """Write JUnit XML to a file, and GitHub's step summary and annotations where they are asked for.

    Raises:
        UserError: the file cannot be written.
    """
    import os

    from service.summary import github_annotations, github_step_summary
    from service.summary import junit as junit_xml

    if junit is not None:
        _write(junit, junit_xml(objects), append=False)
    if github:
        place = os.environ.get("GITHUB_STEP_SUMMARY")
        if place:
            _write(Path(place), github_step_summary(objects) + "\n", append=True)
        for line in github_annotations(objects):
            print(line)


def _write(path: Path, text: str, *, append: bool) -> None:
    try:
        with path.open("a" if append else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
