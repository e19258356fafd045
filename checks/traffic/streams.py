"""Did what production asks or gets move, beyond the false-alarm budget? A fold over windows, oldest first.

The reference is production's own beginning: the first :func:`baseline_windows` windows, a week of them. The golden set
says only in which terms the traffic is described (``coverage.py``), since no golden set is a fair sample of production
and a test against it would page on the first day. How far the two are apart is told beside it (``debt.py``).

The streams, each a row of shares or a mean per window:

- ``inputs``: the kinds of what is asked; ``novel``: what no golden example represents, ``words``: the mean share of a
  request's words that the golden set never uses (of both only more is news); ``input_length``: log characters;
- ``labels``: which category the answers name; ``format``: answers that cannot be read (only more is news);
  ``refusal``; ``output_length``.

A share of k in n is taken as ``asin(sqrt((k + 3/8) / (n + 3/4)))`` (Anscombe 1948), whose spread does not depend on the
share. The rows go through the engine of every other stream (``inference/two_sided.py``): the run noise with its day
cycle and autocorrelation is learnt, evidence is gathered in hours, two windows must agree, half of a stream's weight
looks each way, and the streams share the part of the budget that traffic has (``checks.traffic.PART`` of the
target's). So the union of all pages stays within the budget, whatever the dependence between streams.

Traffic is never quite still. A shift of :data:`GRANTED` on that scale (5 points at one half, 2 points at one in
twenty), of one point in unknown words and of a tenth in length is granted and pages nobody.

Null hypothesis: windows go on as in the first week, with its cycles and its noise. A false alarm: a healthy stream of
traffic is said to have moved. Nothing here says anything about the model's quality.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from checks.inference import group, two_sided
from checks.traffic import WINDOW_S
from checks.traffic.window import Window
from checks.types import FloatArray

GRANTED = 0.05
GRANTED_LENGTH = math.log(1.1)
GRANTED_WORDS = 0.01
WEEK_S = 7 * 86_400.0
LEAST_WINDOWS = 14
KEY = 1 << 22
NOVEL, WORDS, INPUTS, INPUT_LENGTH = "novel", "words", "inputs", "input_length"
LABELS, FORMAT, REFUSAL, OUTPUT_LENGTH = "labels", "format", "refusal", "output_length"
ORDER = (INPUTS, NOVEL, INPUT_LENGTH, LABELS, FORMAT, REFUSAL, OUTPUT_LENGTH, WORDS)
_LENGTHS = frozenset({INPUT_LENGTH, OUTPUT_LENGTH})
_ONE_SIDED = frozenset({NOVEL, WORDS, FORMAT})
_OTHER_NAME = "other labels"
_LABELS_WATCHED = 7


@dataclass(frozen=True, slots=True)
class Subject:
    """What is watched: how many kinds of input there are (0: coverage is unknown), the labels, a window's length."""

    clusters: int
    labels: tuple[str, ...]
    window_s: float = WINDOW_S


@dataclass(frozen=True, slots=True)
class Stream:
    """Both sides, the baseline's sums by block, and what was said when it paged; None while no page stands."""

    sides: two_sided.State
    total: FloatArray
    windows: int = 0
    evidence: float = 0.0
    said: str | None = None
    since_h: float | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The streams by name; ``windows`` seen, ``last_at`` when the newest closed."""

    streams: dict[str, Stream]
    windows: int = 0
    last_at: float | None = None


STATE_TYPES = (State, Stream, two_sided.State, *group.STATE_TYPES)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one stream says of a window. ``evidence`` 1 pages; ``said`` while a page stands, with ``since_h``."""

    stream: str
    learning: bool
    evidence: float
    said: str | None
    since_h: float | None


def baseline_windows(window_s: float) -> int:
    """How many windows say what usual is: a week, at least :data:`LEAST_WINDOWS`.

    >>> baseline_windows(3600.0), baseline_windows(86_400.0)
    (168, 14)
    """
    return max(LEAST_WINDOWS, math.ceil(WEEK_S / window_s))


def labels_of(expected: Sequence[object]) -> tuple[str, ...]:
    """The categories that are watched: the golden set's most frequent, if it holds categories and not free texts."""
    words = [word for word in expected if isinstance(word, str) and word]
    counts = {word: words.count(word) for word in set(words)}
    if not words or len(counts) > max(len(words) / 3, 2):
        return ()
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return tuple(sorted(ranked[:_LABELS_WATCHED]))


def names_of(about: Subject, stream: str) -> tuple[str, ...]:
    """The blocks of a stream; empty where it cannot be watched."""
    if stream == INPUTS:
        return tuple(f"kind {kind + 1}" for kind in range(about.clusters)) if about.clusters > 1 else ()
    if stream in (NOVEL, WORDS):
        return ("all",) if about.clusters else ()
    if stream == LABELS:
        return (*about.labels, _OTHER_NAME) if about.labels else ()
    return ("all",)


def plan_of(about: Subject, stream: str) -> two_sided.Blocks:
    """The plan of a stream; its key is its place, so that what else is watched changes nothing."""
    return two_sided.blocks(
        1,
        names_of(about, stream),
        baseline_runs=baseline_windows(about.window_s),
        key=KEY + 2 * ORDER.index(stream),
        margin=GRANTED_WORDS if stream == WORDS else GRANTED_LENGTH if stream in _LENGTHS else GRANTED,
        least_variance=1e-6,
        conformal_below=0.0,
    )


