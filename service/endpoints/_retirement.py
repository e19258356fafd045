"""When does a provider's model list say that a model is switched off?

There is no standard; these are the forms that are offered on a model's card:

- a date or a moment as text: ``deprecation`` (Mistral), ``expiration_date`` (OpenRouter), and the plain names
  ``retires_at``, ``retirement_date``, ``shutdown_date``;
- an object of moments in seconds since 1970: ``deprecation: {"inference": ..., "fine_tune": ...}`` (Azure OpenAI), of
  which only the end of inference counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

FIELDS = ("retires_at", "retirement_date", "shutdown_date", "expiration_date", "deprecation")
"""Where the moment may stand, the most explicit name first."""

_EARLIEST, _LATEST = (
    1_420_070_400.0,
    7_258_118_400.0,
)  # the years 2015 to 2200: anything else is something else


def retires_at(card: Mapping[str, Any]) -> float | None:
    """The moment in seconds since 1970 at which the card's model stops answering; None where it does not say.

    >>> retires_at({"id": "m", "deprecation": "2027-01-15T00:00:00Z"})
    1799971200.0
    >>> retires_at({"id": "m", "deprecation": {"fine_tune": 1700000000, "inference": 1800000000}})
    1800000000.0
    >>> retires_at({"id": "m", "deprecation": None}) is None
    True
    """
    for name in FIELDS:
        said = card.get(name)
        if isinstance(said, Mapping):
            said = said.get("inference")
        if (moment := _moment(said)) is not None:
            return moment
    return None


def _moment(said: Any) -> float | None:
    at: float | None = None
    if isinstance(said, int | float) and not isinstance(said, bool) and math.isfinite(said):
        at = float(said)
    elif isinstance(said, str) and len(said) <= 40:
        try:
            parsed = datetime.fromisoformat(said.strip())
        except ValueError:
            return None
        at = (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp()
    return at if at is not None and _EARLIEST <= at <= _LATEST else None
