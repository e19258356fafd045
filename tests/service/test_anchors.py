"""Are anchors read as they stand, and faulty ones told line by line?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.anchors import AnchorsError, load


def written(folder: Path, *extra: Any, count: int = 12) -> Path:
    """A file of sound anchors, and these lines after them."""
    path = folder / "anchors.jsonl"
    sound = [{"id": f"a{i}", "input": "?", "output": "x", "score": i / count} for i in range(count)]
    lines = [one if isinstance(one, str) else json.dumps(one) for one in (*sound, *extra)]
    path.write_text("\n".join(lines) + "\n\n")
    return path


def test_anchors_are_read_in_order(tmp_path: Path) -> None:
    """Inputs, outputs and scores; ``expected`` may be left out."""
    talk = [{"role": "user", "content": "a"}]
    found = load(written(tmp_path, {"id": "b", "input": talk, "expected": "y", "output": "z", "score": 1}))
    assert len(found.examples) == 13
    assert (found.examples[-1].expected, found.outputs[-1], found.human[-1]) == ("y", "z", 1.0)


def test_a_changed_file_is_another_one(tmp_path: Path) -> None:
    """Any change but blank lines gives another number."""
    one = load(written(tmp_path)).about
    assert load(written(tmp_path, "  ")).about == one
    assert load(written(tmp_path, {"id": "b", "input": "?", "output": "x", "score": 0})).about != one


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "line 13: is no JSON"),
        ("[1]", "line 13: must be an object"),
        ({"id": "b", "input": "?", "score": 1}, "line 13: output: must be a text"),
        (
            {"id": "b", "input": "?", "output": "x", "score": 5},
            "line 13: score: must be a number from 0 to 1, not 5",
        ),
        (
            {"id": "b", "input": "?", "output": "x", "score": True},
            "line 13: score: must be a number from 0 to 1",
        ),
        ({"id": "b", "input": "?", "output": "x", "score": 1, "human": 1}, "line 13: unknown key 'human'"),
        ({"input": "?", "output": "x", "score": 1}, "line 13: id: "),
        ({"id": "a1", "input": "?", "output": "x", "score": 1}, "the id 'a1' stands twice"),
    ],
)
def test_a_faulty_anchor_is_told(tmp_path: Path, line: Any, why: str) -> None:
    """With its line and what is wanted."""
    with pytest.raises(AnchorsError) as caught:
        load(written(tmp_path, line))
    assert why in caught.value.message


def test_too_few_anchors_and_a_missing_file_are_told(tmp_path: Path) -> None:
    """Nine are too few; what is not there cannot be read."""
    with pytest.raises(AnchorsError, match="9 anchors; at least 10 are needed"):
        load(written(tmp_path, count=9))
    with pytest.raises(AnchorsError, match="cannot be read"):
        load(tmp_path / "nothing.jsonl")
