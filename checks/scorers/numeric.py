"""Is the number in the answer close enough to the expected one?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field

from checks.scorers import Scorer
from checks.scorers._numbers import decimal_of, percent_of, within
from checks.scorers._texts import SEARCHED_CHARS, kind_of, quote, text_of
from checks.types import Example, Json, Response, Score

_THIN_SPACES = "\u00a0\u2009\u202f"


class Numeric(Scorer):
    """1 if the number in the answer is within a tolerance of ``expected``, else 0.

    Right is ``|number - expected| <= max(abs_tol, rel_tol * |expected|)``, computed in decimal, so that 0.4
    is within 0.1 of 0.3. ``expected`` is a number, a text that holds one, or a list, any one of which is
    right.

    Reads signs (the typographic minus too), thousands separators (``1,234,567``, ``1'234``, ``1_234``, thin
    spaces), decimals, exponents and percent signs. Infinity, NaN, fractions and numbers in words are not
    numbers here. An answer with no number scores 0 with the reason ``no_number`` and counts as a format
    failure. The first 100,000 characters of an answer are searched, or the last with ``match: last``.

    Example::

        scorer: {kind: numeric, abs_tol: 0.5}
        expected: 1234.5
        right: "2 steps give −5, so the total is $1,234.50."
        wrong: "The total is 1,236.00"
    """

    kind: Literal["numeric"] = "numeric"
    abs_tol: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="The greatest difference that is still right.")
    ] = 0.0
    rel_tol: Annotated[
        float,
        Field(ge=0, lt=1, allow_inf_nan=False, description="The same as a share of the expected number."),
    ] = 0.0
    match: Annotated[
        Literal["first", "last"],
        Field(description="Which number counts where there are several; reasoning ends with its result."),
    ] = "last"
    decimal: Annotated[
        Literal[".", ","],
        Field(description="The decimal mark of the answers; with `,` a point separates thousands."),
    ] = "."
    percent: Annotated[
        Literal["as_is", "ratio"],
        Field(description="What `25%` is on both sides: 25 (`as_is`) or 0.25 (`ratio`)."),
    ] = "as_is"

    def problem(self, example: Example) -> str | None:
        """``expected`` must be a number, a text that holds one, or a list of them."""
        if self._wanted(example.expected) is None:
            return f"expected is {kind_of(example.expected)}; a number, or a text with one, is needed"
        return None

    def score(self, example: Example, response: Response) -> Score:
        """1 or 0; a wrong answer says which number was read."""
        wanted = self._wanted(example.expected)
        if wanted is None:
            return Score.unscored(self.problem(example) or "")
        found = self._read(response.output or "")
        if found is None:
            return Score(0.0, "no_number", format_failure=True)
        number, text = found
        if any(self._close(number, target) for target in wanted):
            return Score(1.0)
        return Score(0.0, f"read {quote(text)}")

    def _close(self, number: Decimal, target: Decimal) -> bool:
        return within(number, target, abs_tol=self.abs_tol, rel_tol=self.rel_tol)

    def _wanted(self, expected: Json) -> list[Decimal] | None:
        if isinstance(expected, Sequence) and not isinstance(expected, str):
            every = [self._target(item) for item in expected]
        else:
            every = [self._target(expected)]
        numbers = [number for number in every if number is not None]
        return numbers if numbers and len(numbers) == len(every) else None

    def _target(self, value: Json) -> Decimal | None:
        if isinstance(value, bool):
            return None
        if isinstance(value, str):
            found = self._read(value)
            return found[0] if found else None
        text = text_of(value)
        return None if text is None else decimal_of(text)

    def _read(self, text: str) -> tuple[Decimal, str] | None:
        """The number that counts, and how it was written."""
        window = text[:SEARCHED_CHARS] if self.match == "first" else text[-SEARCHED_CHARS:]
        found: tuple[Decimal, str] | None = None
        for number, written in self._numbers(window):
            found = number, written
            if self.match == "first":
                break
        return found

    def _numbers(self, text: str) -> Iterator[tuple[Decimal, str]]:
        for match in _pattern(self.decimal).finditer(text):
            digits = re.sub(f"[^0-9{re.escape(self.decimal)}]", "", _ascii_digits(match["digits"]))
            sign = "-" if match["sign"] in ("-", "−") else ""
            number = decimal_of(sign + digits.replace(self.decimal, ".") + (match["exponent"] or ""))
            if number is not None:
                if self.percent == "ratio" and match["percent"]:
                    number = percent_of(number)
                yield number, match.group().strip()


@lru_cache
def _pattern(decimal: str) -> re.Pattern[str]:
    thousands = f"[,'’_{_THIN_SPACES}]" if decimal == "." else f"[.'’_{_THIN_SPACES}]"
    mark = re.escape(decimal)
    return re.compile(
        rf"(?<![\w{mark}])(?:(?<![\w)])(?P<sign>[-+−]))?\s?"
        rf"(?P<digits>(?:\d{{1,3}}(?:{thousands}\d{{3}})+(?!\d)|\d+)(?:{mark}\d+)?|{mark}\d+)"
        rf"(?P<exponent>[eE][-+]?\d{{1,9}})?(?P<percent>\s?[%٪])?"
    )


def _ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    return "".join(str(int(c)) if c.isdecimal() else c for c in text)
