"""``goldwatch freeze``: is this the golden set that history was measured on?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    golden: Annotated[list[Path], typer.Argument(metavar="GOLDEN", help="Golden files (JSONL).")],
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; fail if a set is not frozen as it is (for pre-commit)."),
    ] = False,
) -> int:
    """Freeze a golden set: write its lock, so that any later edit is noticed.

    The lock stands beside the set (GOLDEN.lock) and is committed with it. An edited set is refused by every other
    command until it is frozen again, as its next version.

    \b
    Examples:
      goldwatch freeze golden/tickets.jsonl
      goldwatch freeze --check golden/*.jsonl
    """  # noqa: D301  # Typer reads the \b
    import sys
    import time

    from service.errors import UserError
    from service.golden import check_lock, freeze
    from service.text import safe

    code = 0
    for path in golden:
        name = safe(str(path))
        try:
            if check:
                held = check_lock(path)
                print(f"{name}: frozen, version {held.version}, {len(held.examples)} examples")
                continue
            lock = freeze(path, time.time())
        except UserError as error:
            print(error, file=sys.stderr)
            code = error.exit_code
            continue
        slices = f", {len(lock.slices)} slices" if lock.slices else ""
        print(f"{name}: version {lock.version}, {lock.count} examples{slices}, {lock.digest}")
        if lock.change is not None and (lock.version > 1 or not lock.change.written):
            print(f"  {lock.change.summary}")
        if lock.change is not None and lock.change.written and lock.change.known and lock.version > 1:
            print(f"  {_follows(lock.change.shared, lock.count)}")
    return code


def _follows(shared: int, count: int) -> str:
    """What becomes of the baseline (as ``service.pipeline.baseline_for`` decides)."""
    if 2 * shared >= count:
        return "the baseline stays in force: at least half of the examples are those of the version before"
    return (
        "the next run starts a new baseline: fewer than half of the examples are those of the version before"
    )
