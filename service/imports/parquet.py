"""Parquet, as Hugging Face data sets are stored. Columns by ``--map`` or by their usual names, as with JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from service.errors import UserError
from service.imports import Imported
from service.imports._columns import Columns


def read(path: Path, columns: Mapping[str, str]) -> Imported:
    """One example a row."""
    found = Imported()
    wanted = Columns(columns)
    for number, row in enumerate(_rows(path), 1):
        wanted.take(found, path, f"row {number}", row)
    return found


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows as plain JSON values.

    Raises:
        UserError: pyarrow is not installed, or the file is no Parquet.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise UserError(
            "Parquet needs pyarrow, which is not installed", "pip install 'goldwatch[parquet]'"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    yield {key: _plain(value) for key, value in row.items()}
    except (pa.ArrowException, ValueError) as error:
        raise UserError(
            f"{path}: no Parquet: {str(error).splitlines()[0][:200]}", "choose another --format"
        ) from None


def _plain(value: Any) -> Any:
    """A value as JSON has it: dates and times as ISO 8601, bytes that are no text as None."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
