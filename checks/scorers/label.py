"""Which category does the answer name, and is it the right one?"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from checks.scorers import Scorer
from checks.scorers._texts import (
    SEARCHED_CHARS,
    expected_texts,
    folded,
    listing,
    needs_text,
    quote,
    whole_word,
)
from checks.types import Example, Response, Score

_AROUND = string.whitespace + string.punctuation + "“”„‟‘’‚‛«»‹›–—…·•。、「」『』"
_SHORT_CHARS = 1_000


class Label(Scorer):
    """1 if the answer names the expected label and no other, else 0.

    The answer names a label if it is nothing else (apart from case, punctuation, quotes and Markdown around
    it), or else if the label stands in it as a whole word; of labels that contain each other the longest
    counts. An answer that names several is wrong with the reason ``ambiguous: ...``; one that names none is
    wrong with the reason ``no_label`` and counts as a format failure. ``expected`` is a label, or a list, any
    one of which is right. The label that was named goes into the confusion matrix. The first 100,000
    characters are read.

    Example::

        scorer: {kind: label, labels: [billing, login, login error], aliases: {billing: [payments]}}
        expected: login error
        right: "The category is **Login error**."
        wrong: "billing or login"
    """

    kind: Literal["label"] = "label"
    ignore_case: Annotated[bool, Field(description="Upper and lower case are the same.")] = True
    labels: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...],
        Field(min_length=1, description="Every label that a right answer may name."),
    ]
    aliases: Annotated[
        Mapping[str, tuple[Annotated[str, Field(min_length=1, max_length=200)], ...]],
        Field(default_factory=dict, description="Other spellings of a label that count as naming it."),
    ]
    anywhere: Annotated[
        bool,
        Field(
            description="Look for the label inside a longer answer too. If false, the answer must be "
            "the label alone."
        ),
    ] = True

    _named: dict[str, str] = PrivateAttr()
    _bare: dict[str, str] = PrivateAttr()
    _pattern: re.Pattern[str] = PrivateAttr()

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for label in labels:
            if not label.strip():
                raise ValueError("a label is blank; take it out")
        _spellings(labels, {}, ignore_case=info.data.get("ignore_case", True))
        return labels

    @field_validator("aliases")
    @classmethod
    def _known(
        cls, aliases: Mapping[str, tuple[str, ...]], info: ValidationInfo
    ) -> Mapping[str, tuple[str, ...]]:
        if "labels" not in info.data:
            return aliases
        labels: tuple[str, ...] = info.data["labels"]
        for label, others in aliases.items():
            if label not in labels:
                raise ValueError(f"{quote(label)} is none of the labels: {listing(labels, 10)}")
            if not all(other.strip() for other in others):
                raise ValueError(f"an alias of {quote(label)} is blank; take it out")
        _spellings(labels, aliases, ignore_case=info.data.get("ignore_case", True))
        return aliases

    def model_post_init(self, _context: Any, /) -> None:
        """Build the tables once, so that a score takes microseconds."""
        self._named = _spellings(self.labels, self.aliases, ignore_case=self.ignore_case)
        bare: dict[str, str | None] = {}
        for spelling, label in self._named.items():
            core = spelling.strip(_AROUND)
            bare[core] = label if bare.get(core, label) == label else None
        self._bare = {core: label for core, label in bare.items() if core and label is not None}
        longest_first = sorted(self._named, key=lambda spelling: (-len(spelling), spelling))
        self._pattern = re.compile("|".join(map(whole_word, longest_first)))

    def problem(self, example: Example) -> str | None:
        """``expected`` must be one of the labels, or a list of them."""
        texts = expected_texts(example.expected)
        if texts is None:
            return needs_text(example.expected)
        for text in texts:
            if self._named.get(folded(text, ignore_case=self.ignore_case)) is None:
                return f"expected {quote(text)} is none of the labels: {listing(self.labels, 10)}"
        return None

    def score(self, example: Example, response: Response) -> Score:
        """1 or 0, and the label that was named."""
        texts = expected_texts(example.expected)
        wanted = [
            self._named.get(folded(text, ignore_case=self.ignore_case)) for text in texts or (None,) if text
        ]
        if not wanted or None in wanted:
            return Score.unscored(self.problem(example) or "expected is an empty text")
        named = self._names(response.output or "")
        if not named:
            return Score(0.0, "no_label", format_failure=True)
        if len(named) > 1:
            return Score(0.0, f"ambiguous: {listing(named)}")
        if named[0] in wanted:
            return Score(1.0, label=named[0])
        return Score(0.0, f"named {quote(named[0])}", label=named[0])

    def _names(self, output: str) -> list[str]:
        """The distinct labels that an answer names, in the order in which they first stand in it."""
        text = folded(output[:SEARCHED_CHARS], ignore_case=self.ignore_case)
        label = self._named.get(text)
        if label is None and len(text) <= _SHORT_CHARS:
            label = self._bare.get(text.strip(_AROUND))
        if label is not None:
            return [label]
        if not self.anywhere:
            return []
        return list(dict.fromkeys(self._named[found] for found in self._pattern.findall(text)))


def _spellings(
    labels: tuple[str, ...], aliases: Mapping[str, tuple[str, ...]], *, ignore_case: bool
) -> dict[str, str]:
    """Which label each spelling names.

    Raises:
        ValueError: two labels, or a label and an alias, are spelt alike.
    """
    named: dict[str, str] = {}
    for label in labels:
        key = folded(label, ignore_case=ignore_case)
        if key in named:
            other = named[key]
            alike = "given twice" if other == label else f"the same as {quote(other)} when case is ignored"
            raise ValueError(f"label {quote(label)} is {alike}; every label must differ")
        named[key] = label
    for label, others in aliases.items():
        for alias in others:
            if named.setdefault(folded(alias, ignore_case=ignore_case), label) != label:
                raise ValueError(f"alias {quote(alias)} of {quote(label)} also names another label")
    return named
