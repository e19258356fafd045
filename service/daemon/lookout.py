"""What keeps the watch from its work right now? Looked up from time to time, told as alerts of kind ``watch``.

What is looked at: runs that do not begin, golden sets that were edited on disk, notifiers that do not deliver. What is
decided about them is in ``service/selfwatch.py``. What a silence kept quiet is told here too (``service/heldback.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from service import heldback, message, selfwatch
from service.alerting import Alert, AlertKind, AlertPolicy, Notification, Transition
from service.errors import UserError
from service.golden import check_lock
from service.records import RunState
from service.retirement import listed_at, retirement, told
from service.selfwatch import Trouble
from service.traffic.view import view

if TYPE_CHECKING:
    from service.config import Config, Target
    from service.store import Store

_LISTED_IN = 5
"""Runs that are looked at for what the provider's model list says; unmeasured ones may not have read it."""

_Stamp = tuple[tuple[int, int] | None, ...]


class Lookout:
    """Sees what is wrong with the watch itself. Its methods block: call them from a thread, one at a time.

    Args:
        store: where runs and messages are.
        clock: seconds since 1970.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._since: dict[str, float] = {}
        self._goldens: dict[str, tuple[_Stamp, str | None]] = {}

    def look(self, config: Config, hindered: Mapping[str, str | None]) -> dict[str, str]:
        """See what is wrong, tell who is to be told, and say what is wrong with each target.

        Args:
            config: what is in force.
            hindered: by target, why it could not be run when it was last tried.

        Returns:
            The trouble of each target that has one.
        """
        now = self._clock()
        troubles = [*self._of_targets(config, hindered, now), *self._of_notifiers()]
        policy = AlertPolicy.of(config.alerting)
        silences = self._store.silences(active_at=now)

        for kind in (AlertKind.WATCH, AlertKind.NOTICE):

            def decide(
                previous: Sequence[Alert], kind: AlertKind = kind
            ) -> tuple[Transition, tuple[Notification, ...]]:
                step = selfwatch.watch_transitions(previous, troubles, now, policy, silences, kind)
                return step, _messages(config, step, now)

            self._store.change_alerts(kind, decide)
        heldback.tell(self._store, config, policy, silences, now)
        return {
            t.target: t.reason
            for t in reversed(troubles)
            if t.opens and t.target != selfwatch.SERVICE and t.kind is AlertKind.WATCH
        }

    def _of_targets(self, config: Config, hindered: Mapping[str, str | None], now: float) -> list[Trouble]:
        found = []
        for target in config.targets:
            since = self._since.setdefault(target.name, now)
            if (edited := self._golden(target)) is not None:
                found.append(_trouble(target, selfwatch.GOLDEN_SET, edited))
            elif (late := self._overdue(target, since, now)) is not None:
                why = hindered.get(target.name)
                reason = "no run has begun though at least two were due" + (f": {why}" if why else "")
                found.append(_trouble(target, selfwatch.OVERDUE, reason, opens=late))
            if (leaves := self._retires(target, now)) is not None:
                found.append(leaves)
            if (moved := self._moved(target)) is not None:
                found.append(moved)
        return found

    def _retires(self, target: Target, now: float) -> Trouble | None:
        """That the target's model is switched off soon, or was."""
        listed = None
        if target.retires_on is None:
            listed = listed_at(*self._store.runs(target.name, limit=_LISTED_IN))
        leaves = retirement(target.retires_on, listed)
        notice = None if leaves is None else told(leaves, now)
        if notice is None:
            return None
        return Trouble(
            target.name,
            selfwatch.RETIREMENT,
            notice[0],
            notice[1],
            target.labels,
            once=True,
            kind=AlertKind.NOTICE,
        )

    def _moved(self, target: Target) -> Trouble | None:
        """That what production asks or gets has moved, within the false-alarm budget."""
        if target.traffic is None:
            return None
        found = view(self._store, target.name, target.traffic.window_s)
        sentence = None if found is None else found.sentence
        if sentence is None:
            return None
        return Trouble(
            target.name,
            selfwatch.TRAFFIC,
            sentence,
            "warning",
            target.labels,
            once=True,
            kind=AlertKind.NOTICE,
        )

    def _overdue(self, target: Target, since: float, now: float) -> bool | None:
        """Whether an alert should open (True), only stand (False), or neither (None).

        A run under way has its deadline. A daemon that has just begun gives its own runs time; it does not mend by its
        start what was overdue before.
        """
        last = self._store.last_run(target.name)
        if last is None:
            return True if selfwatch.overdue(target.schedule, since, now) else None
        begun = last.started_at + (target.deadline_s if last.state is RunState.RUNNING else 0.0)
        if not selfwatch.overdue(target.schedule, begun, now):
            return None
        return selfwatch.overdue(target.schedule, max(begun, since), now)

    def _golden(self, target: Target) -> str | None:
        """Why the golden set cannot be replayed as it lies on disk; read only when it has changed."""
        path = Path(target.golden)
        stamp = (_stamp(path), _stamp(path.with_name(path.name + ".lock")))
        known = self._goldens.get(target.name)
        if known is None or known[0] != stamp:
            reason: str | None = None
            try:
                check_lock(path)
            except UserError as error:
                reason = f"its golden set cannot be replayed: {error.message}"
            known = self._goldens[target.name] = (stamp, reason)
        return known[1]

    def _of_notifiers(self) -> list[Trouble]:
        return [
            Trouble(
                selfwatch.SERVICE,
                selfwatch.notifier_topic(name),
                f"messages through {name} are not delivered: {reason}",
                severity="critical",
            )
            for name, reason in self._store.delivery_health(selfwatch.MIN_ATTEMPTS).items()
        ]


def _trouble(target: Target, topic: str, reason: str, *, opens: bool = True) -> Trouble:
    return Trouble(target.name, topic, reason, target.severity, target.labels, opens)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _messages(config: Config, step: Transition, now: float) -> tuple[Notification, ...]:
    facts = message.Evidence(answered=None, asked=None, started_at=now)
    targets = {target.name: target for target in config.targets}
    made: list[Notification] = []
    for notice in step.messages:
        alert = notice.alert
        target = targets.get(alert.target)
        told = config.notifiers if target is None else config.notifiers_of(target)
        names = [n.name for n in told if selfwatch.notifier_topic(n.name) != alert.topic]
        content = message.body(notice.event, alert, facts, external_url=config.web.external_url)
        made += message.outbox([notice], {alert.kind: content}, names, now)
    return tuple(made)
