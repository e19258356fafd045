"""Does every format become the golden set that its file meant, and is what cannot be carried over told?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.errors import UserError
from service.golden import freeze, load
from service.imports import FORMATS, Imported, read

PROMPTFOO = """
prompts:
  - "Route this ticket: {{ ticket }}"
  - "Second: {{ ticket }}"
providers: [openai:gpt-4o-mini]
defaultTest:
  assert: [{type: latency, threshold: 500}]
tests:
  - vars: {ticket: I was charged twice}
    assert: [{type: equals, value: billing}]
    metadata: {lang: en}
  - vars: {ticket: Cannot log in}
    assert: [{type: equals, value: login}, {type: llm-rubric, value: polite}]
  - vars: {ticket: Where is my parcel}
    assert: [{type: contains, value: ship}]
  - file://more.yaml
"""


def lines(*objects: Any) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


TALK = [{"role": "system", "content": "Route."}, {"role": "user", "content": "x"}]
CASES: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "csv": (
        "a.csv",
        'id,input,expected\n1,"charged, twice",billing\n2,"two\nlines",bug\n',
        [
            {"id": "1", "input": "charged, twice", "expected": "billing"},
            {"id": "2", "input": "two\nlines", "expected": "bug"},
        ],
    ),
    "jsonl": (
        "a.jsonl",
        lines({"question": "2+2?", "answer": 4}, {"question": "true?", "answer": True}),
        [{"input": "2+2?", "expected": 4}, {"input": "true?", "expected": "true"}],
    ),
    "openai-chat": (
        "a.jsonl",
        lines(
            {"messages": [*TALK, {"role": "assistant", "content": "bug"}]}
        ),
        [{"input": TALK, "expected": "bug", "origin": "train"}],
    ),
    "openai-evals": (
        "a.jsonl",
        lines({"input": [{"role": "user", "content": "Capital of France?"}], "ideal": ["Paris", "paris"]}),
        [{"input": [{"role": "user", "content": "Capital of France?"}], "expected": ["Paris", "paris"]}],
    ),
    "lm-eval": (
        "a.jsonl",
        lines(
            {"doc_id": 0, "doc": {}, "target": "4", "arguments": [["Q: 2+2\nA:", {"until": ["\n"]}]], "resps": [["4"]]},
            {"doc_id": 1, "doc": {}, "target": "6", "arguments": {"gen_args_0": {"arg_0": "Q: 3+3\nA:", "arg_1": {}}}},
            {"doc_id": 2, "doc": {}, "target": "0", "arguments": [["x", " a"], ["x", " b"]], "resps": []},
        ),
        [{"id": "0", "input": "Q: 2+2\nA:", "expected": "4"}, {"id": "1", "input": "Q: 3+3\nA:", "expected": "6"}],
    ),
    "langfuse": (
        "a.json",
        json.dumps(
            {"data": [
                {"id": "i1", "status": "ACTIVE", "input": {"question": "x?"}, "expectedOutput": {"label": "bug"},
                 "metadata": {"lang": "de"}},
                {"id": "i2", "status": "ARCHIVED", "input": "old"},
            ]}
        ),
        [{"id": "i1", "input": "x?", "expected": {"label": "bug"}, "slices": {"lang": "de"}}],
    ),
    "inspect": (
        "a.jsonl",
        lines({"id": 7, "input": "Which?", "choices": ["red", "blue"], "target": "B", "metadata": {"hard": True}}),
        [{"id": "7", "input": "Which?\n\nA) red\nB) blue", "expected": "B", "slices": {"hard": "true"}}],
    ),
    "deepeval": (
        "a.json",
        json.dumps([{"input": "x?", "expected_output": "y", "context": ["c"], "actual_output": None}]),
        [{"input": "x?", "expected": "y"}],
    ),
    "promptfoo": (
        "a.yaml",
        PROMPTFOO,
        [
            {"input": "Route this ticket: I was charged twice", "expected": "billing", "slices": {"lang": "en"}},
            {"input": "Route this ticket: Cannot log in", "expected": "login"},
        ],
    ),
}  # fmt: skip


def given(folder: Path, name: str) -> Imported:
    file, text, _ = CASES[name]
    (folder / file).write_text(text, "utf-8")
    return read(folder / file, name, {})


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_becomes_the_golden_set_that_it_meant(name: str, tmp_path: Path) -> None:
    """Question, answer, slices and origin are the source's; ids are there, unique and the same at a second import."""
    found = given(tmp_path, name)
    expected = CASES[name][2]
    assert [
        {k: v for k, v in row.items() if k != "id" or "id" in expected[0]} for row in found.rows
    ] == expected
    assert [row["id"] for row in found.rows] == [row["id"] for row in given(tmp_path, name).rows]


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_can_be_frozen(name: str, tmp_path: Path) -> None:
    """Every format's rows are sound golden lines."""
    golden = tmp_path / "golden.jsonl"
    golden.write_text(lines(*given(tmp_path, name).rows))
    freeze(golden, 0.0)
    assert len(load(golden).examples) == len(CASES[name][2])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("promptfoo", ["assertion latency", "assertion llm-rubric", "tests in files",
                       "tests that assert contains where most assert equals", "prompts after the first", "providers"]),
        ("langfuse", ["archived items"]),
        ("lm-eval", ["likelihood of several choices", "recorded answers"]),
        ("deepeval", ["context: put it into the prompt"]),
    ],
)  # fmt: skip
def test_nothing_is_dropped_in_silence(name: str, told: list[str], tmp_path: Path) -> None:
    """What a scorer or an example cannot hold is listed."""
    left = given(tmp_path, name).left
    for words in told:
        assert any(words in one for one in left), (words, left)


