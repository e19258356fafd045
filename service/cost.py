"""What will watching cost? Requests, tokens and US dollars per run, day and month, before the first request.

The counts of the last measured run are used where it asked as many requests as the next one will. Without such a
run they are estimated, on the high side:

* input: the bytes of the prompt and of each example in UTF-8, four to a token, and four tokens more per message
  (roles and separators). Four characters a token is what English gives with common vocabularies; counting bytes
  makes other scripts dearer, as they are.
* output: the parameter that bounds it (``max_tokens``, ``max_completion_tokens``, ``max_output_tokens``,
  ``max_new_tokens``, ``maxTokens``, ``maxOutputTokens``), else 256 tokens per answer.

What is asked besides the target itself is counted too: judges with their anchors, the base model and challengers
(``service/besides.py``). Border prompts (``identity``) are requests as long as the mean example, for one token each.
Confirmation replays and bursts come on top: a bad run is replayed up to two times, rising
evidence brings replays every few minutes, on a healthy target some percent of the runs. A month is 365.25 / 12 days.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from checks.types import Example
from service.conclude import cost_usd
from service.schedule import next_tick

if TYPE_CHECKING:
    from service.besides import Asked
    from service.config import Schedule, Target
    from service.records import RunRecord

DAY_S = 86_400.0
MONTH_DAYS = 365.25 / 12.0
BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
DEFAULT_OUTPUT_TOKENS = 256
"""What an answer is taken to need where no parameter bounds it."""

_BOUNDS = (
    "max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "maxTokens", "maxOutputTokens",
)  # fmt: skip
_MOST_TICKS = 9_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run takes, and how often it comes. What is unknown is None.

    A run's figures hold what its judges are asked, ``judge_requests_per_run`` at most; a day's hold what is asked
    ``beside`` runs (the base model, challengers). ``from_run`` is the stored run whose counts
    the target's own are, None where they are estimated. ``usd_per_run`` is None without a price of the target;
    ``unpriced`` names the other models of which none is known: they add nothing. ``runs_per_day`` is 0 for a schedule
    that never comes again.
    """

    requests_per_run: int
    tokens_per_run: int
    usd_per_run: float | None
    runs_per_day: float
    from_run: int | None = None
    judge_requests_per_run: int = 0
    beside: Asked | None = None
    unpriced: tuple[str, ...] = ()

    @property
    def requests_per_day(self) -> float:
        """Requests a day, without retries."""
        beside = 0.0 if self.beside is None else self.beside.requests
        return self.requests_per_run * self.runs_per_day + beside

    @property
    def tokens_per_day(self) -> float:
        """Input and output tokens a day."""
        return self.tokens_per_run * self.runs_per_day + (0.0 if self.beside is None else self.beside.tokens)

    @property
    def usd_per_day(self) -> float | None:
        """US dollars a day."""
        if self.usd_per_run is None:
            return None
        return self.usd_per_run * self.runs_per_day + (0.0 if self.beside is None else self.beside.usd)

    @property
    def requests_per_month(self) -> float:
        """Requests a month."""
        return self.requests_per_day * MONTH_DAYS

    @property
    def tokens_per_month(self) -> float:
        """Input and output tokens a month."""
        return self.tokens_per_day * MONTH_DAYS

    @property
    def usd_per_month(self) -> float | None:
        """US dollars a month."""
        return None if self.usd_per_day is None else self.usd_per_day * MONTH_DAYS


def cost_of(target: Target, examples: Sequence[Example], last: RunRecord | None, now: float) -> Cost:
    """What the target will cost as configured.

    Args:
        target: its endpoint, repeats, schedule and price.
        examples: its golden set.
        last: its last measured run, None if there is none.
        now: seconds since 1970, from where a cron is followed.
    """
    from service.besides import judges_of, others_a_day  # noqa: PLC0415  # it estimates as this file does

    own = _own(target, examples, last, runs_per_day(target.schedule, now))
    judges, beside = judges_of(target, examples), others_a_day(target, examples, own.runs_per_day)
    return replace(
        own,
        requests_per_run=own.requests_per_run + int(judges.requests),
        tokens_per_run=own.tokens_per_run + round(judges.tokens),
        usd_per_run=None if own.usd_per_run is None else own.usd_per_run + judges.usd,
        judge_requests_per_run=int(judges.requests),
        beside=beside,
        unpriced=tuple(sorted(judges.unpriced | beside.unpriced)),
    )


