"""How is hostile text shown harmlessly? Model output is shown to people, so it is neutralised first.

A model may answer with terminal escapes that recolour or rewrite the screen, with bidirectional overrides that
reverse what follows, or with characters that cannot be seen. :func:`safe` makes every one of them visible.
"""

from __future__ import annotations

import unicodedata

ELLIPSIS = "…"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that are never shown as they are: controls, formats (bidi overrides, zero widths),
surrogates, private use, unassigned, line and paragraph separators."""

_NAMES = {"\n": "⏎", "\t": "⇥", "\r": "␍", "\x7f": "␡"} | {
    chr(code): chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A, 0x0D)
}


def safe(text: str, limit: int | None = None) -> str:
    r"""One harmless line of the text, at most ``limit`` characters long.

    Control characters become their visible pictures, hidden and bidirectional ones their code point, and
    runs of combining marks are cut after the third. The result holds no line break.

    >>> safe("ok\x1b[31mred")
    'ok␛[31mred'
    >>> safe("a\u202eb\nc")
    'a⟨U+202E⟩b⏎c'
    >>> safe("billing and more", 8)
    'billing…'

    Args:
        text: any text, also with lone surrogates.
        limit: the greatest length of the result in characters; None for no limit.
    """
    if limit is not None and len(text) > limit * 4:
        text = text[: limit * 4]  # what is cut off below need not be looked at
        cut = True
    else:
        cut = False
    if text.isascii() and text.isprintable():
        return _clip(text, limit, cut=cut)
    shown: list[str] = []
    marks = 0
    for character in text:
        if character in _NAMES:
            shown.append(_NAMES[character])
            continue
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category in _HIDDEN:
            shown.append(f"⟨U+{ord(character):04X}⟩")
        elif marks <= 3:
            shown.append(character)
    return _clip("".join(shown), limit, cut=cut)


def _clip(text: str, limit: int | None, *, cut: bool) -> str:
    if limit is None or (len(text) <= limit and not cut):
        return text
    return text[: max(limit - 1, 0)].rstrip() + ELLIPSIS
