"""text_similarity."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from checks.scorers.text_similarity import rouge_l

MEASURES = ("chrf", "rouge_l", "token_f1", "edit")
WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "Mat-9", "a", "x_y", "it's", "."]), max_size=12)


@pytest.mark.parametrize("measure", MEASURES)
def test_equal_texts_score_one_and_unlike_ones_zero(rate, measure) -> None:
    """Every measure is 1 for equal texts, 0 for texts with nothing in common, and between for the rest."""
    config = {"measure": measure}
    assert rate("text_similarity", "the cat sat", " the cat sat\n", **config).value == 1
    assert rate("text_similarity", "x", "x", **config).value == 1
    assert rate("text_similarity", "", "", **config).value == 1
    assert rate("text_similarity", "big cat", "", **config).value == 0
    assert rate("text_similarity", "bbb", "zzz", **config).value == 0
    assert 0 < rate("text_similarity", "the cat sat", "the cat ran", **config).value < 1
    assert rate("text_similarity", ["none at all", "the cat sat"], "the cat sat", **config).value == 1


def test_chrf_is_sacrebleus(rate) -> None:
    """The chrF is sacreBLEU's own number, over 100."""
    sacrebleu = pytest.importorskip("sacrebleu")
    expected, output = "Der Hund läuft im Park.", "Ein Hund lief durch den Park."
    score = sacrebleu.sentence_chrf(output, [expected]).score / 100
    assert rate("text_similarity", expected, output).value == pytest.approx(score)


@settings(max_examples=200, deadline=None)
@given(WORDS, WORDS)
@example(["the", "cat"], [])
def test_rouge_l_is_rouge_scores(left: list[str], right: list[str]) -> None:
    """On English texts ROUGE-L equals the reference implementation's F-measure."""
    from rouge_score import rouge_scorer

    output, expected = " ".join(left), " ".join(right)
    reference = rouge_scorer.RougeScorer(["rougeL"]).score(expected, output)["rougeL"].fmeasure
    assert rouge_l(output, expected) == pytest.approx(reference)


def test_token_f1_is_squads(rate) -> None:
    """Token F1 leaves out case, punctuation and articles, and counts repeated words."""
    config = {"measure": "token_f1"}
    assert rate("text_similarity", "The Cat.", "cat", **config).value == 1
    assert rate("text_similarity", "big big cat", "big cat dog", **config).value == pytest.approx(2 / 3)
    assert rate("text_similarity", "the", "a", **config).value == 1


def test_edit_is_levenshtein(rate) -> None:
    """The edit similarity is one minus the distance over the longer length; case may be left out."""
    assert rate("text_similarity", "kitten", "sitting", measure="edit").value == pytest.approx(1 - 3 / 7)
    assert rate("text_similarity", "ABC", "abc", measure="edit").value == 0
    assert rate("text_similarity", "ABC", "abc", measure="edit", ignore_case=True).value == 1


def test_without_a_text_it_is_unscored(rate, make) -> None:
    """No expected text is unscored; an unknown measure is refused."""
    assert rate("text_similarity", None, "x").value is None
    with pytest.raises(ValueError, match="'chrf', 'rouge_l', 'token_f1' or 'edit'"):
        make("text_similarity", measure="bleu")
