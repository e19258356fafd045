"""Which numbers stand for a text? Character n-grams, hashed into a vector of fixed length.

A text is folded (Unicode NFKC, lower case, runs of white space as one space) and cut into its overlapping pieces of 3
and 4 characters; each piece adds 1 or -1 (by a second bit of its hash) to one of :data:`SIZE` places, so that pieces
that share a place cancel instead of adding up. What a piece adds is damped by ``sqrt``: a word that is said ten times
is not ten times as telling. The hash is fixed, the same on every machine and in every version of Python, and a text
cannot be read back from its vector.

Only the first :data:`MOST_CHARACTERS` count, which bounds the time per sample.

References: Weinberger et al., *Feature Hashing for Large Scale Multitask Learning* (2009); Cavnar and Trenkle,
*N-Gram-Based Text Categorization* (1994), for character pieces that need no language.

>>> import numpy as np
>>> a, b, c = (vector(t) for t in ("Reset my password", "reset  my PASSWORD", "Wo ist mein Paket?"))
>>> bool(np.allclose(a, b)), bool(a @ c < 0.3)
(True, True)
"""

from __future__ import annotations

import unicodedata
import zlib

import numpy as np

from checks.types import FloatArray

SIZE = 2048
"""Places of a vector."""

MOST_CHARACTERS = 4000
LEAST_WORD = 4

_SIZES = (3, 4)
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


def folded(text: str) -> str:
    """The text as it is compared: without case, width and layout.

    >>> folded("  Two   LINES ")
    'two lines'
    """
    return " ".join(unicodedata.normalize("NFKC", text[:MOST_CHARACTERS]).lower().split())


def vector(text: str) -> FloatArray:
    """The text's vector, float [SIZE] of length 1; all zero for an empty text."""
    made: FloatArray = np.zeros(SIZE)
    whole = f" {folded(text)} "
    if len(whole) < _SIZES[0]:
        return made
    codes = np.frombuffer(whole.encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    for size in _SIZES:
        if len(codes) < size:
            continue
        pieces = np.zeros(len(codes) - size + 1, dtype=np.uint64)
        for at in range(size):
            pieces = (pieces + codes[at : at + len(pieces)] + np.uint64(1)) * _ODD
            pieces ^= pieces >> np.uint64(29)
        pieces *= _MIX
        pieces ^= pieces >> np.uint64(32)
        signs = np.where((pieces >> np.uint64(20)) & np.uint64(1), 1.0, -1.0)
        made += np.bincount((pieces % np.uint64(SIZE)).astype(np.int64), weights=signs, minlength=SIZE)
    made = np.sign(made) * np.sqrt(np.abs(made))
    length = float(np.sqrt(made @ made))
    return made / length if length > 0.0 else made


def words(text: str) -> frozenset[int]:
    """The hashes of the text's words of :data:`LEAST_WORD` letters and more; digits and signs part words.

    >>> len(words("My passkey 12 is my PASSKEY")), len(words("a 1 ?"))
    (1, 0)
    """
    plain = "".join(sign if sign.isalpha() else " " for sign in folded(text))
    return frozenset(
        zlib.crc32(word.encode("utf-8", "replace")) for word in plain.split() if len(word) >= LEAST_WORD
    )
