"""Is a state that was bad before known again, and what is said of a swapped model's answers?"""

from __future__ import annotations

from checks.causes import known_bad, told_by_check
from checks.causes.facts import Facts, Side
from checks.types import Example, Response

EXAMPLES = tuple(Example(f"T-{i}", f"question {i}") for i in range(40))


def side(run: int, say) -> Side:
    return Side(run, 100.0 * run, responses={e.id: (Response(e.id, say(i)),) for i, e in enumerate(EXAMPLES)})


def good(i: int) -> str:
    return f"label {i % 4}"


def base(i: int) -> str:
    return good(i) if i % 5 == 0 else f"prose {i}"


def known(now, *states: Side) -> Facts:
    return Facts(examples=EXAMPLES, now=side(9, now), before=side(8, good), known_bad=states)


def test_a_state_that_was_bad_before_is_known_again() -> None:
    """The run that is like it is named, of several the nearest; answers that never changed count neither way."""
    other = side(3, lambda i: f"other {i}")
    found = known_bad.RULE.find(known(base, other, side(2, base)))
    assert found is not None
    assert found.title == "the same as in run 2"
    assert found.facts == ("32/32 answers that changed are those of run 2, which had regressed",)


def test_another_fault_is_not_taken_for_an_old_one() -> None:
    """Half the answers of an old state are not that state, and without one there is nothing to look at."""
    half = side(2, lambda i: base(i) if i % 2 else good(i))
    assert known_bad.RULE.find(known(base, half)) is None
    assert not known_bad.RULE.needs(known(base))


def test_whether_a_swapped_models_answers_differ_is_said() -> None:
    """By two good and two bad runs: the same answers do not differ, a part of other ones does."""

    def told(now) -> tuple[str, ...]:
        facts = Facts(
            examples=EXAMPLES, now=side(9, now), again=side(8, now), before=side(7, good), earlier=side(6, good),
            told={"identity": "odds moved"},
        )  # fmt: skip
        found = told_by_check.RULE.find(facts)
        assert found is not None
        return found.facts

    assert told(good)[1].startswith("the answers to 40 questions do not differ beyond chance")
    assert told(base)[1].startswith("the answers to 40 questions differ (string kernel: MMD²")


def test_a_promise_alone_is_told_with_what_to_do_about_it() -> None:
    """Accepting a baseline would not help; beside another regression the other one is the story."""
    found = told_by_check.RULE.find(Facts(told={"promises": "the promise is broken since run 3"}))
    assert found is not None
    assert "promises:" in found.next
    assert told_by_check.RULE.find(Facts(told={"promises": "x", "quality": "fell"})) is None
