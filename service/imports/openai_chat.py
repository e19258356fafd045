"""OpenAI's fine-tuning files: a conversation a line, whose last message is the answer that was taught."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from service.errors import UserError
from service.imports import Imported, conversation, objects


def read(path: Path, columns: Mapping[str, str]) -> Imported:  # noqa: ARG001  # the form says where everything is
    """All before the last answer is asked; the last answer is expected. What was trained on is ``origin: train``."""
    found = Imported()
    for where, item in objects(path):
        messages = item.get("messages")
        if not isinstance(messages, list):
            raise UserError(f"{path}, {where}: there is no list `messages`", "choose another --format")
        for key in item.keys() - {"messages"}:
            found.left[f"{key}: no part of a golden example"] += 1
        last = messages[-1] if messages else None
        if (
            not isinstance(last, dict)
            or last.get("role") != "assistant"
            or not isinstance(last.get("content"), str)
        ):
            found.left["conversations that do not end with an answer in words"] += 1
            continue
        asked = conversation(messages[:-1], found)
        if asked is None:
            found.left["conversations in which nothing is asked"] += 1
            continue
        found.add(None, asked, last["content"], origin="train")
    return found
