"""Are prompts found whose answer sits on the fence, by one-token requests alone?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from checks.types import Example, Message
from service.border_search import ASKED, MOST_REQUESTS, search

WORDS = ("parcel", "invoice", "password", "crash", "courier", "refund", "account", "error")


def examples(count: int = 60) -> list[Example]:
    return [
        Example(f"e{i}", f"{WORDS[i % 8]} {WORDS[i * 3 % 7]} number {i * 37}, since {i % 12} o'clock today.")
        for i in range(count)
    ]


def odds(text: str) -> float:
    """A model that decides by letters; at 0 it sits on the fence."""
    return sum((ord(c) % 7 - 3) * (1.0 + i % 5) / 10.0 for i, c in enumerate(text))


def model(text: str) -> str:
    return "yes" if odds(text) > 0 else "no"


def found(answer: Callable[[str], str | None], given: Sequence[Example], wanted: int = 20):
    asked = []

    async def ask(prompts: Sequence[Example]) -> list[str | None]:
        asked.extend(prompts)
        return [answer(p.input if isinstance(p.input, str) else p.input[-1].content) for p in prompts]

    prompts, steady = asyncio.run(search(ask, given, wanted))
    return prompts, steady, asked


def test_prompts_are_found_next_to_the_fence() -> None:
    """Twenty of them, both answers among them, three times as near to the fence as golden inputs are, and nearer."""
    given = examples()
    prompts, steady, asked = found(model, given)
    assert (len(prompts), steady) == (20, True)
    assert {model(p.input) for p in prompts} == {"yes", "no"}
    usual = sorted(abs(odds(e.input)) for e in given)[30]
    assert sorted(abs(odds(p.input)) for p in prompts)[10] < usual / 3
    assert len(asked) <= MOST_REQUESTS


def test_a_model_of_one_answer_has_no_border_prompts() -> None:
    """Nothing is found, and it is given up soon."""
    prompts, _, asked = found(lambda _: "{", examples())
    assert prompts == ()
    assert len(asked) <= 3 * 60


def test_inputs_that_are_answered_alike_are_changed() -> None:
    """Where only cut or shouted inputs are answered otherwise, fences are found between those."""
    prompts, _, _ = found(lambda text: "short" if len(text) < 20 else "long", examples())
    assert len(prompts) >= 2
    assert {len(p.input) < 20 for p in prompts} == {True, False}


def test_an_endpoint_that_is_out_yields_nothing() -> None:
    """No answer is no fence."""
    prompts, _, asked = found(lambda _: None, examples())
    assert prompts == ()
    assert len(asked) <= 60


def test_of_a_conversation_only_the_last_turn_is_changed() -> None:
    """The turns before it, and who speaks, stay."""
    before = Message("assistant", "How can I help?")
    given = [Example(e.id, (before, Message("user", str(e.input)))) for e in examples()]
    prompts, _, _ = found(model, given)
    assert len(prompts) == 20
    assert all(p.input[0] == before and p.input[1].role == "user" for p in prompts)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_model_that_does_not_repeat_itself_is_said_so(seed: int) -> None:
    """Prompts that are answered by chance are known for it, since each is asked again."""
    import random

    rng = random.Random(seed)
    prompts, steady, _ = found(lambda _: rng.choice(("yes", "no")), examples())
    assert prompts
    assert not steady
    assert ASKED > 2
