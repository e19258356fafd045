"""Which prompts sit on the fence? Searched between golden inputs that are answered differently, by one-token requests.

Two inputs whose answers begin with different tokens have a fence between them. On the path from one to the other, whose
k-th step is the beginning of the second text followed by the end of the first, the first token changes somewhere; half
the path is put to the model again and again until two steps remain that differ by a letter or so and are answered
differently. Both are border prompts: one lies on each side of the fence, next to it, so that whichever way a change
moves the model's odds, one of the two is answered otherwise. No log-probabilities are needed.

Where all inputs are answered alike, they are cut, reversed or put in capitals first, which may be answered otherwise.
Of a conversation only the last turn is changed. Each prompt that was found is asked :data:`ASKED` times: those that
repeat themselves come first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from checks.types import Example, Message

Ask = Callable[[Sequence[Example]], Awaitable[list[str | None]]]
"""Puts prompts to the model, each for one token: what it said, in order, None where there was no answer."""

SAMPLE = 48
"""Golden inputs that are asked first, spread over the set."""

SPARE = 1.5
"""So many times the prompts that are wanted are looked for."""

STEPS = 12
"""How often a path is halved: enough for texts of four thousand letters."""

ASKED = 4
"""How often each prompt that was found is asked."""

LONGEST = 4_000
"""Longer last turns are no ends of a path: each request of it would cost as much as they do."""

MOST_REQUESTS = 3 * SAMPLE + 40 * (STEPS + 2 * ASKED + 1)
"""What a search for forty prompts may take."""


@dataclass(frozen=True, slots=True)
class _Path:
    """From ``near`` (answered ``token``) to the text ``far``; steps ``low`` and ``high`` are answered differently."""

    near: Example
    far: str
    token: str
    low: int
    high: int

    @property
    def length(self) -> int:
        return max(len(_last(self.near)), len(self.far), 1)

    def at(self, step: int) -> Example:
        """The prompt of one step."""
        near = _last(self.near)
        to, since = (round(step * len(text) / self.length) for text in (self.far, near))
        return _with_last(self.near, self.far[:to] + near[since:])


async def search(ask: Ask, examples: Sequence[Example], wanted: int) -> tuple[tuple[Example, ...], bool]:
    """Find border prompts.

    Args:
        ask: puts prompts to the model.
        examples: the golden set's.
        wanted: how many prompts.

    Returns:
        At most so many prompts, in pairs from both sides of a fence; and whether most of them repeat themselves. Fewer,
        or none, where the model has no two answers that begin differently, or does not answer.
    """
    paths = _paths(await _ends(ask, examples), max(int(SPARE * wanted) // 2, 1))
    paths = await _checked(ask, paths)
    for _ in range(STEPS):
        open_ = [i for i, path in enumerate(paths) if path.high - path.low > 1]
        if not open_:
            break
        middle = [(paths[i].low + paths[i].high) // 2 for i in open_]
        said = await ask([paths[i].at(step) for i, step in zip(open_, middle, strict=True)])
        for i, step, token in zip(open_, middle, said, strict=True):
            if token is not None:
                low = token == paths[i].token
                paths[i] = replace(paths[i], low=step) if low else replace(paths[i], high=step)
    return await _chosen(ask, [(path.at(path.low), path.at(path.high)) for path in paths], wanted)


async def _ends(ask: Ask, examples: Sequence[Example]) -> dict[str, list[Example]]:
    """Prompts by the token that they are answered with; more than one token wherever one can be had."""
    short = [example for example in examples if 0 < len(_last(example)) <= LONGEST]
    sample = [short[i * len(short) // SAMPLE] for i in range(SAMPLE)] if len(short) > SAMPLE else short
    found: dict[str, list[Example]] = {}
    for change in (None, _halved, _otherwise):
        prompts = sample if change is None else [change(i, example) for i, example in enumerate(sample)]
        for prompt, token in zip(prompts, await ask(prompts), strict=True):
            if token is not None:
                found.setdefault(token, []).append(prompt)
        if len(found) > 1 or not found:
            break
    return found


def _halved(number: int, example: Example) -> Example:
    text = _last(example)
    half = len(text) // 2
    return _with_last(example, text[:half] if number % 2 else text[half:])


def _otherwise(number: int, example: Example) -> Example:
    words = _last(example).split()
    return _with_last(example, " ".join(reversed(words)).upper() if number % 2 else (words or [""])[0])


def _paths(ends: dict[str, list[Example]], count: int) -> list[_Path]:
    """Paths between prompts of different tokens, each prompt used as seldom as can be."""
    if len(ends) < 2:
        return []
    in_turn = [
        (token, example)
        for row in zip_longest(*([(t, e) for e in group] for t, group in sorted(ends.items())))
        for token, example in filter(None, row)
    ]
    paths: list[_Path] = []
    for distance in range(1, len(in_turn)):
        for i, (token, near) in enumerate(in_turn):
            other, far = in_turn[(i + distance) % len(in_turn)]
            if other != token and _last(near) != _last(far):
                paths.append(_Path(near, _last(far), token, 0, max(len(_last(near)), len(_last(far)))))
            if len(paths) == count:
                return paths
    return paths


async def _checked(ask: Ask, paths: Sequence[_Path]) -> list[_Path]:
    """Those whose other end is answered differently; of a text that was asked as such it is known already."""
    talks = [path for path in paths if not isinstance(path.near.input, str)]
    said = (
        dict(zip(map(id, talks), await ask([path.at(path.high) for path in talks]), strict=True))
        if talks
        else {}
    )
    return [path for path in paths if id(path) not in said or said[id(path)] not in (None, path.token)]


async def _chosen(
    ask: Ask, pairs: Sequence[tuple[Example, Example]], wanted: int
) -> tuple[tuple[Example, ...], bool]:
    found = list({prompt.input: prompt for pair in pairs for prompt in pair}.values())
    if not found:
        return (), True
    said = await ask([prompt for prompt in found for _ in range(ASKED)])
    tokens = [said[i * ASKED : (i + 1) * ASKED] for i in range(len(found))]
    other = {
        prompt.input: len(set(answers)) - 1
        for prompt, answers in zip(found, tokens, strict=True)
        if None not in answers
    }
    known = [prompt for prompt in found if prompt.input in other]
    chosen = sorted(known, key=lambda prompt: other[prompt.input])[:wanted]
    steady = sum(other[prompt.input] == 0 for prompt in chosen)
    return tuple(replace(prompt, id=f"border-{i}") for i, prompt in enumerate(chosen)), 2 * steady >= len(
        chosen
    )


def _last(example: Example) -> str:
    return example.input if isinstance(example.input, str) else example.input[-1].content


def _with_last(example: Example, text: str) -> Example:
    """The example with another last turn; its expected answer is nobody's business here."""
    if isinstance(example.input, str):
        return Example(example.id, text)
    *before, last = example.input
    return Example(example.id, (*before, Message(last.role, text)))
