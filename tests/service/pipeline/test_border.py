"""Are border prompts found beside the first run, asked in every run, counted, and never in the way?"""

from __future__ import annotations

import asyncio

import pytest

from checks.border import ABOUT, TOKENS
from checks.types import Verdict
from service.border import DRAWS, FIRST, key_of

PROMPTS = 12


@pytest.fixture
def bordered(watch):
    """The demo's watch with ``identity`` in its configuration."""
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def opened():
        async with watch(reference=f"identity: {{border_prompts: {PROMPTS}}}") as bench:
            yield bench

    return opened


def said(bench, run):
    one = next(bench.store.measurements("ticket-router", run.run.segment, after_run=run.run.id - 1))
    return one.judged


def identity(run):
    return next(f for f in run.judgement.findings if f.check == "identity")


def test_they_are_found_once_and_asked_in_every_run(bordered) -> None:
    """The first run searches; later ones ask the same prompts, and all of it counts in the target's tokens."""

    async def story():
        async with bordered() as bench:
            (first,) = await bench.hour()
            kept = bench.store.border_prompts("ticket-router", key_of(bench.target, first.run.baseline_id))
            assert kept is not None
            assert len(kept.prompts) == PROMPTS
            assert len({p.input for p in kept.prompts}) == PROMPTS
            (second,) = await bench.hour()
            rows = [said(bench, run) for run in (first, second)]
            assert rows[0][ABOUT].tolist() == rows[1][ABOUT].tolist()
            draws = 1 if kept.draws == 1 else DRAWS
            assert len(rows[1][TOKENS]) == PROMPTS * draws
            assert len(rows[0][TOKENS]) == PROMPTS * (1 if draws == 1 else DRAWS * FIRST)
            tokens, _ = bench.store.usage_since("ticket-router", 0.0)
            golden = sum(r.run.input_tokens + r.run.output_tokens for r in (first, second))
            assert tokens > golden
            assert identity(second).verdict is Verdict.LEARNING
            assert second.run.requests.ok == 240

    asyncio.run(story())


def test_an_outage_is_not_searched_in(bordered) -> None:
    """While nothing answers no prompt is asked; the search comes with the first run that is answered."""

    async def story():
        async with bordered() as bench:
            await bench.endpoint.stop()
            (dark,) = await bench.hour()
            assert dark.judgement.verdict is Verdict.INCONCLUSIVE
            key = key_of(bench.target, dark.run.baseline_id)
            assert bench.store.border_prompts("ticket-router", key) is None

    asyncio.run(story())


def test_another_model_behind_the_name_is_told(bordered) -> None:
    """Quiet while it is healthy; without its fine-tune a model answers border prompts otherwise, and that is told."""

    async def story():
        async with bordered() as bench:
            runs = [(await bench.hour())[0] for _ in range(5)]
            assert identity(runs[-1]).verdict is Verdict.OK
            bench.endpoint.drop_adapter()
            later = [run for _ in range(2) for run in await bench.hour()]
            assert Verdict.REGRESSED in {identity(run).verdict for run in later}

    asyncio.run(story())
