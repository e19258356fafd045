"""Which examples is a model asked, and are they still the frozen ones?

A golden set is a JSONL file with a lock beside it. ``line`` reads one line's object, ``parse`` its example, ``read`` a
file of any size, ``canonical`` defines the digest, ``lock`` freezes and verifies, ``errors`` tells what is wrong.
"""

from __future__ import annotations

from service.golden.canonical import canonical, digest
from service.golden.errors import EditedError, GoldenError, NotFrozenError, Problem
from service.golden.lock import Change, Lock, Version, check_lock, freeze, load, lock_path, read_lock
from service.golden.read import Scan, scan
from service.records import Golden

__all__ = [
    "Change",
    "EditedError",
    "Golden",
    "GoldenError",
    "Lock",
    "NotFrozenError",
    "Problem",
    "Scan",
    "Version",
    "canonical",
    "check_lock",
    "digest",
    "freeze",
    "load",
    "lock_path",
    "read_lock",
    "scan",
]
