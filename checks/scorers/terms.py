"""Does the answer use the right terms, and none of the wrong ones?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from checks.scorers import Scorer
from checks.scorers._texts import SEARCHED_CHARS, folded, quote, whole_word
from checks.types import Example, Response, Score

Term = Annotated[str, Field(min_length=1, pattern=r"\S")]
Pair = tuple[Term, Term]


class _Wanted(BaseModel):
    """Terms of one example; unknown keys beside them belong to other scorers."""

    model_config = ConfigDict(frozen=True)

    required: tuple[Term, ...] = ()
    forbidden: tuple[Term, ...] = ()
    confusable: tuple[Pair, ...] = ()


_KEYS = frozenset(_Wanted.model_fields)


class Terms(Scorer):
    """The share of terminology rules that the answer keeps.

    A ``required`` term must stand in the answer, a ``forbidden`` one must not; of a ``confusable`` pair the
    first must and the second must not (an occurrence of the second inside the first does not count). The
    scorer's own terms hold for every example. An example adds its own where ``expected`` is an object with
    some of these three keys; where the scorer has no terms, a text or list of texts in ``expected`` is
    required. Terms are found as whole words; each rule counts alike. The first 100,000 characters of the
    answer are searched.

    Example::

        scorer: {kind: terms, forbidden: [customer number], confusable: [[invoice, receipt]]}
        expected: {required: [due date]}
        right: The invoice shows the due date.
        wrong: The receipt shows the due date.
    """

    kind: Literal["terms"] = "terms"
    required: Annotated[tuple[Term, ...], Field(description="Terms that every answer must use.")] = ()
    forbidden: Annotated[tuple[Term, ...], Field(description="Terms that no answer may use.")] = ()
    confusable: Annotated[
        tuple[Pair, ...], Field(description="Pairs: every answer must use the first and not the second.")
    ] = ()
    ignore_case: Annotated[bool, Field(description="Upper and lower case are the same.")] = True
    whole_words: Annotated[
        bool, Field(description="If false, a term is found inside a longer word too, as in German compounds.")
    ] = True
    all_or_nothing: Annotated[
        bool, Field(description="1 only if every rule is kept, else 0, instead of the share.")
    ] = False

    @field_validator("confusable")
    @classmethod
    def _differ(cls, pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
        for right, wrong in pairs:
            if folded(right) == folded(wrong):
                raise ValueError(f"the two terms of a confusable pair are the same: {quote(right)}")
        return pairs

    @model_validator(mode="after")
    def _agree(self) -> Terms:
        form = {folded(term): term for term in (*self.required, *(right for right, _ in self.confusable))}
        for term in self.forbidden:
            if folded(term) in form:
                raise ValueError(f"{quote(term)} is required and forbidden at once")
        return self

    def problem(self, example: Example) -> str | None:
        """There must be a term: the scorer's own, or the example's."""
        wanted = self._wanted(example)
        if isinstance(wanted, str):
            return wanted
        if wanted.required or wanted.forbidden or wanted.confusable:
            return None
        return "no terms: the scorer has none, and expected gives none (required, forbidden, confusable)"

    def score(self, example: Example, response: Response) -> Score:
        """The share of rules that are kept; the reason lists the broken ones."""
        wanted = self._wanted(example)
        if isinstance(wanted, str) or (problem := self.problem(example)):
            return Score.unscored(wanted if isinstance(wanted, str) else problem or "")
        broken = self._broken(wanted, response.output or "")
        if not broken:
            return Score(1.0)
        rules = len(wanted.required) + len(wanted.forbidden) + len(wanted.confusable)
        shown = "; ".join(broken[:3]) + (f" and {len(broken) - 3} more" if len(broken) > 3 else "")
        return Score(0.0 if self.all_or_nothing else 1 - len(broken) / rules, shown)

    def broken(self, example: Example, text: str) -> list[str]:
        """Each rule that an answer breaks, in words that quote the rule and nothing of the answer.

        >>> Terms(confusable=[("invoice", "receipt")]).broken(Example("a", "?"), "Your receipt is here.")
        ['lacks "invoice", uses "receipt"']
        """
        wanted = self._wanted(example)
        return [] if isinstance(wanted, str) else self._broken(wanted, text)

    def _broken(self, wanted: _Wanted, output: str) -> list[str]:
        text = folded(output[:SEARCHED_CHARS], ignore_case=self.ignore_case)
        broken = [f"lacks {quote(term)}" for term in wanted.required if not self._has(text, term)]
        broken += [f"uses {quote(term)}" for term in wanted.forbidden if self._has(text, term)]
        for right, wrong in wanted.confusable:
            if not self._has(text, right):
                instead = "uses" if self._has(text, wrong) else "has neither it nor"
                broken.append(f"lacks {quote(right)}, {instead} {quote(wrong)}")
            elif self._has(self._pattern(right).sub(" ", text), wrong):
                broken.append(f"uses {quote(wrong)} beside {quote(right)}")
        return broken

    def _wanted(self, example: Example) -> _Wanted | str:
        """The terms for one example, or what is wrong with its ``expected``."""
        expected, own = example.expected, bool(self.required or self.forbidden or self.confusable)
        added = _Wanted()
        try:
            if isinstance(expected, Mapping):
                if _KEYS & expected.keys():
                    added = _Wanted.model_validate({key: expected[key] for key in _KEYS & expected.keys()})
            elif not own and isinstance(expected, str):
                added = _Wanted(required=(expected,))
            elif not own and isinstance(expected, list | tuple):
                added = _Wanted.model_validate({"required": expected})
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"]))
            return f"expected: {quote(where)[1:-1]}: {fault['msg']}"
        return _Wanted.model_construct(
            required=(*self.required, *added.required),
            forbidden=(*self.forbidden, *added.forbidden),
            confusable=(*self.confusable, *added.confusable),
        )

    def _has(self, text: str, term: str) -> bool:
        return self._pattern(term).search(text) is not None

    def _pattern(self, term: str) -> re.Pattern[str]:
        return _pattern(folded(term, ignore_case=self.ignore_case), whole_words=self.whole_words)


@lru_cache(maxsize=8192)
def _pattern(term: str, *, whole_words: bool) -> re.Pattern[str]:
    return re.compile(whole_word(term) if whole_words else re.escape(term))
