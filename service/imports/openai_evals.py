"""OpenAI evals: ``input`` is a text or messages, ``ideal`` one right answer or several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from service.imports import Imported, conversation, objects


def read(path: Path, columns: Mapping[str, str]) -> Imported:  # noqa: ARG001  # the form says where everything is
    """One example a line, right if the answer is any of the ideals."""
    found = Imported()
    for _, item in objects(path):
        asked = conversation(item.get("input"), found)
        if asked is None:
            found.left["samples without an input"] += 1
            continue
        for key in item.keys() - {"input", "ideal"}:
            found.left[f"{key}: no part of a golden example"] += 1
        found.add(None, asked, item.get("ideal"))
    found.use({"kind": "exact_match"})
    found.left[
        "the eval's class stands in the registry's YAML: Match takes any beginning, Includes any place (contains)"
    ] += 1
    return found
