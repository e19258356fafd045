"""What can the watch over each target find, and how soon? Its detectability card in sentences, for the pages.

A card takes a second for a target without runs and less for one with them, so it is kept until the target has another
measured run or another configuration is in force.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from service.errors import UserError
from service.golden import check_lock

if TYPE_CHECKING:
    from service.config import Config
    from service.store import Store

LEAST_INTERVAL_S = 300.0
"""More often than this nothing is said: reckoning a month of such runs would hold a page for seconds to minutes."""

_log = structlog.get_logger("goldwatch")


class Finds:
    """The cards of a daemon's targets, as they were last asked for."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._kept: dict[str, tuple[Any, tuple[str, ...]]] = {}
        self._one_at_a_time = threading.Lock()

    def said(self, config: Config, name: str) -> Sequence[str]:
        """The sentences for a target; empty where it is not watched, or its golden set or the store cannot be read."""
        from service.detectability import cards_for, sentences  # noqa: PLC0415  # only a page asks

        target = next((one for one in config.targets if one.name == name), None)
        if target is None or (target.schedule.every_s or LEAST_INTERVAL_S) < LEAST_INTERVAL_S:
            return ()
        with self._one_at_a_time:
            try:
                last = self._store.last_measured(name)
                key = (target, config.period_h, None if last is None else last.id)
                kept = self._kept.get(name)
                if kept is not None and kept[0] == key:
                    return kept[1]
                golden = check_lock(target.golden)
                found = cards_for(config, target, golden, store=self._store, now=self._clock())
            except UserError as error:
                _log.warning("no detectability card", target=name, reason=error.message)
                return ()
            several = len(found) > 1
            told = tuple(
                f"{card.scorer}: {said}" if several and number == 0 else said
                for card in found
                for number, said in enumerate(sentences(card))
            )
            self._kept[name] = (key, told)
            return told
