"""Are the inputs of training data read in the forms that people have?"""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.types import Message
from service.errors import UserError
from service.training import training_inputs

FORMS = {
    "a.jsonl": ('\ufeff{"instruction": "Route it.", "input": "It broke"}\n\n{"text": "whole"}\n',
                [(1, "Route it.\nIt broke"), (3, "whole")]),
    "b.jsonl": ('{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "bug"}]}\n',
                [(1, [Message("user", "hi")])]),
    "c.csv": ('id,question,answer\n1,"two\nlines",x\n2,one,y\n', [(3, "two\nlines"), (4, "one")]),
    "d.tsv": ("prompt\tcompletion\nhello\tx\n", [(2, "hello")]),
    "e.txt": ("first\n\n  second \n", [(1, "first"), (3, "second")]),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_its_inputs_and_lines(name: str, tmp_path: Path) -> None:
    """Without the answers, each with the line that it is on."""
    text, expected = FORMS[name]
    (tmp_path / name).write_text(text, "utf-8")
    assert list(training_inputs(tmp_path / name)) == expected


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "id,answer\n1,2\n", "a.csv:1: no column of input"),
        ("a.csv", "", "a.csv:1: no column of input"),
        ("a.jsonl", '{"input": "x"}\n{"answer": 1}\n', "a.jsonl:2: not a training example"),
        ("a.csv", 'input,b\n"x,1\n', "a.csv:1: not a line of CSV: unexpected end"),
    ],
)
def test_what_holds_no_input_is_named(name: str, text: str, said: str, tmp_path: Path) -> None:
    """With the line and what is wanted."""
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(UserError, match=said):
        list(training_inputs(tmp_path / name))
