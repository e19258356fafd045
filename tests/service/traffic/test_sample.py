"""Is a sample read, and what is none refused in words?"""

from __future__ import annotations

import pytest

from checks.types import Message
from service.traffic.sample import SampleError, sample_of


def test_a_sample_needs_its_input_only():
    """A text or a conversation, also with parts; unknown keys are no fault."""
    assert sample_of({"input": "a", "more": 1}).output is None
    turns = [{"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "image_url"}]}]
    assert sample_of({"input": turns, "output": "x"}).input == (Message("user", "b"),)
    assert sample_of({"input": "a", "user_agent": "goldwatch/0.1.0"}).own


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (3, "an object"),
        ({}, "input is a text"),
        ({"input": " "}, "empty"),
        ({"input": []}, "input is a text"),
        ({"input": ["x"]}, "turn"),
        ({"input": [{"role": "user", "content": 3}]}, "content"),
        ({"input": "a", "output": 3}, "output"),
        ({"input": "a", "at": "yesterday"}, "at is seconds"),
        ({"input": "a", "at": 1_790_000_000_000}, "milliseconds"),
        ({"input": "a", "at": True}, "at is seconds"),
    ],
)
def test_what_is_wrong_is_told_without_the_text(held, words):
    """The fault names the key and what it should be."""
    with pytest.raises(SampleError, match=words):
        sample_of(held)
