"""``goldwatch import``: a data set that people already have becomes a golden set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What you have.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="F",
            help="csv, jsonl, parquet, promptfoo, openai-chat, openai-evals, lm-eval, langfuse, inspect or deepeval.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="GOLDEN", help="Where to write; else standard output."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="KEY=FIELD", help="A golden key and the file's field for it; may be repeated."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace GOLDEN if it is there.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Tell what was done as one JSON object (with --output).")
    ] = False,
) -> int:
    """Bring a data set that you already have into golden form.

    Assertions become scorers where they mean the same: the lines for goldwatch.yaml are printed. What could not be
    carried over is listed with how often it was there; nothing is dropped in silence. The result is not frozen:
    look at it, then goldwatch lint and goldwatch freeze.

    \b
    Examples:
      goldwatch import promptfooconfig.yaml --format promptfoo -o golden/faq.jsonl
      goldwatch import heldout.jsonl --format openai-chat -o golden/tickets.jsonl
      goldwatch import faq.csv --format csv --map input=Question --map expected=Answer --map slices.lang=Language
    """  # noqa: D301  # Typer reads the \b
    import json
    import sys
    import tempfile

    from service.errors import UserError
    from service.golden import scan
    from service.imports import read
    from service.text import safe

    given: dict[str, str] = {}
    for pair in columns or ():
        key, equals, name = pair.partition("=")
        if not (key and equals and name):
            raise UserError(f"--map {pair}: a key and a field are needed", "write it as --map input=Question")
        if key in given:
            raise UserError(f"--map {key} is given twice", "keep one of them")
        given[key] = name
    if as_json and output is None:
        raise UserError("--json needs --output", "the golden lines go to standard output")
    if output is not None and output.exists() and not force:
        raise UserError(f"{output} is there already", "choose another name, or replace it with --force")
    found = read(file, form, given)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found.rows)
    with tempfile.TemporaryDirectory() as folder:  # what is written must be what freeze and lint accept
        tried = Path(folder) / (output.name if output is not None else "golden.jsonl")
        tried.write_text(text, "utf-8", errors="surrogatepass")
        count = scan(tried).count
    if output is None:
        print(text, end="")
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        partial = output.with_name(output.name + ".part")
        partial.write_text(text, "utf-8")
        partial.replace(output)
    if as_json:
        told = {"examples": count, "scorers": found.scorers, "left": dict(found.left.most_common())}
        print(json.dumps(told, ensure_ascii=False))
        return 0
    said = [f"{count} examples{f' in {output}' if output is not None else ''}"]
    if found.scorers:
        said += ["", "scorers that mean what was asserted, for goldwatch.yaml:", "    scorers:"]
        said += [f"      - {json.dumps(scorer)}" for scorer in found.scorers]
    if found.left:
        said += [
            "",
            "not carried over:",
            *(f"  {many:>6} x {safe(what, 160)}" for what, many in found.left.most_common()),
        ]
    if output is not None:
        said += ["", f"next: goldwatch lint {output} && goldwatch freeze {output}"]
    print("\n".join(said), file=sys.stderr if output is None else sys.stdout)
    return 0