def _own(target: Target, examples: Sequence[Example], last: RunRecord | None, per_day: float) -> Cost:
    requests, price = len(examples) * target.repeats, target.endpoint.price
    border = target.identity.border_prompts if target.identity and target.asks_border_prompts else 0
    extra = (
        estimated_tokens(target.endpoint.question(), examples)[0] * border // max(len(examples), 1),
        border,
    )
    if last is not None and last.requests.ok and last.golden_examples * last.repeats == requests:
        inputs, outputs = last.input_tokens, last.output_tokens
        if inputs is not None and outputs is not None:
            inputs, outputs = inputs + extra[0], outputs + extra[1]
            usd = cost_usd(price, inputs, outputs)
            return Cost(requests + border, inputs + outputs, usd, per_day, from_run=last.id)
    inputs, outputs = estimated_tokens(target.endpoint.question(), examples)
    inputs, outputs = inputs * target.repeats + extra[0], outputs * target.repeats + extra[1]
    requests += border
    return Cost(requests, inputs + outputs, cost_usd(price, inputs, outputs), per_day)


def estimated_tokens(question: Any, examples: Sequence[Example]) -> tuple[int, int]:
    """Estimated input and output tokens of asking each example once.

    >>> estimated_tokens({"system": "Route the ticket.", "params": {"max_tokens": 8}}, [Example("a", "I paid twice")])
    (16, 8)

    Args:
        question: what the endpoint is asked beside the example, as ``Endpoint.question`` tells it.
        examples: the golden set.
    """
    constant = sum(_tokens(text) + TOKENS_PER_MESSAGE for text in _texts(question))
    inputs = sum(constant + _example_tokens(example) for example in examples)
    return inputs, answer_tokens(question) * len(examples)


def answer_tokens(question: Any) -> int:
    """How many tokens an answer may need: the parameter that bounds it, else :data:`DEFAULT_OUTPUT_TOKENS`.

    >>> answer_tokens({"params": {"max_tokens": 8}}), answer_tokens({})
    (8, 256)
    """
    return _output_bound(question) or DEFAULT_OUTPUT_TOKENS


def runs_per_day(schedule: Schedule, now: float) -> float:
    """Scheduled runs a day; a cron is followed for a year, or for 9,000 ticks if that is sooner.

    >>> from service.config import Schedule
    >>> runs_per_day(Schedule(every="6h"), now=0.0)
    4.0
    """
    if schedule.every_s is not None:
        return DAY_S / schedule.every_s
    ticks, at, end = 0, now, now + 364 * DAY_S  # whole weeks
    while ticks < _MOST_TICKS:
        tick = next_tick(schedule, at)
        if tick is None or tick > end:
            return ticks / 364
        ticks, at = ticks + 1, tick
    return ticks * DAY_S / (at - now)


def over_limits(target: Target, cost: Cost) -> list[str]:
    """Each of the target's limits that the cost exceeds, in words; empty if all are kept."""
    limits, found = target.limits, []
    if limits.tokens_per_day is not None and cost.tokens_per_day > limits.tokens_per_day:
        found.append(
            f"{cost.tokens_per_day:,.0f} tokens a day exceed tokens_per_day: {limits.tokens_per_day:,}"
        )
    if (
        limits.usd_per_day is not None
        and cost.usd_per_day is not None
        and cost.usd_per_day > limits.usd_per_day
    ):
        found.append(f"${cost.usd_per_day:,.2f} a day exceed usd_per_day: {limits.usd_per_day:g}")
    if limits.requests_per_second is not None:
        needed_s = (cost.requests_per_run - cost.judge_requests_per_run) / limits.requests_per_second
        if needed_s > target.deadline_s:
            found.append(
                f"a run takes {needed_s:,.0f} s at requests_per_second: {limits.requests_per_second:g}, "
                f"beyond its deadline of {target.deadline_s:g} s"
            )
    return found


def _example_tokens(example: Example) -> int:
    texts = [example.input] if isinstance(example.input, str) else [turn.content for turn in example.input]
    return sum(_tokens(text) + TOKENS_PER_MESSAGE for text in texts)


def _tokens(text: str) -> int:
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN)


def _texts(value: Any, key: str = "") -> Iterator[str]:
    """The texts that go out with every example: all but parameters and the names of roles."""
    if isinstance(value, str):
        if key not in ("role", "kind", "output"):
            yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name != "params":
                yield from _texts(item, str(name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, key)


def _output_bound(value: Any) -> int | None:
    """The bound on an answer's tokens, wherever it stands in the question."""
    if isinstance(value, Mapping):
        for name in _BOUNDS:
            bound = value.get(name)
            if isinstance(bound, int) and not isinstance(bound, bool) and bound > 0:
                return bound
    nested = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    )
    return next((bound for item in nested if (bound := _output_bound(item)) is not None), None)
