"""Are the shipped tickets fit to learn from, and to test on?"""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.resources import files

import pytest
from rapidfuzz import fuzz, process

from service.demo import llm
from service.demo.model import GOLDEN, LABELS, tickets
from service.golden.lock import check_lock


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


GOLDEN_SET = check_lock(GOLDEN)
TEXTS = [str(example.input) for example in GOLDEN_SET.examples]


def test_golden_set_shares_no_text_with_the_training_set() -> None:
    """No golden text, whatever its case and punctuation, was trained on, and none nearly so."""
    learnt = [_words(ticket.text) for ticket in tickets()]
    alike = process.cdist([_words(text) for text in TEXTS], learnt, scorer=fuzz.ratio)
    assert alike.max() < 90


def test_no_text_occurs_twice() -> None:
    """Within the golden set and within the training set every text is its own."""
    for texts in (TEXTS, [ticket.text for ticket in tickets()]):
        assert max(Counter(map(_words, texts)).values()) == 1


def test_golden_set_is_balanced_and_every_slice_is_thick() -> None:
    """Every label is expected equally often, and no slice holds fewer than 30 examples."""
    assert set(Counter(str(example.expected) for example in GOLDEN_SET.examples).values()) == {48}
    assert set(LABELS) == {example.expected for example in GOLDEN_SET.examples}
    sizes = Counter(name for example in GOLDEN_SET.examples for name in example.slice_names)
    assert set(sizes) == {"lang=en", "lang=de", "channel=chat", "channel=email", "channel=form"}
    assert min(sizes.values()) >= 30


def test_training_file_is_in_golden_format() -> None:
    """``lint --train`` can read the training texts: each line has an id, an input and an expected label."""
    lines = files("service.demo").joinpath("tickets.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len({row["id"] for row in rows}) == len(rows) == len(tickets())
    assert {row["expected"] for row in rows} == set(LABELS)


def test_golden_set_of_the_language_model_is_frozen() -> None:
    """The language model's golden set is frozen, and asks only for labels that its adapter knows."""
    examples = check_lock(llm.GOLDEN).examples
    assert {example.expected for example in examples} == set(llm.LABELS)
    assert 40 <= len(examples) <= 60


@pytest.mark.parametrize("name", ["golden.jsonl", "tickets.jsonl", "llm_golden.jsonl"])
def test_shipped_files_are_small(name: str) -> None:
    """Each shipped text file is under 150 kB."""
    assert len(files("service.demo").joinpath(name).read_bytes()) < 150_000
