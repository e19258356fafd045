"""Langfuse data set items, as its API and exports have them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.imports import Imported, conversation, objects, slices_of, untold

_KNOWN = frozenset({
    "id", "status", "input", "expectedOutput", "expected_output", "metadata", "datasetId", "datasetName",
    "createdAt", "updatedAt", "projectId",
})  # fmt: skip


def read(path: Path, columns: Mapping[str, str]) -> Imported:  # noqa: ARG001  # the form says where everything is
    """One example an item that is active; plain metadata become slices."""
    found = Imported()
    for _, item in objects(path):
        if str(item.get("status", "ACTIVE")).upper() == "ARCHIVED":
            found.left["archived items"] += 1
            continue
        asked = _input(item.get("input"), found)
        if asked is None:
            found.left["items without an input"] += 1
            continue
        untold(item, _KNOWN, found)
        expected = item.get("expectedOutput", item.get("expected_output"))
        found.add(item.get("id"), asked, expected, slices=slices_of(item.get("metadata"), found))
    return found


def _input(value: Any, found: Imported) -> Any:
    """A text, messages, an object with one text or messages in it; any other object as its JSON."""
    if isinstance(value, Mapping):
        inner = value.get("messages", next(iter(value.values())) if len(value) == 1 else None)
        return conversation(inner, found) or json.dumps(value, ensure_ascii=False, sort_keys=True)
    return conversation(value, found)
