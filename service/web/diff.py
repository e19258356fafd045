"""Which words of an answer changed? A word-level difference of two texts, as pieces to show.

Words, runs of spaces and single punctuation marks are compared (the shortest edit script of insertions and deletions).
Texts are made harmless first (:func:`service.text.safe`), so a piece never hides anything; a line break shows as its
mark and a real break.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from service.text import safe

MOST_CHARACTERS = 2000
"""The most of one text that a page shows; the API has the whole."""

_TOKENS = re.compile(r"\s+|\w+|[^\w\s]")
_MIN_SHARED = 0.2  # below this share of common words, marking each change is confetti
_KEPT = 0.6  # unless so much of the shorter text stands in the longer one: an answer with prose around it

Change = Literal["same", "gone", "new"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that both have (``same``), only the old (``gone``) or only the new one (``new``)."""

    change: Change
    text: str


def shown(text: str) -> str:
    r"""One text, harmless and cut to what a page shows.

    >>> shown("a\nb\x1b")
    'a⏎\nb␛'
    """
    return safe(text, MOST_CHARACTERS).replace("⏎", "⏎\n")


def difference(before: str, now: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """The old text with what is gone, and the new one with what is new.

    Texts that share hardly anything are one piece each, unless the shorter one stands in the longer one.

    >>> difference("route to billing", "route to other")[1]
    (Piece(change='same', text='route to '), Piece(change='new', text='other'))
    >>> [piece.text for piece in difference("billing", "Sure! It is billing.")[1]]
    ['Sure! It is ', 'billing', '.']
    >>> difference("billing", "other")
    ((Piece(change='gone', text='billing'),), (Piece(change='new', text='other'),))
    """
    old, new = shown(before), shown(now)
    if old == new:
        return (Piece("same", old),), (Piece("same", new),)
    a, b = _TOKENS.findall(old), _TOKENS.findall(new)
    from rapidfuzz.distance import Indel  # noqa: PLC0415  # only this page needs it

    steps = [(o.tag, a[o.src_start : o.src_end], b[o.dest_start : o.dest_end]) for o in Indel.opcodes(a, b)]
    shared = sum(len(part) for tag, part, _ in steps if tag == "equal")
    if shared < _MIN_SHARED * max(len(a), len(b)) and shared < _KEPT * min(len(a), len(b)):
        return _pieces([("gone", old)]), _pieces([("new", new)])
    left: list[tuple[Change, str]] = [
        ("same" if tag == "equal" else "gone", "".join(gone)) for tag, gone, _ in steps
    ]
    right: list[tuple[Change, str]] = [
        ("same" if tag == "equal" else "new", "".join(came)) for tag, _, came in steps
    ]
    return _pieces(left), _pieces(right)


def _pieces(parts: list[tuple[Change, str]]) -> tuple[Piece, ...]:
    """Neighbours of one kind joined, empty ones left out."""
    found: list[Piece] = []
    for change, text in parts:
        if not text:
            continue
        if found and found[-1].change == change:
            found[-1] = Piece(change, found[-1].text + text)
        else:
            found.append(Piece(change, text))
    return tuple(found)
