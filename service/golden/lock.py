"""Is this the golden set that was frozen? The lock beside it, its versions, and what changed since.

``golden.jsonl.lock`` is JSON, one value per line, to be committed with the set: format, version, digest,
count, ``slices`` with their counts, ``frozen_at``, ``previous`` versions, and ``examples``: id to content
hash, in the order of the set, null above 20,000 examples. By it two versions that share examples can be told
apart example by example.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.golden.errors import EditedError, GoldenError, NotFrozenError, Problem
from service.golden.line import show
from service.golden.read import read_examples, scan
from service.records import Golden

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Version:
    """An earlier version of a set. ``frozen_at`` is ISO 8601 in UTC."""

    version: int
    digest: str
    count: int
    frozen_at: str


@dataclass(frozen=True, slots=True)
class Change:
    """What freezing changed. Ids are in order; where no examples are kept, ``known`` is False.

    ``written`` is False if the set was frozen already, just as it is.
    """

    written: bool
    shared: int = 0
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    known: bool = True

    @property
    def summary(self) -> str:
        """The change in a few words.

        >>> Change(True, 398, ("T-9",), ("T-1", "T-2")).summary
        '398 shared, 1 new, 2 changed, 0 removed'
        """
        if not self.written:
            return "unchanged"
        if not self.known:
            return "too many examples to compare"
        new, changed, removed = len(self.new), len(self.changed), len(self.removed)
        return f"{self.shared} shared, {new} new, {changed} changed, {removed} removed"


@dataclass(frozen=True, slots=True)
class Lock:
    """What was frozen. ``change`` is what :func:`freeze` did just now, None for a lock that was only read."""

    version: int
    digest: str
    count: int
    frozen_at: str
    slices: Mapping[str, int]
    previous: tuple[Version, ...] = ()
    examples: Mapping[str, str] | None = None
    change: Change | None = None


def lock_path(path: Path | str) -> Path:
    """Where the lock of a golden file stands: ``golden.jsonl.lock`` beside ``golden.jsonl``."""
    path = Path(path)
    return path.with_name(path.name + ".lock")


def load(path: Path | str) -> Golden:
    """The golden set of a file. Its version is None unless its lock says that it is frozen just as it is.

    Raises:
        GoldenError: the file has faults; all of them are told.
    """
    path = Path(path)
    examples, found = read_examples(path)
    with contextlib.suppress(GoldenError):
        lock = read_lock(path)
        if lock is not None and lock.digest == found.digest:
            return Golden(path.stem, found.digest, lock.version, examples)
    return Golden(path.stem, found.digest, None, examples)


def check_lock(path: Path | str) -> Golden:
    """The golden set of a file, if it is the one that was frozen.

    Raises:
        GoldenError: the file or its lock has faults.
        NotFrozenError: it has no lock.
        EditedError: it is not what was frozen; which examples changed is told.
    """
    path = Path(path)
    examples, found = read_examples(path)
    lock = read_lock(path)
    if lock is None:
        raise NotFrozenError(path)
    if lock.digest != found.digest:
        change = _difference(lock.examples, found.hashes)
        raise EditedError(
            path,
            version=lock.version,
            changed=change.changed,
            added=change.new,
            removed=change.removed,
            known=change.known,
        )
    return Golden(path.stem, found.digest, lock.version, examples)


def freeze(path: Path | str, now: float) -> Lock:
    """Write the lock of a golden file. An edited set becomes the next version.

    Args:
        path: the golden file.
        now: seconds since 1970.

    Returns:
        The lock, with the ``change`` against the version before.

    Raises:
        GoldenError: the file or its old lock has faults, or the lock cannot be written.
    """
    path = Path(path)
    found, old = scan(path), read_lock(path)
    if old is not None and old.digest == found.digest:
        return replace(old, change=Change(written=False, shared=old.count))
    change = _difference(old.examples if old else {}, found.hashes)
    previous = (*old.previous, Version(old.version, old.digest, old.count, old.frozen_at)) if old else ()
    lock = Lock(
        version=old.version + 1 if old else 1,
        digest=found.digest,
        count=found.count,
        frozen_at=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        slices=found.slices,
        previous=previous,
        examples=found.hashes,
        change=change,
    )
    _write(lock_path(path), path.name, lock)
    return lock


def read_lock(path: Path | str) -> Lock | None:
    """The lock of a golden file, None if there is none.

    Raises:
        GoldenError: the lock is damaged, or of a later format.
    """
    place = lock_path(path)
    remedy = f"restore it from version control, or remove it and run: goldwatch freeze {path}"
    try:
        record = json.loads(place.read_bytes())
        lock = _lock(record) if record["format"] == FORMAT else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GoldenError(place, [Problem(None, None, None, f"cannot be read: {error.strerror}")]) from None
    except KeyError as error:
        raise GoldenError(
            place, [Problem(None, str(error.args[0]), None, "missing")], remedy=remedy
        ) from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise GoldenError(place, [Problem(None, None, None, "is damaged")], remedy=remedy) from None
    if lock is None:
        other = f"is of another format than {FORMAT}"
        raise GoldenError(
            place,
            [Problem(None, "format", show(record["format"]), other)],
            remedy="upgrade goldwatch, or restore the lock that this version wrote",
        )
    return lock


def _lock(record: Mapping[str, Any]) -> Lock:
    examples = record["examples"]
    return Lock(
        version=int(record["version"]),
        digest=str(record["digest"]),
        count=int(record["count"]),
        frozen_at=str(record["frozen_at"]),
        slices={str(name): int(count) for name, count in record["slices"].items()},
        previous=tuple(
            Version(int(one["version"]), str(one["digest"]), int(one["count"]), str(one["frozen_at"]))
            for one in record["previous"]
        ),
        examples=None if examples is None else {str(key): str(value) for key, value in examples.items()},
    )


def _difference(old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> Change:
    if old is None or new is None:
        return Change(written=True, known=False)
    return Change(
        written=True,
        shared=sum(old.get(key) == value for key, value in new.items()),
        new=tuple(key for key in new if key not in old),
        changed=tuple(key for key, value in new.items() if key in old and old[key] != value),
        removed=tuple(key for key in old if key not in new),
    )


def _write(place: Path, name: str, lock: Lock) -> None:
    """Write the lock whole or not at all."""
    record = {
        "format": FORMAT,
        "golden": name,
        "version": lock.version,
        "digest": lock.digest,
        "count": lock.count,
        "frozen_at": lock.frozen_at,
        "slices": lock.slices,
        "previous": [
            {"version": one.version, "digest": one.digest, "count": one.count, "frozen_at": one.frozen_at}
            for one in lock.previous
        ],
        "examples": lock.examples,
    }
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "wb", dir=place.parent, prefix=f".{place.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(place)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise GoldenError(
            place, [Problem(None, None, None, f"cannot be written: {error.strerror}")]
        ) from None
