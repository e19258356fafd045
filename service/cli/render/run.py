"""What did this run say? One run on the terminal: what fell, how sure, since when, where, why, what to do.

Drawn from the object of ``run --json`` and a few :class:`Details` that the object has no room for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from checks.causes import Diagnosis
from checks.types import ALL
from service.cli.render.words import clock, count, day, epoch, percent, points, text_of, usd
from service.headline import most_telling
from service.message import BrokenExample
from service.text import safe
from service.wording import change, happened, stands, subject, times, value

STYLES = {
    "regressed": "bold red", "inconclusive": "bold yellow", "suspect": "bold yellow", "learning": "bold cyan",
    "improved": "bold green", "ok": "bold green",
}  # fmt: skip

_ON_SCORES = frozenset({"quality", "floor", "generalization", "staleness", "adapter_applied", "judge_drift"})
"""The checks whose figures are scores, and so are shown as percentages."""


@dataclass(frozen=True, slots=True)
class Details:
    """What a person wants beside the run's object. Unknown is None, and then nothing is said of it.

    ``broke`` and ``fixed`` count examples; ``broken`` may hold fewer than ``broke``. ``failures`` counts unanswered
    examples by reason. ``causes`` and ``next_steps`` are sentences; ``diagnosis`` holds the facts behind them.
    ``notes`` say what the run's past was: the original baseline, an earlier version of the golden set.
    Times are seconds since 1970.
    """

    duration_s: float | None = None
    baseline_runs: int | None = None
    baseline_needed: int | None = None
    baseline_at: float | None = None
    last_good_run: int | None = None
    last_good_at: float | None = None
    broke: int | None = None
    fixed: int | None = None
    broken: Sequence[BrokenExample] = ()
    failures: Mapping[str, int] = field(default_factory=dict)
    causes: Sequence[str] = ()
    next_steps: Sequence[str] = ()
    min_answered: float | None = None
    diagnosis: Diagnosis | None = None
    notes: Sequence[str] = ()


def render_run(
    run: Mapping[str, Any], details: Details, *, limit: int = 5, exit_code: int | None = None
) -> RenderableType:
    """One run as a person reads it.

    Args:
        run: the object of ``run --json``.
        details: what stands beside it.
        limit: how many broken examples are listed.
        exit_code: where given, the last line says it.
    """
    parts: list[RenderableType] = [_heading(run, details), Text()]
    parts += _verdict(run, details)
    if details.broken:
        parts += [Text(), *_broken(run, details, limit)]
    if steps := list(_next(run, details)):
        parts += [
            Text(),
            _rows([("next" if i == 0 else "", Text(step)) for i, step in enumerate(steps)], indent=0),
        ]
    if exit_code is not None:
        parts.append(Text(f"exit {exit_code} ({run['verdict']})", style="dim"))
    return Group(*parts)


def headline(run: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The finding that says most: of the run's own verdict, over all examples, with the most evidence."""
    found: Sequence[Mapping[str, Any]] = run.get("findings") or ()
    return most_telling(found, run["verdict"], lambda finding, name: finding.get(name))


def _heading(run: Mapping[str, Any], details: Details) -> Text:
    requests = run.get("requests") or {}
    ok, failed = requests.get("ok"), requests.get("failed")
    line = Text(safe(str(run["target"]), 64), style="bold")
    if ok is not None and failed is not None:
        line.append(f"  {ok}/{ok + failed} answered", style="not bold")
    if requests.get("retried"):
        line.append(f"  {requests['retried']} retried", style="not bold")
    if details.duration_s is not None:
        line.append(f"  {details.duration_s:.1f} s", style="not bold")
    tokens = run.get("tokens") or {}
    known = [tokens[key] for key in ("input", "output") if tokens.get(key) is not None]
    if known:
        line.append(f"  {count(sum(known))} tokens", style="not bold")
    if run.get("cost_usd") is not None:
        line.append(f"  {usd(run['cost_usd'])}", style="not bold")
    return line


