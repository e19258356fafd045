"""What does a golden file hold? Reads it line by line, and tells all its faults at once.

:func:`load` keeps the examples; :func:`scan` keeps only what tells two files apart, so that a file of any
size is checked in the memory of its longest line and less than 100 bytes per example.
"""

from __future__ import annotations

import hashlib
import os
import stat
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from checks.types import Example
from service.golden.canonical import PREFIX, canonical, content_hash
from service.golden.errors import Faults, GoldenError, Problem
from service.golden.line import show
from service.golden.parse import example_of

LINE_BYTES = 16 * 1024 * 1024
"""A longer line is refused unread."""

COMPARED = 20_000
"""Up to this many examples the content hash of each is kept, so that an edit can be named."""

_BOMS = {
    b"\xef\xbb\xbf": "a UTF-8 byte order mark; save the file as UTF-8 without BOM",
    b"\xff\xfe": "a UTF-16 byte order mark; save the file as UTF-8",
    b"\xfe\xff": "a UTF-16 byte order mark; save the file as UTF-8",
}


@dataclass(frozen=True, slots=True)
class Scan:
    """What is known of a sound golden file. ``hashes``: content hash by id; None above 20,000 examples."""

    digest: str
    count: int
    slices: Mapping[str, int]
    hashes: Mapping[str, str] | None


def read_examples(path: Path) -> tuple[tuple[Example, ...], Scan]:
    """Every example in order, and the scan.

    Raises:
        GoldenError: the file has faults; all of them are told.
    """
    examples: list[Example] = []
    found = _scan(path, examples.append)
    return tuple(examples), found


def scan(path: Path | str) -> Scan:
    """Check a file and tell what it holds, in bounded memory.

    Raises:
        GoldenError: the file has faults; all of them are told.
    """
    return _scan(Path(path), lambda _example: None)


def _scan(path: Path, take: Callable[[Example], object]) -> Scan:
    faults, ids, slices = Faults(path), _Ids(), Counter[str]()
    running, count = hashlib.sha256(), 0
    hashes: dict[str, str] | None = {}
    with _opened(path) as file:
        for number, example in _examples(file, faults):
            line = canonical(example)
            running.update(line.encode() + b"\n")
            ids.add(example.id, number)
            slices.update(example.slice_names)
            count += 1
            if hashes is not None:
                hashes[example.id] = content_hash(line)
                if count > COMPARED:
                    hashes = None
            if not faults.total:
                take(example)
        for first, second in ids.duplicates():
            message = f"is the id of line {first} too; give each example an id of its own"
            faults.add(second, "id", _id_at(file, second), message)
    if not count and not faults.total:
        faults.add(
            None, None, None, "is empty; a golden set needs at least one example, one JSON object per line"
        )
    faults.raise_if_any()
    return Scan(PREFIX + running.hexdigest(), count, dict(sorted(slices.items())), hashes)


def _opened(path: Path) -> BinaryIO:
    """The file, open for reading.

    Raises:
        GoldenError: it is missing, no regular file, or cannot be read.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  # a FIFO must be known before it is opened
        if stat.S_ISDIR(mode):
            raise GoldenError(path, [Problem(None, None, None, "is a directory; name the JSONL file in it")])
        if not stat.S_ISREG(mode):
            raise GoldenError(
                path, [Problem(None, None, None, "is no regular file, so it could not be frozen")]
            )
        return path.open("rb")
    except FileNotFoundError:
        raise GoldenError(path, [Problem(None, None, None, "there is no such file")]) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise GoldenError(path, [Problem(None, None, None, f"cannot be read: {why}")]) from None


def _examples(file: BinaryIO, faults: Faults) -> Iterator[tuple[int, Example]]:
    """Every sound example with its line number; the faults of the others are collected."""
    for number, line in _lines(file, faults):
        if number == 1:
            for mark, message in _BOMS.items():
                if line.startswith(mark):
                    faults.add(1, None, None, f"starts with {message}")
                    if mark[0] != 0xEF:
                        return  # nothing in it can be read as UTF-8
                    line = line[len(mark) :]  # noqa: PLW2901  # the rest of the line is checked too
                    break
        if not line.strip():
            faults.add(number, None, None, "is blank; remove it")
            continue
        example = example_of(line, partial(faults.add, number))
        if example is not None:
            yield number, example


def _lines(file: BinaryIO, faults: Faults) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(LINE_BYTES):
        number += 1
        if len(line) == LINE_BYTES and not line.endswith(b"\n"):
            faults.add(
                number, None, None, f"is longer than {LINE_BYTES // 1024**2} MiB; one JSON object per line"
            )
            while (rest := file.readline(LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            continue
        yield number, line


def _id_at(file: BinaryIO, wanted: int) -> str | None:
    file.seek(0)
    for number, line in _lines(file, Faults(Path())):
        if number == wanted:
            example = example_of(line, lambda *_fault: None)
            return show(example.id) if example else None
    return None


class _Ids:
    """Which ids were seen on which lines, in 24 bytes each: a 16-byte hash and a line number."""

    def __init__(self) -> None:
        self._hashes, self._lines = array("Q"), array("Q")

    def add(self, example_id: str, line: int) -> None:
        self._hashes.frombytes(hashlib.blake2b(example_id.encode(), digest_size=16).digest())
        self._lines.append(line)

    def duplicates(self) -> Iterator[tuple[int, int]]:
        """Each later line of an id with the first one, in the order of the ids' hashes."""
        if not self._lines:
            return
        halves = np.frombuffer(self._hashes, dtype=np.uint64).reshape(-1, 2)
        order = np.lexsort((halves[:, 1], halves[:, 0]))  # stable: lines stay in order
        same = (halves[order[1:]] == halves[order[:-1]]).all(axis=1)
        first = 0
        for position in np.flatnonzero(same).tolist():
            if not (position and same[position - 1]):
                first = self._lines[order[position]]
            yield first, self._lines[order[position + 1]]
