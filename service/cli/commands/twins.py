"""``goldwatch twins``: does the model know its job, or its training data?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    golden: Annotated[Path, typer.Argument(metavar="GOLDEN", help="A golden file (JSONL).")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT", help="Write here, not to standard output.")
    ] = None,
    share: Annotated[
        float, typer.Option("--share", metavar="P", help="The part of the examples that gets a twin.")
    ] = 0.25,
    kinds: Annotated[
        str, typer.Option("--kinds", metavar="LIST", help="How they are disturbed, by commas.")
    ] = "case,typo,spacing,order,phrase",
) -> None:
    """Write a golden set with disturbed twins of its examples, which expect the same answer.

    Letters in one case, typing errors, spaces, sentences in another order, contractions written out; what the answer
    hangs on stays as it is. Read them before you freeze the set. A target that replays it has the gap between twins and
    originals watched (check generalization). Every twin is one request more in each run.

    \b
    Examples:
      goldwatch twins golden/tickets.jsonl -o golden/tickets-twins.jsonl
      goldwatch twins golden/tickets.jsonl --share 1 --kinds typo,case
    """  # noqa: D301  # Typer reads the \b
    import sys
    from collections import Counter

    from checks.twins import KINDS, TWIN, twins_of
    from service.errors import UserError
    from service.golden import load
    from service.golden.canonical import canonical
    from service.text import safe

    named = [part.strip() for part in kinds.split(",") if part.strip()]
    if output is not None and output.exists():
        raise UserError(f"{safe(str(output))} exists already", "name another file, or remove it")
    before = load(golden).examples
    try:
        whole = twins_of(before, named, share)
    except ValueError as error:
        raise UserError(f"{error}", f"kinds are {', '.join(KINDS)}; --share is between 0 and 1") from None
    text = "".join(canonical(example) + "\n" for example in whole)
    if output is None:
        print(text, end="")
    else:
        try:
            output.write_text(text, "utf-8")
        except OSError as error:
            raise UserError(
                f"{safe(str(output))} cannot be written: {error.strerror}", "name another file"
            ) from None
    made = Counter(example.slices[TWIN] for example in whole[len(before) :])
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(made.items())) or "none could be made"
    noun = "twin" if sum(made.values()) == 1 else "twins"
    print(f"{len(before)} examples and {sum(made.values())} {noun} ({said})", file=sys.stderr)
    if made:
        print("read them, then: goldwatch freeze", file=sys.stderr)
