"""How much of the traffic does no golden example represent? Coverage debt, with an interval.

The ratio estimate over windows: ``sum novel_w / sum compared_w``. Samples of one hour are alike, so windows are the
independent part: the interval is Student's over windows by the linearised ratio (Cochran, *Sampling Techniques* 1977,
sec. 6.3)::

    d_w = novel_w - ratio * compared_w          se = sqrt(W / (W - 1) * sum d_w^2) / sum compared_w

About one sample in twenty is new by construction (``coverage.py``), so :data:`EXPECTED` is what a golden set that is a
fair sample of production would have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from checks.inference.student import t_quantile
from checks.traffic.coverage import STRAYS
from checks.traffic.window import Window

EXPECTED = STRAYS


@dataclass(frozen=True, slots=True)
class Debt:
    """The share of ``samples`` that no golden example represents, and its 95% interval (None with one window)."""

    ratio: float
    interval: tuple[float, float] | None
    samples: int


def debt(windows: Sequence[Window]) -> Debt | None:
    """The coverage debt over these windows; None where no sample could be compared."""
    used = [w for w in windows if w.compared]
    compared = sum(w.compared for w in used)
    if not compared:
        return None
    ratio = sum(w.novel for w in used) / compared
    if len(used) < 2:
        return Debt(ratio, None, compared)
    spread = sum((w.novel - ratio * w.compared) ** 2 for w in used)
    error = math.sqrt(len(used) / (len(used) - 1) * spread) / compared
    # No window varied: the interval of as many draws as there were still says that more could be seen.
    error = max(
        error, math.sqrt(max(ratio * (1.0 - ratio), 1.0 / (compared + 1)) / compared) if not spread else 0.0
    )
    reach = t_quantile(0.95, len(used) - 1) * error
    return Debt(ratio, (max(ratio - reach, 0.0), min(ratio + reach, 1.0)), compared)
