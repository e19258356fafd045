"""How did a score go? A chart as inline SVG, drawn on the server: no script, no style attribute.

Points are measured runs; the line breaks where a run could not be measured, and a tick below says so: a gap is
never drawn as a value. The band is the range of the baseline's runs. Colours come from the style sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from service import wording

WIDTH, HEIGHT = 720, 236
LEFT, RIGHT = 58, 12
_TOP, _BOTTOM = 38, 26


@dataclass(frozen=True, slots=True)
class Point:
    """One run; ``value`` is None where it could not be measured."""

    run: int
    at: float
    value: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Event:
    """A moment worth a line: a deployment mark, or the first bad run."""

    at: float
    label: str
    kind: str


def chart(
    points: Sequence[Point],
    *,
    name: str,
    band: tuple[float, float] | None = None,
    events: Sequence[Event] = (),
) -> Markup | None:
    """The chart of one score in [0, 1] over time; None where there are not two runs to draw.

    Args:
        points: Runs, oldest first.
        name: The scorer, for the description that screen readers read.
        band: The lowest and highest mean of the baseline's runs.
        events: Marks; those outside the time drawn are left out.
    """
    if len(points) < 2:
        return None
    first, last = points[0].at, points[-1].at
    x = time_axis(points)
    low, high = _range([p.value for p in points if p.value is not None], band)

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    parts = [
        (
            f'<rect class="plot" x="{LEFT}" y="{_TOP}" width="{WIDTH - LEFT - RIGHT}" '
            f'height="{HEIGHT - _TOP - _BOTTOM}"/>'
        )
    ]
    if band is not None:
        top, bottom = y(band[1]), y(band[0])
        parts.append(
            f'<rect class="band" x="{LEFT}" y="{top - 2:.1f}" width="{WIDTH - LEFT - RIGHT}" '
            f'height="{max(bottom - top, 0) + 4:.1f}"><title>baseline</title></rect>'
        )
    for value in (low, (low + high) / 2, high):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        )
        parts.append(f'<text class="y" x="{LEFT - 6}" y="{y(value) + 4:.1f}">{value * 100:.0f}%</text>')
    parts += [_event(event, x(event.at)) for event in events if first <= event.at <= last]
    for stretch in stretches(points):
        path = " ".join(f"{x(p.at):.1f},{y(v):.1f}" for p, v in stretch)
        parts.append(f'<polyline class="line" points="{path}"/>')
    parts += dots(points, x, y, HEIGHT - _BOTTOM, lambda value: f"{value * 100:.1f}%")
    parts.append(f'<text class="x" x="{LEFT}" y="{HEIGHT - 6}">{wording.clock(first)}</text>')
    parts.append(f'<text class="x end" x="{WIDTH - RIGHT}" y="{HEIGHT - 6}">{wording.clock(last)}</text>')
    label = escape(f"{name} over {len(points)} runs")
    return Markup(  # noqa: S704  # every text in it is escaped where it is put in
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )


def _range(values: Sequence[float], band: tuple[float, float] | None) -> tuple[float, float]:
    """What the axis spans: all values and the band with some air, in whole percents, at least four of them."""
    known = [*values, *(band or ())] or [0.0, 1.0]
    air = max(0.1 * (max(known) - min(known)), 0.01)
    low, high = int((min(known) - air) * 100), int((max(known) + air) * 100 + 0.999)
    low, high = max(low, 0), min(high, 100)
    while high - low < 4:
        low, high = max(low - 1, 0), min(high + 1, 100)
    low -= (high - low) % 2 if low else 0  # so that the line in the middle stands at a whole percent
    return low / 100, high / 100


def time_axis(points: Sequence[Point]) -> Callable[[float], float]:
    """Where a time stands, from the first run at the left to the last one at the right."""
    first, span = points[0].at, (points[-1].at - points[0].at) or 1.0
    return lambda at: LEFT + (at - first) / span * (WIDTH - LEFT - RIGHT)


def stretches(points: Sequence[Point]) -> list[list[tuple[Point, float]]]:
    """The lines: runs between gaps with their values; a run alone makes none."""
    found: list[list[tuple[Point, float]]] = [[]]
    for point in points:
        if point.value is None:
            found.append([])
        else:
            found[-1].append((point, point.value))
    return [stretch for stretch in found if len(stretch) > 1]


def dots(
    points: Sequence[Point],
    x: Callable[[float], float],
    y: Callable[[float], float],
    floor: float,
    said: Callable[[float], str],
) -> list[str]:
    """A dot per run that leads to its page; a tick on the ``floor`` where it could not be measured."""
    return [_dot(p, x(p.at), None if p.value is None else y(p.value), floor, said) for p in points]


def _dot(point: Point, x: float, y: float | None, floor: float, said: Callable[[float], str]) -> str:
    what = "could not be measured" if point.value is None else f"{said(point.value)}, {point.verdict}"
    title = f"<title>run {point.run} at {wording.clock(point.at)}: {escape(what)}</title>"
    if y is None:
        drawn = f'<rect class="gap" x="{x - 2:.1f}" y="{floor - 8}" width="4" height="8">{title}</rect>'
    else:
        drawn = (
            f'<circle class="dot {escape(point.verdict)}" cx="{x:.1f}" cy="{y:.1f}" r="3.5">{title}</circle>'
        )
    return f'<a href="/runs/{point.run}">{drawn}</a>'


def _event(event: Event, x: float) -> str:
    side = "end" if x > WIDTH * 0.7 else "start"
    shift = -5 if side == "end" else 5
    kind, label = escape(event.kind), escape(event.label)
    row = (
        20 if event.kind == "mark" else 6
    )  # two rows, since a mark often stands just before the first bad run
    return (
        f'<line class="event {kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - row + 2}" y2="{HEIGHT - _BOTTOM}"/>'
        f'<text class="event {kind} {side}" x="{x + shift:.1f}" y="{_TOP - row}">{label}</text>'
    )
