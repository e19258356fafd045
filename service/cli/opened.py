"""How does a command come by its configuration and store?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from service.config import Config
    from service.store import Store
    from service.workers.queue import JobQueue


def read_config(path: Path) -> Config:
    """The configuration.

    Raises:
        ConfigError: with every fault.
    """
    from service.config import load

    return load(path)


@contextmanager
def opened_store(config: Config, *, create: bool = False) -> Iterator[Store]:
    """The configuration's store, closed at the end; who only looks makes no file where there is none.

    Raises:
        StoreError: it cannot be opened.
    """
    import os

    from service.store import Store

    with Store.open(config.store_url(os.environ), base_dir=config.base_dir, create=create) as store:
        yield store


def opened_queue(config: Config, store: Store) -> JobQueue | None:
    """The queue that shares the runs of a store on PostgreSQL, its tables up to date; None on SQLite.

    Raises:
        StoreError: its tables cannot be made.
        UserError: procrastinate is not installed.
    """
    import importlib.util
    import os
    import time

    if not store.shares_work:
        return None
    if importlib.util.find_spec("procrastinate") is None:
        from service.errors import UserError

        raise UserError(
            "runs on PostgreSQL are shared through procrastinate, which is not installed",
            "pip install 'goldwatch[postgres]'",
        )
    from service.workers.queue import JobQueue

    store.prepare_jobs()
    return JobQueue(config.store_url(os.environ), time.time)
