"""Does the store open, can it be written, and has it this version's tables?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from service.doctor import Diagnosis, Level, Part
from service.errors import UserError

if TYPE_CHECKING:
    from service.config import Config
    from service.store import Store

_NOTHING_DUE = -1.0


def look_at_store(config: Config, environ: Mapping[str, str]) -> tuple[Diagnosis, Store | None]:
    """Open the store, bringing its tables up to date, and take its write lock once.

    A SQLite file that is not there yet is not created: its folder is looked at instead.

    Returns:
        The diagnosis, and the open store, None where there is none or it failed. The caller closes it.
    """
    try:
        url = config.store_url(environ)
        if (file := _sqlite_file(url)) is not None and not file.exists():
            return _place(file), None
        from service.store import Store  # noqa: PLC0415  # heavy

        store = Store.open(url, base_dir=config.base_dir)
    except UserError as error:
        return _failed(error), None
    try:
        store.claim_notifications(
            "doctor", _NOTHING_DUE, 0.0, 1
        )  # a writing transaction that changes nothing
    except UserError as error:
        store.close()
        return _failed(error), None
    shown = f"{store.shown}: opens, can be written, tables up to date"
    return Diagnosis(Part.STORE, None, Level.OK, shown), store


def _sqlite_file(url: str) -> Path | None:
    scheme, _, path = url.partition(":///")
    return Path(path) if scheme == "sqlite" and path and not path.startswith((":memory:", "file:")) else None


def _place(file: Path) -> Diagnosis:
    folder = file.parent
    if not folder.is_dir():
        message, remedy = f"there is no directory {folder} for the store", f"mkdir -p {folder}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        message, remedy = f"the directory {folder} cannot be written", "make it writable for this user"
    else:
        return Diagnosis(Part.STORE, None, Level.OK, f"{file}: will be created by the first run")
    return Diagnosis(Part.STORE, None, Level.FAILED, message, remedy)


def _failed(error: UserError) -> Diagnosis:
    return Diagnosis(Part.STORE, None, Level.FAILED, error.message, error.remedy)
