"""Is this a sample of production traffic, and if not, what is wrong with it? Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from checks.types import Message

MOST_TEXT = 1_000_000
"""Characters of a text that are looked at; a longer one is cut."""

OWN_AGENT = "goldwatch/"
"""How the ``User-Agent`` of goldwatch's own requests begins: they are no production traffic."""


class SampleError(ValueError):
    """What is wrong with a sample, in words that hold nothing of its text."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One request of production and, where known, its answer. ``at`` in seconds since 1970; None: now.

    ``own``: goldwatch asked it.
    """

    input: str | tuple[Message, ...]
    output: str | None = None
    at: float | None = None
    own: bool = False


def sample_of(held: Any) -> Sample:
    """The sample of ``{"input", "output", "at", "user_agent"}``; all but ``input`` optional, other keys are ignored.

    ``input`` is a text or a conversation (``[{"role", "content"}]``), ``at`` seconds since 1970 or ISO 8601.

    Raises:
        SampleError: it is none.

    >>> sample_of({"input": "Where is my parcel?", "at": "2026-01-02T03:04:05Z"}).at
    1767323045.0
    """
    if not isinstance(held, Mapping):
        raise SampleError('a sample is an object such as {"input": "...", "output": "..."}')
    output = held.get("output")
    if output is not None and not isinstance(output, str):
        raise SampleError("output is a text or null")
    agent = held.get("user_agent")
    return Sample(
        input_of(held.get("input")),
        None if output is None else output[:MOST_TEXT],
        at_of(held.get("at")),
        isinstance(agent, str) and agent.startswith(OWN_AGENT),
    )


def input_of(given: Any) -> str | tuple[Message, ...]:
    """A text, or a conversation.

    Raises:
        SampleError: it is neither, or empty.
    """
    if isinstance(given, str):
        if not given.strip():
            raise SampleError("input is empty")
        return given[:MOST_TEXT]
    if isinstance(given, Sequence) and given:
        return tuple(_turn(turn) for turn in given)
    raise SampleError('input is a text, or a list of {"role", "content"}')


def at_of(given: Any) -> float | None:
    """A time in seconds since 1970; None where none is given.

    Raises:
        SampleError: it is no time.
    """
    if given is None:
        return None
    if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
        if given > 1e11:
            raise SampleError("at is in seconds since 1970, not in milliseconds")
        return float(given)
    if isinstance(given, str):
        try:
            read = datetime.fromisoformat(given)
        except ValueError:
            pass
        else:
            return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    raise SampleError("at is seconds since 1970 or a time such as 2026-01-02T03:04:05Z")


def _turn(turn: Any) -> Message:
    if not isinstance(turn, Mapping) or not isinstance(turn.get("role"), str):
        raise SampleError('a turn of the conversation is {"role", "content"}')
    content = turn.get("content")
    if isinstance(content, Sequence) and not isinstance(content, str):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        content = "\n".join(part for part in parts if isinstance(part, str))
    if content is None:
        content = ""
    if not isinstance(content, str):
        raise SampleError("the content of a turn is a text")
    return Message(turn["role"], content[:MOST_TEXT])
