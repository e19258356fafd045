"""What does the store hand out? Plain frozen values, never database rows.

Times are seconds since 1970 (UTC).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from checks.traffic.window import Window
from checks.types import (
    BoolArray,
    Example,
    Finding,
    FloatArray,
    Message,
    Response,
    ScoreSummary,
    Served,
    Verdict,
)
from service.alerting import Notification

if TYPE_CHECKING:
    from checks.worth import Usage

MAX_WORD = 1000
"""Longer reasons and labels are cut where they are kept, in characters."""


class RunKind(StrEnum):
    """Why a run was made."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    CONFIRM = "confirm"
    BURST = "burst"
    MARK = "mark"
    IMPORTED = "imported"


class RunState(StrEnum):
    """``running``: responses are still arriving. ``done``: judged, or closed as inconclusive."""

    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Golden:
    """A golden set in order. ``digest`` is over its canonical content.

    ``version`` counts from 1 in its lock.
    """

    name: str
    digest: str
    version: int | None
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class NewRun:
    """What is known of a run before its first request.

    ``segment`` names the stretch of history that it may be compared with (golden digest, scorers,
    question, baseline). ``share`` and ``period_h`` are the target's part of the false-alarm budget.
    """

    target: str
    kind: RunKind
    scheduled_at: float | None
    golden_digest: str
    segment: str
    baseline_id: int | None
    share: float
    period_h: float
    repeats: int = 1


@dataclass(frozen=True, slots=True)
class Requests:
    """Examples that were asked, each once, by outcome; ``retried`` counts extra requests apart."""

    ok: int = 0
    failed: int = 0
    retried: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as it stands in the store. ``judges``: what each scorer's own model said it is, where it was asked."""

    id: int
    target: str
    kind: RunKind
    state: RunState
    scheduled_at: float | None
    started_at: float
    finished_at: float | None
    golden_digest: str
    golden_version: int | None
    golden_examples: int
    segment: str
    baseline_id: int | None
    share: float
    period_h: float
    repeats: int
    verdict: Verdict | None
    reason: str | None
    measured: bool | None
    requests: Requests
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    served: Served | None
    summaries: tuple[ScoreSummary, ...] = ()
    findings: tuple[Finding, ...] = ()
    judges: Mapping[str, Served] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Headline:
    """What a list of runs says of one: the mean of each scorer over all examples (None where nothing was scored).

    The rest is of the finding that says most; ``scorer`` and ``slice`` are None where there is none.
    """

    means: Mapping[str, float | None]
    scorer: str | None = None
    slice: str | None = None
    effect: float | None = None
    evidence: float | None = None


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run in a list; ``verdict`` is None while it is running."""

    id: int
    started_at: float
    verdict: Verdict | None
    reason: str | None
    headline: Headline


@dataclass(frozen=True, slots=True)
class ScoreVector:
    """One scorer's scores of one run.

    ``values`` is float64 [examples], the mean over repeats, NaN where unscored (the store keeps them
    packed). ``reasons`` maps a position to why it is unscored or wrong; ``labels`` a position to the
    category that the answer named; ``format_failures`` lists positions.
    """

    scorer: str
    values: FloatArray
    reasons: Mapping[int, str] = field(default_factory=dict)
    labels: Mapping[int, str] = field(default_factory=dict)
    format_failures: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class BaselineRecord:
    """The accepted runs that say what healthy is.

    ``runs`` are the pinned run ids, empty while they are being collected; collection takes measured
    runs from ``from_run`` on. ``replaced_at`` is None for the one in force.
    """

    id: int
    target: str
    created_at: float
    reason: str | None
    from_run: int
    runs: tuple[int, ...] = ()
    replaced_at: float | None = None


@dataclass(frozen=True, slots=True)
class DeploymentMark:
    """Somebody deployed something: when, which version, and their note."""

    target: str
    at: float
    version: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class BaseModelAnswers:
    """What a target's base model answered to (some of) its golden set.

    ``asked`` identifies the base model's endpoint, the question and the golden set; ``name`` is the base model's;
    ``texts`` maps an example's id to its answers, one or two. What it cost is None where unknown.
    """

    target: str
    asked: str
    asked_at: float
    name: str
    texts: Mapping[str, Sequence[str]]
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class BorderPrompts:
    """Prompts whose answer sits on the fence, as a search found them; none where the model has no such.

    Each is asked ``draws`` times a run; ``as_configured``: at the target's own temperature, since another was refused.
    """

    prompts: tuple[Example, ...]
    draws: int
    as_configured: bool
    at: float


@dataclass(frozen=True, slots=True)
class ComparisonClaim:
    """Who is asked beside which run. ``asked`` identifies both models, the question and the golden set."""

    target: str
    challenger: str
    tick: int
    asked: str
    asked_at: float
    run_id: int


@dataclass(frozen=True, slots=True)
class ComparisonSide:
    """One model in a comparison: float [examples] in the golden set's order, NaN where unknown, and what it took."""

    scores: FloatArray
    latency_s: FloatArray
    usage: Usage


