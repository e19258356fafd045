"""Which texts of a small set nearly stand in a large one? Every pair of a given similarity, none missed.

Similarity is the Jaccard index of the sets of character 5-grams. The large set streams past in batches against an index
of the small one: a pair of similarity ``t`` shares at least two of each text's ``n - ceil(t n) + 2`` rarest 5-grams
(Bayardo, Ma and Srikant 2007, "Scaling up all pairs similarity search"; with two instead of one after Wang, Li and Feng
2012, "Can we beat the prefix filtering?"), so hardly a pair has to be compared. Nothing is sampled, unlike MinHash.
Memory is that of the small set and of one batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST", "Copy", "near_copies", "similarity"]

LEAST = 0.7
"""One typing error in 40 characters leaves .76; another number in a template of 60 leaves .7."""

GRAM = 5
SHARED = 2
BATCH = 1 << 20
"""Characters that are looked at together."""

_PAIRS = 1 << 21
_DOC_BITS, _HASH_BITS = 20, 44
_PRIME = np.uint64(0x9E3779B97F4A7C15)

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Copy:
    """A text of the small set (its position) and the most similar one of the large set (its key)."""

    example: int
    key: int
    similarity: float


def similarity(one: str, other: str) -> float:
    """The Jaccard index of two texts' 5-grams, 0 to 1; a shorter text is one gram.

    >>> round(similarity("where is my parcel", "where is my parcle"), 2)
    0.75
    """
    a, b = ({text[i : i + GRAM] for i in range(max(len(text) - GRAM, 0) + 1)} for text in (one, other))
    return len(a & b) / len(a | b)


def near_copies(
    texts: Sequence[str], large: Iterable[tuple[int, str]], *, least: float = LEAST
) -> list[Copy]:
    """The most similar text of the large set for each of ``texts`` that has one of similarity ``least`` or more.

    Args:
        texts: the small set, normalised as the large one is.
        large: keys and texts, read once.
        least: above 0, at most 1.

    Returns:
        By position in ``texts``; of equally similar ones the first.

    Raises:
        ValueError: ``least`` is out of range.
    """
    if not 0 < least <= 1:
        raise ValueError(f"least must be above 0 and at most 1, not {least}")
    if not texts:
        return []
    index = _Index(texts, least)
    best = np.zeros(len(texts))
    where = np.zeros(len(texts), dtype=np.int64)
    for keys, batch in _batches(large):
        for example, document, found in index.hits(batch):
            if found > best[example]:
                best[example], where[example] = found, keys[document]
    return [Copy(int(i), int(where[i]), float(best[i])) for i in np.flatnonzero(best)]


def _batches(large: Iterable[tuple[int, str]]) -> Iterator[tuple[list[int], list[str]]]:
    keys, batch, size = list[int](), list[str](), 0
    for key, text in large:
        keys.append(key)
        batch.append(text)
        size += max(len(text), GRAM)
        if size >= BATCH or len(batch) >= 1 << (_DOC_BITS - 1):
            yield keys, batch
            keys, batch, size = [], [], 0
    if batch:
        yield keys, batch


def _grams(texts: Sequence[str]) -> Hashes:
    """The distinct grams of each text: the text's number in the upper bits, a hash below; sorted."""
    padded = [text if len(text) >= GRAM else text.ljust(GRAM, "\0") for text in texts]
    lengths = np.fromiter(map(len, padded), dtype=np.int64, count=len(padded))
    whole = "".join(padded).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(whole, dtype="<u4").astype(np.uint64)
    hashed = np.zeros(len(codes) - GRAM + 1, dtype=np.uint64)
    for place in range(GRAM):
        hashed = (hashed + codes[place : place + len(hashed)] + np.uint64(1)) * _PRIME
    hashed ^= hashed >> np.uint64(29)
    hashed *= _PRIME
    hashed >>= np.uint64(64 - _HASH_BITS)
    owner = np.repeat(np.arange(len(padded), dtype=np.uint64), lengths)[: len(hashed)]
    inside = np.ones(len(codes), dtype=bool)
    for back in range(1, GRAM):  # a gram does not reach into the next text
        inside[np.cumsum(lengths) - back] = False
    found = np.sort((owner << np.uint64(_HASH_BITS) | hashed)[inside[: len(hashed)]])
    distinct: Hashes = found[
        np.append(True, found[1:] != found[:-1])
    ]  # np.unique hashes, and takes far longer
    return distinct


def _split(grams: Hashes) -> tuple[Ints, Hashes]:
    return (grams >> np.uint64(_HASH_BITS)).astype(np.int64), grams & np.uint64((1 << _HASH_BITS) - 1)


def _starts(counts: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(counts)])


def _ranges(starts: Ints, counts: Ints) -> Ints:
    """``starts[i], starts[i] + 1, ...``, ``counts[i]`` of each, one after the other."""
    return np.repeat(starts - _starts(counts)[:-1], counts) + np.arange(counts.sum())


