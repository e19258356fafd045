"""Is every example asked as planned, retried only where that helps, and accounted for once?"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from checks.types import ErrorKind, Example, Message, Response, ResponseError, Served
from service import replay as module
from service.endpoints import Price
from service.endpoints.openai_chat import OpenAIChat
from service.limits import backoff_s, cost_usd
from service.replay import ReplayPlan


def test_every_example_and_repeat_is_asked_once_and_comes_back_in_golden_order(
    room: Any, scripted: Any
) -> None:
    """Answers that arrive in any order are put in the golden set's order, then by repeat."""
    rng = random.Random(7)

    async def behave(example: Example) -> str:
        for _ in range(rng.randrange(5)):
            await asyncio.sleep(0)
        return example.id.lower()

    endpoint = scripted(behave)
    result = room.run(30, endpoint, concurrency=8, repeats=3)
    golden = [(f"T-{i:04}", repeat) for i in range(30) for repeat in range(3)]
    assert [(r.example_id, r.repeat) for r in result.responses] == golden
    assert all(r.output == r.example_id.lower() and r.attempts == 1 for r in result.responses)
    assert (result.asked, result.ok, result.failed, result.retried, result.interrupted) == (
        90,
        90,
        0,
        0,
        False,
    )
    assert Counter(endpoint.ids) == {f"T-{i:04}": 3 for i in range(30)}
    assert {(r.example_id, r.repeat) for r in room.saved} == {
        (r.example_id, r.repeat) for r in result.responses
    }


def test_no_more_than_concurrency_are_in_flight_and_no_fewer(room: Any, scripted: Any) -> None:
    """The pool is full while there is work, and never fuller."""
    flying, most = 0, 0

    async def behave(_: Example) -> str:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        for _ in range(3):
            await asyncio.sleep(0)
        flying -= 1
        return "x"

    room.run(50, scripted(behave), concurrency=7)
    assert most == 7


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_only_faults_that_may_pass_are_retried(kind: ErrorKind, room: Any, scripted: Any) -> None:
    """Transport faults, 429 and 5xx are asked 1 + retries times, everything else once."""
    endpoint = scripted(kind)
    result = room.run(1, endpoint, retries=2)
    times = (
        3 if kind in (ErrorKind.CONNECT, ErrorKind.TIMEOUT, ErrorKind.RATE_LIMITED, ErrorKind.SERVER) else 1
    )
    assert len(endpoint.asked) == times == result.responses[0].attempts
    assert (result.ok, result.failed, result.retried) == (0, 1, times - 1)
    assert result.responses[0].error.kind is kind


def test_the_answer_after_a_fault_counts_and_is_not_asked_again(room: Any, scripted: Any) -> None:
    """Two faults and an answer are three attempts, two of them retries; an empty answer is an answer."""
    said = iter([ErrorKind.SERVER, ErrorKind.CONNECT, "", "never"])
    result = room.run(1, scripted(lambda _: next(said)))
    assert (result.responses[0].output, result.responses[0].attempts, result.retried) == ("", 3, 2)


def test_waits_grow_with_full_jitter_up_to_thirty_seconds() -> None:
    """Each wait is uniform between 0 and 0.5, 1, 2 ... 30 s; Retry-After is a lower bound."""
    rng = random.Random(1)
    for attempt, highest in ((1, 0.5), (2, 1.0), (5, 8.0), (7, 30.0), (60, 30.0)):
        waits = [backoff_s(attempt, None, rng) for _ in range(400)]
        assert 0 <= min(waits) < 0.05 * highest
        assert 0.95 * highest < max(waits) <= highest
    assert backoff_s(1, 12.0, rng) == 12.0


def test_retry_after_is_honoured(room: Any, scripted: Any) -> None:
    """The wait before the second request is what the server asked for."""
    limited = Response("T-0000", error=ResponseError(ErrorKind.RATE_LIMITED, "429", 429, 7.0))
    said = iter([limited, "x"])
    assert room.run(1, scripted(lambda _: next(said))).ok == 1
    assert room.clock.slept == [7.0]


def test_retry_after_beyond_the_deadline_is_not_waited_for(room: Any, scripted: Any) -> None:
    """The example fails at once with the server's own reason."""
    limited = Response("T-0000", error=ResponseError(ErrorKind.RATE_LIMITED, "429: later", 429, 3600.0))
    result = room.run(1, scripted(limited), deadline_s=60.0)
    assert result.responses[0].error.message == "429: later"
    assert room.clock.slept == []


