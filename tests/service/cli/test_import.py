"""Does ``goldwatch import`` write what freeze accepts, and say what it did?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service import cli


def test_it_writes_a_golden_set_and_says_what_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is there, the scorers are printed for goldwatch.yaml, what was left is counted, the next step named."""
    source, golden = tmp_path / "tests.csv", tmp_path / "golden" / "faq.jsonl"
    source.write_text("question,__expected,__threshold\nx?,contains: y,0.5\nz?,contains: w,\n")
    assert cli.run(["import", str(source), "--format", "promptfoo", "-o", str(golden)]) == 0
    said = capsys.readouterr().out
    assert "2 examples" in said
    assert '- {"kind": "contains"}' in said
    assert "1 x threshold: not carried over" in said
    assert f"goldwatch freeze {golden}" in said
    assert cli.run(["freeze", str(golden)]) == 0


def test_it_replaces_nothing_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is there stays as it is, exit code 2; --force replaces it."""
    source, golden = tmp_path / "a.jsonl", tmp_path / "golden.jsonl"
    source.write_text('{"input": "x"}\n')
    golden.write_text("mine")
    assert cli.run(["import", str(source), "--format", "jsonl", "-o", str(golden)]) == 2
    assert golden.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert cli.run(["import", str(source), "--format", "jsonl", "-o", str(golden), "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["examples"] == 1


def test_what_would_not_freeze_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mapped value that no golden file may hold is told with its line, and nothing is written."""
    source, golden = tmp_path / "a.csv", tmp_path / "golden.jsonl"
    source.write_text("input,origin\nx,somewhere\n")
    assert cli.run(["import", str(source), "--format", "csv", "-o", str(golden)]) == 2
    assert "somewhere" in capsys.readouterr().err
    assert not golden.exists()
