"""What is new in the files that the daemon follows? Read from time to time, counted batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from service.errors import UserError
from service.traffic.follow import position_of, read_new, stored
from service.traffic.ingest import Ingest, Taken
from service.traffic.sample import Sample

if TYPE_CHECKING:
    from service.config import Config, Target
    from service.store import Store

BATCHES_AT_ONCE = 20
"""Of a file per look, so that one that is far behind does not keep the others waiting."""

_log = structlog.get_logger("goldwatch")


class Traffic:
    """Takes samples in for a daemon. Its methods block: call them from threads.

    Args:
        store: where they are counted.
        clock: seconds since 1970.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._ingest = Ingest(store)
        self._said: dict[str, str] = {}

    def take(self, config: Config, target: str, samples: Sequence[Sample], rejected: int) -> Taken:
        """Count posted samples.

        Raises:
            UserError: the target's traffic is not watched, or its golden set cannot be read.
        """
        return self._ingest.take(config, config.target(target), samples, now=self._clock(), rejected=rejected)

    def follow(self, config: Config) -> None:
        """Read what is new in every followed file; what is wrong with one is logged once and keeps no other."""
        for target in config.targets:
            if target.traffic is None or target.traffic.file is None:
                continue
            try:
                wrong = self._follow(config, target)
            except OSError as error:
                wrong = f"{target.traffic.file} cannot be read: {error.strerror or error}"
            except UserError as error:
                wrong = error.message
            if wrong is not None and self._said.get(target.name) != wrong:
                _log.warning("samples are not counted", target=target.name, reason=wrong)
            if wrong is None:
                self._said.pop(target.name, None)
            else:
                self._said[target.name] = wrong

    def _follow(self, config: Config, target: Target) -> str | None:
        assert target.traffic is not None and target.traffic.file is not None  # noqa: S101, PT018
        record = self._store.traffic(target.name)
        place = position_of(None if record is None else record.position)
        wrong = None
        for _ in range(BATCHES_AT_ONCE):
            chunk = read_new(target.traffic.file, place)
            if chunk is None:
                break
            wrong = chunk.reason or wrong
            self._ingest.take(
                config,
                target,
                chunk.samples,
                now=self._clock(),
                rejected=chunk.rejected,
                position=stored(chunk.position),
            )
            place = chunk.position
        return None if wrong is None else f"lines of {target.traffic.file} are no samples: {wrong}"
