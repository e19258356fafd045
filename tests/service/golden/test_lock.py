"""Digest, freeze and lock."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.types import Example
from service.golden import (
    EditedError,
    GoldenError,
    NotFrozenError,
    check_lock,
    digest,
    freeze,
    load,
    lock_path,
)

NOW = 1_760_000_000.0


@pytest.fixture
def golden(tmp_path):
    """Writes records as a golden file, each as JSON."""

    def write(*records, **options):
        path = tmp_path / "golden.jsonl"
        path.write_text("".join(json.dumps(record, **options) + "\n" for record in records))
        return path

    return write


def example(name: str, **fields):
    return {"id": name, "input": f"ticket {name}", **fields}


def test_the_digest_is_as_documented(golden) -> None:
    """Anyone can recompute the digest: SHA-256 over canonical lines, each with a line feed."""
    path = golden(
        example("b", expected="Ärger", weight=2, slices={"z": "1", "a": "2"}), example("a", group=None)
    )
    lines = (
        '{"expected":"Ärger","id":"b","input":"ticket b","slices":{"a":"2","z":"1"},"weight":2.0}\n'
        '{"id":"a","input":"ticket a"}\n'
    )
    assert load(path).digest == "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def test_form_does_not_matter(golden) -> None:
    """Key order, white space, escapes and written-out defaults leave the digest alone."""
    plain = load(golden({"id": "a", "input": "ä", "expected": {"x": 1, "y": 2}})).digest
    other = {
        "expected": {"y": 2, "x": 1},
        "weight": 1.0,
        "slices": {},
        "group": None,
        "input": "ä",
        "id": "a",
    }
    assert load(golden(other, ensure_ascii=False, separators=(" , ", " : "))).digest == plain


@pytest.mark.parametrize(
    "edit",
    [
        {"input": "tickets a"},
        {"expected": 1},
        {"expected": ""},
        {"slices": {"lang": "de"}},
        {"weight": 2},
        {"as_of": "2025-01-01"},
        {"origin": "novel"},
        {"group": "g"},
    ],
)
def test_any_change_of_content_changes_the_digest(golden, edit) -> None:
    """Every field counts."""
    assert load(golden({**example("a"), **edit})).digest != load(golden(example("a"))).digest


@given(st.permutations(["a", "b", "c"]), st.text(st.characters(codec="utf-8"), min_size=1))
def test_order_and_text_count(order: list[str], text: str) -> None:
    """Another order is another digest, and so is another text, normal forms included."""
    examples = [Example(name, text) for name in "abc"]
    shuffled = [Example(name, text) for name in order]
    assert (digest(shuffled) == digest(examples)) == (order == ["a", "b", "c"])
    assert digest([Example("a", text + "\u00e9")]) != digest([Example("a", text + "e\u0301")])


def test_freezing_writes_the_lock(golden) -> None:
    """The first freeze is version 1 and tells digest, count, slices and when; then the set is accepted."""
    path = golden(example("a", slices={"lang": "de"}), example("b"))
    lock = freeze(path, NOW)
    assert (lock.version, lock.count, lock.slices) == (1, 2, {"lang=de": 1})
    assert (lock.frozen_at, lock.previous) == ("2025-10-09T08:53:20Z", ())
    assert lock.change.written
    assert lock.digest == load(path).digest
    assert check_lock(path).version == load(path).version == 1
    assert list(json.loads(lock_path(path).read_text())["examples"]) == ["a", "b"]
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []


def test_freezing_again_changes_nothing(golden) -> None:
    """An unchanged set keeps its lock byte for byte, also if only its form changed, and that is said."""
    path = golden(example("a"))
    freeze(path, NOW)
    before = lock_path(path).read_bytes()
    lock = freeze(golden({"input": "ticket a", "id": "a"}, indent=None), NOW + 99)
    assert (lock.version, lock.change.written, lock.change.summary) == (1, False, "unchanged")
    assert lock_path(path).read_bytes() == before


def test_an_edited_set_is_refused_and_frozen_as_the_next_version(golden) -> None:
    """An edit is named by its examples; freezing it makes the next version, which shares the rest."""
    path = golden(example("a"), example("b"), example("c"))
    first = freeze(path, NOW)
    path = golden(example("a"), example("b", expected="x"), example("d"))
    with pytest.raises(EditedError) as caught:
        check_lock(path)
    edited = caught.value
    assert (edited.changed, edited.added, edited.removed) == (("b",), ("d",), ("c",))
    assert "edited since it was frozen as version 1: 1 changed (b), 1 added (d), 1 removed (c)" in str(edited)
    assert "goldwatch freeze" in edited.remedy
    assert load(path).version is None
    lock = freeze(path, NOW + 60)
    assert (lock.version, lock.change.shared) == (2, 1)
    assert lock.change.summary == "1 shared, 1 new, 1 changed, 1 removed"
    assert [(one.version, one.digest) for one in lock.previous] == [(1, first.digest)]
    assert check_lock(path).version == 2


def test_another_order_is_an_edit(golden) -> None:
    """A set in another order is refused, and the order is named as the cause."""
    freeze(golden(example("a"), example("b")), NOW)
    with pytest.raises(EditedError, match="the order changed"):
        check_lock(golden(example("b"), example("a")))


def test_a_set_without_a_lock_is_refused(golden) -> None:
    """An unfrozen set is refused with the command that freezes it."""
    with pytest.raises(NotFrozenError) as caught:
        check_lock(golden(example("a")))
    assert caught.value.remedy.startswith("run: goldwatch freeze ")
    assert caught.value.exit_code == 2


def test_a_large_set_keeps_no_examples(golden, monkeypatch) -> None:
    """Above the bound the lock keeps no examples; an edit is refused, its extent unknown."""
    monkeypatch.setattr("service.golden.read.COMPARED", 1)
    assert freeze(golden(example("a"), example("b")), NOW).examples is None
    path = golden(example("a"), example("c"))
    with pytest.raises(EditedError, match="its content changed"):
        check_lock(path)
    assert freeze(path, NOW).change.summary == "too many examples to compare"


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "nonsense", '{"format": 1, "version": "x"}', '{"format": 2}', b"\xff"]
)
def test_a_damaged_lock_is_told(golden, content) -> None:
    """A lock that cannot be read is a fault with a remedy and never overwritten; the set still loads."""
    path = golden(example("a"))
    content = content.encode() if isinstance(content, str) else content
    lock_path(path).write_bytes(content)
    for use in (check_lock, lambda p: freeze(p, NOW)):
        with pytest.raises(GoldenError) as caught:
            use(path)
        assert caught.value.remedy
    assert lock_path(path).read_bytes() == content
    assert load(path).version is None


def test_a_faulty_set_is_not_frozen(golden) -> None:
    """Freezing a set with faults tells them and writes no lock."""
    path = golden(example("a"), example("a"))
    with pytest.raises(GoldenError, match="is the id of line 1 too"):
        freeze(path, NOW)
    assert not lock_path(path).exists()
