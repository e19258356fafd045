"""What starts a new segment, and what does not."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import Field

from checks.scorers.exact_match import ExactMatch
from checks.scorers.label import Label
from service.config.models import Target
from service.config.target_parts import Limits
from service.endpoints import Endpoint, Price
from service.segment import segment_key


class Asked(Endpoint):
    kind: Literal["asked"] = "asked"
    address: str = "http://a"
    model: str = "m"
    system: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.address

    @property
    def model_name(self) -> str:
        return self.model

    def question(self) -> Any:
        return {"system": self.system, "params": self.params}

    async def ask(self, client: Any, example: Any, *, timeout_s: float) -> Any:
        raise NotImplementedError

    async def identify(self, client: Any, *, timeout_s: float) -> Any:
        raise NotImplementedError


LABEL = Label(labels=("a", "b"))


def target(**changes: Any) -> Target:
    fields = {"name": "t", "endpoint": Asked(), "golden": "g.jsonl", "scorers": (ExactMatch(), LABEL)}
    return Target(**(fields | changes))


def key(changed: Target, digest: str = "sha256:1", baseline: int | None = 1) -> str:
    return segment_key(changed, digest, baseline)


@pytest.mark.parametrize(
    "changed",
    [
        target(endpoint=Asked(model="m2")),
        target(endpoint=Asked(address="http://b", price=Price(input_per_mtok=1))),
        target(scorers=(LABEL, ExactMatch())),
        target(scorers=(ExactMatch(min=0.9), LABEL)),
        target(scorers=(ExactMatch(strip=True), LABEL)),
        target(scorers=(ExactMatch(name="exact_match"), LABEL)),
        target(
            repeats=3, concurrency=1, retries=0, limits=Limits(requests_per_second=1), severity="critical"
        ),
        target(
            timeout="5s", deadline="1m", schedule={"every": "1d"}, labels={"a": "b"}, golden="other.jsonl"
        ),
    ],
)
def test_a_change_of_the_measuring_keeps_the_segment(changed: Target) -> None:
    """Model name, address, price, floors, order of scorers, defaults written out, how often and how fast."""
    assert key(changed) == key(target())


@pytest.mark.parametrize(
    "changed",
    [
        target(name="u"),
        target(endpoint=Asked(system="Be brief.")),
        target(endpoint=Asked(params={"temperature": 1})),
        target(scorers=(ExactMatch(),)),
        target(scorers=(ExactMatch(ignore_case=True), LABEL)),
        target(scorers=(ExactMatch(name="exact"), LABEL)),
        target(scorers=(ExactMatch(), Label(labels=("a", "c")))),
    ],
)
def test_a_change_of_what_is_measured_starts_a_segment(changed: Target) -> None:
    """Another question, scorer, option or name of a scorer."""
    assert key(changed) != key(target())


def test_a_new_golden_set_or_baseline_starts_a_segment() -> None:
    """History is comparable only within the same examples and the same idea of healthy."""
    keys = {
        key(target()),
        key(target(), digest="sha256:2"),
        key(target(), baseline=2),
        key(target(), baseline=None),
    }
    assert len(keys) == 4
