"""How are two texts made comparable, and how is a hostile one quoted?

Helpers that several scorers share: normal forms, whole words, expected texts, and quoting for reasons. A
model's output may hold anything a string can: control characters, bidirectional overrides, lone surrogates,
a megabyte of one letter. Nothing here raises on it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from checks.types import Json

SEARCHED_CHARS = 100_000
"""At most this many characters of an output are searched: of the start, or of the end where the last match
counts. Longer outputs are no answers, and a search must end."""

_WORD = r"[^\W_]"
_BEFORE = rf"(?<!{_WORD})(?<!{_WORD}_)"
_AFTER = rf"(?!{_WORD})(?!_{_WORD})"


def folded(text: str, *, ignore_case: bool = True) -> str:
    r"""The text in normal form C, stripped, each run of white space one space, by default without case.

    >>> folded("  Login\n ERROR ")
    'login error'
    """
    text = " ".join(nfc(text).split())
    return nfc(text.casefold()) if ignore_case else text


def nfc(text: str) -> str:
    """The text in Unicode normal form C: an accent is the same however it was typed."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def expected_texts(expected: Json) -> tuple[str, ...] | None:
    """The texts that an example accepts: one, or any of a list; None if ``expected`` holds no text or number.

    >>> expected_texts("yes"), expected_texts(["yes", 1]), expected_texts(None)
    (('yes',), ('yes', '1'), None)
    """
    one = text_of(expected)
    if one is not None:
        return (one,)
    if isinstance(expected, Sequence) and expected:
        texts = tuple(text for item in expected if (text := text_of(item)) is not None)
        return texts if len(texts) == len(expected) else None
    return None


def text_of(value: Json) -> str | None:
    """A text as it is, a number or boolean as JSON writes it, None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return None


def needs_text(expected: Json) -> str | None:
    """What is wrong with ``expected`` for a scorer that compares texts; None if nothing is."""
    if expected_texts(expected) is not None:
        return None
    return f"expected is {kind_of(expected)}; a text, a number or a list of them is needed"


def kind_of(value: Json) -> str:
    """What a JSON value is, in words: ``a text``, ``an object`` ..."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if value else "an empty list"


def whole_word(term: str) -> str:
    r"""A pattern that finds the term where it is not part of a longer word.

    Runs of white space in the term match any run. An underscore ends a word only where it is emphasis
    (``_billing_``), not inside a name (``billing_address``). Scripts that put no spaces between words
    (Chinese, Japanese, Thai ...) have no such bounds.

    >>> bool(re.search(whole_word("login error"), "a login  error."))
    True
    >>> bool(re.search(whole_word("log"), "login"))
    False
    """
    body = r"\s+".join(re.escape(part) for part in term.split())
    before = _BEFORE if _bounded(term[:1]) else ""
    after = _AFTER if _bounded(term[-1:]) else ""
    return f"{before}{body}{after}"


def _bounded(edge: str) -> bool:
    return edge.isalnum() and not (
        "\u0e00" <= edge <= "\u0eff" or "\u1000" <= edge <= "\u109f" or edge >= "\u2e80"
    )


def quote(text: str, limit: int = 40) -> str:
    r"""The text in double quotes, short and harmless: one line, hidden characters as escapes, always UTF-8.

    >>> print(quote("a\x1b[31m\u202e" + "b" * 99, 8))
    "a\x1b[31m\u202eb…"
    """
    clipped = text[:limit] + "…" if len(text) > limit else text
    return '"' + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in clipped) + '"'


def listing(texts: Iterable[str], shown: int = 3) -> str:
    """The first few texts, quoted, and how many more there are.

    >>> listing(["a", "b", "c", "d"])
    '"a", "b", "c" and 1 more'
    """
    every = list(texts)
    listed = ", ".join(quote(text) for text in every[:shown])
    return f"{listed} and {len(every) - shown} more" if len(every) > shown else listed
