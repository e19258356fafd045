"""Is an answer as near as its vector says, and unscored where there is none?"""

from __future__ import annotations

import json

import pytest

from checks.registry import find
from checks.scorers import score
from checks.scorers._asking import Replies
from checks.types import Example, Response

ENDPOINT = {"kind": "http_json", "url": "http://127.0.0.1:1/v1/embeddings", "body": {"input": "{{ input }}"}}
ENDPOINT |= {"output": "data[0].embedding"}


def near(mine: str, *wanted: str, output: str = "an answer", low: float = 0.0):
    """The score of an answer whose vector is ``mine``, where those of the expected texts are ``wanted``."""
    scorer = find("checks.scorers", "embedding_similarity").model_validate(
        {"kind": "embedding_similarity", "endpoint": ENDPOINT, "low": low}
    )
    example = Example("1", "?", [f"text {i}" for i in range(len(wanted))])
    replies = Replies({**{f"text {i}": one for i, one in enumerate(wanted)}, output: mine})
    return score(scorer.having(replies), example, Response("1", output))


def test_the_nearest_expected_text_counts() -> None:
    """Cosines 0 and 0.8: 0.8."""
    found = near("[1, 0]", "[0, 7]", "[4, 3]")
    assert found.value == pytest.approx(0.8)
    assert found.reason == "cosine 0.800"


@pytest.mark.parametrize(("low", "value"), [(0.5, 0.6), (0.8, 0.0), (0.9, 0.0), (-1.0, 0.9)])
def test_the_scale_begins_at_low(low: float, value: float) -> None:
    """A cosine of 0.8 between ``low`` and 1."""
    assert near("[1, 0]", "[4, 3]", low=low).value == pytest.approx(value)


@pytest.mark.parametrize(
    "reply", ["", "nothing", "{}", "[]", "[0, 0]", '["a", 1]', "[true, 1]", "[1e999, 1]", "[1]"]
)
def test_a_reply_that_is_no_vector_is_unscored(reply: str) -> None:
    """Not measured, never 0."""
    found = near(reply, "[1, 0]")
    assert found.value is None
    assert found.reason is not None
    assert found.reason.startswith("the embedding model")


def test_an_empty_answer_scores_0_and_asks_nothing() -> None:
    """It says nothing, whatever the model would make of it."""
    assert near("[1, 0]", "[1, 0]", output=" \n").value == 0.0


def test_a_vector_of_usual_length_is_read_exactly() -> None:
    """1,536 numbers against themselves: 1."""
    long = json.dumps([((i * 37) % 101 - 50) / 997 for i in range(1536)])
    assert near(long, long).value == 1.0
