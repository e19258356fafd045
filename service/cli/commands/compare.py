"""``goldwatch compare``: is B better or worse than A on the same examples?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.options import CONFIG, AsJson, ConfigFile
from service.cli.outcome import FAIL_ON, FailOn, exit_code, fail_on_verdicts

if TYPE_CHECKING:
    from checks.compare import Comparison
    from checks.types import Response
    from service.cli.inputs import Chosen
    from service.config import Config, Target
    from service.records import Golden, RunRecord

RUN, TARGET = "run:", "target:"


@dataclass(frozen=True, slots=True)
class _Operand:
    """A or B before its answers are read: a file, a stored run, or a target to be replayed now."""

    label: str
    file: Path | None = None
    run: RunRecord | None = None
    target: Target | None = None


def command(
    a: Annotated[str, typer.Argument(metavar="A", help="Before: a response file, run:ID or a target.")],
    b: Annotated[str, typer.Argument(metavar="B", help="After: a response file, run:ID or a target.")],
    golden: Annotated[
        Path | None,
        typer.Option(
            "--golden", "-g", metavar="GOLDEN", help="The golden set; default: the run's or target's."
        ),
    ] = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(
            "--scorer", metavar="SCORER", help="A kind, or YAML; repeatable. Default: the target's."
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="NAME", help="Take what is not said from this target.")
    ] = None,
    alpha: Annotated[
        float, typer.Option("--alpha", help="Probability of any false finding, over all scorers and slices.")
    ] = 0.05,
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="Broken and fixed examples to list, each.")
    ] = 5,
    fail_on: FailOn = FAIL_ON,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")] = None,
    github: Annotated[bool, typer.Option("--github", help="Step summary and annotations.")] = False,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="FILE", help="Also write the comparison, for worth.before_after."),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = CONFIG,
) -> int:
    """Compare two sets of answers to the same golden set, before and after.

    A is the baseline and B current; pairs answered in both are compared, two-sided, scorer by scorer and slice by
    slice. A and B are response files, runs in the store (run:ID) or targets (target:NAME, or a configured name that is
    no file): a target is replayed now, and nothing of that is stored. Leaves with 0 (ok, improved), 1 (regressed),
    2 (usage or configuration) or 3 (could not measure). The configuration is read for runs and targets only.

    \b
    Examples:
      goldwatch compare before.jsonl after.jsonl --golden golden.jsonl --scorer exact_match
      goldwatch compare run:1412 run:1413
      goldwatch compare ticket-router target:ticket-router-candidate --junit compare.xml
    """  # noqa: D301  # Typer reads the \b
    from checks.compare import compare
    from service.cli.inputs import note
    from service.cli.opened import read_config
    from service.errors import UserError

    verdicts = fail_on_verdicts(fail_on)
    if not 0.0 < alpha < 1.0:
        raise UserError(f"--alpha: must lie between 0 and 1, not {alpha:g}", "the default is 0.05")
    loaded = read_config(config) if target is not None or _needs_config(a, b, config) else None
    sides = [_operand(text, loaded) for text in (a, b)]
    what = _chosen(golden, scorer or [], target, sides, loaded)
    for line in what.notes:
        note(line)
    before, now = _answers(sides, what, loaded, quiet=as_json)
    result = compare(
        what.golden.examples,
        what.scorers,
        before,
        now,
        alpha=alpha,
        min_answered=what.target.min_answered if what.target else 0.9,
    )
    code = exit_code([str(result.verdict)], verdicts)
    told = _object(result, what, sides, now)
    _show(result, told, sides, limit, code, as_json=as_json)
    if keep is not None:
        _keep(keep, told)
    if junit is not None or github:
        from service.cli.outcome import write_summaries

        write_summaries([told], junit, github=github)
    return code


def _keep(path: Path, told: dict[str, Any]) -> None:
    import json

    from service.errors import UserError

    try:
        path.write_text(json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}", "choose another file") from None


def _needs_config(a: str, b: str, config: Path) -> bool:
    named = any(text.startswith((RUN, TARGET)) for text in (a, b))
    return named or (config.is_file() and not all(Path(text).exists() for text in (a, b)))


def _operand(text: str, config: Config | None) -> _Operand:
    from service.cli.opened import opened_store
    from service.errors import UserError
    from service.records import RunState

    if text.startswith(RUN) and config is not None:
        number = text.removeprefix(RUN)
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            raise UserError(f"{text!r} is no run", "write run: and its number, such as run:1413")
        with opened_store(config) as store:
            record = store.run(int(number))
        if record is None:
            raise UserError(f"there is no run {number} in the store", "list them: goldwatch history TARGET")
        if record.state is not RunState.DONE:
            raise UserError(f"run {number} is still under way", "compare it when it is finished")
        return _Operand(f"run {number} of {record.target}", run=record)
    if text.startswith(TARGET) and config is not None:
        found = config.target(text.removeprefix(TARGET))
        return _Operand(f"{found.name}, replayed now", target=found)
    path = Path(text)
    if not path.exists() and config is not None and any(t.name == text for t in config.targets):
        return _Operand(f"{text}, replayed now", target=config.target(text))
    if not path.exists():
        from service.config.errors import list_of

        names = [t.name for t in config.targets] if config is not None else []
        told = f"; targets: {list_of(names)}" if names else ""
        raise UserError(
            f"{text!r} is neither a file nor a configured target{told}",
            "A and B are response files, run:ID or target:NAME (with -c goldwatch.yaml)",
        )
    return _Operand(text, file=path)


def _chosen(
    golden: Path | None, scorers: list[str], target: str | None, sides: list[_Operand], config: Config | None
) -> Chosen:
    """Golden set and scorers: as said, else of the target that is named, replayed, or whose run is compared."""
    from service.cli.inputs import choose
    from service.cli.opened import opened_store
    from service.errors import UserError

    known = config.target(target) if config is not None and target is not None else None
    for side in (*reversed(sides),) if known is None else ():
        name = side.run.target if side.run is not None else None
        of_run = next((t for t in config.targets if t.name == name), None) if config is not None else None
        known = known or side.target or of_run
    runs = [side.run for side in sides if side.run is not None]
    held = None
    if runs and golden is None and config is not None:
        with opened_store(config) as store:
            held = store.golden(runs[-1].golden_digest)
    what = choose(golden, scorers, known, config, held)
    for run in runs:
        if run.golden_digest != what.golden.digest:
            raise UserError(
                f"run {run.id} asked another golden set ({run.golden_digest[:19]}…) than {what.golden.digest[:19]}…",
                "compare runs of the same golden set; replay the older deployment if you must",
            )
    return what


def _answers(
    sides: list[_Operand], what: Chosen, config: Config | None, *, quiet: bool
) -> list[tuple[Response, ...]]:
    """The answers of both sides, in order; files are read before anything is asked."""
    from service.cli.inputs import read_files

    found: dict[int, tuple[Response, ...]] = {}
    files = [(i, side.file) for i, side in enumerate(sides) if side.file is not None]
    read = read_files([path for _, path in files], what.golden)
    found.update((i, responses) for (i, _), responses in zip(files, read, strict=True))
    for i, side in enumerate(sides):
        if side.run is not None and config is not None:
            found[i] = _stored(side.run, config)
    for i, side in enumerate(sides):
        if side.target is not None and config is not None:
            found[i] = _replayed(side.target, what.golden, config, quiet=quiet)
    return [found[0], found[1]]


def _stored(run: RunRecord, config: Config) -> tuple[Response, ...]:
    from service.cli.opened import opened_store
    from service.errors import UserError

    with opened_store(config) as store:
        responses = tuple(store.responses(run.id))
    if not responses:
        raise UserError(
            f"run {run.id} has no answers in the store: they were deleted by age (`retention:`), or never came",
            "compare a newer run, or replay the target",
        )
    return responses


def _replayed(target: Target, golden: Golden, config: Config, *, quiet: bool) -> tuple[Response, ...]:
    """Ask a target now, within its limits; nothing is stored.

    Raises:
        UserError: the day's limits cannot be read from the store.
    """
    import asyncio
    import sys

    from service.cli.opened import opened_store
    from service.pipeline import Shell
    from service.pipeline import plan_of as replay_plan
    from service.replay import replay

    with opened_store(config) as store:
        plan = replay_plan(Shell(store, config), target)

    async def ask(progress: Any) -> tuple[Response, ...]:
        result = await replay(
            golden.examples, target.endpoint, plan, save=lambda _batch: None, progress=progress
        )
        return tuple(result.responses)

    if quiet or not sys.stderr.isatty():
        return asyncio.run(ask(None))
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from service.cli.render.console import console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(target.name, total=None)
        return asyncio.run(ask(lambda done, total: bar.update(task, completed=done, total=total)))


def _object(
    result: Comparison, what: Chosen, sides: list[_Operand], now: tuple[Response, ...]
) -> dict[str, Any]:
    """The contract's object: B as the run, judged against A."""
    from service.backtest import token_sums
    from service.limits import cost_usd
    from service.records import Requests
    from service.report import golden_object, plain_object

    b = sides[1]
    tokens = token_sums(now)
    times = [response.at for response in now if response.at is not None]
    started_at = b.run.started_at if b.run is not None else min(times, default=None)
    name = b.target.name if b.target else b.run.target if b.run else what.target.name if what.target else None
    price = b.target.endpoint.price if b.target is not None else None
    return plain_object(
        target=name or (b.file.name if b.file is not None else b.label),
        run=b.run.id if b.run is not None else None,
        scheduled_at=b.run.scheduled_at if b.run is not None else None,
        started_at=started_at,
        golden=golden_object(what.golden.digest, what.golden.version, len(what.golden.examples)),
        verdict=result.verdict,
        reason=result.reason,
        summaries=result.current.summaries,
        findings=result.findings,
        requests=Requests(
            result.current.answered,
            result.current.examples - result.current.answered,
            sum(max(response.attempts - 1, 0) for response in now),
        ),
        tokens=tokens,
        cost_usd=b.run.cost_usd if b.run is not None else cost_usd(price, *tokens),
    )


def _show(
    result: Comparison, told: dict[str, Any], sides: list[_Operand], limit: int, code: int, *, as_json: bool
) -> None:
    import json

    if as_json:
        print(json.dumps(told, ensure_ascii=False, allow_nan=False))
        return
    from service.cli.render.compare import Labels, render_comparison
    from service.cli.render.console import show

    labels = Labels(sides[0].label, sides[1].label)
    show(render_comparison(result, labels, limit=limit, exit_code=code))
