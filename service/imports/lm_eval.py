"""Samples that lm-evaluation-harness logs with ``--log_samples``: the text that was asked, and the target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.imports import Imported, objects

_ANSWERS = frozenset({"resps", "filtered_resps"})
_KNOWN = (
    frozenset({"doc_id", "doc", "target", "arguments", "doc_hash", "prompt_hash", "target_hash"}) | _ANSWERS
)


def read(path: Path, columns: Mapping[str, str]) -> Imported:  # noqa: ARG001  # the form says where everything is
    """One example a sample that was generated; multiple choice by likelihood asks several texts and is left."""
    found = Imported()
    for _, item in objects(path):
        asked = _asked(item.get("arguments"))
        if len(asked) > 1:
            found.left["samples judged by likelihood of several choices: nothing is generated"] += 1
            continue
        if not asked or not asked[0]:
            found.left["samples without the text that was asked"] += 1
            continue
        if item.keys() - _KNOWN or _ANSWERS & item.keys():
            found.left["recorded answers and metrics: a golden set holds none"] += 1
        if len(asked) == 1 and item.get("doc"):
            found.left["doc: the data set's own fields; what was asked of it is kept"] += 1
        found.add(item.get("doc_id"), asked[0], item.get("target"))
    return found


def _asked(arguments: Any) -> list[str]:
    """The texts asked: ``[[text, options], ...]``, or in newer versions ``{"gen_args_0": {"arg_0": text, ...}}``."""
    if isinstance(arguments, Mapping):
        arguments = [[value.get("arg_0")] for value in arguments.values() if isinstance(value, Mapping)]
    if not isinstance(arguments, list):
        return []
    return [one[0] for one in arguments if isinstance(one, list) and one and isinstance(one[0], str)]
