"""Inspect samples: ``input``, ``target``, and optionally ``choices``, ``id``, ``metadata``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from service.imports import Imported, conversation, objects, slices_of


def read(path: Path, columns: Mapping[str, str]) -> Imported:  # noqa: ARG001  # the form says where everything is
    """One example a sample. Inspect's solvers put choices into the prompt; here they are written under the question."""
    found = Imported()
    for _, item in objects(path):
        asked = conversation(item.get("input"), found)
        if asked is None:
            found.left["samples without an input"] += 1
            continue
        choices = item.get("choices")
        if isinstance(choices, list) and choices:
            if not isinstance(asked, str):
                found.left["samples with choices under a conversation"] += 1
                continue
            letters = (f"{chr(ord('A') + n)}) {choice}" for n, choice in enumerate(choices))
            asked = f"{asked}\n\n" + "\n".join(letters)
        for key in ("sandbox", "files", "setup"):
            if item.get(key):
                found.left[f"{key}: goldwatch runs no tools"] += 1
        found.add(item.get("id"), asked, item.get("target"), slices=slices_of(item.get("metadata"), found))
    return found
