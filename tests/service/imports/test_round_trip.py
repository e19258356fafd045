"""Is a golden set that is written in a format's own form the same golden set when it is brought back?"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from service.golden import freeze, load
from service.imports import FORMATS, read

Row = dict[str, Any]
TEXTS = ("I was charged twice, again", 'She said "no"\nand left', "Wo ist mein Paket? 📦", "x;y\tz")
ROWS: tuple[Row, ...] = tuple(
    {"id": f"t-{n}", "input": text, "expected": label, "slices": {"lang": lang}}
    for n, (text, label, lang) in enumerate(zip(TEXTS, ("billing", "bug", "shipping", "bug"), "eede", strict=True))
)  # fmt: skip
WITHOUT_IDS = frozenset({"openai-chat", "openai-evals", "promptfoo"})
WITHOUT_SLICES = frozenset({"openai-chat", "openai-evals", "lm-eval"})


def lines(made: Callable[[Row], Any]) -> str:
    return "".join(json.dumps(made(row)) + "\n" for row in ROWS)


def table() -> str:
    held = io.StringIO()
    writer = csv.DictWriter(held, ["id", "input", "expected", "lang"])
    writer.writeheader()
    writer.writerows({**{k: row[k] for k in ("id", "input", "expected")}, **row["slices"]} for row in ROWS)
    return held.getvalue()


FORMS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "csv": ("a.csv", table),
    "jsonl": ("a.jsonl", lambda: lines(lambda row: row)),
    "openai-chat": (
        "a.jsonl",
        lambda: lines(
            lambda row: {
                "messages": [
                    {"role": "user", "content": row["input"]},
                    {"role": "assistant", "content": row["expected"]},
                ]
            }
        ),
    ),
    "openai-evals": ("a.jsonl", lambda: lines(lambda row: {"input": row["input"], "ideal": row["expected"]})),
    "lm-eval": (
        "a.jsonl",
        lambda: lines(
            lambda row: {
                "doc_id": row["id"],
                "doc": {},
                "target": row["expected"],
                "arguments": {"gen_args_0": {"arg_0": row["input"], "arg_1": {"until": ["\n"]}}},
            }
        ),
    ),
    "langfuse": (
        "a.json",
        lambda: json.dumps(
            {
                "data": [
                    {
                        "id": row["id"],
                        "status": "ACTIVE",
                        "input": {"question": row["input"]},
                        "expectedOutput": row["expected"],
                        "metadata": row["slices"],
                    }
                    for row in ROWS
                ]
            }
        ),
    ),
    "inspect": (
        "a.jsonl",
        lambda: lines(
            lambda row: {
                "id": row["id"], "input": row["input"], "target": row["expected"], "metadata": row["slices"],
            }
        ),
    ),
    "deepeval": (
        "a.json",
        lambda: json.dumps(
            [
                {
                    "input": row["input"],
                    "expected_output": row["expected"],
                    "name": row["id"],
                    "additional_metadata": row["slices"],
                }
                for row in ROWS
            ]
        ),
    ),
    "promptfoo": (
        "a.json",
        lambda: json.dumps(
            {
                "prompts": ["{{ticket}}"],
                "tests": [
                    {
                        "vars": {"ticket": row["input"]},
                        "assert": [{"type": "equals", "value": row["expected"]}],
                        "metadata": row["slices"],
                    }
                    for row in ROWS
                ],
            }
        ),
    ),
}  # fmt: skip


def written(folder: Path, name: str) -> Path:
    if name == "parquet":
        pa = pytest.importorskip(
            "pyarrow", reason="pyarrow is not installed: pip install 'goldwatch[parquet]'"
        )
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pa.Table.from_pylist([dict(row) for row in ROWS]), folder / "a.parquet")
        return folder / "a.parquet"
    file, made = FORMS[name]
    (folder / file).write_text(made(), "utf-8")
    return folder / file


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_format_can_hold_comes_back(name: str, tmp_path: Path) -> None:
    """Questions, answers, ids and slices are the same; a form without ids gives the same ones at every import."""
    file = written(tmp_path, name)
    columns = {"slices.lang": "lang"} if name == "csv" else {}
    rows = read(file, name, columns).rows
    absent = ({"id"} if name in WITHOUT_IDS else set()) | ({"slices"} if name in WITHOUT_SLICES else set())
    kept = [key for key in ("id", "input", "expected", "slices") if key not in absent]
    asked = [row | {"input": [{"role": "user", "content": row["input"]}]} for row in ROWS]
    meant = asked if name == "openai-chat" else ROWS
    assert [{key: row.get(key) for key in kept} for row in rows] == [
        {key: row[key] for key in kept} for row in meant
    ]
    assert read(file, name, columns).rows == rows


@pytest.mark.parametrize("name", FORMATS)
def test_the_golden_set_is_a_data_set_itself(name: str, tmp_path: Path) -> None:
    """What was imported and frozen gives, as JSON lines, the same ids and the same content again, nothing left."""
    golden = tmp_path / "golden.jsonl"
    rows = read(written(tmp_path, name), name, {"slices.lang": "lang"} if name == "csv" else {}).rows
    golden.write_text("".join(json.dumps(row) + "\n" for row in rows))
    freeze(golden, 0.0)
    back = read(golden, "jsonl", {})
    assert back.rows == rows
    assert not back.left
    again = tmp_path / "again.jsonl"
    again.write_text("".join(json.dumps(row) + "\n" for row in back.rows))
    freeze(again, 1.0)
    assert load(again).digest == load(golden).digest
