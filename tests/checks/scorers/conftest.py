"""What the scorers' tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from checks.registry import find
from checks.scorers import ROOM, Scorer, score
from checks.types import Example, Response, Score

Rate = Callable[..., Score]


@pytest.fixture
def make() -> Callable[..., Scorer]:
    """A scorer of a kind, from its configuration."""

    def build(kind: str, **config: Any) -> Scorer:
        scorer: Scorer = find(ROOM, kind).model_validate({"kind": kind, **config})
        return scorer

    return build


@pytest.fixture
def rate(make: Callable[..., Scorer]) -> Rate:
    """The score of an output against what is expected."""

    def run(kind: str, expected: Any, output: str, **config: Any) -> Score:
        return score(make(kind, **config), Example("1", "?", expected), Response("1", output))

    return run
