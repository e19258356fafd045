"""Which plug-ins ship with goldwatch, and what does each take? One page per room."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from checks.registry import find, kinds
from service.config.schema import schema
from service.reference.keys import Key, deep, key_table
from service.reference.markdown import join, prose


def own(room: str) -> tuple[str, ...]:
    """The kinds of a room that ship with goldwatch; those of other packages have pages of their own."""
    return tuple(kind for kind in kinds(room) if find(room, kind).__module__ == f"{room}.{kind}")


def keys_of(room: str, definitions: Mapping[str, Any]) -> dict[str, list[Key]]:
    """The keys of each kind of a room, those that stand under others included."""
    short = room.rpartition(".")[2]
    return {kind: list(deep(definitions[f"{short}.{kind}"], definitions)) for kind in own(room)}


def kind_page(room: str, title: str, intro: str, *, whole_module: bool = False) -> str:
    """The page of a room: what every kind takes, then each kind's docstring and its own keys.

    With ``whole_module`` the docstring of a kind's module follows that of its class.
    """
    found = keys_of(room, schema()["$defs"])
    seen = Counter(key for listed in found.values() for key in listed)
    common = [key for key in next(iter(found.values())) if seen[key] == len(found)]
    listed = ", ".join(f"[`{kind}`](#{kind})" for kind in found)
    parts = [f"# {title}", intro, f"Kinds: {listed}."]
    parts += ["## What every kind takes", key_table(common)]
    for kind, listed_keys in found.items():
        mine = [key for key in listed_keys if key not in common]
        parts += [f"## `{kind}`", *_told(room, kind, whole_module=whole_module), key_table(mine)]
    return join(parts)


def _told(room: str, kind: str, *, whole_module: bool) -> Iterator[str]:
    cls = find(room, kind)
    text, mark, example = prose(cls.__doc__ or "").partition("**Example**")
    yield text.strip()
    if whole_module:
        yield prose(inspect.getdoc(sys.modules[cls.__module__]) or "")
    if mark:
        yield mark + example