def _verdict(run: Mapping[str, Any], details: Details) -> list[RenderableType]:
    verdict = run["verdict"]
    line = Text(verdict.upper(), style=STYLES.get(verdict, "bold"))
    rows: list[tuple[str, Text]] = []
    finding = headline(run)
    if verdict in {"regressed", "suspect", "improved"} and finding is not None:
        line.append("  ").append_text(_change(finding))
        rows.append(("sure?", Text(_sure(verdict, finding, details))))
        if since := _since(run, finding, details):
            rows.append(("since", Text(since)))
        if where := _where(run, finding):
            rows.append(("where", Text(where)))
        rows += [("also", Text(also)) for also in _also(run, finding)]
    elif verdict == "inconclusive":
        line.append(
            f"  could not measure: {safe(run.get('reason') or 'no reason recorded', 200)}", style="not bold"
        )
        rows += [(f"{n}×", Text(safe(why, 200))) for why, n in _by_count(details.failures)]
    else:
        line.append("  ").append_text(_scores(run))
        if (
            verdict == "learning"
            and details.baseline_runs is not None
            and details.baseline_needed is not None
        ):
            rows.append(
                (
                    "baseline",
                    Text(
                        f"{details.baseline_runs} of {details.baseline_needed} baseline runs; nothing pages before that"
                    ),
                )
            )
        elif finding is not None and finding.get("evidence") is not None:
            line.append(f"  evidence {times(finding['evidence'])} the paging threshold", style="not bold dim")
    if verdict in {"learning", "suspect", "improved"} and finding is None and run.get("reason"):
        rows.append(("reason", Text(safe(run["reason"], 300))))
    rows += [("why" if i == 0 else "", Text(safe(cause, 300))) for i, cause in enumerate(details.causes)]
    return [line, _rows(rows)] if rows else [line]


def _change(finding: Mapping[str, Any]) -> Text:
    """What fell, from what to what."""
    name = finding.get("scorer") or finding["check"]
    if finding.get("slice", ALL) != ALL:
        name = f"{name} {finding['slice']}"
    text = Text(safe(str(name), 80), style="bold")
    before, now = finding.get("baseline"), finding.get("current")
    if stands(finding):
        return text.append(f" {happened(finding)}", style="not bold")
    if finding["check"] == "promises" and before is not None and now is not None:
        text = Text(subject(finding), style="bold")
        text.append(f" {value(finding, now)}, promised {value(finding, before)}")
        return text.append(f"  {safe(finding.get('reason') or '', 200)}", style="not bold")
    if finding["check"] not in _ON_SCORES:
        if finding["check"] in ("output_shift", "latency") and before is not None and now is not None:
            text.append(f" {value(finding, before)} → {value(finding, now)}  {change(finding)}")
        return text.append(f"  {safe(finding.get('reason') or '', 200)}", style="not bold")
    if before is not None and now is not None:
        text.append(f" {percent(before)} → {percent(now)}")
    elif now is not None:
        text.append(f" {percent(now)}")
    if finding.get("effect") is not None:
        text.append(f"  {points(finding['effect'])}")
    if finding.get("interval"):
        low, high = finding["interval"]
        text.append(f"  (95% CI {points(low, unit=False)} … {points(high, unit=False)})", style="not bold")
    return text


def _sure(verdict: str, finding: Mapping[str, Any], details: Details) -> str:
    said = []
    if verdict == "improved":
        said.append("improvements never page")
    elif finding.get("evidence") is not None:
        said.append(f"evidence {times(finding['evidence'])} the paging threshold")
    if verdict == "suspect":
        said.append("one bad run, not yet confirmed by a second")
    if finding["check"] == "floor" and finding.get("reason"):
        said.append(safe(finding["reason"], 120))
    if details.baseline_runs:
        pinned = f", pinned {day(details.baseline_at)}" if details.baseline_at is not None else ""
        said.append(f"baseline: {details.baseline_runs} runs{pinned}")
    return "; ".join(said) or "unknown"


def _since(run: Mapping[str, Any], finding: Mapping[str, Any], details: Details) -> str:
    onset, number = finding.get("onset_run"), run.get("run")
    said = []
    if onset is not None:
        said.append(f"this run ({onset})" if onset == number else f"run {onset}")
    if details.last_good_run is not None:
        near = epoch(run.get("started_at"))
        at = f" at {clock(details.last_good_at, near)}" if details.last_good_at is not None else ""
        said.append(f"last good {details.last_good_run}{at}")
    return "; ".join(said)


def _where(run: Mapping[str, Any], finding: Mapping[str, Any]) -> str:
    """The slices of the headline's scorer that moved the same way, the worst first."""
    sizes = {(s["scorer"], s["slice"]): s["n"] for s in run.get("scores") or ()}
    moved = [
        f
        for f in run.get("findings") or ()
        if f["slice"] != ALL and f["check"] == finding["check"] and f["scorer"] == finding["scorer"]
        and f.get("effect") is not None and f["effect"] * (finding.get("effect") or -1.0) > 0 and f is not finding
    ]  # fmt: skip
    moved.sort(key=lambda f: -abs(f["effect"]))
    shown = []
    for f in moved[:3]:
        n = sizes.get((f["scorer"], f["slice"]))
        shown.append(
            f"{safe(f['slice'], 40)} {points(f['effect'], unit=False)}"
            + (f" (n={n})" if n is not None else "")
        )
    return "   ".join(shown) + (f"   and {len(moved) - 3} more" if len(moved) > 3 else "")


