"""Does the strip under the scores show how near to a page each run was?"""

from __future__ import annotations

import re

from service.web.chart import Point
from service.web.evidence import evidence_chart


def drawn(*values: float | None, verdict: str = "ok") -> str:
    return str(evidence_chart([Point(n, 3600.0 * n, v, verdict) for n, v in enumerate(values)], name="label"))


def heights(svg: str) -> list[float]:
    return [float(y) for y in re.findall(r'<circle[^>]* cy="([0-9.]+)"', svg)]


def test_what_pages_stands_on_the_threshold() -> None:
    """Evidence of 1 lies on the line, more above it, less below; what is next to nothing lies at the bottom."""
    svg = drawn(1.0, 40.0, 0.02, 1e-9, 1e-5)
    [line] = re.findall(r'class="threshold"[^>]* y1="([0-9.]+)"', svg)
    one, more, less, nothing, little = heights(svg)
    assert one == float(line)
    assert more < one < less < nothing == little


def test_a_run_without_evidence_has_no_dot() -> None:
    """A run that only taught draws nothing, one that could not be measured a gap; neither is drawn as calm."""
    assert len(heights(drawn(None, 0.1, 0.1, verdict="learning"))) == 2
    assert "could not be measured" not in drawn(None, 0.1, 0.1, verdict="learning")
    dark = drawn(None, 0.1, 0.1, verdict="inconclusive")
    assert dark.count('class="gap"') == 1
    assert "could not be measured" in dark


def test_there_is_no_strip_before_there_is_evidence() -> None:
    """One run, or runs of which none has evidence, draw none."""
    assert evidence_chart([Point(1, 0.0, 0.5, "ok")], name="label") is None
    assert drawn(None, None, verdict="learning") == "None"


def test_infinite_evidence_is_drawn_at_the_top() -> None:
    """A change beyond all doubt does not break the picture."""
    assert heights(drawn(float("inf"), 0.1))[0] == min(heights(drawn(1e9, 0.1)))
