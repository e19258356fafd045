"""Does every format become the golden set that its file meant, and is what cannot be carried over told?"""

from __future__ import annotations

import json
import sys
from datetime import date
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
    "parquet": (
        "a.parquet", "",
        [
            {"id": "1", "input": "Seit wann?", "expected": "2026-03-01", "slices": {"lang": "de"}},
            {"id": "2", "input": "2+2?", "expected": None, "slices": {"lang": "en"}},
        ],
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
        lines({"id": 7, "input": "Which?", "choices": ["red", "blue"], "target": "B", "metadata": {"hard": True},
               "solver": "cot"}),
        [{"id": "7", "input": "Which?\n\nA) red\nB) blue", "expected": "B", "slices": {"hard": "true"}}],
    ),
    "deepeval": (
        "a.json",
        json.dumps([{"input": "x?", "expected_output": "y", "context": ["c"], "actual_output": None, "custom": 1}]),
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


PARQUET = [
    {"id": 1, "question": "Seit wann?", "answer": date(2026, 3, 1), "lang": "de", "scores": [0.5]},
    {"id": 2, "question": "2+2?", "answer": None, "lang": "en", "scores": None},
]


def given(folder: Path, name: str) -> Imported:
    file, text, _ = CASES[name]
    if name == "parquet":
        pa = pytest.importorskip(
            "pyarrow", reason="pyarrow is not installed: pip install 'goldwatch[parquet]'"
        )
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pa.Table.from_pylist(PARQUET), folder / file)
        return read(folder / file, name, {"slices.lang": "lang"})
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
        ("deepeval", ["context: put it into the prompt", "custom: no part"]),
        ("inspect", ["solver: no part"]),
        ("openai-evals", ["Match takes any beginning"]),
        ("parquet", ["field 'scores': not mapped"]),
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
        ("promptfoo", "a.yaml", "tests: file://t.csv", "tests in files of their own"),
        ("promptfoo", "a.yaml", "redteam: {}", "there is no list `tests`"),
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


def test_yaml_is_read_as_javascript_reads_it(tmp_path: Path) -> None:
    """``Yes``, ``12:30``, ``010`` and dates are what was written, not truth values, seconds, octals and objects."""
    file = tmp_path / "a.yaml"
    words = ["Yes", "off", "12:30", "010", "2026-03-01", "7", "true"]
    tests = "".join(
        f"  - {{vars: {{body: {word}}}, assert: [{{type: equals, value: {word}}}]}}\n" for word in words
    )
    file.write_text(f"prompts: ['Say {{{{body}}}}']\ntests:\n{tests}")
    found = read(file, "promptfoo", {})
    assert [row["input"] for row in found.rows] == [f"Say {word}" for word in words if word != "true"]
    assert [row["expected"] for row in found.rows] == ["Yes", "off", "12:30", "010", "2026-03-01", 7]


def test_a_templated_assertion_is_looked_up(tmp_path: Path) -> None:
    """promptfoo's ``$ref`` means what stands where it points; one that points nowhere, or at itself, is told."""
    file = tmp_path / "a.yaml"
    file.write_text(
        "tests:\n  - {vars: {question: x}, assert: [{$ref: '#/assertionTemplates/arr'}]}\n"
        "  - {vars: {question: y}, assert: [{$ref: '#/none'}, {$ref: '#/assertionTemplates/loop'}]}\n"
        "assertionTemplates: {arr: {type: icontains, value: arrr}, loop: {$ref: '#/assertionTemplates/loop'}}\n"
    )
    found = read(file, "promptfoo", {})
    assert [row["expected"] for row in found.rows] == ["arrr"]
    assert found.left["assertion without a type: write a scorer for it"] == 2


@pytest.mark.parametrize(
    ("cell", "left"),
    [
        ("is-json", "assertion is-json"),
        ("fn:output.length > 3", "assertion fn"),
        ("file://check.py", "assertion file://"),
        ("similar(0.9):hello", "assertion similar"),
    ],
)
def test_an_assertion_without_a_value_is_none_to_be_equalled(cell: str, left: str, tmp_path: Path) -> None:
    """A type that stands alone is no text; what goldwatch has no scorer for is told."""
    file = tmp_path / "a.csv"
    file.write_text(f"question,__expected\nx?,{cell}\n")
    found = read(file, "promptfoo", {})
    assert (found.scorers, [row["expected"] for row in found.rows]) == ([], [None])
    assert any(one.startswith(left) for one in found.left)


