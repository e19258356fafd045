"""How similar is the answer to the expected text?"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field

from checks.scorers import Scorer
from checks.scorers._texts import SEARCHED_CHARS, expected_texts, needs_text, nfc
from checks.types import Example, Response, Score

_WORDS = re.compile(r"[^\W_]+")
_ARTICLES = frozenset({"a", "an", "the"})
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class TextSimilarity(Scorer):
    """The similarity of the answer to ``expected``, from 0 to 1; the best of several expected texts.

    The measures, each scaled to [0, 1], 1 for equal texts:

    - ``chrf``: F2 of character 1- to 6-grams (Popović 2015), by sacreBLEU at its defaults. For any language.
    - ``rouge_l``: F1 of the longest common subsequence of words (Lin 2004), without case; rouge-score without
      stemming gives the same on English. Words are runs of letters and digits of any script.
    - ``token_f1``: F1 of the bag of words, without case, punctuation and English articles, as SQuAD counts.
    - ``edit``: one minus the Levenshtein distance of the characters over the longer length.

    ``rouge_l`` and ``token_f1`` need a language that puts spaces between words. White space at the ends does
    not count. Of longer texts the first 100,000 characters are compared. Two empty texts are equal; an empty
    one and another are not alike at all. It measures wording, not truth: two answers that differ in one word
    may be opposites.

    Example::

        scorer: {kind: text_similarity, measure: rouge_l}
        expected: The parcel was sent on Monday.
        right: the parcel was sent on monday
        wrong: It is on its way.
    """

    kind: Literal["text_similarity"] = "text_similarity"
    measure: Annotated[
        Literal["chrf", "rouge_l", "token_f1", "edit"],
        Field(description="How texts are compared; see above."),
    ] = "chrf"
    ignore_case: Annotated[
        bool, Field(description="Upper and lower case are the same for `chrf` and `edit` too.")
    ] = False

    def problem(self, example: Example) -> str | None:
        """``expected`` must be a text, a number or a list of them."""
        return needs_text(example.expected)

    def score(self, example: Example, response: Response) -> Score:
        """The best similarity to any of the expected texts."""
        texts = expected_texts(example.expected)
        if texts is None:
            return Score.unscored(needs_text(example.expected) or "")
        output, measure = self._form(response.output or ""), _MEASURES[self.measure]
        best = max(self._compare(measure, output, self._form(text)) for text in texts)
        return Score(min(max(best, 0.0), 1.0))

    def _form(self, text: str) -> str:
        text = nfc(text[:SEARCHED_CHARS]).strip()
        return text.casefold() if self.ignore_case else text

    @staticmethod
    def _compare(measure: Callable[[str, str], float], output: str, expected: str) -> float:
        if output == expected:
            return 1.0
        return measure(output, expected) if output and expected else 0.0


def chrf(output: str, expected: str) -> float:
    """The chrF2 of sacreBLEU, over 100."""
    return float(_chrf().sentence_score(output, [expected]).score) / 100


@cache
def _chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415  # slow to import, and only this measure needs it

    return CHRF()


def rouge_l(output: str, expected: str) -> float:
    """F1 of the longest common subsequence of words."""
    from rapidfuzz.distance import LCSseq  # noqa: PLC0415  # only this measure needs it

    said, wanted = _WORDS.findall(output.casefold()), _WORDS.findall(expected.casefold())
    common = LCSseq.similarity(said, wanted) if said and wanted else 0
    return 2 * common / (len(said) + len(wanted)) if common else 0.0


def token_f1(output: str, expected: str) -> float:
    """F1 of the bags of words as in SQuAD; without any words left, 1 if both sides have none."""
    said, wanted = Counter(_tokens(output)), Counter(_tokens(expected))
    if not said or not wanted:
        return float(said == wanted)
    return 2 * (said & wanted).total() / (said.total() + wanted.total())


def _tokens(text: str) -> list[str]:
    return [word for word in text.casefold().translate(_PUNCTUATION).split() if word not in _ARTICLES]


def edit(output: str, expected: str) -> float:
    """One minus the Levenshtein distance over the longer length."""
    from rapidfuzz.distance import Levenshtein  # noqa: PLC0415  # only this measure needs it

    return float(Levenshtein.normalized_similarity(output, expected))


_MEASURES: dict[str, Callable[[str, str], float]] = {
    "chrf": chrf,
    "rouge_l": rouge_l,
    "token_f1": token_f1,
    "edit": edit,
}
