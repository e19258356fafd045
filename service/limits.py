"""What may still be spent, and how long is waited before another try? Limits of the day, costs, backoff."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from checks.types import Example, Response

if TYPE_CHECKING:
    from service.endpoints import Price

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
_CHARACTERS_PER_TOKEN = 4


def cost_usd(price: Price | None, input_tokens: int | None, output_tokens: int | None) -> float | None:
    """What so many tokens cost in US dollars; None where the price or a count is unknown."""
    if price is None or input_tokens is None or output_tokens is None:
        return None
    return (input_tokens * price.input_per_mtok + output_tokens * price.output_per_mtok) / 1e6


def backoff_s(attempt: int, retry_after_s: float | None, rng: random.Random) -> float:
    """How long to wait after the failure of an attempt (counted from 1): full jitter, but no less than Retry-After.

    >>> 0 <= backoff_s(1, None, random.Random(1)) <= 0.5, backoff_s(1, 7.0, random.Random(1))
    (True, 7.0)
    """
    highest = min(FIRST_BACKOFF_S * 2.0 ** min(attempt - 1, 16), LONGEST_BACKOFF_S)
    return max(rng.uniform(0.0, highest), retry_after_s or 0.0)


class DayLimits:
    """How much of the day's tokens and dollars is used, and whether one more request is within.

    Requests in flight count with the mean of those before. An answer without token counts counts one token per
    4 characters, so that a limit bites on servers that count nothing, too.
    """

    def __init__(self, tokens_left: int | None, usd_left: float | None, price: Price | None) -> None:
        self._tokens_left, self._usd_left = tokens_left, usd_left if price is not None else None
        self._price, self._none = price, self._tokens_left is None and self._usd_left is None
        self._input = self._output = self._counted = self._in_flight = 0

    def refusal(self) -> str | None:
        """Why no more may be sent. None lets one request through, which ``settle`` or ``release`` must follow."""
        if self._none:
            return None
        expected = 1 + self._in_flight / self._counted if self._counted else 1
        for left, used, key, unit in (
            (self._tokens_left, self._input + self._output, "tokens_per_day", "tokens"),
            (
                self._usd_left,
                cost_usd(self._price, self._input, self._output) or 0.0,
                "usd_per_day",
                "US dollars",
            ),
        ):
            if left is not None and (left <= 0 or used >= left or used * expected >= left):
                return f"not asked: the day's limit of {unit} is used up (limits.{key})"
        self._in_flight += 1
        return None

    def release(self) -> None:
        """Take back a request that was let through and not sent."""
        self._in_flight -= 1

    def settle(self, example: Example, response: Response) -> None:
        """Count what a request used."""
        self._in_flight -= 1
        if self._none or not response.answered:
            return
        asked = example.input if isinstance(example.input, str) else "".join(t.content for t in example.input)
        used_in = response.input_tokens if response.input_tokens is not None else _guess(asked)
        used_out = (
            response.output_tokens if response.output_tokens is not None else _guess(response.output or "")
        )
        self._counted += 1
        self._input += used_in
        self._output += used_out


def _guess(text: str) -> int:
    return len(text) // _CHARACTERS_PER_TOKEN + 1
