"""Are golden sets kept as they were?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import func, select

from service.store.tables import EXAMPLE


def test_a_golden_set_comes_back_whole(scene: Any) -> None:
    """Conversations, JSON of any shape, slices and hostile characters come back as they were."""
    assert scene.store.golden(scene.golden.digest) == scene.golden
    assert scene.store.golden("sha256:other") is None


def test_putting_it_twice_changes_nothing_but_its_version(scene: Any) -> None:
    """The same digest is kept once; a version that becomes known is learnt, and never forgotten."""
    scene.store.put_golden(replace(scene.golden, version=2))
    scene.store.put_golden(replace(scene.golden, version=None))
    assert scene.store.golden(scene.golden.digest).version == 2
    assert scene.store.golden(scene.golden.digest).examples == scene.golden.examples


def test_versions_share_examples(scene: Any) -> None:
    """An edited set adds only the examples that changed."""
    edited = replace(scene.golden.examples[2], expected="new")
    examples = (*scene.golden.examples[:2], edited, *scene.golden.examples[3:])
    second = replace(scene.golden, digest="sha256:second", examples=examples)
    scene.store.put_golden(second)
    assert scene.store.golden("sha256:second") == second
    with scene.store._read() as connection:
        assert connection.scalar(select(func.count()).select_from(EXAMPLE)) == len(examples) + 1


def test_some_examples_come_in_golden_order(scene: Any) -> None:
    """Examples that are asked for by id come in the set's order, unknown ids left out."""
    found = scene.store.golden_examples(scene.golden.digest, ["e3", "nobody", "e0", "e3"])
    assert found == [scene.golden.examples[0], scene.golden.examples[3]]
    assert scene.store.golden_examples("sha256:other", ["e0"]) == []
