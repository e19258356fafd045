"""What did an hour of production look like? Samples added up: counts and sums, no texts.

A window is the unit that is judged. It ends with the first sample after its hour, but not before it holds
:data:`LEAST_SAMPLES`: a quiet night is one window. Windows add up, so that the order of samples within one means
nothing, and a kept window and one that is still open are the same value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

LEAST_SAMPLES = 50
MOST_LABELS = 32
OTHER = ""
"""Labels beyond the first :data:`MOST_LABELS` of a window; no label is empty."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is counted of one sample. None: not known (no answer was sent, no scorer reads labels, no coverage).

    ``kind`` is the cluster of the nearest golden input, ``novel`` whether none represents it, ``unknown_words`` the
    share of its words that the golden set never uses, ``new_words`` how far that is above the usual (``coverage.py``).
    """

    input_chars: int
    output_chars: int | None = None
    kind: int | None = None
    novel: bool | None = None
    similarity: float | None = None
    label: str | None = None
    malformed: bool | None = None
    refused: bool | None = None
    unknown_words: float | None = None
    new_words: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Counts over the samples between ``opened_at`` and ``closed_at`` (seconds since 1970).

    ``kinds`` counts represented samples by the nearest golden input's kind; ``novel`` those that no golden input
    represents, of ``compared``; ``labels`` by name, of answers that name one; ``malformed`` and ``refused`` of ``read``
    and ``answered``; ``log_input`` and ``log_output`` are sums of log(characters + 5);
    ``unknown_words`` is a sum of shares over the ``worded`` samples, ``new_words`` one over those that are not novel.
    """

    opened_at: float
    closed_at: float
    samples: int = 0
    compared: int = 0
    novel: int = 0
    kinds: Mapping[int, int] = field(default_factory=dict)
    answered: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    read: int = 0
    malformed: int = 0
    refused: int = 0
    log_input: float = 0.0
    log_output: float = 0.0
    worded: int = 0
    unknown_words: float = 0.0
    new_words: float = 0.0

    @property
    def unknown_words_ratio(self) -> float | None:
        """The mean share of a sample's words that the golden set never uses; None where no sample had words."""
        return self.unknown_words / self.worded if self.worded else None

    @property
    def novel_ratio(self) -> float | None:
        """The share of samples that no golden input represents; None where none could be compared."""
        return self.novel / self.compared if self.compared else None


def log_chars(chars: int) -> float:
    """The length as it is summed: short texts differ by little."""
    return math.log(chars + 5.0)


def add(window: Window, seen: Seen, at: float) -> Window:
    """The window with one more sample, which came at ``at``."""
    kinds, labels = window.kinds, window.labels
    if seen.kind is not None and not seen.novel:
        kinds = {**kinds, seen.kind: kinds.get(seen.kind, 0) + 1}
    if seen.label is not None:
        name = seen.label if seen.label in labels or len(labels) < MOST_LABELS else OTHER
        labels = {**labels, name: labels.get(name, 0) + 1}
    return replace(
        window,
        closed_at=max(window.closed_at, at),
        samples=window.samples + 1,
        compared=window.compared + (seen.novel is not None),
        novel=window.novel + bool(seen.novel),
        kinds=kinds,
        answered=window.answered + (seen.output_chars is not None),
        labels=labels,
        read=window.read + (seen.malformed is not None),
        malformed=window.malformed + bool(seen.malformed),
        refused=window.refused + bool(seen.refused),
        worded=window.worded + (seen.unknown_words is not None),
        unknown_words=window.unknown_words + (seen.unknown_words or 0.0),
        new_words=window.new_words + (0.0 if seen.novel else seen.new_words or 0.0),
        log_input=window.log_input + log_chars(seen.input_chars),
        log_output=window.log_output + (0.0 if seen.output_chars is None else log_chars(seen.output_chars)),
    )


def ends(window: Window, at: float, length_s: float) -> bool:
    """Whether a sample at ``at`` begins the next window.

    >>> ends(Window(0.0, 10.0, samples=50), 3600.0, 3600.0), ends(Window(0.0, 10.0, samples=49), 3600.0, 3600.0)
    (True, False)
    """
    return window.samples >= LEAST_SAMPLES and at >= window.opened_at + length_s
