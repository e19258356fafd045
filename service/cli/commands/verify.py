"""``goldwatch verify``: does the same follow from a bundle as was said of its run?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import AsJson
from service.cli.outcome import FAIL_ON, FailOn, exit_code, fail_on_verdicts


def command(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A file that export wrote.")],
    digest: Annotated[
        str | None,
        typer.Option(
            "--digest", metavar="sha256:...", help="The digest that export printed; another is refused."
        ),
    ] = None,
    fail_on: FailOn = FAIL_ON,
    as_json: AsJson = False,
) -> int:
    """Recompute an incident bundle.

    Every byte is checked, then scores and verdict are made again from the bundle alone; no network, no store, no
    configuration. Anybody can write a bundle of their own: only the digest that its sender tells ties it to them.
    Leaves with 0 or 1 as the run's verdict says (1: regressed), with 2 where the bundle was altered or does not
    reproduce, with 3 where the run could not be measured, or where other code judged it and judges otherwise.

    \b
    Examples:
      goldwatch verify ticket-router-1413.goldwatch.zip
      goldwatch verify incident.zip --digest sha256:6b51... --fail-on none
    """  # noqa: D301  # Typer reads the \b
    import json

    from service.bundle.read import opened
    from service.bundle.recompute import recompute
    from service.errors import UserError
    from service.text import safe

    verdicts = fail_on_verdicts(fail_on)
    with opened(bundle) as sound:
        if digest is not None and digest.strip().lower() != sound.seal:
            raise UserError(
                f"{bundle}: has the digest {sound.seal}, not the one that was asked for", "fetch it again"
            )
        found, manifest, seal = recompute(sound), sound.manifest, sound.seal
    same = not found.differences
    code = exit_code([str(found.verdict)], verdicts) if same else 2 if found.same_code else 3
    if as_json:
        print(
            json.dumps(
                {
                    "bundle": seal,
                    "target": manifest.target,
                    "run": manifest.run,
                    "verdict": str(found.verdict),
                    "recorded": str(found.recorded),
                    "reproduced": same,
                    "same_code": found.same_code,
                    "differences": list(found.differences),
                    "scored": list(found.scored),
                    "answers": found.answers,
                    "earlier_runs": found.earlier_runs,
                },
                ensure_ascii=False,
                allow_nan=False,
            )
        )
        return code
    said = "REPRODUCED, bit for bit" if same else "DOES NOT REPRODUCE"
    print(f"{said}: run {manifest.run} of {safe(manifest.target, 64)}, {found.recorded}")
    print(f"  digest   {seal}")
    if found.answers:
        scored = ", ".join(safe(name, 64) for name in found.scored) or "no scorer that works offline"
        print(f"  scores   made again from {found.answers} answers: {scored}")
    else:
        print("  scores   as recorded: the bundle has no answers")
    print(f"  verdict  {found.verdict}, judged again after {found.earlier_runs} earlier runs")
    if not found.same_code:
        print(f"  code     the bundle was made by other code (goldwatch {safe(manifest.goldwatch, 40)})")
    for line in found.differences:
        print(f"  differs  {line}")
    return code