def test_a_text_that_looks_like_a_type_is_equalled(tmp_path: Path) -> None:
    """Only promptfoo's own types are types."""
    file = tmp_path / "a.csv"
    file.write_text('question,topic,__expected,__metadata:tags[]\nx?,t,note: see below,"a,b"\n')
    found = read(file, "promptfoo", {})
    assert (found.scorers, found.rows[0]["expected"]) == ([{"kind": "exact_match"}], "note: see below")
    assert "slices" not in found.rows[0]
    assert {"variable topic: not asked, since there is no prompt in this file"} <= found.left.keys()
    assert any(one.startswith("metadata.tags[]") for one in found.left)


def test_goldens_of_deepeval_come_as_csv_too(tmp_path: Path) -> None:
    """``save_as`` writes CSV; contexts and files are told."""
    file = tmp_path / "a.csv"
    file.write_text("input,actual_output,expected_output,context,source_file\nx?,z,y,a|b,f.txt\n")
    found = read(file, "deepeval", {})
    assert [(row["input"], row["expected"]) for row in found.rows] == [("x?", "y")]
    assert {one.partition(":")[0] for one in found.left} == {"recorded answers", "context", "source_file"}


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is named; nothing else of goldwatch needs it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError) as caught:
        read(tmp_path / "a.parquet", "parquet", {})
    assert "goldwatch[parquet]" in (caught.value.remedy or "")


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    """A sentence, no traceback."""
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'goldwatch[parquet]'")
    (tmp_path / "a.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(UserError, match="no Parquet"):
        read(tmp_path / "a.parquet", "parquet", {})


def test_inspect_takes_other_fields_and_csv(tmp_path: Path) -> None:
    """``--map`` is its FieldSpec; choices in CSV are a list; an unknown key is told."""
    file = tmp_path / "a.jsonl"
    file.write_text(lines({"question": "x?", "right": "A", "topic": "law", "rest": 1}))
    found = read(file, "inspect", {"input": "question", "expected": "right", "slices.topic": "topic"})
    (row,) = found.rows
    assert (row["input"], row["expected"], row["slices"]) == ("x?", "A", {"topic": "law"})
    assert list(found.left) == ["rest: no part of a golden example"]
    with pytest.raises(UserError, match="samples without the field input"):
        read(file, "inspect", {})
    with pytest.raises(UserError, match="not for inspect"):
        read(file, "inspect", {"weight": "rest"})
    table = tmp_path / "a.csv"
    table.write_text('input,target,choices\nWhich?,B,"red,blue"\n')
    assert read(table, "inspect", {}).rows[0]["input"] == "Which?\n\nA) red\nB) blue"


def test_a_question_about_a_picture_is_not_asked_without_it(tmp_path: Path) -> None:
    """The example is left whole, not shortened into another question."""
    file = tmp_path / "a.jsonl"
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image", "image": "a.png"}]
    file.write_text(lines({"input": [{"role": "user", "content": parts}]}, {"input": "x?"}))
    found = read(file, "inspect", {})
    assert [row["input"] for row in found.rows] == ["x?"]
    assert found.left["conversations with pictures, sound or files: not to be asked without them"] == 1


def test_a_map_is_never_ignored(tmp_path: Path) -> None:
    """Where the form says which field is what, --map is refused."""
    file = tmp_path / "a.jsonl"
    file.write_text(lines({"input": "x", "ideal": "y"}))
    with pytest.raises(UserError, match="not for openai-evals"):
        read(file, "openai-evals", {"input": "ideal"})


def test_why_nothing_could_be_read_is_told(tmp_path: Path) -> None:
    """A file of goldens of several turns says that, not only that it holds no example."""
    file = tmp_path / "a.json"
    file.write_text(json.dumps([{"scenario": "s", "turns": "user: x|assistant: y", "expected_outcome": "z"}]))
    with pytest.raises(UserError, match="of several turns"):
        read(file, "deepeval", {})


def test_the_last_answer_of_a_chat_is_expected_and_not_asked(tmp_path: Path) -> None:
    """Hugging Face's chat data sets: ``messages`` that end with an answer; with a field for it, that one counts."""
    file = tmp_path / "a.jsonl"
    answered = [*TALK, {"role": "assistant", "content": "bug"}]
    file.write_text(
        lines({"messages": answered}, {"messages": answered, "label": "login"}, {"messages": answered[2:]})
    )
    found = read(file, "jsonl", {})
    assert [(row["input"], row["expected"]) for row in found.rows] == [(TALK, "bug"), (answered, "login")]
    assert found.left["conversations in which nothing is asked"] == 1
