"""Which plug-ins are there? A plug-in registers by being there: one module per kind.

A room (``checks.scorers``, ``service.endpoints``, ``service.notifiers``) is a package. The module
``checks/scorers/exact_match.py`` defines one public subclass of the room's base class with
``kind: Literal["exact_match"]``; its fields are its configuration. Packages installed beside goldwatch
add kinds through the entry-point groups ``goldwatch.scorers``, ``goldwatch.endpoints``,
``goldwatch.checks`` and ``goldwatch.notifiers``. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from pydantic import BaseModel, ConfigDict


class Plugin(BaseModel):
    """A plug-in *is* its configuration: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class UnknownKindError(LookupError):
    """No plug-in of that kind. ``known`` lists those that exist."""

    def __init__(self, room: str, kind: str, known: tuple[str, ...]) -> None:
        super().__init__(f"unknown kind {kind!r}; known: {', '.join(known)}")
        self.room, self.kind, self.known = room, kind, known


@cache
def kinds(room: str) -> tuple[str, ...]:
    """The kinds of a room, sorted: its modules without a leading underscore, and entry points.

    >>> "exact_match" in kinds("checks.scorers")
    True
    """
    package = importlib.import_module(room)
    own = {m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")}
    return tuple(sorted(own | set(_foreign(room))))


@cache
def find(room: str, kind: str) -> type[Any]:
    """The plug-in class of one kind; imports only that one.

    Raises:
        UnknownKindError: there is none; the message lists what is known.
    """
    if kind not in kinds(room):
        raise UnknownKindError(room, kind, kinds(room))
    foreign = _foreign(room)
    if kind in foreign:
        return foreign[kind].load()  # type: ignore[no-any-return]  # an entry point may hold anything
    module = importlib.import_module(f"{room}.{kind}")
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and value.__module__ == module.__name__
            and issubclass(value, Plugin)
            and (info := value.model_fields.get("kind")) is not None
            and info.default == kind
        ):
            return value
    raise ImportError(f"{module.__name__} defines no plug-in with kind = {kind!r}")


@cache
def _foreign(room: str) -> dict[str, Any]:
    return {e.name: e for e in entry_points(group=f"goldwatch.{room.rpartition('.')[2]}")}


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known word, or nothing.

    >>> did_you_mean("schedul", ["schedule", "scorers"])
    "; did you mean 'schedule'?"
    >>> did_you_mean("zzz", ["schedule"])
    ''
    """
    lowered = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return f"; did you mean {lowered[near[0]]!r}?" if near else ""


def list_of(words: Sequence[str], limit: int = 30) -> str:
    """The words with commas between them; the rest beyond ``limit`` counted.

    >>> list_of(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    shown = ", ".join(words[:limit])
    return shown if len(words) <= limit else f"{shown} and {len(words) - limit} more"
