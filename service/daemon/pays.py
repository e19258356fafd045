"""Does each target's fine-tune still pay, beside its challengers? The verdicts, for the pages and the metrics.

They change when a challenger was asked, which is seldom, so they are kept for a minute: a scrape must stay cheap.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from service.errors import UserError
from service.facts import Pays
from service.golden import check_lock

if TYPE_CHECKING:
    from service.config import Config, Target
    from service.store import Store

KEPT_S = 60.0

_log = structlog.get_logger("goldwatch")


class Verdicts:
    """What is said of a daemon's targets, as it was last asked for."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._kept: dict[str, tuple[Target, float, tuple[Pays, ...]]] = {}
        self._one_at_a_time = threading.Lock()

    def said(self, config: Config, name: str) -> Sequence[Pays]:
        """A verdict for each challenger; empty where there is none, or the golden set or the store cannot be read."""
        from service.challengers import beside  # noqa: PLC0415  # only targets with challengers need it

        target = next((one for one in config.targets if one.name == name), None)
        if target is None or not target.challengers:
            return ()
        with self._one_at_a_time:
            now, kept = self._clock(), self._kept.get(name)
            if kept is not None and kept[0] == target and 0.0 <= now - kept[1] < KEPT_S:
                return kept[2]
            try:
                found = beside(self._store, target, check_lock(target.golden))
            except UserError as error:
                _log.warning("no verdict on challengers", target=name, reason=error.message)
                return ()
            told = tuple(
                Pays(
                    challenger=one.challenger,
                    standing=one.verdict.standing.value,
                    reason=one.verdict.reason,
                    effect=None if one.verdict.difference is None else one.verdict.difference.effect,
                )
                for one in found
            )
            self._kept[name] = (target, now, told)
            return told
