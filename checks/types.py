"""What are the nouns? The domain types that every room shares.

Plain frozen values: no I/O, no clock, no database. Times are seconds since 1970 (UTC) in fields
that end in ``_at`` and durations are seconds in fields that end in ``_s``.

The three-valued rule lives here. A model that answers wrongly has a :class:`Score` of 0; a model that
cannot be reached has a :class:`Response` with an ``error``; what was not measured is ``None`` with a
reason. None of the three ever stands for another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Json: TypeAlias = "bool | int | float | str | Sequence[Any] | Mapping[str, Any] | None"
FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]

ALL = "all"
"""The slice that holds every example."""


class Verdict(StrEnum):
    """A check's answer, and a run's. The order is that of precedence within a run."""

    INCONCLUSIVE = "inconclusive"
    REGRESSED = "regressed"
    LEARNING = "learning"
    SUSPECT = "suspect"
    IMPROVED = "improved"
    OK = "ok"


class Origin(StrEnum):
    """Where a golden example came from, seen from the fine-tune."""

    TRAIN = "train"
    HELDOUT = "heldout"
    NOVEL = "novel"


class ErrorKind(StrEnum):
    """Why there is no answer. ``retryable`` says whether asking again may help."""

    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    SERVER = "server_error"
    AUTH = "auth"
    NOT_FOUND = "not_found"
    REFUSED = "request_refused"
    REDIRECT = "redirect"
    TOO_LARGE = "too_large"
    BAD_BODY = "bad_body"
    DEADLINE = "deadline"
    LIMIT = "limit"

    @property
    def retryable(self) -> bool:
        """True for transport faults, 429 and 5xx; an answer, or a refusal of the request, is final."""
        return self in _RETRYABLE


_RETRYABLE = frozenset({ErrorKind.CONNECT, ErrorKind.TIMEOUT, ErrorKind.RATE_LIMITED, ErrorKind.SERVER})


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """One golden item. ``input`` is a text or a conversation; ``expected`` is any JSON or None."""

    id: str
    input: str | tuple[Message, ...]
    expected: Json = None
    slices: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    as_of: str | None = None
    origin: Origin | None = None
    weight: float = 1.0

    @property
    def slice_names(self) -> tuple[str, ...]:
        """The ``key=value`` names of the slices that hold this example."""
        return tuple(f"{key}={value}" for key, value in self.slices.items())


@dataclass(frozen=True, slots=True)
class ResponseError:
    """Why an example has no answer, in words for a person. ``retry_after_s`` is the server's own wish."""

    kind: ErrorKind
    message: str
    status: int | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """What the server says it is. Unknown is None. ``retires_at`` is when its model list says that it goes."""

    model: str | None = None
    fingerprint: str | None = None
    version: str | None = None
    parent: str | None = None
    root: str | None = None
    models: tuple[str, ...] | None = None
    retires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What the endpoint answered to one example: a text, or an error, never both.

    ``repeat`` counts from 0 when an example is asked more than once in a run. ``logprobs`` are the
    natural log-probabilities of the answer's tokens, where the endpoint offers them. ``attempts`` is
    the number of requests that were sent for it, the last one included. ``cached_tokens`` are the part of the
    input that the provider had cached, where it tells.
    """

    example_id: str
    output: str | None = None
    error: ResponseError | None = None
    repeat: int = 0
    at: float | None = None
    latency_s: float | None = None
    ttft_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish_reason: str | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    logprobs: tuple[float, ...] | None = None
    attempts: int = 1
    cached_tokens: int | None = None

    @property
    def answered(self) -> bool:
        """True if there is an answer to score."""
        return self.error is None and self.output is not None


@dataclass(frozen=True, slots=True)
class Score:
    """A number in [0, 1], or unscored (``value`` None) with a ``reason``. Unscored is not zero.

    ``label`` is the category that the answer names, for confusion matrices; ``format_failure`` is
    true if the answer could not be read in the form that the scorer expects.
    """

    value: float | None
    reason: str | None = None
    label: str | None = None
    format_failure: bool = False

    def __post_init__(self) -> None:
        if self.value is None:
            if not self.reason:
                raise ValueError("an unscored Score needs a reason")
        elif not 0.0 <= self.value <= 1.0:
            raise ValueError(f"a score lies in [0, 1], not {self.value!r}")

    @classmethod
    def unscored(cls, reason: str) -> Score:
        """No score, and why."""
        return cls(None, reason)


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """The mean of a scorer over a slice in one run; ``mean`` is None where nothing was scored."""

    scorer: str
    slice: str
    mean: float | None
    n: int
    unscored: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A check's answer for one subject (scorer, slice).

    ``evidence`` is relative to ``threshold``: 1 pages. ``effect`` is current minus baseline on the
    score's own scale and ``interval`` its 95% confidence interval. What is unknown is None.
    """

    check: str
    scorer: str | None
    slice: str
    verdict: Verdict
    evidence: float | None = None
    threshold: float = 1.0
    effect: float | None = None
    interval: tuple[float, float] | None = None
    baseline: float | None = None
    current: float | None = None
    onset_run: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run as the checks see it: arrays over the golden set's examples, in its order.

    ``scores`` maps a scorer's name to float [examples], the mean over repeats, NaN where unscored or
    unanswered; ``latency_s`` is float [examples], NaN where unanswered or unknown; ``answered`` is
    bool [examples]. ``share`` is the target's part of the false-alarm budget when the run was made and
    ``period_h`` the budget's period in hours per page. The two travel with the run, so that a change
    of either changes later runs only. ``burst``: made between the ticks of the schedule, minutes after another.
    ``asked`` is bool [examples], false for examples that were not in the golden set then; None: all were.

    ``observed`` maps what was seen of the outputs themselves to float [examples], NaN where unanswered: ``length`` in
    characters and ``refusal`` (1: refused), means over repeats, and how like the base model's answers they are
    (``adapter_applied.py``), how likely their first token was (``identity.py``), when it came and what the requests
    cost (``promises.py``); a run that did not keep it lacks the name. ``labels`` maps a scorer to the label that each
    answer named, by position; ``malformed`` to the positions of format failures. ``judged`` is
    what was seen beside the golden set, arrays of lengths of their own: of the judges (``judge_drift.py``) and of the
    border prompts (``border.py``).
    """

    run: int
    started_at: float
    measured: bool
    scores: Mapping[str, FloatArray]
    answered: BoolArray
    latency_s: FloatArray
    share: float = 1.0
    period_h: float = 2160.0
    burst: bool = False
    asked: BoolArray | None = None
    observed: Mapping[str, FloatArray] = field(default_factory=dict)
    labels: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    malformed: Mapping[str, Sequence[int]] = field(default_factory=dict)
    judged: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gap:
    """Examples of wording that the model was not trained on, and those to hold them against; positions, int64 [n]."""

    new: NDArray[np.int64]
    known: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged: the frozen facts about a segment that every check may use.

    ``slices`` maps ``key=value`` to a mask over examples; ``groups`` holds a cluster number per
    example; ``floors`` maps a scorer's name to its ``min``. ``smallest_effect``: a change of a score or a rate by
    less is reported and not paged; None: any change pages. ``gaps`` are the comparisons of new with known wording;
    ``days`` float [examples], since 1970, of which the knowledge is that is asked for, NaN where not dated.
    ``reference``: a base model is known, whose answers the runs are held against.
    ``logprobs``: the endpoint is asked for log-probabilities; ``border``: border prompts are asked. ``promises`` maps
    what is promised to its limit
    (``promises.py``). ``judges``: the scorers that ask a model of their own.
    """

    examples: int
    scorers: tuple[str, ...]
    slices: Mapping[str, BoolArray]
    groups: NDArray[np.int64] | None = None
    floors: Mapping[str, float] = field(default_factory=dict)
    baseline_runs: int = 10
    min_answered: float = 0.9
    smallest_effect: float | None = None
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    days: FloatArray | None = None
    reference: bool = False
    logprobs: bool = False
    border: bool = False
    judges: tuple[str, ...] = ()
    promises: Mapping[str, float] = field(default_factory=dict)
