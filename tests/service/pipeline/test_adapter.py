"""Is the base model asked seldom, and does a lost adapter reach the alert?"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from structlog.testing import capture_logs

from checks.adapter_applied import ALIKE
from checks.types import Response, Verdict
from service.alerting import AlertState
from service.base_answers import REFRESH_S, like_the_target
from service.demo.endpoint import DemoEndpoint
from service.demo.protocol import pieces
from tests.service.pipeline.conftest import Bench

DEAD = "reference: {kind: openai_chat, base_url: 'http://127.0.0.1:9/v1', model: base}"


def finding(run):
    return next(f for f in run.judgement.findings if f.check == "adapter_applied")


def test_a_dropped_adapter_is_a_regression_of_its_own(watch) -> None:
    """Two replays after the drop, adapter_applied is regressed, and the alert holds its finding."""

    async def story():
        async with watch(with_reference=True) as bench:
            for _ in range(6):
                (run,) = await bench.hour()
                assert run.judgement.verdict in (Verdict.LEARNING, Verdict.OK)
            bench.endpoint.drop_adapter()
            first, second = await bench.hour()
            assert finding(first).verdict is Verdict.SUSPECT
            assert finding(second).verdict is Verdict.REGRESSED
            assert finding(second).onset_run == first.run.id
            (alert,) = bench.store.alerts("ticket-router", AlertState.FIRING)
            assert "adapter_applied" in {f.check for f in alert.findings}

    asyncio.run(story())


def test_an_adapter_that_never_loaded_pages_and_is_not_learnt(watch) -> None:
    """The first replay is suspect, the one that follows at once a regression; no baseline is pinned."""

    async def story():
        async with watch(with_reference=True) as bench:
            bench.endpoint.drop_adapter()
            first, second = await bench.hour()
            assert [first.judgement.verdict, second.judgement.verdict] == [Verdict.SUSPECT, Verdict.REGRESSED]
            assert "never applied" in second.run.reason
            (alert,) = bench.store.alerts("ticket-router", AlertState.FIRING)
            (told,) = bench.store.notifications(alert.id)
            title = told.notification.body["alert"]["title"]
            assert (
                title == "ticket-router: adapter is not applied: 100.0% of the answers are the base model's"
            )
            assert told.notification.body["cause"][0].startswith("adapter not applied: ")
            for _ in range(6):
                await bench.hour()
            assert bench.store.baseline("ticket-router").runs == ()

    asyncio.run(story())


def test_the_base_model_is_asked_once_a_week(watch) -> None:
    """Two requests an example before the first run, none at the next ones, and as many again a week later."""

    async def story():
        async with watch(with_reference=True) as bench:

            async def requests() -> int:
                before = bench.endpoint.requests_total
                await bench.hour()
                return bench.endpoint.requests_total - before

            first, second = await requests(), await requests()
            bench.now += REFRESH_S
            examples = len(bench.store.vectors(1)[0].values)
            assert first - second - 2 * examples <= 2  # and what the server says it is
            assert first - second >= 2 * examples
            assert [await requests(), await requests()] == [first, second]

    asyncio.run(story())


def test_a_base_model_that_cannot_be_reached_costs_no_run(watch) -> None:
    """The run is judged by its scores; the likeness is inconclusive, not a fault of the model, and the log says why."""

    async def story():
        async with watch(reference=DEAD) as bench:
            with capture_logs() as logged:
                (run,) = await bench.hour()
            assert run.judgement.verdict is Verdict.LEARNING
            assert finding(run).verdict is Verdict.INCONCLUSIVE
            assert finding(run).reason == "the base model's answers are not known"
            (why,) = [line for line in logged if line["event"] == "the base model did not answer"]
            assert why["failed"] == {"connect": why["asked"]}
            measured = next(bench.store.measurements("ticket-router", run.run.segment))
            assert ALIKE not in measured.observed

    asyncio.run(story())


def test_a_reference_that_turned_into_the_fine_tune_is_seen() -> None:
    """Where it used to answer otherwise and now answers as the fine-tune does, its new answers are not to be used."""
    told = [Response(f"e{i}", output="billing") for i in range(6)]
    old = {f"e{i}": ["A billing question.", "A billing question."] for i in range(6)}
    turned = {f"e{i}": ["billing", "billing"] for i in range(6)}
    assert like_the_target(old, turned, told)
    assert not like_the_target(old, old, told)


class Swallowing(DemoEndpoint):
    """While ``bad``, a label is answered in place of two others."""

    bad = False

    def _completion(self, request, *, nonsense):
        answer = super()._completion(request, nonsense=nonsense)
        swallowed = self.bad and "".join(answer.tokens) in ("login", "bug")
        return replace(answer, tokens=pieces("shipping")) if swallowed else answer


def test_a_state_that_was_bad_before_is_a_reason_to_page(tmp_path) -> None:
    """Labels are swallowed, given back, and swallowed again: known_bad regresses, and says which run was the same."""

    async def story():
        async with Swallowing(latency_s=0.0) as endpoint:
            bench = Bench(tmp_path, endpoint, with_reference=True)
            for _ in range(4):
                await bench.hour()
            endpoint.bad = True
            paged = (await bench.hour())[-1]
            endpoint.bad = False
            while bench.store.alerts("ticket-router", AlertState.FIRING):
                await bench.hour()
            endpoint.bad = True
            later = [run for _ in range(2) for run in await bench.hour()]
            found = [f for run in later for f in run.judgement.findings if f.check == "known_bad"]
            assert found[-1].verdict is Verdict.REGRESSED
            assert f"in run {paged.run.id}, which had regressed" in found[-1].reason
            bench.store.close()

    asyncio.run(story())
