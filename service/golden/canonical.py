r"""Are two golden sets the same? The canonical form of an example and the digest over a set.

The digest is ``sha256:`` and 64 hexadecimal digits: SHA-256 over the canonical lines of all examples in
order, each followed by one line feed (``\n``), in UTF-8. So it depends on the content and the order of the
examples, and not on white space, on the order of keys, on how a character is escaped, or on whether a default
is written out.

The canonical line of an example is a JSON object

- with the keys that differ from their defaults: ``expected`` null, ``slices`` {}, ``group``, ``as_of`` and
  ``origin`` null, ``weight`` 1; ``id`` and ``input``
  always stand;
- whose keys, at every depth, are sorted by code point;
- without white space between tokens;
- with texts as they are (no Unicode normalisation): only ``"``, ``\`` and U+0000 to U+001F are escaped,
  as ``\"``,
  ``\\``, ``\b``, ``\f``, ``\n``, ``\r``, ``\t`` or ``\u00xx``;
- with integers in full, and other numbers as the shortest decimal that reads back to the same double, as
  Python writes them (``0.1``, ``1e-07``, ``1.0``); ``weight`` always as such a number.

>>> from checks.types import Example
>>> canonical(Example("T-1", "hi", slices={"lang": "de"}))
'{"id":"T-1","input":"hi","slices":{"lang":"de"}}'
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from checks.types import Example

PREFIX = "sha256:"


def canonical(example: Example) -> str:
    """The canonical line of an example, without a line feed."""
    plain: dict[str, Any] = {"id": example.id, "input": example.input}
    if not isinstance(example.input, str):
        plain["input"] = [{"role": turn.role, "content": turn.content} for turn in example.input]
    if example.expected is not None:
        plain["expected"] = example.expected
    if example.slices:
        plain["slices"] = dict(example.slices)
    if example.group is not None:
        plain["group"] = example.group
    if example.as_of is not None:
        plain["as_of"] = example.as_of
    if example.origin is not None:
        plain["origin"] = str(example.origin)
    if example.weight != 1:
        plain["weight"] = float(example.weight)
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def digest(examples: Iterable[Example]) -> str:
    """The digest of a golden set: ``sha256:`` and 64 hexadecimal digits.

    >>> digest([])
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    running = hashlib.sha256()
    for example in examples:
        running.update(canonical(example).encode() + b"\n")
    return PREFIX + running.hexdigest()


def content_hash(line: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a canonical line: what the lock keeps per example."""
    return hashlib.sha256(line.encode()).hexdigest()[:16]
