"""DeepEval goldens, as ``EvaluationDataset.save_as`` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from service.imports import Imported, conversation, objects, slices_of, untold
from service.imports.csv import rows_of

_LEFT = {
    "actual_output": "recorded answers: a golden set holds none",
    "context": "context: put it into the prompt that the endpoint is asked",
    "retrieval_context": "retrieval_context: it belongs to a recorded answer",
    "tools_called": "tools_called: goldwatch runs no tools",
    "expected_tools": "expected_tools: goldwatch runs no tools",
    "comments": "comments: no part of a golden example",
    "source_file": "source_file: where a golden was made from is no part of it",
    "scenario": "scenario: simulated conversations are not replayed",
}


def read(path: Path, columns: Mapping[str, str]) -> Imported:  # noqa: ARG001  # the form says where everything is
    """One example a golden of one turn; plain additional metadata become slices."""
    found = Imported()
    known = {"input", "expected_output", "name", "additional_metadata", *_LEFT}
    for _, item in rows_of(path) if path.suffix.lower() == ".csv" else objects(path):
        asked = conversation(item.get("input"), found)
        if asked is None:
            found.left["goldens without an input (of several turns)"] += 1
            continue
        for key, why in _LEFT.items():
            if item.get(key):
                found.left[why] += 1
        untold(item, known, found)
        metadata = slices_of(item.get("additional_metadata"), found, "additional_metadata")
        found.add(item.get("name"), asked, item.get("expected_output"), slices=metadata)
    return found
