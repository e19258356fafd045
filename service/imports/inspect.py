"""Inspect samples: ``input``, ``target``, perhaps ``choices``, ``id``, ``metadata``; by ``--map`` other fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from service.errors import UserError
from service.imports import Imported, conversation, objects, slices_of, untold
from service.imports.csv import rows_of

_KNOWN = frozenset({"input", "choices", "target", "id", "metadata", "sandbox", "files", "setup"})


def read(path: Path, columns: Mapping[str, str]) -> Imported:
    """One example a sample. Inspect's solvers put choices into the prompt; here they are written under the question."""
    found = Imported()
    named = _fields(columns)
    slices = {key[len("slices.") :]: name for key, name in columns.items() if key.startswith("slices.")}
    used = {*named.values(), *slices.values(), *_KNOWN}
    for _, item in rows_of(path) if path.suffix.lower() == ".csv" else objects(path):
        asked = conversation(item.get(named["input"]), found)
        if asked is None:
            found.left[f"samples without the field {named['input']}, or with nothing to ask in it"] += 1
            continue
        choices = _choices(item.get("choices"))
        if isinstance(choices, list) and choices:
            if not isinstance(asked, str):
                found.left["samples with choices under a conversation"] += 1
                continue
            letters = (f"{chr(ord('A') + n)}) {choice}" for n, choice in enumerate(choices))
            asked = f"{asked}\n\n" + "\n".join(letters)
        for key in ("sandbox", "files", "setup"):
            if item.get(key):
                found.left[f"{key}: goldwatch runs no tools"] += 1
        untold(item, used, found)
        metadata = item.get("metadata")
        told = {
            **(metadata if isinstance(metadata, Mapping) else {}),
            **{k: item.get(n) for k, n in slices.items()},
        }
        expected = item.get(named["expected"])
        found.add(item.get(named["id"]), asked, expected, slices=slices_of(told, found))
    return found


def _fields(columns: Mapping[str, str]) -> dict[str, str]:
    """The file's names of input, expected and id, as Inspect's ``FieldSpec`` names them.

    Raises:
        UserError: a key is none of these and no slice.
    """
    usual = {"input": "input", "expected": "target", "id": "id"}
    for key in columns:
        if key not in usual and not (key.startswith("slices.") and len(key) > len("slices.")):
            raise UserError(f"--map {key}=...: not for inspect", f"one of: {', '.join(usual)}, slices.KEY")
    return usual | {key: name for key, name in columns.items() if key in usual}


def _choices(given: Any) -> Any:
    """A list; in CSV its JSON, or texts between commas."""
    if not isinstance(given, str):
        return given
    with suppress(ValueError):
        read = json.loads(given)
        if isinstance(read, list):
            return read
    return [part.strip() for part in given.split(",") if part.strip()]
