"""Do twins ask the same in other words, and is what the answer hangs on left alone?"""

from __future__ import annotations

import json

import pytest

from checks.generalization import TWINS, gaps_of
from checks.twins import KINDS, twins_of
from checks.types import Example, Message

TEXT = 'I can\'t find order A-1234 anywhere. It was "Paid Twice" by Anna Schmidt. Please check the invoices again.'


def twin(kind: str, text: str = TEXT, expected: object = "billing", **more) -> str | None:
    """The disturbed text, None where none was made."""
    whole = twins_of([Example("T-1", text, expected, **more)], [kind])
    return whole[1].input if len(whole) == 2 else None


@pytest.mark.parametrize("kind", KINDS)
def test_a_twin_differs_and_keeps_ids_and_quotes(kind: str) -> None:
    """Every kind changes the text; the id with digits stays, and so does what stands in quotes, or none is made."""
    changed = twin(kind, TEXT.replace('"Paid Twice"', "paid"))
    assert changed != TEXT
    assert "A-1234" in changed
    quoted = twin(kind)
    assert quoted is None or '"Paid Twice"' in quoted


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_expected_stays_in_the_input(kind: str) -> None:
    """A text of the expected answer that stands in the input stands in the twin, or there is no twin."""
    for expected in ("Anna Schmidt", {"customer": ["Anna Schmidt"]}, {"who": {"name": "invoices"}}):
        changed = twin(kind, TEXT.replace('"', ""), expected)
        part = "invoices" if "invoices" in json.dumps(expected) else "Anna Schmidt"
        assert changed is None or part in changed


def test_the_kinds_do_what_their_names_say() -> None:
    """Capitals for what was small, contractions written out, the last sentence first."""
    assert twin("case", "where is it") == "WHERE IS IT"
    assert twin("case", "Where Is It") == "where is it"
    assert twin("phrase", "It's late. I don\u2019t know") == "It is late. I do not know"
    assert twin("order", "It broke. Please help.") == "Please help. It broke."
    assert twin("spacing", "a b").split() == ["a", "b"]
    assert sorted(twin("typo", "refund")) == sorted("refund")


def test_a_text_that_cannot_be_changed_gets_no_twin() -> None:
    """An id, one sentence without contractions, words too short to swap."""
    assert [
        twin("case", "A-1"),
        twin("order", "one sentence"),
        twin("phrase", "hello"),
        twin("typo", "a b"),
    ] == [None] * 4


def test_twins_carry_on_as_a_group_and_a_slice() -> None:
    """Original and twin share a group; the twin keeps the other fields, and their gap can be watched."""
    examples = [
        Example(f"T-{i}", f"where is parcel number {i}", "shipping", {"lang": "en"}) for i in range(40)
    ]
    whole = twins_of(examples, ["case", "typo"])
    assert len(whole) == 80
    assert (whole[0].group, whole[40].group, whole[40].expected) == ("T-0", "T-0", "shipping")
    assert whole[40].slices["lang"] == "en"
    assert {e.slices["twin"] for e in whole[40:]} == {"case", "typo"}
    assert len(gaps_of(whole)[TWINS].new) == 40
    assert twins_of(whole, ["case", "typo"])[:80] == whole  # twins get no twins


def test_a_set_that_grows_keeps_its_twins() -> None:
    """Which examples get a twin, and how, depends on their own ids alone."""
    examples = [Example(f"T-{i}", f"where is my parcel, the one for flat {i}?", "x") for i in range(60)]
    few, more = (twins_of(examples[:n], list(KINDS), 0.3) for n in (30, 60))
    assert 3 <= len(few) - 30 <= 20
    assert {e.id: e for e in few}.items() <= {e.id: e for e in more}.items()


def test_only_the_last_message_of_the_user_is_disturbed() -> None:
    """The rest of a conversation stays."""
    turns = (Message("system", "route it"), Message("user", "hi there"), Message("assistant", "yes?"),
             Message("user", "where is it"))  # fmt: skip
    changed = twins_of([Example("c", turns, "x")], ["case"])[1].input
    assert changed == (*turns[:3], Message("user", "WHERE IS IT"))


@pytest.mark.parametrize(
    ("kinds", "share", "said"), [(["x"], 1.0, "'x'"), ([], 1.0, "no kind"), (["case"], 0.0, "not 0")]
)
def test_bad_wishes_are_refused(kinds: list[str], share: float, said: str) -> None:
    """With what is wrong."""
    with pytest.raises(ValueError, match=said):
        twins_of([], kinds, share)
