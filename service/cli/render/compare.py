"""Is B better or worse than A, where, and how sure is that? One comparison on the terminal.

First the verdict; per scorer its change over all examples and a table of slices, the most damaged first; then what
broke. Probabilities are adjusted over every test made (Holm).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from checks.types import ALL, Finding, Verdict
from service.cli.render.run import STYLES, Examples
from service.cli.render.words import percent, points
from service.message import BrokenExample
from service.text import safe

if TYPE_CHECKING:
    from checks.compare import Changed, Comparison, Side

_REASONS = 5


@dataclass(frozen=True, slots=True)
class Labels:
    """What the two sides are called."""

    a: str
    b: str


def render_comparison(
    result: Comparison, labels: Labels, *, limit: int = 5, exit_code: int | None = None
) -> RenderableType:
    """One comparison as a person reads it.

    Args:
        result: the comparison.
        labels: what A and B are called.
        limit: how many broken, and how many fixed, examples are listed per scorer.
        exit_code: where given, the last line says it.
    """
    parts: list[RenderableType] = [*_sides(result, labels), Text()]
    verdict = str(result.verdict)
    head = Text(verdict.upper(), style=STYLES.get(verdict, "bold"))
    parts.append(head.append(f"  {safe(result.reason, 300)}", style="not bold"))
    for headline in (f for f in result.findings if f.slice == ALL):
        parts += [Text(), *_scorer(result, headline, limit)]
    parts += [Text(), Text(_footnote(result), style="dim")]
    if exit_code is not None:
        parts.append(Text(f"exit {exit_code} ({verdict})", style="dim"))
    return Group(*parts)


def change_text(finding: Mapping[str, Any] | Finding) -> Text:
    """``label 94.3% → 81.5%  −12.8 points  (95% CI −16.4 … −9.1)`` of a finding about scores."""
    known = finding if isinstance(finding, Mapping) else _facts(finding)
    name = known["scorer"] or known["check"]
    text = Text(safe(str(name if known["slice"] == ALL else f"{name} {known['slice']}"), 80), style="bold")
    before, now = known["baseline"], known["current"]
    if before is not None and now is not None:
        text.append(f" {percent(before)} → {percent(now)}")
    elif now is not None:
        text.append(f" {percent(now)}")
    if known["effect"] is not None:
        text.append(f"  {points(known['effect'])}")
    if known["interval"] is not None:
        text.append(f"  (95% CI {_interval(known['interval'])})", style="not bold")
    return text


def p_text(p: float | None) -> str:
    """A probability, short.

    >>> p_text(0.0213), p_text(1e-9), p_text(None)
    ('0.021', '<0.0001', '-')
    """
    if p is None:
        return "-"
    return "<0.0001" if p < 0.0001 else f"{p:.2g}"


def _facts(finding: Finding) -> dict[str, Any]:
    keys = ("scorer", "check", "slice", "baseline", "current", "effect", "interval")
    return {key: getattr(finding, key) for key in keys}


def _interval(interval: Sequence[float]) -> str:
    return f"{points(interval[0], unit=False)} … {points(interval[1], unit=False)}"


def _sides(result: Comparison, labels: Labels) -> Iterator[Text]:
    names = [safe(labels.a, 100), safe(labels.b, 100)]
    width = max(map(len, names))
    for letter, name, side in zip("AB", names, (result.baseline, result.current), strict=True):
        line = Text(f"{letter}  ", style="bold").append(f"{name:<{width}}", style="not bold")
        yield line.append(f"  {side.answered}/{side.examples} answered", style="not bold")
        yield from _errors(side)


def _errors(side: Side) -> Iterator[Text]:
    for reason, count in list(side.errors.items())[:_REASONS]:
        yield Text(f"     {count}×  {safe(reason, 160)}", style="dim")
    if (rest := len(side.errors) - _REASONS) > 0:
        yield Text(f"     and {rest} more reasons", style="dim")


def _scorer(result: Comparison, headline: Finding, limit: int) -> Iterator[RenderableType]:
    line = change_text(headline)
    line.append("  ").append(_said(headline), style=STYLES.get(str(headline.verdict), ""))
    yield line
    slices = [f for f in result.findings if f.scorer == headline.scorer and f.slice != ALL]
    if slices:
        yield _table(result, slices)
    broken = [c for c in result.broken if c.scorer == headline.scorer]
    fixed = [c for c in result.fixed if c.scorer == headline.scorer]
    if not broken and not fixed:
        return
    yield Text(f"  {len(broken)} broke, {len(fixed)} fixed")
    if limit:
        yield from _listed("broke", broken, limit)
        yield from _listed("fixed", fixed, limit)


def _listed(what: str, changed: Sequence[Changed], limit: int) -> Iterator[RenderableType]:
    if not changed:
        return
    yield Text(f"  {what}", style="dim")
    yield Examples([BrokenExample(c.id, c.expected, c.before, c.now, c.reason) for c in changed[:limit]])
    if (more := len(changed) - limit) > 0:
        yield Text(f"  … {more} more: --limit {len(changed)}", style="dim")


def _said(finding: Finding) -> str:
    if finding.verdict is Verdict.INCONCLUSIVE:
        return f"inconclusive: {safe(finding.reason or 'not tested', 200)}"
    return f"{finding.verdict}, p {p_text(finding.evidence)}"


def _table(result: Comparison, slices: Sequence[Finding]) -> Table:
    """The slices, the most damaged first; those that could not be compared last."""
    sizes = {(s.scorer, s.slice): s.n for s in result.current.summaries}
    table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  slice", overflow="ellipsis", no_wrap=True, max_width=42)
    for head in ("n", "was", "now", "change", "95% CI", "p"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for f in sorted(slices, key=lambda f: (f.effect is None, f.effect or 0.0, f.slice)):
        table.add_row(
            "  " + safe(f.slice, 40),
            str(sizes.get((f.scorer or "", f.slice), "-")),
            "-" if f.baseline is None else percent(f.baseline),
            "-" if f.current is None else percent(f.current),
            "-" if f.effect is None else points(f.effect, unit=False),
            "-" if f.interval is None else _interval(f.interval),
            p_text(f.evidence),
            Text(
                safe(f.reason or "not tested", 60) if f.evidence is None else str(f.verdict),
                style=STYLES.get(str(f.verdict), ""),
            ),
        )
    return table


def _footnote(result: Comparison) -> str:
    tests = "1 test" if result.tests == 1 else f"{result.tests} tests"
    return f"p two-sided, by pairs, adjusted over {tests} (Holm); alpha {result.alpha:g}; intervals 95% each"
