"""What of the traffic is most worth a label? A draft of golden examples, of the requests that none represents.

A draft has inputs and no ``expected``: that is what a person adds. Its lines are golden lines, so that they can be
labelled and moved into the golden set as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from checks.traffic.coverage import Anchors
from checks.traffic.observe import asked
from checks.traffic.pick import pick
from service.records import TrafficText

MOST = 500


@dataclass(frozen=True, slots=True)
class Draft:
    """Golden lines to label, the most worth it first.

    ``ratios``: the share of the ``of`` kept requests that each line newly represents.
    """

    lines: tuple[dict[str, Any], ...]
    ratios: tuple[float, ...]
    of: int


def draft(anchors: Anchors, texts: Sequence[TrafficText], most: int) -> Draft:
    """At most ``most`` examples to label; fewer where fewer represent everything that was kept. Pure."""
    chosen = pick(anchors, [asked(one.input) for one in texts], most)
    return Draft(
        tuple(_line(texts[one.position]) for one in chosen),
        tuple(one.represents_ratio for one in chosen),
        len(texts),
    )


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
