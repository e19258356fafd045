r"""How is a user's regular expression searched in a hostile text, and when does it end?

Patterns are compiled by the ``regex`` package, which reads Python's syntax (and ``\p{...}`` besides) and,
unlike ``re``, can be told to stop: a pattern such as ``(a|aa)+$`` may otherwise take longer than the universe
has existed. A search that takes more than :data:`TIME_LIMIT_S` raises :class:`PatternTimeoutError`, which
leaves the score unscored: what could not be measured is not wrong. Only the first or last
:data:`~checks.scorers._texts.SEARCHED_CHARS` characters are searched.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from checks.scorers._texts import SEARCHED_CHARS, quote

if TYPE_CHECKING:
    import regex

TIME_LIMIT_S = 1.0


class PatternTimeoutError(Exception):
    """A pattern took too long on one output."""

    def __init__(self, pattern: str) -> None:
        super().__init__(
            f"pattern {quote(pattern)} took more than {TIME_LIMIT_S:g} s on this output; "
            "write it without nested repetition"
        )


@lru_cache(maxsize=1024)
def compiled(pattern: str, *, ignore_case: bool = False) -> regex.Pattern[str]:
    """The compiled pattern.

    Raises:
        ValueError: it is no regular expression; the message says what is wrong and where.
    """
    import regex  # noqa: PLC0415  # most daemons have no pattern: 2 MB

    if not pattern:
        raise ValueError("the pattern is empty, so it would match everything")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # a set that a later dialect may read otherwise
            return regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)
    except (regex.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{quote(pattern, 80)} is no regular expression: {error}") from None


def found(pattern: regex.Pattern[str], text: str) -> bool:
    """True if the pattern matches somewhere in the first part of the text.

    Raises:
        PatternTimeoutError: it took too long.
    """
    try:
        return pattern.search(text, endpos=SEARCHED_CHARS, timeout=TIME_LIMIT_S, concurrent=True) is not None
    except TimeoutError:
        raise PatternTimeoutError(pattern.pattern) from None


def matches(pattern: regex.Pattern[str], text: str) -> Iterator[regex.Match[str]]:
    """Every match from left to right, without overlap.

    Raises:
        PatternTimeoutError: it took too long.
    """
    try:
        yield from pattern.finditer(text, timeout=TIME_LIMIT_S, concurrent=True)
    except TimeoutError:
        raise PatternTimeoutError(pattern.pattern) from None
