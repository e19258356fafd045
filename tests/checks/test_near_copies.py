"""Are all near copies found, and the most similar one of each?"""

from __future__ import annotations

import random

import pytest

from checks import near_copies as room
from checks.near_copies import Copy, near_copies, similarity

WORDS = "my order parcel invoice never came again since monday the app crashes when i log in please".split()  # noqa: SIM905


def sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words))


def disturbed(rng: random.Random, text: str) -> str:
    letters = list(text)
    for _ in range(rng.randint(0, 3)):
        letters[rng.randrange(len(letters))] = rng.choice("xyz")
    return "".join(letters)


@pytest.mark.parametrize("least", [0.3, 0.5, 0.7, 0.9, 1.0])
@pytest.mark.parametrize("batch", [1 << 20, 300])
def test_no_pair_is_missed_and_none_invented(
    least: float, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same as comparing every pair, whatever the lengths, the threshold and the batches."""
    monkeypatch.setattr(room, "BATCH", batch)
    monkeypatch.setattr(room, "_PAIRS", batch)
    rng = random.Random(batch + int(100 * least))
    small = [sentence(rng, rng.randint(1, 12)) for _ in range(60)] + ["", "a", "ab", "\U0001f600 \ud800"]
    large = [disturbed(rng, rng.choice([t for t in small if t])) for _ in range(150)]
    large += [sentence(rng, rng.randint(1, 12)) for _ in range(150)] + ["a", ""]
    expected = {}
    for i, text in enumerate(small):
        key, found = max(enumerate(similarity(text, other) for other in large), key=lambda pair: pair[1])
        if found >= least - 1e-9:
            expected[i] = (key + 7, pytest.approx(found))
    found = near_copies(small, ((i + 7, text) for i, text in enumerate(large)), least=least)
    assert {c.example: (c.key, c.similarity) for c in found} == expected


def test_of_nothing_comes_nothing() -> None:
    """An empty small or large set has no copies."""
    assert near_copies([], [(1, "where is my parcel")]) == []
    assert near_copies(["where is my parcel"], []) == []


def test_an_exact_copy_wins() -> None:
    """Of several copies the most similar is told."""
    large = [(1, "where is my parcel now"), (2, "where is my parcel"), (3, "where is my parcels")]
    assert near_copies(["where is my parcel"], large) == [Copy(0, 2, 1.0)]


@pytest.mark.parametrize("least", [0.0, 1.1, -1.0])
def test_a_threshold_out_of_range_is_refused(least: float) -> None:
    """It is named in the message."""
    with pytest.raises(ValueError, match=f"at most 1, not {least}"):
        near_copies(["x"], [], least=least)
