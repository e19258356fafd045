"""Does the answer contain the expected text?"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field, field_validator

from checks.scorers import Scorer
from checks.scorers._texts import SEARCHED_CHARS, expected_texts, folded, listing, needs_text, whole_word
from checks.types import Example, Response, Score


class Contains(Scorer):
    """1 if the answer contains what it should, else 0.

    What it should contain is ``values`` if given, the same for every example, else the example's
    ``expected``: a text, a number or a list of them. Accents are compared in normal form C and runs of white
    space count as one space. The first 100,000 characters of the answer are searched.

    Example::

        scorer: {kind: contains, match: all, ignore_case: true}
        expected: [invoice, refund]
        right: We refund the Invoice.
        wrong: We sent the invoice.
    """

    kind: Literal["contains"] = "contains"
    values: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...] | None,
        Field(min_length=1, description="Texts to look for in every answer, in place of `expected`."),
    ] = None
    match: Annotated[
        Literal["any", "all"],
        Field(description="Whether any one of several texts is enough, or all must be there."),
    ] = "any"
    ignore_case: Annotated[bool, Field(description="Upper and lower case are the same.")] = False
    whole_words: Annotated[bool, Field(description="`log` is not found in `login`.")] = False

    @field_validator("values")
    @classmethod
    def _not_blank(cls, values: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for value in values or ():
            if not value.strip():
                raise ValueError("a blank text is contained in every answer; take it out")
        return values

    def problem(self, example: Example) -> str | None:
        """Without ``values``, ``expected`` must be a text, a number or a list of them, and not blank."""
        if self.values is not None:
            return None
        texts = expected_texts(example.expected)
        if texts is not None and not all(text.strip() for text in texts):
            return "expected is blank, which every answer contains"
        return needs_text(example.expected)

    def score(self, example: Example, response: Response) -> Score:
        """1 or 0; the reason lists what is missing."""
        if problem := self.problem(example):
            return Score.unscored(problem)
        wanted = self.values or expected_texts(example.expected) or ()
        output = folded((response.output or "")[:SEARCHED_CHARS], ignore_case=self.ignore_case)
        missing = [text for text in wanted if not self._in(text, output)]
        right = not missing if self.match == "all" else len(missing) < len(wanted)
        return Score(1.0) if right else Score(0.0, f"missing: {listing(missing)}")

    def _in(self, text: str, output: str) -> bool:
        term = folded(text, ignore_case=self.ignore_case)
        return bool(_pattern(term).search(output)) if self.whole_words else term in output


@lru_cache(maxsize=4096)
def _pattern(term: str) -> re.Pattern[str]:
    return re.compile(whole_word(term))
