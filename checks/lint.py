"""Is this golden set fit to tell that a model got worse? Pure: examples in, findings out.

The smallest drop that ``n`` examples can show in one run is taken as ``1.96 sqrt(p (1 - p) / n)``: the
half-width of the 95% interval of one run's accuracy around a well-known baseline ``p``, here 0.9 unless told
otherwise. A set of 100 examples shows a drop of 5.9 points, 30 examples one of 10.7. Many runs together show
smaller ones.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from checks.near_copies import LEAST, near_copies
from checks.types import Example, Message, Origin

SMALL_SLICE = 30
SMALL_SET = 100
_COMMON_SHARE = 0.75
_MOST_LABELS = 50

Input = str | Sequence[Message]


class LintLevel(StrEnum):
    """How much a finding matters: ``error`` makes scores wrong, ``warning`` makes them weak."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Leaked:
    """An example, the line of the training data that is most like it, and how much: 1 is the same text."""

    id: str
    line: int
    similarity: float


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One thing to look at: how bad, a stable code, words for a person, and the examples concerned."""

    level: LintLevel
    code: str
    message: str
    ids: tuple[str, ...] = ()
    copies: tuple[Leaked, ...] = ()


def smallest_drop(n: int, p: float = 0.9) -> float:
    """The smallest drop of an accuracy ``p`` that ``n`` examples show in one run, at most ``p`` itself.

    >>> round(smallest_drop(100), 3)
    0.059

    Raises:
        ValueError: ``n`` is below 1 or ``p`` is not between 0 and 1.
    """
    if n < 1 or not 0 < p < 1:
        raise ValueError(f"n must be at least 1 and p between 0 and 1, not {n} and {p}")
    return min(p, 1.96 * math.sqrt(p * (1 - p) / n))


def lint(examples: Sequence[Example]) -> list[LintFinding]:
    """All that is doubtful about a golden set, errors first."""
    found = [
        *_duplicates(examples),
        *_size(examples),
        *_slices(examples),
        *_expected(examples),
    ]
    return sorted(found, key=lambda finding: list(LintLevel).index(finding.level))


def leaks(
    examples: Sequence[Example], train: Iterable[tuple[int, Input]], *, least: float = LEAST
) -> list[LintFinding]:
    """The examples that the model was trained on, or nearly: they measure memory, not ability.

    Inputs are compared without case and white space; system messages do not count. Examples of ``origin: train`` belong
    there; those of them that do not stand there are told too, since the gap to the others would be too small.

    Args:
        examples: the golden set.
        train: line numbers and inputs of the training data, read once.
        least: the similarity from which one is nearly a copy (``near_copies.py``).
    """
    texts = [normal_input(example.input) for example in examples]
    by_text: dict[str, list[int]] = defaultdict(list)
    for i, text in enumerate(texts):
        by_text[text].append(i)
    same: dict[int, int] = {}

    def normal() -> Iterator[tuple[int, str]]:
        for line, asked in train:
            text = normal_input(asked)
            for i in by_text.get(text, ()):
                same.setdefault(i, line)
            yield line, text

    near = {copy.example: copy for copy in near_copies(texts, normal(), least=least)}
    exact = [
        Leaked(examples[i].id, line, 1.0) for i, line in sorted(same.items()) if not _trained(examples[i])
    ]
    nearly = [
        Leaked(examples[i].id, copy.key, copy.similarity)
        for i, copy in sorted(near.items(), key=lambda pair: -pair[1].similarity)
        if i not in same and not _trained(examples[i])
    ]
    found = []
    if exact:
        message = f"{_examples(len(exact))} in the training data; take them out, or mark them origin: train"
        found.append(_leak(LintLevel.ERROR, "leak", message, exact, examples))
    if nearly:
        message = (
            f"{_examples(len(nearly))} nearly so in the training data (similarity {least:g} or more); "
            "mark them origin: train, or write new ones"
        )
        found.append(_leak(LintLevel.WARNING, "near_leak", message, nearly, examples))
    ids = tuple(e.id for i, e in enumerate(examples) if _trained(e) and i not in near and i not in same)
    if ids:
        message = (
            "marked origin: train, and nothing like them stands in this training data; mark them heldout"
        )
        found.append(LintFinding(LintLevel.WARNING, "not_in_training", message, ids))
    return found


def _trained(example: Example) -> bool:
    return example.origin is Origin.TRAIN


def _leak(
    level: LintLevel, code: str, message: str, copies: Sequence[Leaked], examples: Sequence[Example]
) -> LintFinding:
    """With the slices that have most of it."""
    ids = {copy.id for copy in copies}
    whole, part = Counter[str](), Counter[str]()
    for example in examples:
        names = [f"{key}={value}" for key, value in example.slices.items()]
        whole.update(names)
        part.update(names if example.id in ids else ())
    worst = sorted(part, key=lambda name: (-part[name] / whole[name], name))[:3]
    if worst:
        message += f"; most in {', '.join(f'{name} ({part[name]} of {whole[name]})' for name in worst)}"
    return LintFinding(level, code, message, tuple(copy.id for copy in copies), tuple(copies))


def normal_input(asked: Input) -> str:
    r"""An input for comparison: form NFC, no case, one space per run of white space, no system messages.

    >>> normal_input("  Where IS\tit? ") == normal_input([Message("user", "where is it?")])
    True
    """
    if isinstance(asked, str):
        return _normal(asked)
    turns = [turn for turn in asked if turn.role != "system"] or list(asked)
    if len(turns) == 1:
        return _normal(turns[0].content)
    return "\n".join(f"{turn.role}: {_normal(turn.content)}" for turn in turns)


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _whole(example: Example) -> str:
    """An input for comparison with its system messages: two examples differ if these do."""
    if isinstance(example.input, str):
        return _normal(example.input)
    return "\n".join(f"{turn.role}: {_normal(turn.content)}" for turn in example.input)


def _examples(count: int) -> str:
    return "1 example stands" if count == 1 else f"{count} examples stand"


def _duplicates(examples: Sequence[Example]) -> Iterator[LintFinding]:
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[_whole(example)].append(example)
    for same in groups.values():
        if len(same) == 1:
            continue
        ids = tuple(example.id for example in same)
        if len({json.dumps(example.expected, sort_keys=True) for example in same}) > 1:
            message = (
                "same input, different expected: no model can be right on all of them; keep the right one"
            )
            yield LintFinding(LintLevel.ERROR, "conflicting_expected", message, ids)
        elif len({example.input for example in same}) == 1:
            message = f"the same input {len(same)} times: it counts {len(same)} times over; keep one"
            yield LintFinding(LintLevel.WARNING, "duplicate_input", message, ids)
        else:
            message = "inputs that differ only in case or white space; keep one unless that is what they test"
            yield LintFinding(LintLevel.WARNING, "near_duplicate_input", message, ids)


def _size(examples: Sequence[Example]) -> Iterator[LintFinding]:
    count = len(examples)
    if 0 < count < SMALL_SET:
        message = f"{count} examples: {_shows(count)}; have at least {SMALL_SET}"
        yield LintFinding(LintLevel.WARNING, "small_set", message)


def _slices(examples: Sequence[Example]) -> Iterator[LintFinding]:
    members: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        for key, value in example.slices.items():
            members[key][value].append(example.id)
    for key, values in sorted(members.items()):
        if len(values) == 1 and sum(map(len, values.values())) == len(examples):
            (value,) = values
            message = (
                f"slice {key}={value} holds every example, so it says nothing that the whole set does not"
            )
            yield LintFinding(LintLevel.WARNING, "single_valued_slice", message)
            continue
        for value, ids in sorted(values.items()):
            if len(ids) < SMALL_SLICE:
                message = f"slice {key}={value} has {len(ids)} examples: {_shows(len(ids))}"
                yield LintFinding(
                    LintLevel.WARNING, "thin_slice", f"{message}; have at least {SMALL_SLICE}", tuple(ids)
                )


def _shows(count: int) -> str:
    return f"one run shows a drop of {100 * smallest_drop(count):.1f} points or more (from 90%)"


def _expected(examples: Sequence[Example]) -> Iterator[LintFinding]:
    without = tuple(example.id for example in examples if example.expected is None)
    if without and len(without) == len(examples):
        message = (
            "no example has an expected: only scorers that need none (json_schema, refusal, length) can score"
        )
        yield LintFinding(LintLevel.INFO, "no_expected", message)
    elif without:
        message = (
            f"{len(without)} of {len(examples)} examples without expected: most scorers leave them unscored"
        )
        yield LintFinding(LintLevel.WARNING, "missing_expected", message, without)
    texts = [example.expected for example in examples if isinstance(example.expected, str)]
    labels = Counter(texts)
    if not 2 <= len(labels) <= min(_MOST_LABELS, len(texts) // 5):
        return  # free texts, or nothing to balance
    label, count = labels.most_common(1)[0]
    share = count / len(texts)
    if share > _COMMON_SHARE:
        message = (
            f"unbalanced: {share:.0%} expect {label!r}, so a model that always says that scores {share:.0%}; "
            "add examples of the others"
        )
        yield LintFinding(LintLevel.WARNING, "unbalanced_labels", message)
    rare = sorted(label for label, count in labels.items() if count < 5)
    if rare:
        message = f"labels with fewer than 5 examples: {', '.join(map(repr, rare[:5]))}"
        more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
        ids = tuple(example.id for example in examples if example.expected in rare)
        yield LintFinding(LintLevel.WARNING, "rare_label", message + more, ids)
