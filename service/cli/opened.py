"""How does a command come by its configuration and store?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from service.config import Config
    from service.store import Store


def read_config(path: Path) -> Config:
    """The configuration.

    Raises:
        ConfigError: with every fault.
    """
    from service.config import load

    return load(path)


@contextmanager
def opened_store(config: Config) -> Iterator[Store]:
    """The configuration's store, closed at the end.

    Raises:
        StoreError: it cannot be opened.
    """
    import os

    from service.store import Store

    with Store.open(config.store_url(os.environ), base_dir=config.base_dir) as store:
        yield store
