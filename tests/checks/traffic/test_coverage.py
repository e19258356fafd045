"""Is what the golden set represents told from what it does not, in texts that people wrote?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from checks.scorers.label import Label
from checks.traffic import coverage
from checks.traffic.debt import debt
from checks.traffic.features import SIZE, vector
from checks.traffic.observe import categories_of, observe
from checks.traffic.pick import pick
from checks.traffic.window import Window
from checks.types import Message

DEMO = Path(__file__).parents[3] / "service" / "demo"
FRENCH = [
    "Où est mon colis ? Le suivi ne bouge plus depuis lundi.",
    "Je voudrais annuler mon abonnement s'il vous plaît",
    "La facture est fausse, pouvez-vous la corriger ?",
    "Je ne peux plus me connecter depuis hier soir",
]


def texts(name):
    return [json.loads(line)["input"] for line in (DEMO / name).read_text().splitlines()]


@pytest.fixture(scope="module")
def anchors():
    learnt = coverage.learn(texts("golden.jsonl"))
    assert learnt is not None
    return learnt


def test_held_out_texts_of_the_same_domain_are_represented(anchors):
    """Of tickets that the golden set does not hold, about one in twenty counts as new, as the threshold means."""
    held_out = [text for text in texts("tickets.jsonl") if text not in set(texts("golden.jsonl"))]
    new = [coverage.nearest(anchors, text)[0] < anchors.threshold for text in held_out]
    assert len(held_out) > 400
    assert 0.01 <= np.mean(new) <= 0.10


@pytest.mark.parametrize("text", [*FRENCH, "我想退款", "quantum entanglement of photons"])
def test_a_new_language_or_subject_is_new(anchors, text):
    """What shares no words with the golden set is not represented by it."""
    assert coverage.nearest(anchors, text)[0] < anchors.threshold


def test_a_golden_input_is_represented_by_itself(anchors):
    """Its cosine is 1, and case, spacing and full-width letters change nothing."""
    text = texts("golden.jsonl")[5]
    assert coverage.nearest(anchors, f"  {text.upper()} ")[0] == pytest.approx(1.0, abs=1e-5)


def test_too_few_examples_represent_nothing_known():
    """Below twenty inputs there is no threshold to speak of."""
    assert coverage.learn(texts("golden.jsonl")[:19]) is None
    assert observe(None, [], "x", None).novel is None


def test_a_large_set_is_thinned_and_bounded():
    """However many examples, at most a thousand anchors of fixed length."""
    many = coverage.learn([f"request number {i} about subject {i % 37}" for i in range(2500)])
    assert many is not None
    assert many.matrix.shape == (coverage.MOST_ANCHORS, SIZE)
    assert many.shares.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800 lone", "a" * 100_000, "\u202e\u0301" * 50])
def test_any_text_has_a_vector(anchors, text):
    """Empty, broken and endless texts give finite numbers of length 1 or 0."""
    made = vector(text)
    assert np.isfinite(made).all()
    assert float(made @ made) == pytest.approx(1.0) or not made.any()
    assert 0.0 <= coverage.nearest(anchors, text)[0] <= 1.001


def test_an_answer_is_read_by_the_targets_scorers(anchors):
    """The label that is named and answers that name none are seen, though nobody says what is right."""
    scorers = [Label(labels=("billing", "bug"))]
    asked = (Message("system", "Route it."), Message("user", FRENCH[0]))
    seen = observe(anchors, scorers, asked, "**Bug**", stand_in="billing")
    assert (seen.label, seen.malformed, seen.refused, seen.novel) == ("bug", False, False, True)
    assert seen.input_chars == len(FRENCH[0])
    unread = observe(anchors, scorers, "x", "I can't help with that.", stand_in="billing")
    assert (unread.label, unread.malformed, unread.refused) == (None, True, True)


def test_what_stands_for_most_is_picked_first(anchors):
    """Thirty wordings of one new request come before an odd one, once; then the rest."""
    many = [f"Où est mon colis {n} ? Le suivi ne bouge plus depuis lundi." for n in range(30)]
    chosen = pick(anchors, ["quantum entanglement", *many, "我想退款"], 10)
    assert chosen[0].position in range(1, 31)
    assert chosen[0].represents_ratio == pytest.approx(30 / 32)
    assert {one.position for one in chosen[1:3]} == {0, 31}
    assert pick(anchors, [], 10) == ()


def test_words_that_the_set_never_uses_are_counted(anchors):
    """New terms in a familiar sentence are seen; a golden input has none, a text without words no share."""
    assert coverage.unknown_words(anchors, texts("golden.jsonl")[3]) == 0.0
    assert coverage.unknown_words(anchors, "My zorblax quuxifier gets rejected") >= 0.5
    assert coverage.unknown_words(anchors, "12 ? !") is None
    assert 0.0 < anchors.many_unknown < 1.0


def test_an_answer_with_a_label_that_no_golden_example_has_is_not_represented(anchors):
    """The request is familiar, its answer is of a category without an example: a debt. An alias is no new category."""
    scorers = [Label(labels=("billing", "bug", "warranty"), aliases={"bug": ("defect",)})]
    known = categories_of(scorers, ["Billing", "defect", None, 3])
    assert known == {"billing", "bug"}
    asked = texts("golden.jsonl")[5]
    for output, novel in (("bug", False), ("defect", False), ("warranty", True), ("no idea", False)):
        seen = observe(anchors, scorers, asked, output, stand_in="billing", categories=known)
        assert seen.novel is novel, output


def test_new_terms_in_familiar_requests_are_a_debt(anchors):
    """At least so many requests bring terms that the set lacks as their words beyond the usual say; fewer are none."""
    from checks.traffic.window import add

    familiar, new = texts("golden.jsonl")[5], "Is the parcel zorblax quuxifier grompt shipped"
    assert observe(anchors, [], new, None).novel is False
    window = Window(0, 1)
    for n in range(100):
        window = add(window, observe(anchors, [], new if n < 30 else familiar, None), float(n))
    whole = debt([window])
    assert whole is not None
    assert whole.ratio == whole.unlike_ratio == 0.0, "golden inputs themselves use fewer new words than usual"
    only = debt([add(Window(0, 1), observe(anchors, [], new, None), 0.0)])
    assert 0.0 < only.new_words_ratio <= 1.0
    assert only.ratio == only.new_words_ratio


def test_many_texts_are_held_against_the_set_as_one_is(anchors):
    """In whatever company, a text has the same nearest golden input; an empty one has nothing in common with any."""
    held = [*FRENCH, "", *texts("tickets.jsonl")[:300]]
    for (cosine, kind), text in zip(coverage.nearest_of(anchors, held), held, strict=True):
        alone = coverage.nearest(anchors, text)
        assert (pytest.approx(alone[0], abs=1e-5), alone[1]) == (cosine, kind)
    assert coverage.nearest(anchors, "") == (0.0, 0)


def test_the_debt_has_an_interval_over_windows():
    """The ratio is over samples, its spread over hours; unknown where nothing was compared."""
    hours = [Window(0, 1, samples=n, compared=n, novel=k) for n, k in ((100, 10), (100, 20), (200, 30))]
    owed = debt(hours)
    assert owed is not None
    assert (owed.ratio, owed.samples, owed.unlike_ratio, owed.new_words_ratio) == (0.15, 400, 0.15, 0.0)
    assert owed.interval is not None
    assert 0.0 <= owed.interval[0] < 0.15 < owed.interval[1] <= 1.0
    assert debt([Window(0, 1, samples=5)]) is None
    assert debt(hours[:1]).interval is None
    still = debt([Window(0, 1, samples=100, compared=100)] * 3)
    assert still.ratio == 0.0
    assert still.interval[1] > 0.0
