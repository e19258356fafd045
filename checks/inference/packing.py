"""How is a fold's state kept? Frozen dataclasses of arrays and plain values, to bytes and back.

A kept state is a shortcut, never the truth: it can always be computed again from history. The form is a
JSON header followed by the arrays' bytes, which are noise and do not compress; nothing in it is executed on reading.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

_MARK = b"GWF1"
_KINDS = {kind: np.dtype(kind) for kind in ("<f8", "<f4", "<i8", "|b1")}


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def pack(value: Any) -> bytes:
    """A tree of frozen dataclasses, tuples, dicts with text keys, arrays, numbers, texts and None as bytes."""
    arrays: list[bytes] = []

    def plain(v: Any) -> Any:
        if dataclasses.is_dataclass(v) and not isinstance(v, type):
            return {"@": _name(type(v)), **{f.name: plain(getattr(v, f.name)) for f in dataclasses.fields(v)}}
        if isinstance(v, np.ndarray):
            kept = np.ascontiguousarray(v)
            arrays.append(kept.tobytes())
            return {"@": "array", "dtype": kept.dtype.str, "shape": list(kept.shape)}
        if isinstance(v, tuple):
            return {"@": "tuple", "items": [plain(i) for i in v]}
        if isinstance(v, dict):
            return {"@": "dict", "items": {k: plain(i) for k, i in v.items()}}
        if v is None or isinstance(v, bool | int | float | str):
            return v
        raise TypeError(f"cannot keep a {type(v).__name__}")

    header = json.dumps(plain(value), separators=(",", ":")).encode()
    return _MARK + len(header).to_bytes(8, "little") + header + b"".join(arrays)


def unpack(data: bytes, types: Iterable[type]) -> Any:
    """What :func:`pack` was given; only the dataclasses in ``types`` may appear.

    Raises:
        ValueError: the bytes are not of that form, or of another version of the types.
    """
    known = {_name(t): t for t in types}
    if data[:4] != _MARK:
        raise ValueError("not a kept state of this form")
    raw = data[4:]
    try:
        end = 8 + int.from_bytes(raw[:8], "little")
        tree = json.loads(raw[8:end])
        at = end

        def build(v: Any) -> Any:
            nonlocal at
            if not isinstance(v, dict):
                return v
            kind = v["@"]
            if kind == "array":
                dtype = _KINDS[v["dtype"]]
                size = int(np.prod(v["shape"], dtype=np.int64))
                array = np.frombuffer(raw, dtype=dtype, count=size, offset=at).reshape(v["shape"])
                at += array.nbytes
                return array
            if kind == "tuple":
                return tuple(build(i) for i in v["items"])
            if kind == "dict":
                return {k: build(i) for k, i in v["items"].items()}
            return known[kind](**{k: build(i) for k, i in v.items() if k != "@"})

        return build(tree)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a kept state of this version: {error}") from error
