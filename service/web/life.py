"""What happened to an alert, in order? Its life from what the store keeps of it, as lines for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.alerting import Alert, AlertEvent, Silence
from service.records import DeliveryState, OutboxItem
from service.wording import clock

_MORE = {
    AlertEvent.FIRING: "",
    AlertEvent.REPEATED: " again",
    AlertEvent.ACKNOWLEDGED: " who sees to it",
    AlertEvent.RESOLVED: " that it is over",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. ``kind`` colours it; ``detail`` is a person's or a server's text, or None."""

    at: float
    kind: str
    what: str
    detail: str | None = None


def life(
    alert: Alert, messages: Sequence[OutboxItem], silences: Sequence[Silence], onset_at: float | None = None
) -> list[Moment]:
    """The alert's life, oldest first.

    Args:
        alert: The alert.
        messages: Those about it, in any order.
        silences: The target's; those that do not cover this alert are left out.
        onset_at: When the first bad run started, None if unknown.
    """
    found = [] if onset_at is None else [Moment(onset_at, "onset", f"first bad run {alert.onset_run}")]
    opened = "fired" if alert.opened_run is None else f"fired after run {alert.opened_run}"
    found.append(Moment(alert.opened_at, "fired", opened))
    found += _told(messages)
    if (said := alert.acknowledgement) is not None:
        found.append(Moment(said.at, "acknowledged", f"acknowledged by {said.by}", said.reason))
    for silence in silences:
        if silence.target != alert.target or silence.alert_id not in (None, alert.id):
            continue
        until = silence.until if silence.ended_at is None else silence.ended_at
        if until < alert.opened_at or (
            alert.resolved_at is not None and silence.created_at > alert.resolved_at
        ):
            continue
        what = "the target" if silence.alert_id is None else "this alert"
        text = f"{what} silenced until {clock(silence.until)} by {silence.by}"
        found.append(Moment(silence.created_at, "silenced", text, silence.reason))
        if silence.ended_at is not None:
            found.append(Moment(silence.ended_at, "silenced", "the silence was lifted"))
    if alert.resolved_at is not None:
        after = "" if alert.updated_run is None else f" by run {alert.updated_run}"
        found.append(Moment(alert.resolved_at, "resolved", f"resolved{after}"))
    return sorted(found, key=lambda moment: moment.at)


def _told(messages: Sequence[OutboxItem]) -> list[Moment]:
    """A line for each message; of those that only repeated the alert the last one to a notifier, with their number."""
    lines = []
    again: dict[str, list[OutboxItem]] = {}
    for item in messages:
        if item.state is DeliveryState.SENT and item.notification.event is AlertEvent.REPEATED:
            again.setdefault(item.notification.notifier, []).append(item)
        else:
            lines.append(_message(item))
    for items in again.values():
        last = _message(max(items, key=lambda item: item.done_at or item.notification.created_at))
        lines.append(
            last if len(items) == 1 else replace(last, what=f"{last.what}, {len(items)} times so far")
        )
    return lines


def _message(item: OutboxItem) -> Moment:
    """A message stands where it was delivered, else where it was written."""
    told = item.notification
    whom = f"{told.notifier}{_MORE.get(told.event, f' of {told.event}')}"
    if item.state is DeliveryState.SENT:
        tries = "" if item.attempts <= 1 else f" at attempt {item.attempts}"
        return Moment(item.done_at or told.created_at, "told", f"told {whom}{tries}")
    if item.state is DeliveryState.FAILED:
        what = f"could not tell {whom}: given up after {item.attempts} attempts"
        return Moment(item.done_at or told.created_at, "failed", what, item.error)
    tries = "waiting" if item.attempts == 0 else f"waiting after {item.attempts} failed attempts"
    return Moment(told.created_at, "pending", f"still to tell {whom}: {tries}", item.error)
