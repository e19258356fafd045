"""Is the pair that moved named, and chance not?"""

from __future__ import annotations

import numpy as np

from checks.confusion import NONE, Seen, confusion
from checks.types import Example

LABELS = ("billing", "login", "bug")
EXAMPLES = tuple(Example(f"T-{i}", "?", LABELS[i % 3].upper() if i % 2 else LABELS[i % 3]) for i in range(60))
TRUTH = [LABELS[i % 3] for i in range(60)]


def seen(names) -> Seen:
    """One run by what it named; None is unscored, "" names nothing."""
    scores = np.array([np.nan if n is None else float(n == t) for n, t in zip(names, TRUTH, strict=True)])
    return Seen({i: n for i, n in enumerate(names) if n}, scores)


def restless(seed: int) -> Seen:
    """A healthy run: some answers differ from run to run."""
    rng = np.random.default_rng(seed)
    return seen([LABELS[rng.integers(3)] if rng.random() < 0.1 else t for t in TRUTH])


def test_the_pair_that_moved_is_named_with_what_is_usual():
    """All "bug" tickets are named "login" now; nothing else moved."""
    now = seen(["login" if t == "bug" else t for t in TRUTH])
    found = confusion(EXAMPLES, now, [restless(i) for i in range(6)])
    assert found is not None
    (pair,) = found.moved
    assert (pair.expected, pair.named, pair.now, pair.of) == ("bug", "login", 20, 20)
    assert pair.was < 2
    row, column = found.labels.index("bug"), found.columns.index("login")
    assert found.now[row, column] == 20
    assert found.now[row].sum() == 20


def test_chance_moves_no_pair():
    """Another healthy run names as many wrongly, and none of it is called a move."""
    for i in range(20):
        found = confusion(EXAMPLES, restless(100 + i), [restless(k) for k in range(6)])
        assert found is not None
        assert found.moved == ()


def test_answers_that_name_nothing_have_a_column():
    """A model that talks instead is told as such; what was not scored is not counted."""
    now = seen(["" if t == "bug" else None if t == "login" else t for t in TRUTH])
    found = confusion(EXAMPLES, now, [restless(1)])
    assert found is not None
    assert [(m.expected, m.named, m.now) for m in found.moved] == [("bug", NONE, 20)]
    assert "login" not in found.labels


def test_a_set_without_expected_labels_has_no_matrix():
    """Refusals are labels too, and nothing that was expected."""
    kinds = seen(["answer"] * 60)
    assert confusion(EXAMPLES, kinds, [kinds]) is None
    assert confusion([Example("a", "?")], seen(TRUTH), []) is None


def test_labels_that_differ_by_case_alone_are_two():
    """Where case counts, "Bug" is not "bug"."""
    examples = [Example(str(i), "?", "Bug" if i % 2 else "bug") for i in range(20)]
    labels = dict.fromkeys(range(20), "bug")
    usual = Seen({i: "Bug" if i % 2 else "bug" for i in range(20)}, np.ones(20))
    found = confusion(examples, Seen(labels, np.ones(20)), [usual])
    assert found is not None
    assert [(m.expected, m.named, m.now, m.of) for m in found.moved] == [("Bug", "bug", 10, 10)]
