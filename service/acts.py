"""What may a person do about an alert? Acknowledge it, silence it or its target, lift a silence.

An acknowledgement says that somebody sees to the alert: it is not repeated any more, and it still resolves by
itself. A silence says that nobody wants to hear of it until a moment: what fires meanwhile is kept, and told by
the watch when the silence is over, if it still fires. Neither changes what is measured or judged.

Pages and API call these functions; they raise :class:`ActError` in words for a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from service.alerting import (
    Acknowledgement,
    Alert,
    AlertEvent,
    AlertState,
    Notification,
    Silence,
    notification_id,
)
from service.errors import UserError
from service.message import acknowledged

if TYPE_CHECKING:
    from service.store import Store

LONGEST_SILENCE_S = 30 * 86_400.0
MOST_NAME, MOST_REASON = 200, 2000


class ActError(UserError):
    """It cannot be done. ``missing`` is true where there is no such thing, false where it is too late or too long."""

    def __init__(self, message: str, remedy: str | None = None, *, missing: bool = False) -> None:
        super().__init__(message, remedy)
        self.missing = missing


def acknowledge(store: Store, alert_id: str, *, by: str, reason: str | None = None, now: float) -> Alert:
    """Say that somebody sees to an alert.

    Who was told of the alert is told this too, where their channel can show it. A second acknowledgement changes
    nothing.

    Args:
        store: where the alert is.
        alert_id: the alert.
        by: who says so; free text.
        reason: what they say; free text.
        now: seconds since 1970.

    Returns:
        The alert with its acknowledgement, the first one if there were several.

    Raises:
        ActError: there is no such alert, it has resolved, or ``by`` says nothing.
    """
    alert = _firing(store, alert_id, "acknowledge")
    said = Acknowledgement(_said(by, "by", MOST_NAME), now, _note(reason))
    if alert.acknowledgement is None:
        store.put_acknowledgement(alert.id, said, _messages(store, alert, said))
    return store.alert(alert.id) or alert


def silence_alert(store: Store, alert_id: str, *, by: str, reason: str, for_s: float, now: float) -> Silence:
    """Keep one alert quiet for ``for_s`` seconds. Its resolution is told all the same.

    Raises:
        ActError: there is no such alert, it has resolved, or an argument is out of its range.
    """
    alert = _firing(store, alert_id, "silence")
    return _silenced(store, alert.target, alert.id, by, reason, for_s, now)


def silence_target(store: Store, target: str, *, by: str, reason: str, for_s: float, now: float) -> Silence:
    """Keep all alerts of a target quiet for ``for_s`` seconds, those that are still to come too.

    Raises:
        ActError: an argument is out of its range. Whether the target is configured is the caller's to know.
    """
    return _silenced(store, target, None, by, reason, for_s, now)


def lift_silence(store: Store, silence_id: str, *, now: float) -> None:
    """End a silence now.

    Raises:
        ActError: there is none of that id that still holds.
    """
    if not store.end_silence(silence_id, now):
        raise ActError("there is no silence of that id that still holds", missing=True)


def _firing(store: Store, alert_id: str, verb: str) -> Alert:
    alert = store.alert(alert_id)
    if alert is None:
        raise ActError("there is no alert of that id", missing=True)
    if alert.state is AlertState.RESOLVED:
        raise ActError(f"the alert has resolved: there is nothing to {verb}")
    return alert


def _silenced(
    store: Store, target: str, alert_id: str | None, by: str, reason: str, for_s: float, now: float
) -> Silence:
    if not 0 < for_s <= LONGEST_SILENCE_S:
        raise ActError(f"a silence lasts more than 0 s and at most 30 days, not {for_s:g} s")
    made = Silence(
        id=str(uuid4()),
        target=target,
        alert_id=alert_id,
        created_at=now,
        until=now + for_s,
        by=_said(by, "by", MOST_NAME),
        reason=_said(reason, "reason", MOST_REASON),
    )
    store.put_silence(made)
    return made


def _said(text: str, key: str, most: int) -> str:
    text = text.strip()
    if not text:
        raise ActError(f"`{key}` says nothing", f"give a text of at most {most} characters")
    return text[:most]


def _note(reason: str | None) -> str | None:
    return (reason or "").strip()[:MOST_REASON] or None


def _messages(store: Store, alert: Alert, said: Acknowledgement) -> list[Notification]:
    """One message to each notifier that was told of the alert, made from the newest one that it was told."""
    newest = {item.notification.notifier: item.notification for item in store.notifications(alert.id)}
    return [
        Notification(
            id=notification_id(alert.id, AlertEvent.ACKNOWLEDGED, 0, name),
            alert_id=alert.id,
            event=AlertEvent.ACKNOWLEDGED,
            notifier=name,
            body=acknowledged(last.body, said),
            created_at=said.at,
        )
        for name, last in sorted(newest.items())
    ]
