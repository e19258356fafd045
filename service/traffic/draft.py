"""What of the traffic is most worth a label? A draft of golden examples, of the requests that none represents.

A draft has inputs and no ``expected``: that is what a person adds. Its lines are golden lines, so that they can be
labelled and moved into the golden set as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from checks.traffic.coverage import Anchors
from checks.traffic.observe import asked
from checks.traffic.pick import pick
from checks.types import FloatArray
from service.records import TrafficText
from service.store.traffic import MOST_TEXTS
from service.traffic.ingest import HALF_LIFE_S

MOST = 500


@dataclass(frozen=True, slots=True)
class Draft:
    """Golden lines to label, the most worth it first.

    ``ratios``: the share of what the ``of`` kept requests stand for that each line newly represents.
    """

    lines: tuple[dict[str, Any], ...]
    ratios: tuple[float, ...]
    of: int


def draft(anchors: Anchors, texts: Sequence[TrafficText], most: int) -> Draft:
    """At most ``most`` examples to label; fewer where fewer represent everything that was kept. Pure."""
    chosen = pick(anchors, [asked(one.input) for one in texts], most, weights(texts))
    return Draft(
        tuple(_line(texts[one.position]) for one in chosen),
        tuple(one.represents_ratio for one in chosen),
        len(texts),
    )


def weights(texts: Sequence[TrafficText]) -> FloatArray:
    """How many recent requests each kept text stands for, float [N], up to a common factor.

    How often it was asked, half for each half-life since, over the probability that it stayed (Horvitz and Thompson
    1952). Among as many as can be kept, a text that was asked ``x`` times for each lot below the highest kept one
    stayed with ``1 - exp(-x)``.

    >>> weights([TrafficText("a", 0.0, 0.0, "x", times=3), TrafficText("b", 0.0, HALF_LIFE_S, "y", times=3)])
    array([1.5, 3. ])
    """
    if not texts:
        return np.zeros(0)
    times, at, ranks = np.array([(one.times, one.at, one.rank) for one in texts]).T
    made: FloatArray
    if len(texts) < MOST_TEXTS:
        made = times * np.exp2((at - at.max()) / HALF_LIFE_S)
    else:
        often = times * np.exp(np.minimum(ranks.max() + np.log(2.0) * at / HALF_LIFE_S, 100.0))
        made = often / -np.expm1(-often)
    return made


def _line(kept: TrafficText) -> dict[str, Any]:
    given = kept.input
    plain: Any = given if isinstance(given, str) else [{"role": m.role, "content": m.content} for m in given]
    day = datetime.fromtimestamp(kept.at, UTC).date().isoformat()
    return {
        "id": f"traffic-{kept.key[:12]}",
        "input": plain,
        "expected": None,
        "slices": {"source": "traffic"},
        "as_of": day,
        "origin": "novel",
    }
