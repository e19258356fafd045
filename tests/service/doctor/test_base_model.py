"""Is a dropped adapter warned about, and an applied one not?"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from checks.scorers.exact_match import ExactMatch
from checks.types import Served
from service.config import load
from service.demo.endpoint import DemoEndpoint
from service.doctor import Level, Part
from service.doctor.base_model import (
    ALPHA,
    Likeness,
    as_asked,
    base_model_of,
    compare,
    in_words,
    sample_of,
    upper_tail,
)
from service.golden import load as load_golden

SCORERS = (ExactMatch(),)
REFERENCE = "reference: {{kind: openai_chat, base_url: {url}, model: base}}"
Many = Callable[..., Any]


@pytest.mark.parametrize("seed", range(6))
def test_an_applied_fine_tune_is_quiet(write: Many, diagnoses: Many, served: Many, seed: int) -> None:
    """With the adapter applied doctor finds that the answers differ, by the reference and by the parent alike."""

    async def work(endpoint: DemoEndpoint) -> None:
        for target in (REFERENCE.format(url=endpoint.url), ""):
            (found,) = (await diagnoses(write(endpoint.url, target=target)))[Part.BASE_MODEL]
            assert (found.level, found.facts["likeness"]) == (Level.OK, "different")
            assert found.facts["base"] == ("base (reference)" if target else "base (parent)")

    served(work, seed=seed)


@pytest.mark.parametrize("seed", range(6))
def test_a_dropped_adapter_is_warned_about(write: Many, diagnoses: Many, served: Many, seed: int) -> None:
    """With the adapter dropped doctor warns, though the base model itself differs from pass to pass."""

    async def work(endpoint: DemoEndpoint) -> None:
        endpoint.drop_adapter()
        path = write(endpoint.url, target=REFERENCE.format(url=endpoint.url))
        for _ in range(3):  # each pass answers a little otherwise
            (found,) = (await diagnoses(path))[Part.BASE_MODEL]
            assert found.level is Level.WARNING
            assert found.facts["likeness"] in ("alike", "undecided")
            assert found.facts["asked"] == 60

    served(work, seed=seed)


def test_the_same_model_seldom_passes_for_a_fine_tune(triple: Many) -> None:
    """Of 2,000 pairs of looks at three answers of one noisy model at most 2% take it for a fine-tune."""
    random = np.random.default_rng(7)
    quiet = 0
    for _ in range(2_000):
        flips = random.random(60) < 0.5
        answers = np.where(flips[:, None], random.integers(0, 2, (60, 3)), 0)
        texts = [[("a", "b")[int(v)] for v in row] for row in answers]
        whole = [triple(i, *row) for i, row in enumerate(texts)]
        looks = (compare(whole[:20], SCORERS), compare(whole, SCORERS))
        quiet += any(look.likeness is Likeness.DIFFERENT for look in looks)
    assert quiet / 2_000 <= 2 * ALPHA


def test_a_deterministic_base_model_is_recognised(triple: Many) -> None:
    """Twenty equal answers are alike, also when one or two differ; five that differ are a fine-tune's."""
    for different, likeness in ((0, "alike"), (2, "alike"), (3, "undecided"), (5, "different")):
        answers = [triple(i, "x" if i < different else "b", "b", "b") for i in range(20)]
        assert compare(answers, SCORERS).likeness == likeness


def test_a_gain_alone_shows_a_fine_tune(triple: Many) -> None:
    """Where no text is ever repeated, scores decide: a clear gain is quiet, none is undecided and not alike."""
    gained = [triple(i, "a", f"x{i}", f"y{i}") for i in range(20)]
    none = [triple(i, f"w{i}", f"x{i}", f"y{i}") for i in range(20)]
    assert compare(gained, SCORERS).likeness is Likeness.DIFFERENT
    assert compare(none, SCORERS).likeness is Likeness.UNDECIDED