def initial(about: Subject) -> State:
    """Before the first window."""
    streams = {}
    for name in ORDER:
        if blocks := names_of(about, name):
            sides = two_sided.initial(plan_of(about, name), both=name not in _ONE_SIDED)
            streams[name] = Stream(sides, np.zeros(len(blocks)))
    return State(streams)


def advance(
    about: Subject, state: State, window: Window, *, share: float, period_h: float
) -> tuple[State, tuple[Verdict, ...]]:
    """Take in one window.

    Args:
        about: what is watched.
        state: what the past left.
        window: the window, later than all before it.
        share: traffic's part of the whole false-alarm budget.
        period_h: the budget's period in hours per page.
    """
    threshold_h = period_h / (share / max(len(state.streams), 1))
    learn = all(stream.sides.page is None for stream in state.streams.values())
    after, verdicts = {}, []
    for name, stream in state.streams.items():
        row = _row(about, name, window)
        mirrored = -row
        if name in _ONE_SIDED:
            row, mirrored = mirrored, row
        sides, seen = two_sided.advance(
            plan_of(about, name),
            stream.sides,
            row,
            mirrored,
            at_h=window.closed_at / 3600.0,
            threshold_h=threshold_h,
            learn=learn or stream.sides.page is not None,
        )
        stepped = replace(stream, sides=sides)
        if stream.sides.learning and not np.isnan(row).any():
            stepped = replace(
                stepped, total=stream.total + _plain(about, name, window), windows=stream.windows + 1
            )
        page = sides.page
        if page is None:
            stepped = replace(stepped, said=None, since_h=None)
        elif stream.sides.page is None:
            stepped = replace(
                stepped, said=_said(about, name, stepped, window, seen), since_h=window.closed_at / 3600.0
            )
        evidence = max(page.evidence, 1.0) if page is not None else seen.evidence
        after[name] = stepped = replace(stepped, evidence=evidence)
        verdicts.append(Verdict(name, sides.learning, evidence, stepped.said, stepped.since_h))
    return State(after, state.windows + 1, window.closed_at), tuple(verdicts)


def _counts(about: Subject, name: str, window: Window) -> tuple[list[int], int]:
    """The counts of a stream's blocks, and of how many samples they are."""
    if name == INPUTS:
        counts = [window.kinds.get(kind, 0) for kind in range(about.clusters)]
        return counts, sum(counts)
    if name == NOVEL:
        return [window.novel], window.compared
    if name == LABELS:
        named = [window.labels.get(label, 0) for label in about.labels]
        whole = sum(window.labels.values())
        return [*named, whole - sum(named)], whole
    if name == FORMAT:
        return [window.malformed], window.read
    return [window.refused], window.answered


def _plain(about: Subject, name: str, window: Window) -> FloatArray:
    """The window in plain units: shares, or mean log characters; NaN where nothing is known."""
    if name in _LENGTHS:
        summed, n = (
            (window.log_input, window.samples)
            if name == INPUT_LENGTH
            else (window.log_output, window.answered)
        )
        return np.array([summed / n if n else math.nan])
    if name == WORDS:
        ratio = window.unknown_words_ratio
        return np.array([math.nan if ratio is None else ratio])
    counts, n = _counts(about, name, window)
    made: FloatArray = np.array(counts, dtype=float) / n if n else np.full(len(counts), np.nan)
    return made


def _row(about: Subject, name: str, window: Window) -> FloatArray:
    if name in _LENGTHS or name == WORDS:
        return _plain(about, name, window)
    counts, n = _counts(about, name, window)
    if not n:
        return np.full(len(counts), np.nan)
    made: FloatArray = np.arcsin(np.sqrt((np.array(counts, dtype=float) + 0.375) / (n + 0.75)))
    return made


def _said(about: Subject, name: str, stream: Stream, window: Window, seen: two_sided.Seen) -> str:
    """What moved, in words, with what was usual and what this window shows."""
    usual, now = stream.total / max(stream.windows, 1), _plain(about, name, window)
    was, is_now = float(usual[seen.lead]), float(now[seen.lead])
    if name in _LENGTHS:
        what = "requests" if name == INPUT_LENGTH else "answers"
        return f"{what} are {'longer' if is_now > was else 'shorter'} by {abs(math.expm1(is_now - was)):.0%}"
    moved = f"{was:.1%} → {is_now:.1%}"
    if name == NOVEL:
        return f"requests that no golden example represents {moved}"
    if name == WORDS:
        return f"words that the golden set never uses {moved} of a request"
    if name == FORMAT:
        return f"answers that cannot be read in the expected form {moved}"
    if name == REFUSAL:
        return f"refusals {moved}"
    block = names_of(about, name)[seen.lead]
    if name == INPUTS:
        return f"requests of {block} (nearest golden examples) {moved}"
    named = block if block == _OTHER_NAME else f"label “{block}”"
    return f"{named} {moved} of the answers"


def level(state: State) -> float:
    """The evidence of the stream that has most, relative to the threshold: 1 pages."""
    return max((stream.evidence for stream in state.streams.values()), default=0.0)