@dataclass(frozen=True, slots=True)
class Comparison:
    """A challenger (``other``) beside a run of the tuned model, by one scorer.

    ``texts`` maps an example's id to the challenger's answers; empty once they are older than what is kept.
    ``cost_usd`` is what asking the challenger cost, None where unknown.
    """

    claim: ComparisonClaim
    scorer: str
    tuned: ComparisonSide
    other: ComparisonSide
    texts: Mapping[str, Sequence[str]]
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A finished run that another store made, as ``baseline: {from: FILE}`` brings it in.

    The arrays run over the golden set's examples in its order; ``observed`` maps what was seen of the answers to one.
    ``responses`` may be empty: without them nobody can be shown what the model used to say. ``judged`` is as in a
    measurement, empty where unknown.
    """

    started_at: float
    summaries: tuple[ScoreSummary, ...]
    vectors: tuple[ScoreVector, ...]
    answered: BoolArray
    latency_s: FloatArray
    finished_at: float | None = None
    served: Served | None = None
    responses: tuple[Response, ...] = ()
    observed: Mapping[str, FloatArray] = field(default_factory=dict)
    judged: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrafficRecord:
    """How the watch over a target's traffic stands.

    ``about`` identifies what it is held against (golden set, scorers, length of a window); ``first`` is the number of
    the window that the present baseline begins with, ``number`` that of the newest one that ended (0: none). ``open``
    is the window that samples are added to. ``state`` is the kept fold over the windows from ``first`` on, None where
    it has to be folded anew. ``samples``, ``rejected`` and ``own`` (goldwatch's own requests, left out) only grow.
    ``position`` says how far a followed file was read. ``reason``: why the baseline began anew, None for the first.
    """

    target: str
    about: str
    began_at: float
    first: int = 1
    number: int = 0
    open: Window | None = None
    state: bytes | None = None
    samples: int = 0
    rejected: int = 0
    own: int = 0
    position: Mapping[str, Any] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TrafficWindow:
    """A window that ended, its number, and what it had of the budget: ``share`` of one page in ``period_h`` hours."""

    number: int
    window: Window
    share: float
    period_h: float


@dataclass(frozen=True, slots=True)
class TrafficText:
    """A request that no golden example represents, kept because the configuration asks for it.

    ``key`` identifies the text; ``rank`` decides who stays (the lowest); ``at`` is when it was last asked,
    ``times`` how often since it is kept; ``input`` is a text or a conversation.
    """

    key: str
    rank: float
    at: float
    input: str | tuple[Message, ...]
    output: str | None = None
    times: int = 1


class DeliveryState(StrEnum):
    """``pending``: due now or later. ``sent``: accepted by the other side. ``failed``: given up."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """A message and how its delivery stands. ``attempts`` counts those that ended, well or not."""

    notification: Notification
    state: DeliveryState
    attempts: int
    due_at: float | None
    done_at: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of durations. ``counts[i]`` lies above ``bounds_s[i-1]`` and up to ``bounds_s[i]``.

    There is one count more than bounds: what lies above the last. Counts are not cumulative.
    """

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float

    @property
    def count(self) -> int:
        """How many durations were seen.

        >>> Histogram((0.1, 1.0), (3, 2, 1), 4.5).count
        6
        """
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class TargetMetrics:
    """What is exported about one target. The totals never go down, whatever retention deletes.

    ``runs`` maps a verdict, ``requests`` an outcome (``ok``, ``failed``, ``retried``), ``tokens`` a
    direction (``input``, ``output``), ``examples`` a scorer and then an outcome (``passed``: a score of
    one half or more, ``failed``, ``unscored``) to a total. ``firing`` maps a severity to the number of
    firing alerts. ``cost_usd`` is None while no run had a known price.
    """

    target: str
    last_run: RunRecord | None
    last_measured: RunRecord | None
    runs: Mapping[str, int] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    cost_usd: float | None = None
    examples: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    latency: Histogram | None = None
    ttft: Histogram | None = None
    firing: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """All that ``/metrics`` needs from the store, read at one moment.

    ``notifications`` maps (notifier, outcome) to a total; outcomes are ``sent``, ``retried`` (an
    attempt failed and another will follow) and ``failed`` (given up).
    """

    targets: Mapping[str, TargetMetrics]
    notifications: Mapping[tuple[str, str], int]
