"""Does each fine-tune still pay beside its challengers? What pages and metrics are told, reckoned when they ask.

The comparisons are read anew when a target has another measured run, and at most once a minute otherwise: they come a
little after the run beside which they were asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from service.errors import UserError
from service.facts import BesideFacts, WorthFacts
from service.golden import check_lock

if TYPE_CHECKING:
    from service.config import Config, Target
    from service.store import Store

KEPT_S = 60.0

_log = structlog.get_logger("goldwatch")


class Worths:
    """What was last reckoned of a daemon's targets."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._kept: dict[str, tuple[Any, float, WorthFacts | None]] = {}
        self._one_at_a_time = threading.Lock()

    def of(self, config: Config, name: str) -> WorthFacts | None:
        """None where the target has no challengers, or its golden set or the store cannot be read."""
        target = next((one for one in config.targets if one.name == name), None)
        if target is None or not target.challengers:
            return None
        now = self._clock()
        with self._one_at_a_time:
            try:
                last = self._store.last_measured(name)
                key = (target, None if last is None else last.id)
                kept = self._kept.get(name)
                if kept is None or kept[0] != key or now - kept[1] >= KEPT_S:
                    kept = self._kept[name] = (key, now, worth_facts(self._store, target, now))
                return kept[2]
            except UserError as error:
                _log.warning("worth is not known", target=name, reason=error.message)
                return None


def worth_facts(store: Store, target: Target, now: float) -> WorthFacts:
    """How a target stands beside its challengers, from what is stored.

    Raises:
        UserError: its golden set is not as it was frozen.
    """
    from checks.worth import overall  # noqa: PLC0415  # heavy, and only targets with challengers need it
    from service.challengers import beside  # noqa: PLC0415
    from service.worth_report import Page, headline  # noqa: PLC0415

    found = beside(store, target, check_lock(target.golden))
    page = Page(target.name, now, found, None, None, target.worth.every_s)
    return WorthFacts(
        standing=str(overall([one.verdict.standing for one in found])),
        line=headline(page),
        besides=tuple(
            BesideFacts(
                challenger=one.challenger,
                standing=str(one.verdict.standing),
                effect=None if one.verdict.difference is None else one.verdict.difference.effect,
                interval=None if one.verdict.difference is None else one.verdict.difference.interval,
                compared_at=one.asked_at,
            )
            for one in found
        ),
    )
