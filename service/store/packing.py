"""How are a run's vectors and values kept small without losing a bit? Pure functions, bytes in and out.

Scores come back exactly as they went in: judging is a fold over stored history, and what is judged live
must equal what is recomputed. A vector of 0 and 1 takes one bit an example, one with few distinct values
one byte before compression, any other its floats with equal bytes side by side. Latencies are kept in whole
microseconds; :func:`stored_latency` gives what will come back, so that it can be judged instead.

Every blob starts with one byte that says how the rest is packed.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from checks.types import BoolArray, FloatArray
from service.records import MAX_WORD

_RAW, _ZLIB = b"\x00", b"\x01"
_UNKNOWN_US = 0xFFFF_FFFF
_COUNT = struct.Struct("<I")


def squeeze(raw: bytes) -> bytes:
    r"""The bytes, compressed where that is shorter.

    >>> unsqueeze(squeeze(b"ab" * 500)) == b"ab" * 500, len(squeeze(b"ab" * 500)) < 30
    (True, True)
    """
    if len(raw) > 48:
        small = zlib.compress(raw, 6)
        if len(small) < len(raw):
            return _ZLIB + small
    return _RAW + raw


def unsqueeze(blob: bytes) -> bytes:
    """What :func:`squeeze` was given."""
    blob = bytes(blob)
    return zlib.decompress(blob[1:]) if blob[:1] == _ZLIB else blob[1:]


def pack_text(text: str) -> bytes:
    """A text of any content, lone surrogates and NUL included."""
    return squeeze(text.encode("utf-8", "surrogatepass"))


def unpack_text(blob: bytes) -> str:
    """What :func:`pack_text` was given."""
    return unsqueeze(blob).decode("utf-8", "surrogatepass")


def pack_json(value: Any) -> bytes:
    """A JSON value, compact. Floats come back exactly."""
    return squeeze(json.dumps(value, separators=(",", ":"), sort_keys=False).encode("ascii"))


def unpack_json(blob: bytes) -> Any:
    """What :func:`pack_json` was given; tuples have become lists."""
    return json.loads(unsqueeze(blob))


def pack_bits(bits: BoolArray) -> bytes:
    """One bit an example."""
    return _COUNT.pack(len(bits)) + squeeze(np.packbits(bits).tobytes())


def unpack_bits(blob: bytes) -> BoolArray:
    """What :func:`pack_bits` was given."""
    n = _COUNT.unpack_from(blob)[0]
    raw = np.frombuffer(unsqueeze(blob[_COUNT.size :]), dtype=np.uint8)
    return np.unpackbits(raw, count=n).astype(np.bool_)


def pack_scores(values: FloatArray) -> bytes:
    """Scores, NaN where unscored; exact.

    >>> v = np.array([0.0, 1.0, np.nan, 0.25, 1 / 3])
    >>> np.array_equal(unpack_scores(pack_scores(v)), v, equal_nan=True)
    True
    """
    values = np.ascontiguousarray(values, dtype=np.float64)
    head = _COUNT.pack(len(values))
    right = values == 1.0
    unscored = np.isnan(values)
    if bool(np.all(right | unscored | ((values == 0.0) & ~np.signbit(values)))):
        planes = np.packbits(right).tobytes()
        if unscored.any():
            planes += np.packbits(unscored).tobytes()
        return b"b" + head + squeeze(planes)
    distinct, codes = np.unique(values.view(np.uint64), return_inverse=True)
    if len(distinct) <= 256 and len(distinct) * 2 <= len(values):
        body = bytes([len(distinct) - 1]) + distinct.tobytes() + codes.astype(np.uint8).tobytes()
        return b"d" + head + squeeze(body)
    single = values.astype(np.float32)
    if np.array_equal(single.astype(np.float64), values, equal_nan=True):
        return b"f" + head + squeeze(_shuffle(single))
    return b"g" + head + squeeze(_shuffle(values))


def unpack_scores(blob: bytes) -> FloatArray:
    """What :func:`pack_scores` was given."""
    codec = blob[:1]
    n = _COUNT.unpack_from(blob, 1)[0]
    raw = unsqueeze(blob[1 + _COUNT.size :])
    if codec == b"b":
        planes = np.frombuffer(raw, dtype=np.uint8)
        width = (n + 7) // 8
        values = np.unpackbits(planes[:width], count=n).astype(np.float64)
        if len(planes) > width:
            values[np.unpackbits(planes[width:], count=n).astype(np.bool_)] = np.nan
        return values
    if codec == b"d":
        size = 8 * (raw[0] + 1)
        distinct = np.frombuffer(raw[1 : 1 + size], dtype=np.float64)
        return distinct[np.frombuffer(raw, dtype=np.uint8, offset=1 + size)]
    dtype = np.float32 if codec == b"f" else np.float64
    return _unshuffle(raw, np.dtype(dtype)).astype(np.float64)


def pack_observed(observed: Mapping[str, FloatArray]) -> bytes | None:
    """Vectors by name, exact; None for none.

    >>> kept = pack_observed({"length": np.array([3.0, np.nan])})
    >>> {name: values.tolist() for name, values in unpack_observed(kept).items()}
    {'length': [3.0, nan]}
    """
    if not observed:
        return None
    parts = []
    for name, values in sorted(observed.items()):
        raw, blob = name.encode(), pack_scores(values)
        parts += [_COUNT.pack(len(raw)), raw, _COUNT.pack(len(blob)), blob]
    return b"".join(parts)


def unpack_observed(blob: bytes | None) -> dict[str, FloatArray]:
    """What :func:`pack_observed` was given, sorted by name."""
    parts, at, blob = [], 0, bytes(blob or b"")
    while at < len(blob):
        size = _COUNT.unpack_from(blob, at)[0]
        parts.append(blob[at + _COUNT.size : at + _COUNT.size + size])
        at += _COUNT.size + size
    return {
        name.decode(): unpack_scores(values) for name, values in zip(parts[::2], parts[1::2], strict=True)
    }


def pack_latency(latency_s: FloatArray) -> bytes:
    """Durations in whole microseconds, NaN where unknown; 4294 s is the longest."""
    return _COUNT.pack(len(latency_s)) + squeeze(_shuffle(_microseconds(latency_s)))


def unpack_latency(blob: bytes) -> FloatArray:
    """Durations in seconds, NaN where unknown."""
    raw = unsqueeze(blob[_COUNT.size :])
    return _seconds(_unshuffle(raw, np.dtype(np.uint32)))


def stored_latency(latency_s: FloatArray) -> FloatArray:
    """The durations as the store will give them back: rounded to whole microseconds.

    >>> float(stored_latency(np.array([0.1234567]))[0])
    0.123457
    """
    return _seconds(_microseconds(latency_s))


def pack_words(words: Mapping[int, str], n: int) -> bytes | None:
    """Words by position among ``n``; None for no words. Each distinct word is kept once."""
    if not words:
        return None
    known: dict[str, int] = {}
    codes = np.zeros(n, dtype=np.uint32)
    for position, word in words.items():
        codes[position] = known.setdefault(word[:MAX_WORD], len(known) + 1)
    table = json.dumps(list(known), separators=(",", ":")).encode("ascii")
    return squeeze(_COUNT.pack(len(table)) + table + _shuffle(codes))


def unpack_words(blob: bytes | None) -> dict[int, str]:
    """What :func:`pack_words` was given, in the order of positions."""
    if blob is None:
        return {}
    raw = unsqueeze(blob)
    start = _COUNT.size + _COUNT.unpack_from(raw)[0]
    table = json.loads(raw[_COUNT.size : start])
    codes = _unshuffle(raw[start:], np.dtype(np.uint32))
    return {int(i): table[int(codes[i]) - 1] for i in np.flatnonzero(codes)}


def pack_positions(positions: Sequence[int], n: int) -> bytes | None:
    """A set of positions among ``n``; None for the empty set."""
    if not len(positions):
        return None
    bits = np.zeros(n, dtype=np.bool_)
    bits[list(positions)] = True
    return pack_bits(bits)


def unpack_positions(blob: bytes | None) -> tuple[int, ...]:
    """What :func:`pack_positions` was given, sorted."""
    return () if blob is None else tuple(np.flatnonzero(unpack_bits(blob)).tolist())


def pack_logprobs(logprobs: Sequence[float]) -> bytes:
    """Log-probabilities in single precision: servers send no more."""
    return squeeze(_shuffle(np.asarray(logprobs, dtype=np.float32)))


def unpack_logprobs(blob: bytes) -> tuple[float, ...]:
    """What :func:`pack_logprobs` was given, in single precision."""
    return tuple(_unshuffle(unsqueeze(blob), np.dtype(np.float32)).astype(np.float64).tolist())


def _microseconds(latency_s: FloatArray) -> NDArray[np.uint32]:
    whole = np.clip(np.rint(np.asarray(latency_s, dtype=np.float64) * 1e6), 0, _UNKNOWN_US - 1)
    return np.where(np.isnan(whole), _UNKNOWN_US, whole).astype(np.uint32)


def _seconds(whole: NDArray[np.uint32]) -> FloatArray:
    return np.where(whole == _UNKNOWN_US, np.nan, whole / 1e6)


def _shuffle(values: NDArray[Any]) -> bytes:
    """The first bytes of all values, then the second ones: like bytes side by side compress well."""
    plain = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.dtype.itemsize)
    return plain.T.tobytes()


def _unshuffle(raw: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    planes = np.frombuffer(raw, dtype=np.uint8).reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(planes.T).view(dtype).reshape(-1)
