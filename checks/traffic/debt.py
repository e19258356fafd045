"""How much of the traffic does no golden example represent? Coverage debt, with an interval.

Two parts, each a ratio over windows. Requests that are *unlike* any golden example: ``sum novel_w / sum compared_w``.
And requests of known kinds in *new words*: one short request is too little to tell a new term from a rare word, but the
mean over all can. If the represented samples use a share ``u`` of words that the golden set never uses, and golden
inputs, each held against the others, one of ``g``, then at least ``(u - g) / (1 - g)`` of them bring terms that the
set lacks (``coverage.new_words``), since a request has no more than all its words new. Less than nothing counts as
nothing.

Samples of one hour are alike, so windows are the independent part: the interval is Student's over windows by the
linearised ratio (Cochran, *Sampling Techniques* 1977, sec. 6.3)::

    d_w = owed_w - ratio * compared_w           se = sqrt(W / (W - 1) * sum d_w^2) / sum compared_w

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
    """The share of ``samples`` that no golden example represents, and its 95% interval (None with one window).

    ``ratio`` is ``unlike_ratio`` (far from every golden example) and ``new_words_ratio`` (at least so many more, in
    terms that the golden set lacks).
    """

    ratio: float
    interval: tuple[float, float] | None
    samples: int
    unlike_ratio: float
    new_words_ratio: float


def debt(windows: Sequence[Window]) -> Debt | None:
    """The coverage debt over these windows; None where no sample could be compared."""
    used = [w for w in windows if w.compared]
    compared = sum(w.compared for w in used)
    if not compared:
        return None
    unlike = sum(w.novel for w in used) / compared
    new = max(sum(w.new_words for w in used) / compared, 0.0)
    ratio = unlike + new
    if len(used) < 2:
        return Debt(ratio, None, compared, unlike, new)
    owed = [w.novel + (w.new_words if new else 0.0) for w in used]
    spread = sum((n - ratio * w.compared) ** 2 for n, w in zip(owed, used, strict=True))
    error = math.sqrt(len(used) / (len(used) - 1) * spread) / compared
    # No window varied: the interval of as many draws as there were still says that more could be seen.
    error = max(
        error, math.sqrt(max(ratio * (1.0 - ratio), 1.0 / (compared + 1)) / compared) if not spread else 0.0
    )
    reach = t_quantile(0.95, len(used) - 1) * error
    return Debt(ratio, (max(ratio - reach, 0.0), min(ratio + reach, 1.0)), compared, unlike, new)