@pytest.mark.parametrize(
    ("cell", "scorer", "expected"),
    [
        ("billing", {"kind": "exact_match"}, "billing"),
        ("contains: bill", {"kind": "contains"}, "bill"),
        ("icontains-any: Bill, Pay", {"kind": "contains", "ignore_case": True}, ["Bill", "Pay"]),
    ],
)
def test_an_expected_column_says_how(cell: str, scorer: Any, expected: Any, tmp_path: Path) -> None:
    """promptfoo's CSV: a bare text is equalled, a typed one means the scorer of its type."""
    file = tmp_path / "a.csv"
    file.write_text(f'question,__expected\nx?,"{cell}"\n')
    found = read(file, "promptfoo", {})
    assert (found.scorers, found.rows[0]["expected"]) == ([scorer], expected)


def test_a_negation_is_never_its_opposite(tmp_path: Path) -> None:
    """``not-contains`` has no scorer of its own: it is told, and does not become ``contains``."""
    file = tmp_path / "a.csv"
    file.write_text("question,__expected\nx?,not-contains: bug\n")
    found = read(file, "promptfoo", {})
    assert found.scorers == []
    assert found.left["assertion not-contains: write a scorer for it"] == 1


@pytest.mark.parametrize(
    ("name", "file", "text", "said"),
    [
        ("jsonl", "a.jsonl", '{"input": "x"}\nnot json\n', "line 2: not JSON"),
        ("jsonl", "a.jsonl", "[1]", "item 1: an object is needed"),
        ("csv", "a.csv", "q,a\nx,y\n", "nothing says what is asked"),
        ("csv", "a.csv", "input,a\nx,y,z\n", "line 2: the row has other fields than the header"),
        ("promptfoo", "a.yaml", "tests: [", "no YAML"),
        ("promptfoo", "a.yaml", "tests: file://t.csv", "there is no list `tests`"),
        ("promptfoo", "a.yaml", "tests: [{vars: {a: x, b: y}}]", "several variables and no prompt"),
        ("openai-chat", "a.jsonl", '{"prompt": "x"}', "there is no list `messages`"),
        ("inspect", "a.jsonl", '{"target": "x"}', "holds no example in the form of inspect"),
        ("excel", "a.xlsx", "", "there is no format 'excel'"),
    ],
)
def test_a_file_that_is_none_is_told_with_its_place(
    name: str, file: str, text: str, said: str, tmp_path: Path
) -> None:
    """What, where, and what to do; no traceback."""
    (tmp_path / file).write_text(text)
    with pytest.raises(UserError) as caught:
        read(tmp_path / file, name, {})
    assert said in str(caught.value)
    assert caught.value.remedy


def test_ids_that_repeat_are_made_of_the_content(tmp_path: Path) -> None:
    """Two rows with one id become two examples; an exact repetition becomes one; both are told."""
    file = tmp_path / "a.jsonl"
    file.write_text(lines(*[{"id": "1", "input": text} for text in ("x", "y", "x")]))
    found = read(file, "jsonl", {})
    assert len({row["id"] for row in found.rows}) == len(found.rows) == 2
    assert found.left["exact repetitions of an example"] == 1


def test_columns_are_mapped_and_the_others_told(tmp_path: Path) -> None:
    """--map names fields, slices too; a field that nobody mapped is listed with how to keep it."""
    file = tmp_path / "a.csv"
    file.write_text("Frage;Antwort;Sprache;Notiz\nx;y;de;z\n")
    found = read(file, "csv", {"input": "Frage", "expected": "Antwort", "slices.lang": "Sprache"})
    [row] = found.rows
    assert (row["input"], row["expected"], row["slices"]) == ("x", "y", {"lang": "de"})
    assert any("'Notiz'" in left for left in found.left)
    with pytest.raises(UserError, match="no field 'Question'"):
        read(file, "csv", {"input": "Question"})
