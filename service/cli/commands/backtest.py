"""``goldwatch backtest``: what would have been said of these recorded answers?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.options import CONFIG, AsJson, ConfigFile
from service.cli.outcome import FAIL_ON, FailOn, exit_code, fail_on_verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.backtest import Judged
    from service.records import Golden

BASELINE_RUNS = 10


def command(
    responses: Annotated[
        list[Path], typer.Argument(metavar="RESPONSES", help="Response files (JSONL), oldest first.")
    ],
    golden: Annotated[
        Path | None,
        typer.Option("--golden", "-g", metavar="GOLDEN", help="The golden set; default: the target's."),
    ] = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(
            "--scorer", metavar="SCORER", help="A kind, or YAML; repeatable. Default: the target's."
        ),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="DURATION", help="Time between runs; default: the target's, or 1h."),
    ] = None,
    baseline_runs: Annotated[
        int | None,
        typer.Option(
            "--baseline-runs", min=3, metavar="N", help="Runs to learn; default: the target's, or 10."
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="NAME", help="Take what is not said from this target.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="Broken examples to list.")] = 5,
    fail_on: FailOn = FAIL_ON,
    as_json: AsJson = False,
    config: ConfigFile = CONFIG,
) -> int:
    """Judge recorded response files as if they had been live runs.

    The first runs are the baseline. Nothing can be asked again, so a first bad run stays suspect and the second
    decides. Leaves with the last run's verdict: 0 (ok, suspect, improved, learning), 1 (regressed), 2 (usage) or 3
    (could not measure). The configuration is read with --target only.

    \b
    Examples:
      goldwatch backtest --golden golden.jsonl --scorer exact_match runs/*.jsonl
      goldwatch backtest -g golden.jsonl --scorer '{kind: regex, pattern: "([A-D])"}' --every 1d runs/*.jsonl
      goldwatch backtest --target ticket-router -c goldwatch.yaml runs/*.jsonl
    """  # noqa: D301  # Typer reads the \b
    import json

    from service.backtest import HOUR_S, PERIOD_H, judged_runs
    from service.cli.inputs import chosen, note, read_files
    from service.config.durations import format_duration, parse_duration
    from service.errors import UserError
    from service.report import run_object

    verdicts = fail_on_verdicts(fail_on)
    try:
        interval_s = parse_duration(every) if every is not None else None
    except ValueError as error:
        raise UserError(f"--every: {error}") from None
    if interval_s is not None and interval_s < 1.0:
        raise UserError("--every: must be at least 1s")
    what = chosen(golden, scorer or (), target, config)
    for line in what.notes:
        note(line)
    known = what.target
    if interval_s is None:
        interval_s = (known.schedule.every_s if known else None) or HOUR_S
    runs = read_files(responses, what.golden)
    judged = list(
        judged_runs(
            what.golden,
            what.scorers,
            runs,
            baseline_runs=baseline_runs or (known.baseline.runs if known else BASELINE_RUNS),
            every_s=interval_s,
            period_h=what.config.period_h if what.config else PERIOD_H,
            share=known.share if known else 1.0,
            min_answered=known.min_answered if known else 0.9,
            smallest_effect=known.smallest_effect if known else None,
            promises=known.promises.waits if known else None,
            target=known.name if known else "backtest",
        )
    )
    objects = [run_object(one.record) for one in judged]
    code = exit_code([str(judged[-1].record.verdict)], verdicts)
    if as_json:
        for one in objects:
            print(json.dumps(one, ensure_ascii=False, allow_nan=False))
        return code
    _show(what.golden, judged, responses, format_duration(interval_s), limit, code)
    return code


def _show(
    golden: Golden, judged: Sequence[Judged], files: Sequence[Path], every: str, limit: int, code: int
) -> None:
    from service.backtest import broken_in_last
    from service.cli.render.backtest import render_backtest
    from service.cli.render.console import show
    from service.cli.render.run import headline
    from service.report import run_object

    objects = [run_object(one.record) for one in judged]
    finding = headline(objects[-1])
    lost = []
    if objects[-1]["verdict"] in ("regressed", "suspect") and finding is not None and finding["scorer"]:
        lost = broken_in_last(golden, judged, finding["scorer"])
    show(
        render_backtest(
            objects,
            [path.name for path in files],
            every=every,
            broken=lost,
            broke=len(lost),
            limit=limit,
            exit_code=code,
        )
    )
