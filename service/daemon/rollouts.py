"""Was a watched Deployment rolled out? Looked at from time to time; each complete rollout is marked, once.

The mark bears the moment at which the rollout was complete, so every replica and every restart makes the same one. It
asks for a run, unless one has begun since.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from service.deployments.kubernetes import Cluster, Rollout, rollout
from service.errors import UserError
from service.records import DeploymentMark

if TYPE_CHECKING:
    from service.config import Config
    from service.store import Store

_log = structlog.get_logger("goldwatch")


class Rollouts:
    """Looks at the Deployments that targets name. Its methods block: call them from threads."""

    def __init__(self, store: Store, clock: Callable[[], float], cluster: Cluster | None = None) -> None:
        self._store, self._clock, self._cluster = store, clock, cluster or Cluster()
        self._seen: dict[str, str] = {}
        self._said: dict[str, str] = {}

    def look(self, config: Config) -> list[str]:
        """Mark what was rolled out since the last look; the targets that a run is due for.

        A Deployment that cannot be read is logged once, and keeps no other from being looked at.
        """
        due = []
        for target in config.targets:
            if target.deployments.kubernetes is None:
                continue
            try:
                found = rollout(self._cluster.deployment(target.deployments.kubernetes), self._clock())
            except UserError as error:
                if self._said.get(target.name) != error.message:
                    _log.warning(
                        "rollouts are not seen", target=target.name, reason=error.message, remedy=error.remedy
                    )
                self._said[target.name] = error.message
                continue
            self._said.pop(target.name, None)
            if found is not None and found.heard.version != self._seen.get(target.name):
                if self._mark(target.name, found):
                    due.append(target.name)
                self._seen[target.name] = found.heard.version
        return due

    def _mark(self, target: str, found: Rollout) -> bool:
        """Whether the rollout is news that no run has begun after."""
        known = [mark for mark in self._store.marks(target, 0.0) if mark.note == found.heard.note]
        if known and known[-1].version == found.heard.version:
            return False
        self._store.add_mark(DeploymentMark(target, found.at, found.heard.version, found.heard.note))
        _log.info("rolled out", target=target, version=found.heard.version)
        last = self._store.last_run(target)
        return last is not None and last.started_at <= found.at
