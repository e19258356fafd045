"""Is the cost that is told the cost that comes?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checks.types import Example
from service.config import Schedule, load
from service.config.target_parts import Limits
from service.cost import DEFAULT_OUTPUT_TOKENS, cost_of, estimated_tokens, over_limits, runs_per_day
from service.demo.endpoint import DemoEndpoint
from service.doctor.spending import look_at_cost
from service.golden import load as load_golden
from service.pipeline import Shell, run_target
from service.store import Store

NOW = 1_790_000_000.0
PRICE = "price: {input_per_mtok: 0.30, output_per_mtok: 1.20}"


def test_an_estimate_multiplies_out(write: Callable[..., Path]) -> None:
    """Hourly, 240 examples, two repeats: 11,520 requests a day; a month and the money follow from the tokens."""
    (target,) = load(write("http://127.0.0.1:9/v1", endpoint=PRICE, target="repeats: 2")).targets
    examples = load_golden(target.golden).examples
    cost = cost_of(target, examples, None, NOW)
    inputs, outputs = estimated_tokens(target.endpoint.question(), examples)
    assert outputs == 240 * 16
    assert (cost.requests_per_run, cost.requests_per_day, cost.from_run) == (480, 11_520.0, None)
    assert cost.tokens_per_run == 2 * (inputs + outputs)
    assert cost.usd_per_month == pytest.approx((2 * inputs * 0.3 + 2 * outputs * 1.2) / 1e6 * 24 * 30.4375)


def test_whoever_is_asked_besides_is_counted(write: Callable[..., Path], tmp_path: Path) -> None:
    """240 answers and 12 anchors to the judge in each run, the base model twice a week, a challenger once a week."""
    anchors = [
        {"id": f"a{n}", "input": "x?", "output": str(n), "expected": "1", "score": 1} for n in range(12)
    ]
    (tmp_path / "anchors.jsonl").write_text("".join(json.dumps(one) + "\n" for one in anchors))
    other = 'kind: openai_chat, base_url: "http://127.0.0.1:9/v1", model: other'
    judge = (
        f"{{kind: judge, name: polite, anchors: {tmp_path / 'anchors.jsonl'}, endpoint: {{{other}, "
        "params: {max_tokens: 4}, price: {input_per_mtok: 1, output_per_mtok: 4}}}"
    )
    alone = load(write("http://127.0.0.1:9/v1", endpoint=PRICE)).targets[0]
    besides = f"  - {judge}\n    reference: {{{other}}}\n    challengers: {{small: {{{other}}}}}"
    config = write("http://127.0.0.1:9/v1", endpoint=PRICE, target=besides)
    (target,) = load(config).targets
    examples = load_golden(target.golden).examples
    before, cost = (cost_of(one, examples, None, NOW) for one in (alone, target))
    assert (cost.requests_per_run, cost.judge_requests_per_run) == (240 + 252, 252)
    assert cost.requests_per_day == pytest.approx(24 * 492 + 2 * 240 / 7 + 240 / 7)
    assert before.usd_per_run is not None
    assert cost.usd_per_run is not None
    inputs = (cost.usd_per_run - before.usd_per_run) * 1e6 - 4 * 4 * 252
    assert cost.tokens_per_run - before.tokens_per_run == pytest.approx(inputs + 4 * 252)
    assert cost.unpriced == ("challenger small", "reference")
    told = look_at_cost(target, load_golden(target.golden), None, NOW).message
    assert "judges and their anchors at most 252 requests a run, base model and challengers 103 a day" in told
    assert "without challenger small, reference: no price" in told
    over = over_limits(target.model_copy(update={"limits": Limits(tokens_per_day=1000)}), cost)
    assert f"{cost.tokens_per_day:,.0f} tokens a day" in over[0]


def test_the_counts_of_the_last_run_are_taken(write: Callable[..., Path], tmp_path: Path) -> None:
    """After a run its counted tokens are told; the estimate before it lay within a half of its input."""

    async def main() -> None:
        async with DemoEndpoint(latency_s=0.0) as endpoint:
            config = load(write(endpoint.url, endpoint=PRICE))
            (target,) = config.targets
            with Store.open(f"sqlite:///{tmp_path / 'cost.db'}") as store:
                (done,) = await run_target(Shell(store, config), target)
                run = done.run
                assert run.input_tokens is not None
                assert run.output_tokens is not None
                examples = load_golden(target.golden).examples
                cost = cost_of(target, examples, store.last_measured(target.name), NOW)
                assert (cost.from_run, cost.tokens_per_run) == (run.id, run.input_tokens + run.output_tokens)
                assert cost.usd_per_run == pytest.approx(run.cost_usd)
                estimate, _ = estimated_tokens(target.endpoint.question(), examples)
                assert 0.5 < estimate / run.input_tokens < 1.5
                fewer = cost_of(target, examples[:100], run, NOW)
                assert fewer.from_run is None

    asyncio.run(main())


def test_a_run_that_did_not_count_is_not_taken(write: Callable[..., Path], tmp_path: Path) -> None:
    """A last run without token counts leaves the estimate."""

    async def main() -> None:
        async with DemoEndpoint(latency_s=0.0) as endpoint:
            config = load(write(endpoint.url))
            (target,) = config.targets
            with Store.open(f"sqlite:///{tmp_path / 'cost.db'}") as store:
                (done,) = await run_target(Shell(store, config), target)
                examples = load_golden(target.golden).examples
                assert cost_of(target, examples, replace(done.run, output_tokens=None), NOW).from_run is None

    asyncio.run(main())


@pytest.mark.parametrize(
    ("schedule", "per_day"),
    [
        ({"every": "15m"}, 96.0),
        ({"every": "7d"}, 1 / 7),
        ({"cron": "0 * * * *"}, 24.0),
        ({"cron": "0 9-17 * * 1-5"}, 45 / 7),
        ({"cron": "0 0 1 * *"}, 12 / 364),
        ({"cron": "0 0 30 2 *"}, 0.0),
    ],
)
def test_schedules_are_followed(schedule: dict[str, Any], per_day: float) -> None:
    """Runs a day are those that the schedule ticks, also for weekdays, months and days that never come."""
    assert runs_per_day(Schedule.model_validate(schedule), NOW) == pytest.approx(per_day)


def test_output_is_bounded_by_any_of_its_parameters() -> None:
    """max_tokens and its kin bound an answer, wherever the protocol puts them; without one 256 tokens are taken."""
    one = [Example("a", "hello")]
    snake = ("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens")
    for name in (*snake, "maxTokens", "maxOutputTokens"):
        assert estimated_tokens({"params": {name: 7}}, one)[1] == 7
        assert estimated_tokens({"body": {"options": [{name: 9}]}}, one)[1] == 9
    assert estimated_tokens({"params": {"max_tokens": True}}, one)[1] == DEFAULT_OUTPUT_TOKENS


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ("{tokens_per_day: 1000}", ["tokens_per_day"]),
        ("{usd_per_day: 0.01}", ["usd_per_day"]),
        ("{requests_per_second: 0.1}", ["deadline"]),
        ("{tokens_per_day: 100000000, usd_per_day: 1000, requests_per_second: 100}", []),
    ],
)
def test_limits_that_cannot_be_kept_are_named(
    write: Callable[..., Path], limits: str, named: list[str]
) -> None:
    """Each limit that the schedule will exceed is told, and no other."""
    (target,) = load(write("http://127.0.0.1:9/v1", endpoint=PRICE, target=f"limits: {limits}")).targets
    found = over_limits(target, cost_of(target, load_golden(target.golden).examples, None, NOW))
    assert len(found) == len(named)
    assert all(name in text for name, text in zip(named, found, strict=True))
