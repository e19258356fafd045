"""The lint of golden sets."""

from __future__ import annotations

import math

import pytest

from checks.lint import Leaked, leaks, lint, smallest_drop
from checks.types import Example, Message, Origin


def of(n: int, **fields) -> list[Example]:
    return [
        Example(f"T-{i}", f"ticket number {i}", fields.get("expected", ("a", "b")[i % 2])) for i in range(n)
    ]


def codes(examples) -> dict[str, tuple[str, ...]]:
    return {f"{finding.level}:{finding.code}": finding.ids for finding in lint(examples)}


def test_a_sound_set_has_no_findings() -> None:
    """A balanced set of 100 different examples is fit."""
    assert lint(of(100)) == []
    assert lint([]) == []


def test_duplicate_inputs() -> None:
    """Equal inputs and those that differ in case or space are warned of, with their ids; others are not."""
    more = [Example("d", "Ticket  number 3", "b"), Example("e", "ticket number 4", "a")]
    assert codes([*of(100), *more]) == {
        "warning:near_duplicate_input": ("T-3", "d"),
        "warning:duplicate_input": ("T-4", "e"),
    }


def test_the_same_input_with_different_expected_is_an_error() -> None:
    """Equal inputs that expect different things come first, as an error."""
    found = lint([*of(99), Example("d", "TICKET NUMBER 3", "a")])
    assert [(str(f.level), f.code, f.ids) for f in found] == [("error", "conflicting_expected", ("T-3", "d"))]


def test_system_messages_make_inputs_differ() -> None:
    """Conversations with different system messages are no duplicates."""
    chats = [
        Example(str(i), (Message("system", f"as {i}"), Message("user", "hi")), ("a", "b")[i % 2])
        for i in range(100)
    ]
    assert lint(chats) == []


def test_a_small_set_is_told_what_it_can_show() -> None:
    """Below 100 examples the smallest drop of one run is told."""
    (finding,) = lint(of(50))
    assert finding.code == "small_set"
    assert "a drop of 8.3 points" in finding.message


def test_thin_and_single_valued_slices() -> None:
    """A slice below 30 examples and a key with one value are warned of; 30 examples are enough."""
    examples = [
        Example(f"T-{i}", f"t {i}", ("a", "b")[i % 2], {"lang": "de" if i < 29 else "en", "src": "x"})
        for i in range(100)
    ]
    assert set(codes(examples)) == {"warning:thin_slice", "warning:single_valued_slice"}
    thin = next(finding for finding in lint(examples) if finding.code == "thin_slice")
    assert thin.message.startswith("slice lang=de has 29 examples")
    assert len(thin.ids) == 29


def test_missing_expected() -> None:
    """Some examples without expected are a warning, all of them a note."""
    assert codes([*of(100), Example("d", "x")]) == {"warning:missing_expected": ("d",)}
    assert [str(f.level) for f in lint([Example(str(i), str(i)) for i in range(100)])] == ["info"]


def test_unbalanced_and_rare_labels() -> None:
    """A label that three quarters expect and labels with few examples are warned of; free texts are not."""
    examples = [Example(str(i), str(i), "a" if i < 97 else "b") for i in range(100)]
    assert codes(examples) == {"warning:unbalanced_labels": (), "warning:rare_label": ("97", "98", "99")}
    assert lint([Example(str(i), str(i), f"free text {i}") for i in range(100)]) == []


def test_leaks_are_told() -> None:
    """An input that stands in the training data, in any case, space or chat form, is a leak."""
    examples = [*of(3), Example("chat", (Message("system", "s"), Message("user", "Hello there")))]
    train = [
        "TICKET  number 1",
        "hello there",
        [Message("system", "other"), Message("user", "ticket number 2")],
        "new",
    ]
    found = {finding.code: finding for finding in leaks(examples, enumerate(train, 1))}
    assert (str(found["leak"].level), found["leak"].ids) == ("error", ("T-1", "T-2", "chat"))
    assert found["leak"].copies[0] == Leaked("T-1", 1, 1.0)
    assert leaks(examples, [(1, "new")]) == []


def test_near_leaks_are_told_with_their_lines_and_slices() -> None:
    """A typing error or two in a copy is a warning that names the line, the likeness and the slice, nearest first."""
    texts = [
        "The invoice of last month was charged twice",
        "My parcel has not come for two weeks",
        "Hello you",
    ]
    examples = [Example(f"E-{i}", text, "a", {"lang": "en"}) for i, text in enumerate(texts)]
    train = [(3, "my parcel has not come fur two weeks"), (9, "the invoice of last month was charged twice!")]
    (finding,) = leaks(examples, train)
    assert (str(finding.level), finding.code, finding.ids) == ("warning", "near_leak", ("E-0", "E-1"))
    assert [copy.line for copy in finding.copies] == [9, 3]
    assert finding.message.startswith("2 examples stand nearly so in the training data")
    assert "most in lang=en (2 of 3)" in finding.message


def test_examples_of_the_training_data_belong_there() -> None:
    """Those of origin train are no leak where they stand; where they do not, that is told."""
    examples = [
        Example("in", "The invoice of last month was charged twice", origin=Origin.TRAIN),
        Example("out", "My parcel has not come for two weeks", origin=Origin.TRAIN),
    ]
    (finding,) = leaks(examples, [(1, "the invoice of last month was charged twice")])
    assert (finding.code, finding.ids) == ("not_in_training", ("out",))


def test_the_smallest_drop() -> None:
    """The smallest drop is the half-width of the 95% interval, never above the accuracy itself."""
    assert smallest_drop(400, 0.5) == pytest.approx(1.96 * math.sqrt(0.25 / 400))
    assert smallest_drop(1, 0.5) == 0.5
    with pytest.raises(ValueError, match="n must be at least 1"):
        smallest_drop(0)
