"""How does a data set that people already have become a golden set? One file per format.

A format reads a file into :class:`Imported`: golden objects, the scorers that mean what its assertions meant, and
everything that could not be carried over, counted and in words. Nothing is dropped in silence. To add a format: a file
here with ``read(path, columns)``, a row in :data:`FORMATS`, and a test.

Ids are the source's own where it has unique ones, else made of the content, so that a second import of the same file
gives the same golden set.
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from service.errors import UserError

FORMATS: Final[Mapping[str, str]] = {
    "csv": "CSV or TSV with a header line; columns by --map",
    "jsonl": "JSON lines, as Hugging Face data sets have them; fields by --map",
    "parquet": "Parquet, as Hugging Face stores data sets (needs goldwatch[parquet]); fields by --map",
    "promptfoo": "promptfoo: a configuration with tests (YAML, JSON), tests as JSONL, or CSV with __expected",
    "openai-chat": "OpenAI fine-tuning JSONL: the last answer of a conversation is expected",
    "openai-evals": "OpenAI evals JSONL: input and ideal",
    "lm-eval": "samples that lm-evaluation-harness logs (JSONL)",
    "langfuse": "Langfuse data set items (JSON, JSONL)",
    "inspect": "Inspect samples (JSON, JSONL): input, target, id, metadata",
    "deepeval": "DeepEval goldens (JSON, JSONL, CSV): input, expected_output",
}
"""Each format's name and its one line of help."""

MAPPED: Final = frozenset({"csv", "jsonl", "parquet", "promptfoo", "inspect"})
"""Formats whose fields ``--map`` may name; the others say themselves where everything is."""

MOST_BYTES = 1 << 30
ID_CHARS = 200


@dataclass
class Imported:
    """What a file gave: golden ``rows``, ``scorers`` as configured, and what was ``left`` behind, with how often."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    scorers: list[dict[str, Any]] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)

    def add(self, given_id: Any, asked: Any, expected: Any, **more: Any) -> None:
        """One more example; a part that is None is left out."""
        row = {"id": given_id, "input": asked, "expected": _expected(expected)}
        self.rows.append(row | {key: value for key, value in more.items() if value not in (None, {}, "")})

    def use(self, scorer: dict[str, Any]) -> None:
        """Score by this too; each scorer once."""
        if scorer not in self.scorers:
            self.scorers.append(scorer)


Read = Callable[[Path, Mapping[str, str]], Imported]


def read(path: Path, name: str, columns: Mapping[str, str]) -> Imported:
    """Read a file in the form of a format, with ids that are unique.

    Args:
        path: the file.
        name: a key of :data:`FORMATS`.
        columns: golden key (``id``, ``input``, ``expected``, ``slices.KEY`` ...) to the file's own name for it.

    Raises:
        UserError: it cannot be read as that; says where and why.
    """
    if name not in FORMATS:
        raise UserError(f"there is no format {name!r}", f"one of: {', '.join(FORMATS)}")
    if columns and name not in MAPPED:
        raise UserError(f"--map is not for {name}: its form says which field is what", "leave --map out")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(
                f"{path} is larger than 1 GiB", "split it, or take a sample: a golden set is small"
            )
        reader: Read = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").read
        found = reader(path, columns)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", "give a readable UTF-8 file") from None
    if not found.rows:
        why = "; ".join(f"{many} x {what}" for what, many in found.left.most_common(3))
        raise UserError(
            f"{path} holds no example in the form of {name}{f': {why}' if why else ''}"[:600],
            "choose another --format, or name the fields with --map",
        )
    _name(found)
    return found


def _name(found: Imported) -> None:
    """Give each row an id: its own where all have unique ones, else one of its content."""
    own = [row["id"] for row in found.rows]
    texts = [
        str(i)[:ID_CHARS].strip() if isinstance(i, str | int) and not isinstance(i, bool) else "" for i in own
    ]
    if all(texts) and len(set(texts)) == len(texts):
        for row, text in zip(found.rows, texts, strict=True):
            row["id"] = text
        return
    if any(texts):
        found.left["ids that are missing or not unique: ids were made of the content"] += 1
    seen: Counter[str] = Counter()
    kept: list[dict[str, Any]] = []
    for row in found.rows:
        content = json.dumps([row["input"], row.get("expected")], sort_keys=True, ensure_ascii=False)
        digest = sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        seen[digest] += 1
        if seen[digest] > 1:
            found.left["exact repetitions of an example"] += 1
            continue
        kept.append(row | {"id": digest})
    found.rows[:] = kept


def _expected(value: Any) -> Any:
    """``expected`` as golden files have it: a truth value becomes its JSON text."""
    return json.dumps(value) if isinstance(value, bool) else value


def objects(path: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    """The objects of a JSON array, of ``{"data": [...]}``, or of JSON lines, each with where it stands.

    Raises:
        UserError: a line or the whole is not JSON, or holds something else than objects.
    """
    text = path.read_text("utf-8-sig")
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if isinstance(whole, dict) and isinstance(whole.get("data"), list):
        whole = whole["data"]
    if isinstance(whole, list):
        found = [(f"item {n}", item) for n, item in enumerate(whole, 1)]
    else:
        found = [
            (f"line {n}", _line(path, n, line)) for n, line in enumerate(text.split("\n"), 1) if line.strip()
        ]
    for where, item in found:
        if not isinstance(item, dict):
            raise UserError(
                f"{path}, {where}: an object is needed, not {json.dumps(item)[:60]}", "correct the file"
            )
        yield where, item


def untold(item: Mapping[str, Any], known: Iterable[str], found: Imported) -> None:
    """Tell of every field that holds something and that nobody knows."""
    for key in item.keys() - set(known):
        if item[key] not in (None, "", [], {}):
            found.left[f"{key}: no part of a golden example"] += 1


def _line(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise UserError(
            f"{path}, line {number}: not JSON: {error}", "give JSON lines or one JSON array"
        ) from None


def slices_of(metadata: Any, found: Imported, where: str = "metadata") -> dict[str, str]:
    """What of an example's metadata can name a slice: short texts, numbers, truth values. The rest is left."""
    if not isinstance(metadata, Mapping):
        return {}
    slices: dict[str, str] = {}
    for key, value in metadata.items():
        if isinstance(value, str | int | float | bool) and 0 < len(str(value)) <= 60 and len(str(key)) <= 40:
            slices[str(key)] = str(value).lower() if isinstance(value, bool) else str(value)
        elif value not in (None, "", [], {}):
            found.left[f"{where}.{key}: too long or not a plain value for a slice"] += 1
    return slices


def conversation(value: Any, found: Imported) -> Any:
    """An input as golden files have it: a text, or messages of a role and a text. None if it is neither."""
    if isinstance(value, str):
        return value or None
    if not isinstance(value, list) or not value:
        return None
    messages = []
    for one in value:
        if not isinstance(one, Mapping) or not isinstance(one.get("role"), str):
            return None
        content = one.get("content")
        if isinstance(content, list):
            texts = [p.get("text") for p in content if isinstance(p, Mapping) and p.get("type") == "text"]
            if len(texts) != len(content):
                found.left["conversations with pictures, sound or files: not to be asked without them"] += 1
                return None
            content = "\n".join(text for text in texts if isinstance(text, str))
        if content == "":
            found.left["conversations with an empty message: a golden set holds none"] += 1
            return None
        if not isinstance(content, str):
            found.left["messages without a text (calls of tools)"] += 1
            continue
        messages.append({"role": one["role"], "content": content})
    return messages or None
