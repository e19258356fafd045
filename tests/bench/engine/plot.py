"""How does it look? Delay against drop for goldwatch, the oracle and the peers, and pages a year by family: one SVG.

Plain SVG, so that nothing has to be installed; colours read on white and on dark pages, and dashes tell lines apart
without colour.
"""

from __future__ import annotations

import math
from html import escape
from pathlib import Path

from tests.bench.engine.families import ALLOWED_PER_YEAR
from tests.bench.engine.table import README, Rate, Results

FILE = README.parent / "bench.svg"
_LEFT, _TOP, _HIGH, _WIDE, _STEP = 250, 50, 300, 560, 19
_DROPS = (("ability -1", 1.0), ("ability -2", 2.0), ("ability -5", 5.0), ("ability -20", 20.0))
_LINES = (
    ("goldwatch", "#d97706", "", 3.0),
    ("oracle", "#2563eb", "6 3", 2.0),
    ("Page-Hinkley, tuned", "#059669", "2 3", 1.5),
    ("5 points below, tuned", "#9333ea", "8 3 2 3", 1.5),
    ("McNemar a run, p < .05, tuned", "#6b7280", "4 4", 1.5),
)

_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 850 {height}" role="img"
 font-family="system-ui, sans-serif" font-size="12">
<title>Delays of goldwatch, an oracle and peers; false pages a year on healthy streams</title>
<style>
text {{ fill: #111 }} .h {{ font-size: 15px; font-weight: 600 }} .g {{ stroke: #ddd }}
.b {{ stroke: #dc2626; stroke-dasharray: 5 3 }}
</style>"""


def _x(points: float) -> float:
    return _LEFT + (math.log(points) - math.log(0.9)) / (math.log(22) - math.log(0.9)) * _WIDE


def _y(runs: float) -> float:
    return _TOP + _HIGH - math.log(max(runs, 0.9) / 0.9) / math.log(500 / 0.9) * _HIGH


def _text(x: float, y: float, words: str, *, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def _delays(results: Results) -> list[str]:
    out = [_text(_LEFT, 28, "Runs until the page, by points of ability lost", more=' class="h"')]
    for runs in (1, 2, 5, 10, 20, 50, 100, 200, 500):
        out += [_rule(_LEFT, _y(runs), _LEFT + _WIDE, _y(runs), 'class="g"')]
        out += [_text(_LEFT - 8, _y(runs) + 4, str(runs), anchor="end")]
    for _, points in _DROPS:
        out.append(_text(_x(points), _TOP + _HIGH + 18, f"-{points:g}", anchor="middle"))
    for k, (rule, colour, dash, width) in enumerate(_LINES):
        found = [(points, results.delays["independent", drop, rule]) for drop, points in _DROPS]
        where = " ".join(f"{_x(a):.1f},{_y(d.mean):.1f}" for a, d in found)
        stroke = f'stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dash}"'
        out.append(f'<polyline points="{where}" fill="none" {stroke}/>')
        for a, d in found:
            low, high = max(d.mean - 2 * d.error, 0.9), d.mean + 2 * d.error
            out.append(_rule(_x(a), _y(low), _x(a), _y(high), f'stroke="{colour}" stroke-width="1.5"'))
            out.append(f'<circle cx="{_x(a):.1f}" cy="{_y(d.mean):.1f}" r="3" fill="{colour}"/>')
        y = _TOP + 12 + 18 * k
        out.append(_rule(_LEFT + 330, y - 4, _LEFT + 360, y - 4, stroke))
        out.append(_text(_LEFT + 368, y, rule))
    return out


def _family(rate: Rate, y: float, most: float) -> list[str]:
    def x(value: float) -> float:
        return _LEFT + min(value, most) / most * _WIDE

    low, high = rate.limits
    colour = "#d97706" if rate.upper <= ALLOWED_PER_YEAR else "#dc2626"
    return [
        _text(_LEFT - 8, y + 4, rate.family, anchor="end"),
        _rule(x(low), y, x(high), y, f'stroke="{colour}" stroke-width="2"'),
        f'<circle cx="{x(rate.mean):.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>',
    ]


def svg(results: Results) -> str:
    """The picture: 850 wide, as high as there are families."""
    top = _TOP + _HIGH + 70
    most = 2.0 * math.ceil(max(ALLOWED_PER_YEAR, *(min(r.limits[1], 12.0) for r in results.rates)) / 2)
    height = top + _STEP * len(results.rates) + 40
    out = [
        _HEAD.format(height=height),
        f'<rect width="850" height="{height}" fill="#fff"/>',
        *_delays(results),
        _text(_LEFT, top - 24, "False pages a year on healthy streams, with 95% limits", more=' class="h"'),
    ]
    bottom = top + _STEP * len(results.rates)
    for value in range(0, int(most) + 1, 2 if most > 6 else 1):
        x = _LEFT + value / most * _WIDE
        out += [_rule(x, top - 8, x, bottom, 'class="g"'), _text(x, bottom + 16, str(value), anchor="middle")]
    at = _LEFT + ALLOWED_PER_YEAR / most * _WIDE
    out += [_rule(at, top - 8, at, bottom, 'class="b"'), _text(at + 4, bottom - 2, "the budget: 4.06")]
    for k, rate in enumerate(results.rates):
        out += _family(rate, top + 4 + _STEP * k, most)
    return "\n".join([*out, "</svg>", ""])


def write(results: Results, path: Path = FILE) -> None:
    """Save the picture."""
    path.write_text(svg(results), encoding="utf-8")