def _also(run: Mapping[str, Any], finding: Mapping[str, Any]) -> Iterator[str]:
    """Other checks and scorers with the same verdict."""
    others = [
        f
        for f in run.get("findings") or ()
        if f["verdict"] == run["verdict"] and f["slice"] == ALL and f is not finding
        and (f["check"], f["scorer"]) != (finding["check"], finding["scorer"])
    ]  # fmt: skip
    for f in others[:3]:
        said = _change(f).plain
        if f["check"] == "floor" and f.get("reason"):
            said += f", {safe(f['reason'], 120)}"
        yield f"{f['check']}: {said}" if f["check"] != "quality" else said


def _scores(run: Mapping[str, Any]) -> Text:
    text = Text(style="not bold")
    for i, s in enumerate(s for s in run.get("scores") or () if s["slice"] == ALL):
        text.append("   " if i else "").append(safe(s["scorer"], 64), style="bold")
        text.append(
            f" {percent(s['mean'])} (n={s['n']}" + (f", {s['unscored']} unscored)" if s["unscored"] else ")")
        )
    return text


def _broken(run: Mapping[str, Any], details: Details, limit: int) -> Iterator[RenderableType]:
    broke = details.broke if details.broke is not None else len(details.broken)
    fixed = f", {details.fixed} fixed" if details.fixed is not None else ""
    yield Text(f"  {broke} broke{fixed}")
    yield Examples(details.broken[:limit])
    if (more := broke - min(limit, len(details.broken))) > 0:
        run_option = f" --run {run['run']}" if run.get("run") is not None else ""
        yield Text(
            f"  … {more} more: goldwatch explain {safe(str(run['target']), 64)}{run_option}", style="dim"
        )


@dataclass(frozen=True, slots=True)
class Examples:
    """A table of broken examples that fits the width: short columns keep their size, answers give way."""

    broken: Sequence[BrokenExample]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The header and one line per example."""
        heads = ("id", "expected", "before")
        rows = [(text_of(e.id, 24), text_of(e.expected, 24), text_of(e.before, 24)) for e in self.broken]
        widths = [max(cell_len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
        widths = [min(width, max(8, options.max_width // 5)) for width in widths]
        rest = max(12, options.max_width - 2 - sum(width + 3 for width in widths))
        yield self._line(heads, widths, Text("now"), "dim")
        for example, cells in zip(self.broken, rows, strict=True):
            reason = f"   ← {safe(example.reason, rest // 2)}" if example.reason else ""
            now = Text(_fit(text_of(example.now, rest), max(8, rest - cell_len(reason))).rstrip())
            yield self._line(cells, widths, now.append(reason, style="yellow"), "")

    @staticmethod
    def _line(cells: Sequence[str], widths: Sequence[int], last: Text, style: str) -> Text:
        shown = "".join(_fit(cell, width) + "   " for cell, width in zip(cells, widths, strict=True))
        return Text("  " + shown, style=style, no_wrap=True, overflow="ellipsis").append_text(last)


def _fit(text: str, width: int) -> str:
    """The text in exactly so many terminal cells."""
    return (
        text + " " * (width - cell_len(text))
        if cell_len(text) <= width
        else set_cell_size(text, width - 1) + "…"
    )


def _next(run: Mapping[str, Any], details: Details) -> Iterator[str]:
    yield from (safe(step, 300) for step in details.next_steps)
    target = safe(str(run["target"]), 64)
    regressed = {f["check"] for f in run.get("findings") or () if f["verdict"] == "regressed"}
    if run["verdict"] in {"regressed", "improved"} and regressed != {"promises"}:
        yield f'intended? goldwatch baseline accept {target} --reason "…"'
    elif run["verdict"] == "inconclusive":
        yield "this says nothing about the model; see what is wrong: goldwatch doctor"
    elif run["verdict"] == "suspect":
        yield f"confirm it: goldwatch run {target}"


def _by_count(failures: Mapping[str, int], limit: int = 5) -> list[tuple[str, int]]:
    ordered = sorted(failures.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(n for _, n in ordered[limit:])
    return ordered[:limit] + ([("for other reasons", rest)] if rest else [])


def _rows(rows: Sequence[tuple[str, Text]], indent: int = 2) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=7 if indent else 0)
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(Text(" " * indent + label, style="dim"), text)
    return grid
