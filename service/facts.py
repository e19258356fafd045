"""What do metrics and pages know that the store does not? The daemon's own facts, as one small protocol.

``service/daemon/`` provides it from the configuration and the scheduler; tests provide it from a
few values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from service.records import BaselineRecord, RunKind


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """One target as it is configured. Unknown is None.

    ``interval_s`` is the time between runs; for a cron the longest of those around now. ``pager`` is the side that
    pages for it, ``goldwatch`` or ``prometheus``. ``tokens_per_day`` and ``usd_per_day`` are its limits.
    ``url`` is the endpoint's address without credentials, ``model`` the name that is asked for,
    ``reference`` the base model's name; ``floors`` maps a scorer to its ``min``, ``promises`` what is promised to its
    limit. ``trouble`` is why it could not be run as it stands (an edited golden set, say), None where nothing is wrong.
    ``retires_on`` is the configured day on which the model goes. ``traffic_window_s``: production traffic is watched by
    windows of this length; None: it is not. ``deployments`` says what to listen for, by who tells of it.
    """

    name: str
    severity: str = "warning"
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: str | None = None
    url: str | None = None
    model: str | None = None
    reference: str | None = None
    schedule: str | None = None
    interval_s: float | None = None
    baseline_runs: int = 10
    floors: Mapping[str, float] = field(default_factory=dict)
    promises: Mapping[str, float] = field(default_factory=dict)
    trouble: str | None = None
    pager: str = "goldwatch"
    tokens_per_day: int | None = None
    usd_per_day: float | None = None
    retires_on: date | None = None
    traffic_window_s: float | None = None
    deployments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BesideFacts:
    """A fine-tune beside one challenger: ``pays``, ``no_longer_pays`` or ``undecided``.

    ``effect`` is its mean score minus the challenger's, with a 95% interval; None before they were compared.
    """

    challenger: str
    standing: str
    effect: float | None = None
    interval: tuple[float, float] | None = None
    compared_at: float | None = None


@dataclass(frozen=True, slots=True)
class WorthFacts:
    """Whether a fine-tune still pays, over all its challengers: in a word, in one line, and beside each."""

    standing: str
    line: str
    besides: tuple[BesideFacts, ...] = ()


class Known(Protocol):
    """What can be known of the targets without the daemon, from the configuration and a clock."""

    @property
    def show_texts(self) -> bool:
        """Whether inputs and outputs may be shown."""

    def now(self) -> float:
        """Seconds since 1970."""

    def targets(self) -> Sequence[TargetFacts]:
        """The targets in the configuration's order."""

    def next_run_at(self, target: str, /) -> float | None:
        """When the target runs next, in seconds since 1970; None if unknown."""


class Facts(Known, Protocol):
    """The daemon, seen from metrics and web. Attributes may change from call to call, as a reload does it."""

    @property
    def token(self) -> str | None:
        """What a change of state must bear; None if none is configured."""

    @property
    def webhook_secrets(self) -> Mapping[str, str]:
        """What senders of webhooks must know, by sender; none is heard without."""

    @property
    def external_url(self) -> str | None:
        """Where people reach the pages; None if nobody said."""

    @property
    def slices(self) -> int:
        """How many slices per target and scorer ``/metrics`` holds."""

    def reload_successful(self) -> bool | None:
        """Whether the configuration in force is the newest one; None if it was never loaded."""

    async def request_run(self, target: str, kind: RunKind, /) -> bool:
        """Ask for a run now. False if one is under way or asked for already."""

    def finds(self, target: str, /) -> Sequence[str]:
        """What the watch over the target can find and how soon, in sentences; empty if it cannot be said. Blocks."""

    def worth(self, target: str, /) -> WorthFacts | None:
        """Whether the target still pays beside its challengers; None where it has none. Blocks."""

    def accept_baseline(self, target: str, reason: str, /) -> BaselineRecord:
        """Open a new baseline of what the target answers now; blocks.

        Raises:
            UserError: it cannot be opened, as where the target never ran or its golden set was edited.
        """
