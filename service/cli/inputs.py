"""Which golden set, scorers and recorded answers does a command judge? Of ``backtest`` and ``compare``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from service.errors import UserError

if TYPE_CHECKING:
    from checks.scorers import Scorer
    from checks.types import Response
    from service.config import Config, Target
    from service.records import Golden


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is judged. ``target`` and ``config`` are None where nothing was taken from a configuration.

    ``notes`` are lines for standard error.
    """

    golden: Golden
    scorers: tuple[Scorer, ...]
    target: Target | None = None
    config: Config | None = None
    notes: list[str] = field(default_factory=list)


def chosen(golden: Path | None, scorers: Sequence[str], target: str | None, config: Path) -> Chosen:
    """The golden set and the scorers of a command line; what it does not say comes from the target.

    Raises:
        UserError: something is missing, wrong or edited.
    """
    from service.cli.opened import read_config

    loaded = read_config(config) if target is not None else None
    known = loaded.target(target) if loaded is not None and target is not None else None
    if golden is None and known is None:
        raise UserError("no golden set", "name it: --golden FILE, or --target NAME -c goldwatch.yaml")
    return choose(golden, scorers, known, loaded)


def choose(
    golden: Path | None,
    scorers: Sequence[str],
    target: Target | None,
    config: Config | None,
    found: Golden | None = None,
) -> Chosen:
    """As :func:`chosen`, with the target at hand; ``found`` is the golden set where it is known already.

    Raises:
        UserError: something is missing, wrong or edited.
    """
    from service.golden import check_lock
    from service.scorer_option import check_scorable, golden_of, scorers_of, unfrozen_note

    if not scorers and target is None:
        raise UserError(
            "no scorer",
            "say how answers are scored: --scorer exact_match, or --target NAME -c goldwatch.yaml",
        )
    used = scorers_of(scorers) if scorers else target.scorers if target is not None else ()
    notes = []
    if golden is not None:
        held = golden_of(golden)
        if held.version is None:
            notes.append(unfrozen_note(golden))
    elif found is not None:
        held = found
    elif target is not None:
        held = check_lock(target.golden)
    else:
        raise UserError("no golden set", "name it: --golden FILE")
    notes += check_scorable(used, held.examples)
    return Chosen(held, used, target, config, notes)


def read_files(paths: Sequence[Path], golden: Golden) -> list[tuple[Response, ...]]:
    """The answers of every file; the faults of all files are told at once.

    Raises:
        UserError: at least one file has faults.
    """
    from service.responses_file import ResponseFileError, read_responses

    runs, faults = [], []
    for path in paths:
        try:
            found = read_responses(path, golden.examples)
        except ResponseFileError as error:
            faults.append(str(error))
            continue
        if found.missing:
            named = ", ".join(found.missing[:3]) + (" ..." if len(found.missing) > 3 else "")
            note(
                f"note: {path}: {len(found.missing)} examples have no line: {named}; they count as unanswered"
            )
        runs.append(found.responses)
    if faults:
        raise UserError("\n".join(faults))
    return runs


def note(line: str) -> None:
    """Say one line on standard error, harmlessly."""
    import sys

    from service.text import safe

    print(safe(line, 500), file=sys.stderr)
