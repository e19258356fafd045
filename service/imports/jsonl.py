"""JSON lines or one JSON array, as Hugging Face data sets are exported. Fields by ``--map`` or by their usual names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from service.imports import Imported, objects
from service.imports._columns import Columns


def read(path: Path, columns: Mapping[str, str]) -> Imported:
    """One example an object."""
    found = Imported()
    wanted = Columns(columns)
    for where, item in objects(path):
        wanted.take(found, path, where, item)
    return found
