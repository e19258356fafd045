"""CSV or TSV with a header line. Without ``--map`` the columns that are named like golden keys are taken."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from service.errors import UserError
from service.imports import Imported
from service.imports._columns import Columns

FIELD_CHARS = 16 * 1024 * 1024


def rows_of(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row by its header's names, with the line on which it ends.

    Raises:
        UserError: a row has other fields than the header, or the file is no CSV.
    """
    csv.field_size_limit(FIELD_CHARS)
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.readline()
        file.seek(0)
        delimiter = (
            "\t" if head.count("\t") > head.count(",") else ";" if head.count(";") > head.count(",") else ","
        )
        reader = csv.DictReader(file, delimiter=delimiter, strict=True)
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise UserError(
                        f"{path}, line {reader.line_num}: the row has other fields than the header",
                        "quote fields that hold the separator",
                    )
                yield f"line {reader.line_num}", row
        except csv.Error as error:
            raise UserError(f"{path}, line {reader.line_num}: no CSV: {error}", "correct the file") from None


def read(path: Path, columns: Mapping[str, str]) -> Imported:
    """One example a row."""
    found = Imported()
    wanted = Columns(columns)
    for where, row in rows_of(path):
        wanted.take(found, path, where, row)
    return found