def test_too_few_answers_conclude_nothing(triple: Many) -> None:
    """Seven examples with all three answers are too few to conclude from; unanswered ones do not count."""
    answers = [triple(i, "a", "b", "b") for i in range(7)] + [triple(i, None, "b", "b") for i in range(7, 20)]
    seen = compare(answers, SCORERS)
    assert (seen.likeness, seen.asked, seen.answered) == (Likeness.UNDECIDED, 20, 7)
    assert in_words("t", "base", seen).level is Level.WARNING


def test_a_fine_tune_that_lost_is_told(triple: Many) -> None:
    """A target that differs from its base model but scores clearly below it is a warning of its own."""
    answers = [triple(i, "wrong", "a", "a") for i in range(20)]
    found = in_words("t", "base", compare(answers, SCORERS))
    assert found.level is Level.WARNING
    assert "scores below it in exact_match" in found.message


def test_the_tail_is_a_probability() -> None:
    """The tail falls with the count, from 1 at none, and sums what it should."""
    tails = [upper_tail(k, 12, 1 / 3) for k in range(14)]
    assert tails[0] == pytest.approx(1.0)
    assert tails[12] == pytest.approx(3.0**-12)
    assert tails[13] == 0
    assert all(a > b for a, b in pairwise(tails))


def test_the_reference_is_asked_the_targets_question(write: Many) -> None:
    """A reference that says nothing of prompt and parameters takes the target's; its own address and model stay."""
    (target,) = load(
        write("http://127.0.0.1:1/v1", target=REFERENCE.format(url="http://127.0.0.1:2/v1"))
    ).targets
    found = base_model_of(target, Served())
    assert found is not None
    base, how = found
    assert how == "reference"
    assert base.question() == target.endpoint.question()
    assert (base.url, base.model_name) == ("http://127.0.0.1:2/v1/chat/completions", "base")


def test_a_reference_that_repeats_the_prompt_takes_the_parameters(write: Many) -> None:
    """The system prompt said twice is still the target's question: what was left out is filled in."""
    (target,) = load(
        write("http://127.0.0.1:1/v1", target=REFERENCE.format(url="http://127.0.0.1:2/v1"))
    ).targets
    said = type(target.endpoint).model_validate(
        {"base_url": "http://127.0.0.1:2/v1", "model": "base", "system": target.endpoint.system}
    )
    assert target.endpoint.params
    assert as_asked(target.endpoint, said).question() == target.endpoint.question()


def test_another_question_is_not_compared(write: Many, diagnoses: Many, served: Many) -> None:
    """A reference with a prompt of its own is told, and not compared: the prompt would be what differs."""

    async def work(endpoint: DemoEndpoint) -> None:
        other = f"reference: {{kind: openai_chat, base_url: {endpoint.url}, model: base, system: Be kind.}}"
        (found,) = (await diagnoses(write(endpoint.url, target=other)))[Part.BASE_MODEL]
        assert found.level is Level.WARNING
        assert "another prompt" in found.message

    served(work)


def test_a_parent_that_is_not_served_is_no_base_model(write: Many) -> None:
    """The server's parent counts only where the same server lists it; without one there is nothing to compare with."""
    (target,) = load(write("http://127.0.0.1:1/v1")).targets
    assert base_model_of(target, Served(parent="big", models=("ticket-router",))) is None
    assert base_model_of(target, Served(parent=None, models=("ticket-router",))) is None
    found = base_model_of(target, Served(parent="big", models=("ticket-router", "big")))
    assert found is not None
    assert found[0].model_name == "big"
    assert b'"model": "big"' in found[0].body_for(load_golden(target.golden).examples[0])


def test_the_sample_is_the_same_each_time(write: Many) -> None:
    """The sample has the wanted size, keeps the set's order, and does not change from call to call."""
    path: Path = write("http://127.0.0.1:1/v1")
    golden = load_golden(path.parent / "golden.jsonl")
    drawn = sample_of(golden, 20)
    assert drawn == sample_of(golden, 20)
    positions = [golden.examples.index(example) for example in drawn]
    assert len(set(positions)) == 20
    assert positions == sorted(positions)
    assert sample_of(golden, 1_000) == golden.examples
    assert set(positions) < {golden.examples.index(example) for example in sample_of(golden, 60)}
