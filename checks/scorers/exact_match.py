"""Is the answer the expected text, character for character?"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import Field

from checks.scorers import Scorer
from checks.scorers._texts import expected_texts, folded, needs_text
from checks.types import Example, Response, Score


class ExactMatch(Scorer):
    r"""1 if the answer equals ``expected``, else 0.

    ``expected`` is a text, a number (compared as JSON writes it) or a list, any one of which is right.
    Use ``label`` for categories and ``numeric`` for numbers: they read what a person would read.

    Example::

        scorer: {kind: exact_match, ignore_case: true}
        expected: reset password
        right: " Reset Password\n"
        wrong: "Please reset password."
    """

    kind: Literal["exact_match"] = "exact_match"
    ignore_case: Annotated[bool, Field(description="Upper and lower case are the same.")] = False
    strip: Annotated[
        bool, Field(description="White space at either end of the answer and of `expected` does not count.")
    ] = True
    collapse_whitespace: Annotated[
        bool, Field(description="A run of white space, line breaks included, counts as one space.")
    ] = False
    normalize: Annotated[
        Literal["NFC", "NFKC", "none"],
        Field(
            description="Unicode normal form of both sides. `NFC`: an accent is the same however it is "
            "encoded; `NFKC`: full-width and ligature forms too; `none`: as they are."
        ),
    ] = "NFC"

    def problem(self, example: Example) -> str | None:
        """``expected`` must be a text, a number or a list of them."""
        return needs_text(example.expected)

    def score(self, example: Example, response: Response) -> Score:
        """1 or 0; a wrong answer says whether it was a near miss."""
        texts = expected_texts(example.expected)
        if texts is None:
            return Score.unscored(needs_text(example.expected) or "")
        output = self._form(response.output or "")
        accepted = [self._form(text) for text in texts]
        if output in accepted:
            return Score(1.0)
        return Score(0.0, _near_miss(output, accepted))

    def _form(self, text: str) -> str:
        if self.normalize != "none" and not text.isascii():
            text = unicodedata.normalize(self.normalize, text)
        if self.collapse_whitespace:
            text = " ".join(text.split()) if self.strip else _collapsed(text)
        elif self.strip:
            text = text.strip()
        return text.casefold() if self.ignore_case else text


def _collapsed(text: str) -> str:
    inner = " ".join(text.split())
    if not inner:
        return " " if text else ""
    return f"{' ' * text[0].isspace()}{inner}{' ' * text[-1].isspace()}"


def _near_miss(output: str, accepted: list[str]) -> str:
    if not output.strip():
        return "the answer is empty"
    near = folded(output[:10_000])
    for text in accepted:
        wanted = folded(text)
        if near == wanted:
            return "differs only in case or white space"
        if wanted and wanted in near:
            return "the expected text stands inside a longer answer"
    return "differs"