class _Index:
    """The small set: its grams by rarity, and who has which among its rarest."""

    def __init__(self, texts: Sequence[str], least: float) -> None:
        self._least = least
        parts = [_split(_grams(texts[i : i + 65_536])) for i in range(0, len(texts), 65_536)]
        owner = np.concatenate([part[0] + 65_536 * i for i, part in enumerate(parts)])
        hashed = np.concatenate([part[1] for part in parts])
        self._hashes, gram, often = np.unique(hashed, return_inverse=True, return_counts=True)
        self._rank = np.empty(len(often), dtype=np.int64)
        self._rank[np.argsort(often, kind="stable")] = np.arange(len(often))
        rank = self._rank[gram]
        order = np.lexsort((rank, owner))
        owner, rank = owner[order], rank[order]
        self._sizes = np.bincount(owner, minlength=len(texts))
        self._members = owner * len(often) + rank  # sorted, since the order is
        first = np.arange(len(owner)) - _starts(self._sizes)[owner]
        rarest = first < self._prefix(self._sizes)[owner]
        listed = np.argsort(rank[rarest], kind="stable")
        self._listed = owner[rarest][listed]
        self._postings = _starts(np.bincount(rank[rarest], minlength=len(often)))

    def _needed(self, sizes: Ints) -> Ints:
        """How many grams a text of so many shares at least with one that is similar enough."""
        needed: Ints = np.ceil(self._least * sizes - 1e-9).astype(np.int64)
        return needed

    def _prefix(self, sizes: Ints) -> Ints:
        return sizes - self._needed(sizes) + SHARED

    def hits(self, batch: Sequence[str]) -> Iterator[tuple[int, int, float]]:
        """(position in the small set, position in the batch, similarity) of each pair that is similar enough."""
        owner, hashed = _split(_grams(batch))
        sizes = np.bincount(owner, minlength=len(batch))
        place = np.minimum(np.searchsorted(self._hashes, hashed), len(self._hashes) - 1)
        known = self._hashes[place] == hashed
        met = np.bincount(owner[known], minlength=len(batch))
        hopeful = met >= self._needed(sizes)
        kept = known & hopeful[owner]
        owner, rank = owner[kept], self._rank[place[kept]]
        order = np.lexsort((rank, owner))
        owner, rank = owner[order], rank[order]
        met = np.where(hopeful, met, 0)
        starts = _starts(met)
        # grams that the small set does not have are the rarest of all
        left = np.maximum(self._prefix(sizes) - (sizes - met), 0)
        asked = np.arange(len(owner)) - starts[owner] < left[owner]
        owner, rare = owner[asked], rank[asked]
        work = np.bincount(owner, np.diff(self._postings)[rare], len(batch)).astype(np.int64)
        edges = _starts(np.bincount(owner, minlength=len(batch)))
        for part in _parts(work):
            mine = slice(edges[part.start], edges[part.stop])
            yield from self._compared(owner[mine], rare[mine], rank, sizes, starts)

    def _compared(
        self, asking: Ints, asked: Ints, rank: Ints, sizes: Ints, starts: Ints
    ) -> Iterator[tuple[int, int, float]]:
        """The pairs among some documents' rarest grams, compared in full."""
        counts = np.diff(self._postings)[asked]
        examples = self._listed[_ranges(self._postings[asked], counts)]
        pairs, shared = np.unique(np.repeat(asking, counts) * len(self._sizes) + examples, return_counts=True)
        document, example = np.divmod(pairs, len(self._sizes))
        mine, theirs = self._sizes[example], sizes[document]
        least = np.minimum(np.minimum(self._needed(mine), self._needed(theirs)), SHARED)
        near = (shared >= least) & (mine >= self._needed(theirs)) & (theirs >= self._needed(mine))
        document, example = document[near], example[near]
        met = np.diff(starts)[document]
        for part in _parts(met):
            here, there, many = document[part], example[part], met[part]
            wanted = np.repeat(there, many) * len(self._rank) + rank[_ranges(starts[here], many)]
            found = np.minimum(np.searchsorted(self._members, wanted), len(self._members) - 1)
            both = np.add.reduceat((self._members[found] == wanted).astype(np.int64), _starts(many)[:-1])
            ratio = both / (self._sizes[there] + sizes[here] - both)
            for i in np.flatnonzero(ratio >= self._least - 1e-9):
                yield int(there[i]), int(here[i]), float(ratio[i])


def _parts(counts: Ints) -> Iterator[slice]:
    """Stretches of about ``_PAIRS`` counts each."""
    if not len(counts):
        return
    ends = np.cumsum(counts)
    cuts = np.searchsorted(ends, np.arange(_PAIRS, ends[-1] + _PAIRS, _PAIRS))
    edges = np.unique(np.concatenate([[0], np.minimum(cuts + 1, len(counts)), [len(counts)]]))
    for low, high in pairwise(edges):
        yield slice(int(low), int(high))
