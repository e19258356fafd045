"""Is a judge asked what it should be, and its reply read as it should be?"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from checks.registry import find
from checks.scorers import score
from checks.scorers._asking import Replies
from checks.types import Example, Message, Response

EXAMPLE = Example("1", "When is it?", "4 September")
ENDPOINT = {"kind": "openai_chat", "base_url": "http://127.0.0.1:8001/v1", "model": "judge"}


def judge(**options: Any):
    return find("checks.scorers", "judge").model_validate({"kind": "judge", "endpoint": ENDPOINT, **options})


def said(scorer, reply: str, output: str = "an answer", example: Example = EXAMPLE):
    """The score where the judge replied so."""
    (question,) = scorer.questions(example, output)
    return score(scorer.having(Replies({question: reply})), example, Response("1", output))


@pytest.mark.parametrize(
    ("reply", "value"),
    [("Yes.", 1.0), ("NO", 0.0), ("It says no more than that. Verdict: **yes**", 1.0), ("yes, but no", 0.0)],
)
def test_the_last_verdict_counts(reply: str, value: float) -> None:
    """Whatever the case and the words around it."""
    assert said(judge(), reply).value == value


def test_the_first_verdict_counts_where_that_is_asked() -> None:
    """A judge that says its verdict first and then explains."""
    assert said(judge(match="first"), "Yes. There is no fault in it.").value == 1.0


@pytest.mark.parametrize("reply", ["", "I cannot say.", "yesterday", "not sure"])
def test_a_reply_without_a_verdict_is_unscored_and_not_wrong(reply: str) -> None:
    """Not measured: no score, and a reason that shows what was said."""
    found = said(judge(), reply)
    assert found.value is None
    assert found.reason is not None
    assert found.reason.startswith("no verdict in what the judge says")


def test_what_was_not_asked_or_not_answered_is_unscored() -> None:
    """The reason is the judge's failure, never a score of 0."""
    scorer = judge()
    (question,) = scorer.questions(EXAMPLE, "x")
    out = scorer.having(Replies(missing={question: "the judge gave no answer: refused"}))
    assert score(out, EXAMPLE, Response("1", "x")).reason == "the judge gave no answer: refused"
    assert score(scorer, EXAMPLE, Response("1", "x")).value is None


@pytest.mark.parametrize(
    ("reply", "value"),
    [("Score: 5", 1.0), ("4/5? No: 2", 0.25), ("1", 0.0), ("3.0", 0.5), ("9", None), ("none", None)],
)
def test_a_number_on_a_scale_becomes_a_share_of_it(reply: str, value: float | None) -> None:
    """The worst is 0 and the best 1; a number outside is no verdict."""
    assert said(judge(scale=[1, 5]), reply).value == value


def test_a_verdict_may_be_the_answer_itself() -> None:
    """The judge's own answer is compared with the model's; anything else is worth ``otherwise``."""
    scorer = judge(prompt="{input}", verdicts={"{output}": 1}, otherwise=0)
    assert said(scorer, "Billing", "billing.").value == 1.0
    assert said(scorer, "login", "billing").value == 0.0


def test_the_prompt_is_filled_in_at_one_stroke() -> None:
    """An answer that holds a placeholder is shown as it is."""
    scorer = judge(prompt="{output}|{expected}|{input}")
    talk = Example("1", (Message("user", "a"), Message("assistant", "b")), ["x", 2])
    assert scorer.questions(talk, "{input}{expected}") == ("{input}{expected}|x or 2|user: a\nassistant: b",)


def test_a_prompt_that_shows_no_reference_needs_none() -> None:
    """``expected`` is asked for only where the prompt or a verdict shows it."""
    bare = Example("1", "?")
    assert judge().problem(bare) is not None
    assert judge(prompt="Is this polite? {output}").problem(bare) is None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"prompt": "Is it right?"}, "neither {output} nor {input}"),
        ({"verdicts": {"Yes": 1, "yes": 0}}, "the same when case is ignored"),
        ({"verdicts": {" ": 1}}, "a verdict is blank"),
        ({"verdicts": {"yes": 2}}, "less than or equal to 1"),
        ({"scale": [1, 1]}, "both ends are 1"),
        ({"scale": [1, 5], "verdicts": {"yes": 1}}, "verdicts and scale exclude each other"),
        ({"endpoint": {"kind": "nothing"}}, "unknown kind 'nothing'"),
    ],
)
def test_a_faulty_option_is_told(options: dict[str, Any], why: str) -> None:
    """In words, at construction."""
    with pytest.raises(ValidationError) as caught:
        judge(**options)
    assert why in str(caught.value)


def test_what_identifies_a_judge() -> None:
    """Model, address, parameters and version do; its key, the price and the name of the scorer do not."""
    one = judge()
    assert (
        judge(name="other", min=0.5, endpoint={**ENDPOINT, "api_key_env": "KEY"}).fingerprint
        == one.fingerprint
    )
    assert judge(version="2").fingerprint != one.fingerprint
    assert judge(endpoint={**ENDPOINT, "model": "other"}).fingerprint != one.fingerprint
    assert judge(endpoint={**ENDPOINT, "params": {"temperature": 1}}).fingerprint != one.fingerprint
    assert judge(prompt="{output}?").measured_by() != one.measured_by()
    assert "KEY" not in str(judge(endpoint={**ENDPOINT, "api_key_env": "KEY"}).measured_by())
