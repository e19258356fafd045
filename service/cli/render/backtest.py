"""What would have been said of these recorded runs? One line per file, then the last one's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from checks.types import ALL
from service.cli.render.compare import change_text
from service.cli.render.history import sparkline
from service.cli.render.run import STYLES, Examples, headline
from service.cli.render.words import percent, points
from service.message import BrokenExample
from service.text import safe
from service.wording import times

_ON_SCORES = ("quality", "floor")


def render_backtest(
    runs: Sequence[Mapping[str, Any]],
    files: Sequence[str],
    *,
    every: str,
    broken: Sequence[BrokenExample] = (),
    broke: int = 0,
    limit: int = 5,
    exit_code: int | None = None,
) -> RenderableType:
    """A backtest as a person reads it.

    Args:
        runs: objects of ``backtest --json``, oldest first, at least one.
        files: the file of each run.
        every: the time between two runs, such as ``1h``.
        broken: examples that the last run lost against the baseline.
        broke: how many there are.
        limit: how many of them are listed.
        exit_code: where given, the last line says it.
    """
    last = runs[-1]
    scorer = next((s["scorer"] for s in last["scores"] if s["slice"] == ALL), None)
    means = [_mean(run, scorer) for run in runs]
    parts: list[RenderableType] = [
        Text(f"{len(runs)} recorded runs of {last['golden']['examples']} examples, taken as {every} apart")
    ]
    if known := [mean for mean in means if mean is not None]:
        span = f"{percent(min(known))} to {percent(max(known))}"
        parts.append(Text(f"{safe(scorer or '', 40)}  {sparkline(means, 60)}  {span}"))
    parts.append(Text())
    numbers = len(str(len(runs)))
    parts += [_line(run, file, mean, numbers) for run, file, mean in zip(runs, files, means, strict=True)]
    parts += [Text(), *_verdict(last)]
    if broke:
        parts += [Text(f"  {broke} broke against the baseline"), Examples(list(broken[:limit]))]
        if broke > limit:
            parts.append(Text(f"  … {broke - limit} more: --limit {broke}", style="dim"))
    if exit_code is not None:
        parts.append(Text(f"exit {exit_code} ({last['verdict']})", style="dim"))
    return Group(*parts)


def _line(run: Mapping[str, Any], file: str, mean: float | None, numbers: int) -> Text:
    line = Text(f"{run['run']:>{numbers}}  ", no_wrap=True, overflow="ellipsis")
    line.append(f"{run['verdict']:<12}", style=STYLES.get(run["verdict"], ""))
    line.append(f"  {percent(mean) if mean is not None else '-':>6}")
    finding = headline(run) if run["verdict"] != "inconclusive" else None
    effect = finding["effect"] if finding is not None and finding["check"] in _ON_SCORES else None
    evidence = finding["evidence"] if finding is not None else None
    line.append(f"  {points(effect, unit=False) if effect is not None else '':>6}")
    line.append(f"  {times(evidence) if evidence is not None else '':>12}  ", style="dim")
    return line.append(safe(file, 120), style="dim")


def _verdict(run: Mapping[str, Any]) -> list[RenderableType]:
    verdict, finding = run["verdict"], headline(run)
    line = Text(verdict.upper(), style=STYLES.get(verdict, "bold")).append("  ")
    if finding is None or finding["check"] not in _ON_SCORES or verdict in ("learning", "inconclusive"):
        return [line.append(safe(run["reason"] or "", 300), style="not bold")]
    parts: list[RenderableType] = [line.append_text(change_text(finding))]
    if finding["evidence"] is not None:
        parts.append(Text(f"  sure?  evidence {times(finding['evidence'])} the paging threshold"))
    if finding["onset_run"] is not None:
        parts.append(Text(f"  since  run {finding['onset_run']}"))
    worst = sorted(
        (
            f
            for f in run["findings"]
            if (f["check"], f["scorer"]) == (finding["check"], finding["scorer"])
            and f["slice"] != ALL
            and f["effect"] is not None
            and f["effect"] < 0
        ),
        key=lambda f: f["effect"],
    )
    if worst and verdict in ("regressed", "suspect"):
        shown = [f"{safe(f['slice'], 40)} {points(f['effect'], unit=False)}" for f in worst[:3]]
        parts.append(Text("  where  " + "   ".join(shown)))
    return parts


def _mean(run: Mapping[str, Any], scorer: str | None) -> float | None:
    if run["verdict"] == "inconclusive":
        return None
    return next((s["mean"] for s in run["scores"] if s["slice"] == ALL and s["scorer"] == scorer), None)
