"""How near to a page was each run? A strip of evidence under the scores, on their time axis, as inline SVG.

Evidence is in multiples of the threshold: at 1 the false-alarm budget permits a page. The scale is logarithmic and
begins at 1/1,000, since what lies lower is nothing. A run that could not be measured is a gap, as in ``chart.py``; a
run that only taught the baseline has no evidence and no mark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from markupsafe import Markup

from checks.types import Verdict
from service import wording
from service.web.chart import LEFT, RIGHT, WIDTH, Point, dots, stretches, time_axis

HEIGHT = 118
LEAST, MOST = 1e-3, 1e6
_TOP, _BOTTOM = 8, 26
_LABELS = {-3: ".001", 0: "page", 3: "1k", 4: "10k", 5: "100k", 6: "1M"}


def evidence_chart(points: Sequence[Point], *, name: str) -> Markup | None:
    """The strip; None where there are not two runs to draw, or no run has evidence yet.

    Args:
        points: Runs, oldest first; ``value`` is the evidence in multiples of the threshold, None where there is none.
        name: Whose evidence it is, for the description that screen readers read.
    """
    known = [min(p.value, MOST) for p in points if p.value is not None]
    if len(points) < 2 or not known:
        return None
    low, high = math.log10(LEAST), max(1.0, math.ceil(math.log10(max(*known, 1.0))))
    x = time_axis(points)

    def y(value: float) -> float:
        level = math.log10(min(max(value, LEAST), 10.0**high))
        return _TOP + (high - level) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    parts = []
    for power in sorted({int(low), 0, int(high)}):
        at, kind = y(10.0**power), "threshold" if power == 0 else "grid"
        label = _LABELS.get(power, f"{10**power:,}\u00d7")
        parts.append(f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="y" x="{LEFT - 6}" y="{at + 4:.1f}">{label}</text>')
    for stretch in stretches(points):
        path = " ".join(f"{x(p.at):.1f},{y(value):.1f}" for p, value in stretch)
        parts.append(f'<polyline class="line" points="{path}"/>')
    told = [p for p in points if p.value is not None or p.verdict == Verdict.INCONCLUSIVE]
    parts += dots(told, x, y, HEIGHT - _BOTTOM, wording.times)
    label = escape(f"evidence of {name} over {len(points)} runs, in multiples of what pages")
    return Markup(  # noqa: S704  # every text in it is escaped where it is put in
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )
