"""What does a golden example look like in other words? Disturbed twins that keep the expected answer.

A twin asks the same in a slightly other form: letters in one case, two letters swapped, more white space, sentences in
another order, contractions written out. Made by rule and the same every time, so that they can be frozen like any
other example. A model that answers the originals and not their twins knows its training data, not its job
(``generalization.py`` watches the gap).

What the answer hangs on is never touched: words with a digit or a sign in them, everything in quotes, and every text
of ``expected`` that stands in the input; a twin in which such a text would be gone is not made. In a conversation only
the last message of the user is disturbed.

To add a kind: a function of (text, random numbers) in :data:`KINDS`; a text that it cannot change comes back as it was.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from checks.types import Example, Json, Message

__all__ = ["KINDS", "TWIN", "twins_of"]

TWIN = "twin"
"""The slice key that names how a twin was disturbed."""

_WORD = re.compile(r"\S+|\s+")
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|`[^`]*`")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_a-z])")
_PLAIN = re.compile(r"[^\W\d_]+[.,;:!?]*")
_SHORT = {
    "can't": "cannot", "won't": "will not", "don't": "do not", "doesn't": "does not", "didn't": "did not",
    "isn't": "is not", "aren't": "are not", "wasn't": "was not", "haven't": "have not", "hasn't": "has not",
    "couldn't": "could not", "i'm": "I am", "i've": "I have", "i'd": "I would", "it's": "it is",
    "that's": "that is", "there's": "there is", "what's": "what is", "we're": "we are", "you're": "you are",
}  # fmt: skip


def lower(text: str, _: random.Random) -> str:
    """Everything in small letters; a text in small letters in capitals."""
    changed = _words(text, str.lower)
    return changed if changed != text else _words(text, str.upper)


def typo(text: str, rng: random.Random) -> str:
    """Two neighbouring inner letters swapped in one long word of ten, in one at least."""
    parts = _WORD.findall(text)
    able = [i for i, part in enumerate(parts) if _PLAIN.fullmatch(part) and _swaps(part)]
    for i in rng.sample(able, min(len(able), max(1, len(able) // 10))):
        word = parts[i]
        at = rng.choice(_swaps(word))
        parts[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return "".join(parts)


def spacing(text: str, rng: random.Random) -> str:
    """A space more between some words and at the end."""
    parts = [part * 2 if part == " " and rng.random() < 0.3 else part for part in _WORD.findall(text)]
    return "".join(parts) + " "


def order(text: str, _: random.Random) -> str:
    """The last sentence first, where there are several."""
    sentences = _SENTENCE.split(text)
    if len(sentences) < 2 or sentences[-1].rstrip()[-1:] not in ".!?":
        return text
    return " ".join([sentences[-1].rstrip(), *sentences[:-1]])


def phrase(text: str, _: random.Random) -> str:
    """English contractions written out."""

    def written_out(word: str) -> str:
        core = word.rstrip(".,;:!?")
        long = _SHORT.get(core.lower().replace("’", "'"))
        if long is None:
            return word
        return (long[0].upper() + long[1:] if core[0].isupper() else long) + word[len(core) :]

    return "".join(written_out(part) for part in _WORD.findall(text))


KINDS: Mapping[str, Callable[[str, random.Random], str]] = {
    "case": lower,
    "typo": typo,
    "spacing": spacing,
    "order": order,
    "phrase": phrase,
}
"""How a text can be disturbed, by the name that stands in the slice."""


def twins_of(examples: Sequence[Example], kinds: Sequence[str], share: float = 1.0) -> list[Example]:
    """The examples, those with a twin in a group with it, and after them the twins.

    A twin is ``ID~KIND``, with the slice ``twin=KIND`` and its original's other fields. The examples that get twins are
    chosen by their ids alone, so that a golden set that grows keeps the twins that it has, and so are their kinds.

    Args:
        examples: originals; twins among them stay, and get none of their own.
        kinds: names of :data:`KINDS`.
        share: which part of the examples gets a twin, above 0 and at most 1.

    Raises:
        ValueError: an unknown kind, none, or a share out of range.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ValueError(f"unknown kind {unknown[0]!r}" if unknown else "no kind is named")
    if not 0.0 < share <= 1.0:
        raise ValueError(f"the share must be above 0 and at most 1, not {share:g}")
    taken = {example.id for example in examples}
    whole, twins = list(examples), list[Example]()
    for i, example in enumerate(examples):
        rng = random.Random(sha256(example.id.encode("utf-8", "surrogatepass")).digest())
        if TWIN in example.slices or rng.random() >= share:
            continue
        for kind in rng.sample(list(kinds), len(kinds)):
            asked = _disturbed(example, kind, rng)
            if asked is None or f"{example.id}~{kind}" in taken:
                continue
            group = example.group if example.group is not None else example.id
            whole[i] = replace(example, group=group)
            slices = {**example.slices, TWIN: kind}
            twins.append(replace(example, id=f"{example.id}~{kind}", input=asked, group=group, slices=slices))
            break
    return whole + twins


def _disturbed(example: Example, kind: str, rng: random.Random) -> str | tuple[Message, ...] | None:
    """The input disturbed; None where that is not possible without touching what the answer hangs on."""
    turns = None if isinstance(example.input, str) else list(example.input)
    at = -1
    if turns is not None:
        users = [i for i, turn in enumerate(turns) if turn.role == "user"]
        if not users:
            return None
        at = users[-1]
    text = example.input if isinstance(example.input, str) else example.input[at].content
    kept = [part for part in _texts(example.expected) if part and part in text]
    quoted = _QUOTED.findall(text)
    changed = KINDS[kind](text, rng)
    if changed == text or any(changed.count(part) < text.count(part) for part in [*kept, *quoted]):
        return None
    if turns is None:
        return changed
    turns[at] = replace(turns[at], content=changed)
    return tuple(turns)


def _texts(value: Json) -> Iterator[str]:
    """Every text and number in an expected answer."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int | float):
        yield str(value)
    else:
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


def _words(text: str, change: Callable[[str], str]) -> str:
    """A change of the plain words alone: a word with a digit or a sign may be a name, an id or code."""
    return "".join(change(part) if _PLAIN.fullmatch(part) else part for part in _WORD.findall(text))


def _swaps(word: str) -> list[int]:
    """Where two different inner letters stand side by side; the first and the last letter stay."""
    core = len(word.rstrip(".,;:!?"))
    if core < 5:
        return []
    return [i for i in range(1, core - 2) if word[i] != word[i + 1]]