def test_what_is_not_asked_by_the_deadline_fails_as_deadline(room: Any, scripted: Any) -> None:
    """Each request takes a second of a ten-second run: ten are asked, the rest says why not."""

    def behave(_: Example) -> str:
        room.clock.now_s += 1.0
        return "x"

    result = room.run(25, scripted(behave), deadline_s=10.0)
    assert (result.ok, result.failed, result.asked) == (10, 15, 25)
    late = result.responses[-1]
    assert (late.error.kind, late.attempts) == (ErrorKind.DEADLINE, 0)
    assert late.error.message == "not asked within the run's deadline of 10 s"
    assert result.retried == 0


def test_a_request_never_waits_beyond_the_deadline(room: Any, scripted: Any) -> None:
    """timeout_s is cut to what is left of the run, and running out then is the deadline's fault."""
    endpoint = scripted(ErrorKind.TIMEOUT)
    result = room.run(1, endpoint, timeout_s=30.0, deadline_s=5.0)
    assert endpoint.asked == [("T-0000", 5.0)]
    assert result.responses[0].error.kind is ErrorKind.DEADLINE


def test_requests_keep_their_distance(room: Any, scripted: Any) -> None:
    """At 4 requests per second no two begin within 250 ms, retries included."""
    at: list[float] = []
    said = iter(["a", ErrorKind.SERVER, "b", "c", "d"])

    def behave(_: Example) -> Any:
        at.append(room.clock.now_s)
        return next(said)

    room.run(4, scripted(behave), requests_per_second=4.0)
    assert len(at) == 5
    assert min(b - a for a, b in pairwise(at)) >= 0.25 - 1e-9


def answered(input_tokens: int | None, output_tokens: int | None) -> Any:
    return lambda e: Response(e.id, output="four", input_tokens=input_tokens, output_tokens=output_tokens)


def test_asking_stops_when_the_day_s_tokens_are_used_up(room: Any, scripted: Any) -> None:
    """1,000 tokens at 100 each are ten answers; the rest fails as limit, naming the key."""
    endpoint = scripted(answered(90, 10))
    result = room.run(50, endpoint, tokens_left=1000)
    assert (result.ok, len(endpoint.asked)) == (10, 10)
    error = result.responses[-1].error
    assert error.kind is ErrorKind.LIMIT
    assert error.message == "not asked: the day's limit of tokens is used up (limits.tokens_per_day)"


def test_requests_in_flight_count_towards_the_limit(room: Any, scripted: Any) -> None:
    """With eight in flight the limit is overshot by no more than the first round, whose size nobody knew."""
    result = room.run(200, scripted(answered(90, 10)), tokens_left=5000, concurrency=8)
    assert 49 <= result.ok <= 51


def test_asking_stops_when_the_day_s_dollars_are_used_up(room: Any, scripted: Any) -> None:
    """Costs are counted by the price; without one there is nothing to count."""
    price = Price(input_per_mtok=1.0, output_per_mtok=10.0)
    result = room.run(50, scripted(answered(50_000, 5_000), price=price), usd_left=1.0)
    assert result.ok == 10
    assert "limits.usd_per_day" in result.responses[-1].error.message
    assert room.run(50, scripted(answered(50_000, 5_000)), usd_left=1.0).ok == 50


def test_nothing_left_sends_nothing(room: Any, scripted: Any) -> None:
    """A limit that is used up before the run sends no request."""
    endpoint = scripted("x")
    assert room.run(20, endpoint, tokens_left=0).failed == 20
    assert endpoint.asked == []


def test_answers_without_counts_are_estimated_for_the_limit(room: Any, scripted: Any) -> None:
    """A server that counts nothing still meets the limit; the result does not claim to know."""
    examples = [Example(f"T-{i}", (Message("user", "a" * 396),)) for i in range(50)]
    result = room.run(examples, scripted("four"), tokens_left=1000)
    assert result.ok == 10
    assert (result.input_tokens, result.output_tokens) == (None, None)


def test_token_sums_are_known_only_if_every_answer_told(room: Any, scripted: Any) -> None:
    """Failures do not matter; one silent answer makes the sum unknown."""
    said: dict[str, Any] = {"T-0001": ErrorKind.REFUSED}
    endpoint = scripted(lambda e: said.get(e.id) or answered(3, 2)(e))
    result = room.run(4, endpoint)
    assert (result.input_tokens, result.output_tokens, result.failed) == (9, 6, 1)
    said["T-0002"] = Response("T-0002", output="x", input_tokens=3)
    result = room.run(4, endpoint)
    assert (result.input_tokens, result.output_tokens) == (9, None)


def test_costs_are_unknown_where_a_part_is() -> None:
    """None for an unknown price or count, dollars otherwise."""
    price = Price(input_per_mtok=0.3, output_per_mtok=1.2)
    assert cost_usd(price, 1_000_000, 500_000) == pytest.approx(0.9)
    assert cost_usd(None, 1, 1) is cost_usd(price, None, 1) is cost_usd(price, 1, None) is None


