"""How does a target's traffic stand? What pages, metrics, the API, messages and commands say of it, made once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from checks.traffic import WINDOW_S, streams
from checks.traffic.debt import EXPECTED, Debt, debt
from checks.traffic.window import LEAST_SAMPLES, Window
from service.records import TrafficRecord
from service.traffic.ingest import load_state

if TYPE_CHECKING:
    from service.records import TrafficWindow

RECENT_S = 7 * 86_400.0
_MOST_WINDOWS = 1100


@dataclass(frozen=True, slots=True)
class TrafficView:
    """How it stands. Ratios are over the last week of windows, the open one with them; None: not known.

    ``moved``: what moved, in words, while a page stands, with ``since`` (seconds since 1970). ``learning``: windows
    seen and needed, None once usual is known. ``evidence`` of the stream that has most; 1 pages.
    """

    target: str
    samples: int
    rejected: int
    own: int
    last_at: float | None
    windows: int
    debt: Debt | None
    malformed_ratio: float | None
    refusal_ratio: float | None
    learning: tuple[int, int] | None
    evidence: float | None
    moved: tuple[str, ...]
    since: float | None
    reason: str | None = None

    @property
    def sentence(self) -> str | None:
        """What a person is told while a page stands; None otherwise. The words do not change while it stands."""
        if not self.moved:
            return None
        day = (
            ""
            if self.since is None
            else datetime.fromtimestamp(self.since, UTC).strftime(" since %Y-%m-%d %H:%M UTC")
        )
        rest = f" (and {len(self.moved) - 1} more)" if len(self.moved) > 1 else ""
        return (
            f"the world moved, not the model: {self.moved[0]}{rest}{day}. "
            f"See what is new: goldwatch traffic show {self.target}"
        )


class Kept(Protocol):
    """What is read; the store has it."""

    def traffic(self, target: str) -> TrafficRecord | None:
        """How the watch over a target's traffic stands."""

    def traffic_windows(self, target: str, *, first: int = 1, most: int | None = None) -> list[TrafficWindow]:
        """The windows that ended, oldest first."""


def view(store: Kept, target: str, window_s: float = WINDOW_S) -> TrafficView | None:
    """How the target's traffic stands; None where no sample ever came."""
    record = store.traffic(target)
    if record is None:
        return None
    kept = store.traffic_windows(target, first=max(record.first, record.number - _MOST_WINDOWS + 1))
    return view_of(record, [one.window for one in kept], window_s)


def view_of(record: TrafficRecord, ended: list[Window], window_s: float = WINDOW_S) -> TrafficView:
    """The same of a record and the windows of its baseline that ended, oldest first. Pure."""
    windows = [*ended, *([record.open] if record.open is not None else [])]
    last_at = windows[-1].closed_at if windows else None
    recent = [w for w in windows if last_at is not None and w.closed_at > last_at - RECENT_S]
    read, answered = sum(w.read for w in recent), sum(w.answered for w in recent)
    state = load_state(record.state)
    paged = [] if state is None else [s for s in state.streams.values() if s.said is not None]
    paged.sort(key=lambda s: s.since_h or 0.0)
    needed = streams.baseline_windows(window_s)
    seen = record.number - record.first + 1
    return TrafficView(
        target=record.target,
        samples=record.samples,
        rejected=record.rejected,
        own=record.own,
        last_at=last_at,
        windows=seen,
        debt=debt([w for w in recent if w.samples >= LEAST_SAMPLES] or recent),
        malformed_ratio=sum(w.malformed for w in recent) / read if read else None,
        refusal_ratio=sum(w.refused for w in recent) / answered if answered else None,
        learning=(seen, needed) if seen < needed else None,
        evidence=None if state is None or seen < needed else streams.level(state),
        moved=tuple(s.said for s in paged if s.said is not None),
        since=None if not paged or paged[0].since_h is None else paged[0].since_h * 3600.0,
        reason=record.reason,
    )


def traffic_object(found: TrafficView) -> dict[str, Any]:
    """The view as the API and ``--json`` give it; what is unknown is null."""
    owed = found.debt
    return {
        "target": found.target,
        "samples": found.samples,
        "rejected": found.rejected,
        "own": found.own,
        "last_at": found.last_at,
        "windows": found.windows,
        "learning": None
        if found.learning is None
        else {"windows": found.learning[0], "of": found.learning[1]},
        "coverage_debt": None
        if owed is None
        else {
            "ratio": owed.ratio,
            "unlike_ratio": owed.unlike_ratio,
            "new_words_ratio": owed.new_words_ratio,
            "interval": None if owed.interval is None else list(owed.interval),
            "samples": owed.samples,
            "expected": EXPECTED,
        },
        "malformed_ratio": found.malformed_ratio,
        "refusal_ratio": found.refusal_ratio,
        "evidence": found.evidence,
        "moved": list(found.moved),
        "moved_since": found.since,
    }
