"""How near is the answer's meaning to the reference's, by the vectors of an embedding model?"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from checks.scorers._asking import AskingScorer
from checks.scorers._texts import expected_texts, needs_text
from checks.types import Example, Score

LONGEST = 20_000
"""Of each text so many characters are embedded."""

_MOST_NUMBERS = 100_000


class EmbeddingSimilarity(AskingScorer):
    """The cosine of the answer's vector and that of the nearest expected text, from ``low`` (0) to 1.

    ``endpoint`` is any that answers with a list of numbers, as an OpenAI-compatible ``/v1/embeddings`` does through
    ``http_json``. A text is embedded once and its vector is kept. Models of embeddings find any two texts of one
    language somewhat alike: ``low`` is the cosine that is worth nothing. An answer without text scores 0. A reply that
    is no vector, or vectors of two lengths, leave the answer unscored.

    With ``anchors`` the embedding model is watched as a judge is, by the check `judge_drift`.

    Example::

        scorer:
          kind: embedding_similarity
          endpoint:
            kind: http_json
            url: http://127.0.0.1:8001/v1/embeddings
            body: {model: my-embedding-model, input: "{{ input }}"}
            output: data[0].embedding
          low: 0.5
        expected: Your parcel has been sent.
        right: The parcel is on its way.
        wrong: Please reset your password.
        replies: {expected: "[0.8, 0.6]", right: "[0.8, 0.6]", wrong: "[0.8, -0.6]"}
    """

    kind: Literal["embedding_similarity"] = "embedding_similarity"
    low: Annotated[
        float, Field(ge=-1.0, lt=1.0, description="The cosine that scores 0, and all below it.")
    ] = 0.0

    def problem(self, example: Example) -> str | None:
        """``expected`` must be a text, a number or a list of them, none of them empty."""
        texts = expected_texts(example.expected)
        if texts is not None and not all(text.strip() for text in texts):
            return "expected holds an empty text, which has no meaning to compare with"
        return needs_text(example.expected)

    def questions(self, example: Example, output: str) -> tuple[str, ...]:
        """Every expected text and the answer; nothing where the answer is empty."""
        texts = expected_texts(example.expected) or ()
        return (*(text[:LONGEST] for text in texts), output[:LONGEST]) if output.strip() else ()

    def from_replies(self, example: Example, output: str, replies: Sequence[str]) -> Score:  # noqa: ARG002
        """The cosine to the nearest, on the scale from ``low`` to 1."""
        if not replies:
            return Score(0.0, "the answer is empty")
        vectors = [vector(reply) for reply in replies]
        if any(one is None for one in vectors):
            return Score.unscored("the embedding model did not answer with a list of numbers")
        *wanted, mine = [one for one in vectors if one is not None]
        if any(len(one) != len(mine) for one in wanted):
            return Score.unscored("the embedding model answered with vectors of different lengths")
        nearest = max(sum(map(float.__mul__, one, mine)) for one in wanted)
        value = min(max((nearest - self.low) / (1.0 - self.low), 0.0), 1.0)
        return Score(
            1.0 if value > 1.0 - 1e-9 else value, None if value > 1.0 - 1e-9 else f"cosine {nearest:.3f}"
        )


def vector(reply: str) -> list[float] | None:
    """The numbers of a reply as a vector of length 1; None if it is no list of finite numbers, or all are 0.

    >>> vector("[3, 4]"), vector("[]"), vector("[0, 0]"), vector('{"a": 1}')
    ([0.6, 0.8], None, None, None)
    """
    try:
        found = json.loads(reply)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not 0 < len(found) <= _MOST_NUMBERS:
        return None
    if any(isinstance(x, bool) or not isinstance(x, int | float) for x in found):
        return None
    try:
        numbers = [float(x) for x in found]
        size = math.hypot(*numbers)
    except OverflowError:
        return None
    return [x / size for x in numbers] if math.isfinite(size) and size > 0.0 else None
