"""Hostile text is shown harmlessly."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text import safe


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]0;owned\x07", "␛]0;owned␇"),
        ("\x1b[2J\x1b[H", "␛[2J␛[H"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("evil\u202etxt.exe", "evil⟨U+202E⟩txt.exe"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
        ("two\r\nlines\u2028three", "two␍⏎lines⟨U+2028⟩three"),
        ("\ud800", "⟨U+D800⟩"),
        ("nul\x00", "nul␀"),
        ("e" + "\u0301" * 50, "e" + "\u0301" * 3),
        ("Grüße, 世界 🙂", "Grüße, 世界 🙂"),
        ("", ""),
    ],
)
def test_what_could_deceive_is_made_visible(hostile: str, shown: str) -> None:
    """Escapes, overrides, hidden characters and piled-up marks; ordinary text stays."""
    assert safe(hostile) == shown


@given(st.text(st.characters(), max_size=200), st.integers(1, 50))
def test_nothing_shown_can_control_a_terminal(text: str, limit: int) -> None:
    """Whatever comes in, what goes out is printable, on one line, encodable and within the limit."""
    shown = safe(text, limit)
    assert len(shown) <= limit
    assert shown.encode().decode() == shown
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_a_cut_is_marked() -> None:
    """A reader can tell that there was more, also of a text far beyond the limit."""
    assert safe("x" * 1_000_000, 5) == "xxxx…"
    assert safe("exact", 5) == "exact"
