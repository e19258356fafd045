"""What is new in a file that somebody else writes? Whole lines since the last look, through rotation and truncation.

The place that was read up to is a value (:class:`Position`), stored in the same transaction as what was counted: a
process that dies loses no line and counts none twice. A file is known by its device and inode and by the digest of its
first bytes, since inodes are used again.

- A line without its end is left for the next look.
- Renamed away (``logrotate`` without ``copytruncate``): the rest of the old file is looked for under its new name
  beside the new one, read to its end, then the new one from its beginning. Files that came and went in between unseen
  cannot be known.
- Shorter than the place, or beginning otherwise (``copytruncate``): read from the beginning. What was written between
  the last look and the truncation is in the copy only, and is not counted.
- A file that is not there yet, or not there for a moment, has nothing new.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from service.traffic.sample import Sample, SampleError, sample_of

HEAD_BYTES = 256
MOST_LINE_BYTES = 1 << 20
BATCH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file was read: ``offset`` bytes of the file with this device and inode that begins with ``head``.

    ``head`` is the digest of its first ``head_bytes`` bytes. ``skipping``: the line at the place is too long, and its
    rest is passed over.
    """

    device: int
    inode: int
    offset: int
    head_bytes: int
    head: str
    skipping: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a look found. ``rejected`` lines were no samples; ``reason`` is what was wrong with the last of them.

    ``more``: there is more to read at once.
    """

    samples: tuple[Sample, ...]
    rejected: int
    position: Position
    more: bool
    reason: str | None = None


def position_of(held: Mapping[str, Any] | None) -> Position | None:
    """A stored place; None where there is none, or it is of another version."""
    if held is None:
        return None
    try:
        return Position(**held)
    except TypeError:
        return None


def stored(position: Position) -> dict[str, Any]:
    """The place as it is stored."""
    return asdict(position)


def read_new(path: Path, position: Position | None, *, whole: bool = False) -> Chunk | None:
    """The whole lines after the place, at most :data:`BATCH_BYTES` of them; None where there is nothing to do.

    Args:
        path: the followed file.
        position: how far it was read; None: never, it is read from its beginning.
        whole: nobody writes to it any more, so that its last line needs no end.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        file = None
    if position is not None and (file is None or not _is(file, position)):
        rest = _old_file(path, position)
        if rest is not None:
            with rest:
                chunk = _read(rest, position, final=file is not None)
            if chunk is not None:
                if file is not None:
                    file.close()
                return chunk
        position = None if file is not None else position
    if file is None:
        return None
    with file:
        return _read(file, position or _begin(file), final=whole)


def _begin(file: BinaryIO) -> Position:
    found = os.fstat(file.fileno())
    return Position(found.st_dev, found.st_ino, 0, 0, _digest(b""))


def _is(file: BinaryIO, position: Position) -> bool:
    """Whether it is the file that the place is in, and still long enough."""
    found = os.fstat(file.fileno())
    if (found.st_dev, found.st_ino) != (position.device, position.inode) or found.st_size < position.offset:
        return False
    file.seek(0)
    return _digest(file.read(position.head_bytes)) == position.head


def _old_file(path: Path, position: Position) -> BinaryIO | None:
    """The file that the place is in, under the name that it was given when it was rotated away."""
    try:
        beside = sorted(path.parent.iterdir())
    except OSError:
        return None
    for other in beside:
        if other == path or not other.name.startswith(path.stem):
            continue
        try:
            file = other.open("rb")
        except OSError:
            continue
        if _is(file, position):
            return file
        file.close()
    return None


def _read(file: BinaryIO, position: Position, *, final: bool = False) -> Chunk | None:
    """Whole lines from the place on; ``final``: nobody writes here any more, so that the last line needs no end."""
    file.seek(position.offset)
    raw = file.read(BATCH_BYTES)
    if not raw:
        return None
    more = len(raw) == BATCH_BYTES
    cut = raw.rfind(b"\n") + 1
    skipping, rejected, reason = position.skipping, 0, None
    if cut == 0:
        if final and not more:
            cut = len(raw)
        elif len(raw) >= MOST_LINE_BYTES or skipping:
            # A line longer than a batch: it is passed over, counted once.
            rejected = 0 if skipping else 1
            moved = _moved(file, position, position.offset + len(raw), skipping=True)
            return Chunk((), rejected, moved, more, "a line is above 1 MB")
        else:
            return None
    elif final and not more:
        cut = len(raw)
    lines = raw[:cut].split(b"\n")
    if skipping:
        lines = lines[1:]
    samples: list[Sample] = []
    for line in lines:
        if not line.strip():
            continue
        try:
            samples.append(sample_of(json.loads(line)))
        except SampleError as error:
            rejected, reason = rejected + 1, str(error)
        except (ValueError, RecursionError):
            rejected, reason = rejected + 1, "a line is not JSON"
    return Chunk(tuple(samples), rejected, _moved(file, position, position.offset + cut), more, reason)


def _moved(file: BinaryIO, position: Position, offset: int, *, skipping: bool = False) -> Position:
    file.seek(0)
    head = file.read(min(HEAD_BYTES, offset))
    return Position(position.device, position.inode, offset, len(head), _digest(head), skipping)


def _digest(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()[:16]