@pytest.mark.parametrize("kind", [ErrorKind.CONNECT, ErrorKind.AUTH, ErrorKind.NOT_FOUND, ErrorKind.SERVER])
def test_an_endpoint_that_is_plainly_down_is_given_up(kind: ErrorKind, room: Any, scripted: Any) -> None:
    """After 2 x concurrency failures the rest fails with the same kind and reason, unasked."""
    endpoint = scripted(kind)
    result = room.run(500, endpoint, concurrency=5, retries=1)
    assert (result.ok, result.failed, result.asked) == (0, 500, 500)
    assert len(set(endpoint.ids)) <= 15
    assert {r.error.kind for r in result.responses} == {kind}
    last = result.responses[-1]
    assert last.attempts == 0
    assert last.error.message == f"not asked: each of the first 10 examples failed: it was {kind.value}"
    assert len(room.saved) == 500


@pytest.mark.parametrize(
    "kind", [ErrorKind.REFUSED, ErrorKind.BAD_BODY, ErrorKind.RATE_LIMITED, ErrorKind.TOO_LARGE]
)
def test_an_endpoint_that_is_alive_is_asked_to_the_end(kind: ErrorKind, room: Any, scripted: Any) -> None:
    """Refusals and bad bodies come from something that works: every example gets its chance."""
    endpoint = scripted(kind)
    room.run(40, endpoint, concurrency=2, retries=0)
    assert len(endpoint.asked) == 40


def test_one_answer_among_the_first_is_no_outage(room: Any, scripted: Any) -> None:
    """A flaky endpoint is asked to the end."""
    endpoint = scripted(lambda e: "x" if e.id == "T-0005" else ErrorKind.CONNECT)
    result = room.run(40, endpoint, concurrency=4, retries=0)
    assert len(endpoint.asked) == 40
    assert (result.ok, result.failed) == (1, 39)


def test_a_plug_in_that_raises_costs_its_example_only(room: Any, scripted: Any) -> None:
    """Its exception becomes a bad_body of that example, harmless to show."""

    def behave(example: Example) -> str:
        if example.id == "T-0001":
            raise ZeroDivisionError("by\x1b[31m zero")
        return "x"

    result = room.run(3, scripted(behave))
    error = result.responses[1].error
    assert (result.ok, error.kind) == (2, ErrorKind.BAD_BODY)
    assert error.message == "the endpoint plug-in scripted failed: ZeroDivisionError: by␛[31m zero"


def test_a_plug_in_that_ignores_its_timeout_is_ended(
    room: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replay's own clock ends it as a timeout."""
    monkeypatch.setattr(module, "_GRACE_S", 0.0)
    endpoint = scripted(lambda _: asyncio.Event().wait())
    result = room.run(1, endpoint, timeout_s=0.05, retries=0, clock=time.monotonic)
    assert result.responses[0].error.kind is ErrorKind.TIMEOUT
    assert result.responses[0].error.message == "no complete answer within 0.05 s"


def test_served_is_what_the_pages_say_with_what_most_answers_named(room: Any, scripted: Any) -> None:
    """The majority of answers names model and fingerprint; the rest comes from the pages."""

    def behave(example: Example) -> Response:
        odd = example.id == "T-0001"
        return Response(
            example.id, output="x", served_model="old" if odd else "new", fingerprint=None if odd else "fp"
        )

    pages = Served(model="listed", version="0.10", parent="base")
    assert room.run(4, scripted(behave, served=pages)).served == Served("new", "fp", "0.10", "base")
    assert room.run(4, scripted("x", served=pages)).served == pages
    assert room.run(4, scripted("x", served=ValueError("no pages"))).served == Served()


def test_a_plan_that_cannot_be_is_refused() -> None:
    """Bounds are checked at construction."""
    for bad in (
        {"concurrency": 0},
        {"repeats": 0},
        {"retries": -1},
        {"timeout_s": 0.0},
        {"requests_per_second": 0.0},
    ):
        with pytest.raises(ValueError, match=r"at least|more than"):
            ReplayPlan(**bad)


def test_a_real_outage_is_recorded_without_waiting_for_the_deadline(room: Any) -> None:
    """Nobody listens: 300 examples are accounted for after the first few, whose waits are random and short."""
    endpoint = OpenAIChat(base_url="http://127.0.0.1:1/v1", model="m")
    result = room.run(300, endpoint, concurrency=8, deadline_s=1800.0)
    assert (result.failed, result.ok) == (300, 0)
    assert {r.error.kind for r in result.responses} == {ErrorKind.CONNECT}
    assert "127.0.0.1:1 refuses connections" in result.responses[-1].error.message
    assert room.clock.now_s - 1000.0 < 60.0
    assert result.retried <= 3 * 24
