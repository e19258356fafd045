"""Is what a pattern takes out of the answer the expected text?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from checks.scorers import Scorer
from checks.scorers._patterns import compiled, matches
from checks.scorers._texts import SEARCHED_CHARS, expected_texts, needs_text, quote
from checks.types import Example, Response, Score

if TYPE_CHECKING:
    import regex


class Regex(Scorer):
    r"""1 if what ``pattern`` takes out of the answer equals ``expected``, else 0.

    Both sides are stripped. ``expected`` is a text, a number or a list, any one of which is right. Where the
    pattern does not match, the score is 0 with the reason ``no_match``, and it counts as a format failure. A
    match in which the group took no part does not count as one.

    The pattern is Python's (by the ``regex`` package). The first 100,000 characters of an answer are
    searched, or the last with ``match: last``; a search that takes more than 1 s leaves the score unscored.

    Example::

        scorer: {kind: regex, pattern: 'Answer: *(\w+)', match: last}
        expected: "yes"
        right: "I thought no. Answer: yes"
        wrong: "Answer: no"
    """

    kind: Literal["regex"] = "regex"
    pattern: Annotated[str, Field(description="A regular expression, searched anywhere in the answer.")]
    group: Annotated[
        Annotated[int, Field(strict=True, ge=0)] | str | None,
        Field(
            description="What to take out: the number or name of a group; 0 is the whole match. "
            "Default: 1 if the pattern has a group, else 0."
        ),
    ] = None
    match: Annotated[
        Literal["first", "last"], Field(description="Which match counts where there are several.")
    ] = "first"
    ignore_case: Annotated[
        bool, Field(description="Upper and lower case are the same, in the search and in the comparison.")
    ] = False

    _compiled: regex.Pattern[str] = PrivateAttr()
    _group: int | str = PrivateAttr()

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        compiled(pattern)
        return pattern

    @field_validator("group")
    @classmethod
    def _exists(cls, group: int | str | None, info: ValidationInfo) -> int | str | None:
        if group is None or "pattern" not in info.data:
            return group
        pattern = compiled(info.data["pattern"])
        if isinstance(group, int) and group > pattern.groups:
            raise ValueError(f"the pattern has {pattern.groups} groups, so group {group} does not exist")
        if isinstance(group, str) and group not in pattern.groupindex:
            names = ", ".join(pattern.groupindex) or "none"
            raise ValueError(f"the pattern has no group named {quote(group)}; its named groups: {names}")
        return group

    def model_post_init(self, _context: Any, /) -> None:
        """Compile once."""
        self._compiled = compiled(self.pattern, ignore_case=self.ignore_case)
        self._group = min(self._compiled.groups, 1) if self.group is None else self.group

    def problem(self, example: Example) -> str | None:
        """``expected`` must be a text, a number or a list of them."""
        return needs_text(example.expected)

    def score(self, example: Example, response: Response) -> Score:
        """1 or 0; a wrong answer says what was taken out.

        Raises:
            PatternTimeoutError: the search took too long.
        """
        texts = expected_texts(example.expected)
        if texts is None:
            return Score.unscored(needs_text(example.expected) or "")
        taken = self._take_out(response.output or "")
        if taken is None:
            return Score(0.0, "no_match", format_failure=True)
        taken = taken.strip()
        if any(self._equal(taken, text.strip()) for text in texts):
            return Score(1.0)
        return Score(0.0, f"took out {quote(taken)}")

    def _equal(self, left: str, right: str) -> bool:
        return left == right or (self.ignore_case and left.casefold() == right.casefold())

    def _take_out(self, output: str) -> str | None:
        if self.match == "first":
            for match in matches(self._compiled, output[:SEARCHED_CHARS]):
                if (text := match.group(self._group)) is not None:
                    return str(text)
            return None
        taken = None
        for match in matches(self._compiled, output[-SEARCHED_CHARS:]):
            if (text := match.group(self._group)) is not None:
                taken = str(text)
        return taken
