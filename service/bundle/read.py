"""Is this file a sound bundle? It may come from anybody, so nothing in it is believed before it is checked.

Nothing is ever unpacked to disk, so that a name such as ``../../x`` or a link leads nowhere; names, number, sizes and
compression are held to what :mod:`service.bundle.format` knows before a byte is inflated, and reading stops at the
size that the manifest states. Memory holds one line at a time.
"""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import ValidationError

from service.bundle.format import (
    FORMAT,
    MANIFEST,
    MEMBERS,
    SEAL,
    SEAL_BYTES,
    VERSION,
    WITH_TEXTS,
    BundleError,
    Manifest,
    Part,
)
from service.text import safe

MOST_FILE_BYTES = 1 << 30
MOST_BYTES = 4 << 30
"""Of all members together, inflated."""

MOST_LINE_BYTES = 32 << 20
_MOST_MANIFEST_BYTES = 1 << 20
_CHUNK = 1 << 20
_LINK = 0o120000
_PLAIN_TYPES = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1

_PartT = TypeVar("_PartT", bound=Part)


@dataclass(frozen=True, slots=True)
class Bundle:
    """An open, sound bundle: every member has the bytes that the manifest states. ``seal`` is its digest."""

    path: Path
    seal: str
    manifest: Manifest
    _archive: zipfile.ZipFile

    def lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """The lines of a member with their numbers from 1; none where the bundle does not have it.

        Raises:
            BundleError: a line is too long.
        """
        if name not in self.manifest.members:
            return
        with self._archive.open(name) as member:
            number = 0
            while one := member.readline(MOST_LINE_BYTES + 1):
                number += 1
                if len(one) > MOST_LINE_BYTES:
                    raise altered(self.path, f"{name} line {number}: longer than {MOST_LINE_BYTES >> 20} MiB")
                yield number, one

    def parts(self, name: str, kind: type[_PartT]) -> Iterator[_PartT]:
        """The lines of a member as parts.

        Raises:
            BundleError: one is not; the line and the key are told.
        """
        for number, one in self.lines(name):
            yield valid(
                self.path, f"{name} line {number}", kind, parsed(self.path, f"{name} line {number}", one)
            )

    def part(self, name: str, kind: type[_PartT]) -> _PartT:
        """The only part of a member.

        Raises:
            BundleError: there is none, or more than one.
        """
        found = list(self.parts(name, kind))
        if len(found) != 1:
            raise altered(self.path, f"{name}: holds {len(found)} lines and should hold 1")
        return found[0]


@contextmanager
def opened(path: Path) -> Iterator[Bundle]:
    """A bundle, after every byte of it was checked.

    Raises:
        BundleError: it is no bundle, or not as it was written; what and where is told.
    """
    try:
        with _file(path) as file:
            seal = _check_seal(path, file)
            try:
                with zipfile.ZipFile(file) as archive:
                    manifest = _check_members(path, archive)
                    yield Bundle(path, seal, manifest, archive)
            except (
                zipfile.BadZipFile,
                zlib.error,
                EOFError,
                NotImplementedError,
                RuntimeError,
                ValueError,
            ) as error:
                raise altered(path, safe(str(error), 200)) from None
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror or error}") from None


def altered(path: Path, why: str) -> BundleError:
    """The error of a file that is not as ``export`` wrote it."""
    return BundleError(
        f"{path}: this bundle was altered, or is none: {why}",
        "fetch it again, and compare the digest with the one that `goldwatch export` printed",
    )


def parsed(path: Path, where: str, one: bytes) -> Any:
    """The JSON of a line.

    Raises:
        BundleError: it is none.
    """
    try:
        return json.loads(one, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise altered(path, f"{where}: not JSON") from None


def valid(path: Path, where: str, kind: type[_PartT], record: Any) -> _PartT:
    """The part of a record.

    Raises:
        BundleError: a key is missing, unknown or wrong.
    """
    try:
        return kind.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(safe(str(piece), 40) for piece in first["loc"])
        raise altered(path, f"{where}: {key}: {safe(first['msg'], 120)}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


@contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):
        raise BundleError(f"{path}: is no regular file")
    if info.st_size > MOST_FILE_BYTES:
        raise BundleError(f"{path}: is larger than {MOST_FILE_BYTES >> 20} MiB, so it is refused unread")
    with path.open("rb") as file:
        yield file


def _check_seal(path: Path, file: BinaryIO) -> str:
    left = file.seek(0, 2) - SEAL_BYTES
    if left <= 0:
        raise altered(path, "it is too short")
    file.seek(0)
    running = hashlib.sha256()
    while left:
        chunk = file.read(min(left, _CHUNK))
        if not chunk:
            raise altered(path, "it became shorter while it was read")
        running.update(chunk)
        left -= len(chunk)
    seal = SEAL + running.hexdigest()
    if file.read() != seal.encode():
        raise altered(path, "its bytes are not those that its digest was made of")
    file.seek(0)
    return seal


def _check_members(path: Path, archive: zipfile.ZipFile) -> Manifest:
    found = archive.infolist()
    names = [info.filename for info in found]
    if len(set(names)) != len(names):
        raise altered(path, "it names a member twice")
    for info in found:
        name = safe(info.filename, 80)
        if info.filename != MANIFEST and info.filename not in MEMBERS:
            raise altered(path, f"it has the unknown member {name}")
        if info.external_attr >> 16 & 0o170000 == _LINK:
            raise altered(path, f"{name}: is a link")
        if info.compress_type not in _PLAIN_TYPES or info.flag_bits & _ENCRYPTED:
            raise altered(path, f"{name}: is packed in an unknown way")
    if sum(info.file_size for info in found) > MOST_BYTES:
        raise altered(path, f"it holds more than {MOST_BYTES >> 30} GiB")
    if MANIFEST not in names or archive.getinfo(MANIFEST).file_size > _MOST_MANIFEST_BYTES:
        raise altered(path, f"{MANIFEST}: missing, or too long")
    record = parsed(path, MANIFEST, archive.read(MANIFEST))
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise altered(path, f"{MANIFEST}: format is not {FORMAT}")
    if record.get("version") != VERSION:
        shown = safe(str(record.get("version")), 20)
        raise BundleError(
            f"{path}: is a bundle of version {shown}, and this goldwatch knows {VERSION}", "upgrade goldwatch"
        )
    manifest = valid(path, MANIFEST, Manifest, record)
    needed = {name for name in MEMBERS if manifest.texts or name not in WITH_TEXTS}
    if set(manifest.members) != needed or {*names} != {*needed, MANIFEST}:
        raise altered(path, "its members are not those that the manifest names")
    for name in sorted(needed):
        stated = manifest.members[name]
        if archive.getinfo(name).file_size != stated.bytes:
            raise altered(path, f"{name}: not as long as the manifest says")
        if _digest(archive, name) != stated.sha256:
            raise altered(path, f"{name}: its content is not what the manifest says")
    return manifest


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    running = hashlib.sha256()
    with archive.open(name) as member:
        while chunk := member.read(_CHUNK):
            running.update(chunk)
    return running.hexdigest()
