"""Does what is packed come back?"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from service.store import packing

scores = st.one_of(
    st.sampled_from([0.0, 1.0]),
    st.sampled_from([0.0, 0.5, 1 / 3, 2 / 3, 1.0, np.nan]),
    st.floats(0, 1),
    st.floats(0, 1, width=32),
    st.just(np.nan),
    st.just(-0.0),
)
vectors = st.one_of(
    hnp.arrays(np.float64, st.integers(0, 70), elements=st.sampled_from([0.0, 1.0, np.nan])),
    hnp.arrays(np.float64, st.integers(0, 70), elements=st.sampled_from([0.0, 1 / 3, 1.0, np.nan])),
    hnp.arrays(np.float64, st.integers(0, 70), elements=st.floats(0, 1, width=32)),
    hnp.arrays(np.float64, st.integers(0, 70), elements=scores),
)


@given(vectors)
def test_scores_come_back_exactly(values: np.ndarray) -> None:
    """Every score comes back to the last bit, the unscored ones as NaN."""
    back = packing.unpack_scores(packing.pack_scores(values))
    assert back.dtype == np.float64
    assert np.array_equal(back, values, equal_nan=True)
    assert np.array_equal(np.signbit(back), np.signbit(values)) or np.isnan(values).any()


@given(hnp.arrays(np.bool_, st.integers(0, 70)))
def test_bits_come_back(bits: np.ndarray) -> None:
    """Answered or not is kept for every example, whatever their number."""
    assert np.array_equal(packing.unpack_bits(packing.pack_bits(bits)), bits)


@given(hnp.arrays(np.float64, st.integers(0, 40), elements=st.one_of(st.floats(0, 4000), st.just(np.nan))))
def test_latencies_come_back_as_promised(latency_s: np.ndarray) -> None:
    """A latency comes back as stored_latency says, within half a microsecond."""
    back = packing.unpack_latency(packing.pack_latency(latency_s))
    assert np.array_equal(back, packing.stored_latency(latency_s), equal_nan=True)
    assert np.array_equal(back, packing.stored_latency(back), equal_nan=True)
    assert np.array_equal(np.isnan(back), np.isnan(latency_s))
    assert np.nanmax(np.abs(back - latency_s), initial=0.0) <= 0.51e-6


def test_a_latency_beyond_the_longest_is_not_unknown() -> None:
    """A duration of days is cut to the longest that can be kept, and stays a duration."""
    assert packing.stored_latency(np.array([1e6]))[0] > 4294


@given(st.dictionaries(st.integers(0, 30), st.text(max_size=20)))
def test_words_come_back_by_position(words: dict[int, str]) -> None:
    """Reasons and labels come back at their positions, whatever they hold."""
    assert packing.unpack_words(packing.pack_words(words, 31)) == words


def test_long_words_are_cut() -> None:
    """A reason of a megabyte does not fill the store."""
    found = packing.unpack_words(packing.pack_words({0: "x" * 1_000_000}, 1))
    assert found == {0: "x" * packing.MAX_WORD}


@given(st.sets(st.integers(0, 30)))
def test_positions_come_back(positions: set[int]) -> None:
    """A set of positions comes back sorted."""
    assert packing.unpack_positions(packing.pack_positions(sorted(positions), 31)) == tuple(sorted(positions))


@given(st.text(st.characters(), max_size=200))
def test_texts_of_any_content_come_back(text: str) -> None:
    """Lone surrogates, NUL and long repetitions come back."""
    assert packing.unpack_text(packing.pack_text(text)) == text
    assert packing.unpack_text(packing.pack_text(text * 50 + "\ud800\x00")) == text * 50 + "\ud800\x00"


def test_right_or_wrong_takes_a_bit() -> None:
    """A thousand right/wrong scores take no more than 131 bytes."""
    rng = np.random.default_rng(1)
    assert len(packing.pack_scores(rng.integers(0, 2, 1000).astype(float))) <= 131
