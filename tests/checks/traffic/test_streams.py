"""Does traffic that moves page, and healthy traffic not?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from checks.inference import packing
from checks.traffic import streams
from checks.traffic.window import Seen, Window, add, ends

HOUR_S = 3600.0
ABOUT = streams.Subject(4, ("billing", "bug", "login"), 6 * HOUR_S)
USUAL = np.array([0.4, 0.3, 0.2, 0.1])
WEEKS = streams.baseline_windows(ABOUT.window_s)


def window(
    number,
    *,
    novel=0.05,
    kinds=USUAL,
    labels=(0.5, 0.3, 0.2),
    malformed=0.01,
    refused=0.02,
    longer=0.0,
    unknown=0.4,
    n=400,
    seed=0,
):
    """Counts of six hours, with a cycle of a day."""
    rng = np.random.default_rng([number, seed])
    swing = 1.0 + 0.3 * np.sin(number * np.pi / 2 + np.arange(4))
    shares = kinds * swing / (kinds * swing).sum()
    new = int(rng.binomial(n, novel))
    counts = rng.multinomial(n - new, shares)
    named = rng.multinomial(n, labels)
    at = number * ABOUT.window_s
    return Window(
        at, at + ABOUT.window_s, n, n, new, dict(enumerate(counts.tolist())), n,
        dict(zip(ABOUT.labels, named.tolist(), strict=True)), n, int(rng.binomial(n, malformed)),
        int(rng.binomial(n, refused)), n * (4.0 + 0.01 * rng.standard_normal()),
        n * (2.0 + longer + 0.01 * rng.standard_normal()), n, n * (unknown + 0.005 * rng.standard_normal()),
    )  # fmt: skip


def fold(windows, share=0.1):
    state, said = streams.initial(ABOUT), []
    for one in windows:
        state, verdicts = streams.advance(ABOUT, state, one, share=share, period_h=2160.0)
        said.append({v.stream: v.said for v in verdicts if v.said})
    return state, said


@pytest.mark.parametrize(
    ("change", "stream", "words"),
    [
        ({"unknown": 0.5}, "words", "words that the golden set never uses 40.0% →"),
        ({"novel": 0.25}, "novel", "requests that no golden example represents"),
        ({"kinds": USUAL[::-1]}, "inputs", "requests of kind"),
        ({"labels": (0.2, 0.3, 0.5)}, "labels", "of the answers"),
        ({"malformed": 0.2}, "format", "answers that cannot be read in the expected form"),
        ({"refused": 0.2}, "refusal", "refusals"),
        ({"longer": 0.5}, "output_length", "answers are longer by"),
    ],
)
def test_what_moves_is_found_and_named(change, stream, words):
    """After a usual fortnight each kind of move pages within a day, in its own stream, in words."""
    usual = [window(i) for i in range(2 * WEEKS)]
    moved = [window(2 * WEEKS + i, **change) for i in range(4)]
    _, said = fold([*usual, *moved])
    assert not any(said[: 2 * WEEKS])
    assert stream in said[-1]
    assert words in said[-1][stream]


def test_one_odd_window_pages_nobody():
    """A single window in which everything is new does not page: two must agree."""
    windows = [window(i) for i in range(WEEKS + 20)]
    windows[WEEKS + 10] = window(WEEKS + 10, novel=0.9)
    assert not any(fold(windows)[1])


def test_fewer_new_requests_are_no_news():
    """Traffic that is better represented than before pages nobody."""
    _, said = fold(
        [
            *(window(i, novel=0.3) for i in range(WEEKS + 8)),
            *(window(WEEKS + 8 + i, novel=0.02) for i in range(8)),
        ]
    )
    assert not any("novel" in one for one in said)


def test_a_small_shift_is_granted():
    """Two points more at one in twenty, from however many samples, is not worth a page."""
    n = 50_000
    usual = [window(i, n=n) for i in range(WEEKS + 8)]
    _, said = fold([*usual, *(window(WEEKS + 8 + i, n=n, novel=0.06) for i in range(20))])
    assert not any("novel" in one for one in said)


def test_healthy_traffic_keeps_the_budget():
    """Over 240 simulated days with a day cycle, at the whole budget, pages stay within it (2.7 would be allowed)."""
    pages = 0
    for seed in range(4):
        _, said = fold((window(i, seed=seed + 1) for i in range(240)), share=1.0)
        pages += any(said)
    assert pages <= 2


def test_a_kept_fold_goes_on_as_if_it_had_never_been_put_away():
    """Packed and unpacked half-way, the fold says the same to the last bit."""
    windows = [window(i, novel=0.05 if i < WEEKS + 5 else 0.3) for i in range(WEEKS + 10)]
    state, said = fold(windows)
    half, _ = fold(windows[: WEEKS + 4])
    half = packing.unpack(packing.pack(half), streams.STATE_TYPES)
    for one in windows[WEEKS + 4 :]:
        half, verdicts = streams.advance(ABOUT, half, one, share=0.1, period_h=2160.0)
    assert packing.pack(half) == packing.pack(state)
    assert {v.stream: v.said for v in verdicts if v.said} == said[-1]
    assert streams.level(state) >= 1.0


def test_unknown_is_not_zero():
    """Without answers nothing is said of labels, format, refusals and lengths of answers, and nothing is learnt."""
    bare = [
        replace(window(i), answered=0, labels={}, read=0, malformed=0, refused=0, log_output=0.0)
        for i in range(WEEKS)
    ]
    state, _ = fold(bare)
    assert all(state.streams[name].windows == 0 for name in ("labels", "format", "refusal", "output_length"))
    assert state.streams["novel"].windows == WEEKS


def test_labels_are_watched_only_where_the_golden_set_has_categories():
    """Texts of their own are no categories; the most frequent ones are watched."""
    assert streams.labels_of(["a", "b"] * 10) == ("a", "b")
    assert streams.labels_of([f"text {i}" for i in range(30)]) == ()
    assert streams.labels_of([None, 3, {}]) == ()
    assert len(streams.labels_of([f"l{i % 12}" for i in range(240)])) == 7


def test_a_window_ends_with_its_hour_but_not_before_it_holds_enough():
    """Samples add up to the same counts whatever their order, and a quiet hour goes on."""
    seen = [
        Seen(10, 5, i % 3, i % 7 == 0, 0.5, "bug" if i % 2 else None, i % 5 == 0, i % 9 == 0)
        for i in range(60)
    ]

    def summed(order):
        made = Window(0.0, 0.0)
        for one in order:
            made = add(made, one, 1.0)
        return made

    assert replace(summed(seen[::-1]), log_input=0, log_output=0) == replace(
        summed(seen), log_input=0, log_output=0
    )
    whole = summed(seen)
    assert (whole.samples, whole.novel, whole.malformed, whole.refused) == (60, 9, 12, 7)
    assert sum(whole.kinds.values()) == 51
    assert whole.labels == {"bug": 30}
    assert not ends(whole, 3599.0, HOUR_S)
    assert ends(whole, 3600.0, HOUR_S)
    assert not ends(summed(seen[:49]), 9999.0, HOUR_S)
