"""How did the verdict come about, as a picture? One self-contained SVG: per scorer its scores and its evidence.

No script, no font, no link; light or dark as the reader's screen is. The scores are drawn by ``web/chart.py``.
Evidence is on a log scale from 1/10,000; the line at 1 pages. Every text from outside is escaped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from html import escape

from checks.explanation import ScorerStory, Step
from checks.types import ALL
from service import wording
from service.explanation import Told
from service.text import safe
from service.web.chart import HEIGHT, WIDTH, Event, Point, chart

_LEFT, _RIGHT, _LEAST = 48, 12, 1e-4
_TALL, _HEAD, _GAP, _LEGEND = 150, 64, 34, 18
_STREAMS = 6

_STYLE = """
svg { --card: #fff; --ink: #1c2127; --soft: #5b6570; --line: #e3e7eb; --band: #dfeee3; --calm: #2f6f9f; --bad: #c62828;
  --warn: #b26a00; --good: #2e7d32; --dark: #5b6570; font-family: system-ui, sans-serif; font-size: 11.5px }
@media (prefers-color-scheme: dark) { svg { --card: #15191e; --ink: #e8ebee; --soft: #a3adb8; --line: #2c333b;
  --band: #1f3527; --calm: #7fb8e0; --bad: #ff7b72; --warn: #e3a948; --good: #7bc47f; --dark: #a3adb8 } }
.page { fill: var(--card) } text { fill: var(--soft) } .head { fill: var(--ink); font-size: 17px; font-weight: 600 }
.title { fill: var(--ink); font-size: 14px; font-weight: 600 }
.y, .end { text-anchor: end } .start { text-anchor: start } .plot { fill: none } .band { fill: var(--band) }
.grid { stroke: var(--line) } .line { fill: none; stroke: var(--calm); stroke-width: 1.5 }
.dot { fill: var(--good) } .regressed { fill: var(--bad) } .suspect, .inconclusive { fill: var(--warn) }
.learning { fill: var(--calm) } .gap { fill: var(--dark) }
line.event { stroke: var(--calm); stroke-dasharray: 4 3 } line.onset { stroke: var(--bad) }
text.onset { fill: var(--bad) }
.threshold { stroke: var(--bad); stroke-dasharray: 6 3 }
.s { fill: none; stroke-width: 1.8 } .k { stroke-width: 3 }
.s0 { stroke: var(--ink) } .s1 { stroke: #d1495b } .s2 { stroke: #2a9d8f } .s3 { stroke: #e9a23b }
.s4 { stroke: #6a6fc9 } .s5 { stroke: #8a9a5b }
"""


def drawing(told: Told, target: str) -> str:
    """The SVG as text.

    Args:
        told: the explanation.
        target: the target's name.
    """
    blocks, at = [], float(_HEAD)
    for number, story in enumerate(told.explanation.scorers):
        drawn, height = _block(told, story, number)
        blocks.append(f'<g transform="translate(0 {at:.0f})">{drawn}</g>')
        at += height + _GAP
    run = told.run
    title = f"{safe(target, 64)}: how run {run.id} came to its verdict, {run.verdict}"
    reason = safe(run.reason or "", 110)
    total = at + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total:.0f}" width="{WIDTH}" '
        f'height="{total:.0f}" role="img" aria-labelledby="gw-title gw-desc">'
        f'<title id="gw-title">{escape(title)}</title>'
        f'<desc id="gw-desc">{escape(_described(told))}</desc><style>{_STYLE}</style>'
        f'<rect class="page" width="{WIDTH}" height="{total:.0f}"/>'
        f'<text class="head" x="12" y="26">{escape(title)}</text>'
        f'<text x="12" y="46">{escape(reason)}</text>{"".join(blocks)}</svg>\n'
    )


def _described(told: Told) -> str:
    last = told.explanation.steps[-1]
    said = []
    for story, own in zip(told.explanation.scorers, last.scorers, strict=True):
        level = "not measured" if own.mean is None else f"{own.mean:.1%}"
        evidence = (
            f"evidence {sum(t.evidence for t in own.streams):.2g} of 1" if own.streams else "no evidence yet"
        )
        since = f", since run {story.onset_run}" if story.onset_run is not None else ""
        said.append(f"{safe(story.scorer, 64)} {level}, {evidence}{since}")
    return f"{len(told.explanation.steps)} runs. " + "; ".join(said)


def _block(told: Told, story: ScorerStory, number: int) -> tuple[str, float]:
    """One scorer: its scores, then its evidence; and the height."""
    steps = told.explanation.steps
    own = [step.scorers[number] for step in steps]
    points = [Point(s.run, s.started_at, o.mean, str(s.verdict)) for s, o in zip(steps, own, strict=True)]
    at = {s.run: s.started_at for s in steps}
    onset = at.get(story.onset_run) if story.onset_run is not None else None
    events = [Event(onset, f"first bad run {story.onset_run}", "onset")] if onset is not None else []
    scores = chart(points, name=safe(story.scorer, 64), band=story.band, events=events)
    head = f'<text class="title" x="12" y="12">{escape(safe(story.scorer, 64))}</text>'
    if scores is None:
        return f'{head}<text x="12" y="32">a single run: nothing to draw yet</text>', 40.0
    flat = re.sub(r"</?a\b[^>]*>", "", str(scores)).replace('role="img"', 'aria-hidden="true"')
    flat = flat.replace("<svg ", f'<svg y="14" width="{WIDTH}" height="{HEIGHT}" ', 1)
    names = _names(told, number)
    evidence = "".join(_evidence(steps, number, names, story))
    top = HEIGHT + 42
    legend = math.ceil(len(names) / 3) * _LEGEND
    return f'{head}{flat}<g transform="translate(0 {top})">{evidence}</g>', top + _TALL + legend + 22.0


def _names(told: Told, number: int) -> list[str]:
    """The headline, rare failures and the slices that showed most."""
    most: dict[str, float] = {}
    for step in told.explanation.steps:
        for stream in step.scorers[number].streams:
            most[stream.stream] = max(most.get(stream.stream, 0.0), stream.evidence)
    first = [n for n in most if "=" not in n]
    return (first + sorted((n for n in most if "=" in n), key=lambda n: -most[n]))[:_STREAMS]


def _evidence(steps: Sequence[Step], number: int, names: Sequence[str], story: ScorerStory) -> Iterator[str]:
    first, last = steps[0].started_at, steps[-1].started_at
    span = (last - first) or 1.0
    most = max(
        (t.evidence for s in steps for t in s.scorers[number].streams if math.isfinite(t.evidence)),
        default=1.0,
    )
    high = max(math.ceil(math.log10(max(most, 1.0)) + 0.2), 1)
    low = math.log10(_LEAST)

    def x(at: float) -> float:
        return _LEFT + (at - first) / span * (WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        level = math.log10(min(max(value, _LEAST), 10.0**high))
        return (high - level) / (high - low) * _TALL

    yield '<text x="12" y="-8">evidence, stream by stream; a page at 1</text>'
    stride = max(1, (high + 4) // 5)
    for power in range(int(low), high + 1, stride):
        label = f"{10.0**power:g}" if power >= 0 else f"1/{10**-power:,}".replace(",000", "k")
        level = y(10.0**power)
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{level:.1f}" y2="{level:.1f}"/>'
        yield f'<text class="y" x="{_LEFT - 5}" y="{level + 4:.1f}">{label}</text>'
    yield f'<line class="threshold" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(1.0):.1f}" y2="{y(1.0):.1f}"/>'
    for k, name in enumerate(names):
        yield from _paths(steps, number, name, k, x, y)
    for k, name in enumerate(names):
        left, top = _LEFT + (k % 3) * 220, _TALL + 20 + (k // 3) * _LEGEND
        shown = "headline" if name == ALL else safe(name, 28)
        yield f'<line class="s k s{k}" x1="{left}" x2="{left + 18}" y1="{top - 4}" y2="{top - 4}"/>'
        yield f'<text x="{left + 24}" y="{top}">{escape(shown)}</text>'
    if len(story.onset_set) > 1:
        at = {s.run: s.started_at for s in steps}
        inside = [at[r] for r in story.onset_set if r in at]
        if inside:
            wide = max(x(max(inside)) - x(min(inside)), 2.0)
            yield (
                f'<rect class="onset" x="{x(min(inside)):.1f}" y="0" width="{wide:.1f}" height="{_TALL}" '
                f'fill="var(--bad)" opacity=".12"><title>first bad run, 90% sure: {wording.clock(min(inside))} to '
                f"{wording.clock(max(inside))}</title></rect>"
            )


def _paths(
    steps: Sequence[Step],
    number: int,
    name: str,
    k: int,
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> Iterator[str]:
    """One stream's line, broken where nothing was measured."""
    stretch: list[str] = []
    for step in (*steps, None):
        value = None
        if step is not None:
            value = next((t.evidence for t in step.scorers[number].streams if t.stream == name), None)
        if step is not None and value is not None and math.isfinite(value):
            stretch.append(f"{x(step.started_at):.1f},{y(value):.1f}")
        elif stretch:
            if len(stretch) > 1:
                title = f"<title>{escape(safe(name, 60))}</title>"
                yield f'<polyline class="s s{k}" points="{" ".join(stretch)}">{title}</polyline>'
            else:
                yield f'<circle r="2" class="s s{k}" cx="{stretch[0].split(",")[0]}" cy="{stretch[0].split(",")[1]}"/>'
            stretch = []
