"""Is the answer as long as it should be?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from checks.scorers import Scorer
from checks.scorers._texts import expected_texts, needs_text
from checks.types import Example, Response, Score


class Length(Scorer):
    """1 if the length of the answer is within its bounds, else 0, or with ``smooth`` how near it comes.

    Bounds are absolute (``at_least``, ``at_most``) or relative to the length of the expected text
    (``ratio_at_least``, ``ratio_at_most``); every bound that is given must hold. White space at the ends does
    not count. With several expected texts the most favourable one counts. With ``smooth: true`` an answer
    outside scores length / lower bound, or upper bound / length, so that one twice too long scores 0.5.

    Example::

        scorer: {kind: length, unit: words, at_least: 2, at_most: 5}
        expected: null
        right: Three words here.
        wrong: Far too many words stand here.
    """

    kind: Literal["length"] = "length"
    unit: Annotated[
        Literal["characters", "words"],
        Field(description="What is counted; words are what white space separates."),
    ] = "characters"
    at_least: Annotated[int | None, Field(ge=0, description="The shortest length that is right.")] = None
    at_most: Annotated[int | None, Field(ge=0, description="The greatest length that is right.")] = None
    ratio_at_least: Annotated[
        float | None,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="The shortest length, as a multiple of the expected text's.",
        ),
    ] = None
    ratio_at_most: Annotated[
        float | None,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="The greatest length, as a multiple of the expected text's.",
        ),
    ] = None
    smooth: Annotated[
        bool, Field(description="Score how near an answer outside the bounds comes, instead of 0.")
    ] = False

    @model_validator(mode="after")
    def _bounds(self) -> Length:
        bounds = (self.at_least, self.at_most, self.ratio_at_least, self.ratio_at_most)
        if all(bound is None for bound in bounds):
            raise ValueError("a bound is missing: at_least, at_most, ratio_at_least or ratio_at_most")
        for low, high in (("at_least", "at_most"), ("ratio_at_least", "ratio_at_most")):
            least, most = getattr(self, low), getattr(self, high)
            if least is not None and most is not None and least > most:
                raise ValueError(f"{low} ({least}) is greater than {high} ({most})")
        return self

    def problem(self, example: Example) -> str | None:
        """With a ratio, ``expected`` must be a text, a number or a list of them, and not empty."""
        if self.ratio_at_least is None and self.ratio_at_most is None:
            return None
        texts = expected_texts(example.expected)
        if texts is not None and not all(map(self._length, texts)):
            return "expected is empty, so no length can be a multiple of its length"
        return needs_text(example.expected)

    def score(self, example: Example, response: Response) -> Score:
        """1, 0, or with ``smooth`` the ratio to the nearest bound; the reason gives both."""
        if problem := self.problem(example):
            return Score.unscored(problem)
        length = self._length(response.output or "")
        relative = self.ratio_at_least is not None or self.ratio_at_most is not None
        references = map(self._length, expected_texts(example.expected) or ("",)) if relative else (0,)
        return max(
            (self._against(length, reference) for reference in references), key=lambda score: score.value or 0
        )

    def _length(self, text: str) -> int:
        return len(text.split()) if self.unit == "words" else len(text.strip())

    def _against(self, length: int, reference: int) -> Score:
        low = max(self.at_least or 0, (self.ratio_at_least or 0) * reference)
        caps = [float(self.at_most)] if self.at_most is not None else []
        caps += [self.ratio_at_most * reference] if self.ratio_at_most is not None else []
        high = min(caps, default=float("inf"))
        if low <= length <= high:
            return Score(1.0)
        least, most = length < low, length > high
        nearness = min(length / low if least else 1.0, high / length if most else 1.0)
        bound = f"at least {low:g}" if least else f"at most {high:g}"
        return Score(nearness if self.smooth else 0.0, f"{length} {self.unit}, should be {bound}")
