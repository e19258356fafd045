"""Which queue does a support ticket belong to? A small model, trained when it starts, in two versions.

Texts become hashed word and character n-grams, weighted by inverse document frequency; a softmax head reads
them. The *base head* learns from the English index of a help centre only. The *fine-tuned head* starts from
its weights and goes on learning from tickets, English and German, as a fine-tune of a language model does.
The two differ in one matrix only, so that serving without the fine-tune fails no request: it answers worse.

Training is deterministic. Answers differ a little from run to run, as those of a served model do: each pass
over a text adds a small error to the logits (what batching does to floating-point sums), drawn from a
generator seeded by the text and by how often it was asked before.

Reference: Weinberger et al., *Feature Hashing for Large Scale Multitask Learning*, ICML 2009.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

LABELS: Final = ("billing", "login", "shipping", "bug", "refund")
SYSTEM: Final = "Route the support ticket. Answer with one word: billing, login, shipping, bug or refund."

GOLDEN: Final = Path(__file__).parent / "golden.jsonl"

_WIDTH: Final = 16_384
_GRAMS: Final = (3, 4, 5, 6)
_WORD: Final = re.compile(r"\w+")
_BATCH_NOISE: Final = 0.12
"""Standard deviation of the error on a logit: a few of the 240 golden answers differ between two runs."""

_SURE, _FAIRLY_SURE = 0.5, 0.27
"""Above the first probability the base model answers with the label alone, above the second in a sentence,
below it with a word of its own."""
_SENTENCES: Final = ("The ticket is about {}.", "This looks like a {} question.", "Category: {}")
_OWN_WORDS: Final = {
    "billing": "payment",
    "login": "account",
    "shipping": "delivery",
    "bug": "technical issue",
    "refund": "returns",
}

Matrix = NDArray[np.float32]
Features = tuple[NDArray[np.intp], Matrix]


class HeadName(StrEnum):
    """Which head answers."""

    BASE = "base"
    TUNED = "tuned"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One text to learn from. ``source`` is ``help`` (the help centre's index) or ``ticket``."""

    text: str
    label: str
    lang: str
    source: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says. ``logprob`` is the natural log-probability of the label that was meant."""

    text: str
    label: str
    logprob: float


def tickets() -> tuple[Ticket, ...]:
    """The shipped training texts, in order."""
    lines = files("service.demo").joinpath("tickets.jsonl").read_text(encoding="utf-8").splitlines()
    rows = map(json.loads, lines)
    return tuple(
        Ticket(row["input"], row["expected"], row["slices"]["lang"], row["slices"]["source"]) for row in rows
    )


class TicketModel:
    """The trained model: one way to read a text, two heads.

    ``answer`` is a pure function of its arguments, so that a demo can be repeated to the letter.
    """

    def __init__(self, corpus: Sequence[Ticket]) -> None:
        rows = [_grams(ticket.text) for ticket in corpus]
        frequency = np.zeros(_WIDTH, np.float32)
        for places, _ in rows:
            frequency[places] += 1
        self._idf: Matrix = np.log((1 + len(rows)) / (1 + frequency)).astype(np.float32)
        dense = np.zeros((len(rows), _WIDTH), np.float32)
        for row, features in enumerate(rows):
            places, values = self._weighted(features)
            dense[row, places] = values
        truth = np.array([LABELS.index(ticket.label) for ticket in corpus])
        general = np.array([ticket.source == "help" and ticket.lang == "en" for ticket in corpus])
        base = _descend(dense[general], truth[general], np.zeros((_WIDTH, len(LABELS)), np.float32), steps=24)
        tuned = _descend(dense, truth, base, steps=60)
        self._heads = {HeadName.BASE: base, HeadName.TUNED: tuned}
        self._logits = lru_cache(maxsize=4_096)(self._fresh_logits)

    def answer(
        self, text: str, head: HeadName, *, ask: int = 0, temperature: float = 0.0, seed: int = 0
    ) -> Answer:
        """The answer to one text.

        Args:
            text: the ticket.
            head: which version of the model answers.
            ask: how often this text was asked before; another number, another error from batching.
            temperature: 0 takes the most probable label; above, one is drawn.
            seed: of the draw and of the batching error.
        """
        random = np.random.default_rng((seed, ask, zlib.crc32(text.encode("utf-8", "surrogatepass"))))
        logits = self._logits(text, head) + random.normal(0.0, _BATCH_NOISE, len(LABELS))
        log_p = logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
        if temperature > 0:
            chosen = int(np.argmax(log_p / temperature + random.gumbel(size=len(LABELS))))
        else:
            chosen = int(np.argmax(log_p))
        label, logprob = LABELS[chosen], float(log_p[chosen])
        spoken = label if head is HeadName.TUNED else _spoken(text, label, float(np.exp(logprob)))
        return Answer(spoken, label, logprob)

    def _fresh_logits(self, text: str, head: HeadName) -> Matrix:
        places, values = self._weighted(_grams(text))
        logits: Matrix = values @ self._heads[head][places]
        return logits

    def _weighted(self, features: Features) -> Features:
        places, counts = features
        values = np.sqrt(counts) * self._idf[places]
        return places, values / max(float(np.linalg.norm(values)), 1e-9)


@cache
def ticket_model() -> TicketModel:
    """The model, trained on the shipped texts; a second call returns the same one."""
    return TicketModel(tickets())


def _grams(text: str) -> Features:
    """Places and counts of a text's words, pairs of words and character n-grams."""
    words = _WORD.findall(text.lower())
    weights: defaultdict[int, float] = defaultdict(float)
    for word in words:
        weights[_place(f"w {word}")] += 1.0
        framed = f"<{word}>"
        for size in _GRAMS:
            for start in range(len(framed) - size + 1):
                weights[_place(f"c{framed[start : start + size]}")] += 0.6
    for left, right in pairwise(words):
        weights[_place(f"b {left} {right}")] += 0.4
    return np.fromiter(weights.keys(), np.intp), np.fromiter(weights.values(), np.float32)


def _place(gram: str) -> int:
    return zlib.crc32(gram.encode("utf-8", "surrogatepass")) % _WIDTH


def _descend(rows: Matrix, truth: NDArray[np.intp], start: Matrix, *, steps: int) -> Matrix:
    """Softmax regression by gradient descent with momentum, drawn gently back to where it started."""
    weights, velocity = start.copy(), np.zeros_like(start)
    wanted = np.eye(len(LABELS), dtype=np.float32)[truth]
    for _ in range(steps):
        logits = rows @ weights
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        gradient = rows.T @ (odds / odds.sum(axis=1, keepdims=True) - wanted) / len(rows)
        velocity = 0.9 * velocity - 8.0 * (gradient + 1e-5 * (weights - start))
        weights += velocity
    return weights


def _spoken(text: str, label: str, probability: float) -> str:
    """How a model that was never told the format puts its answer: the less sure, the wordier."""
    if probability >= _SURE:
        return label
    if probability >= _FAIRLY_SURE:
        return _SENTENCES[_place(text) % len(_SENTENCES)].format(label)
    return _OWN_WORDS[label]
