"""Does every rule keep the room's promises? A battery over all that registers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from checks.causes import MOST, Cause, Diagnosis, diagnose, rules
from checks.causes.facts import AskedAgain, BaseAnswers, Facts, JudgeSeen, Mark, Rescored, Side
from checks.types import ErrorKind, Example, Response, ResponseError, Served

N = 60
JUDGE = Served(model="judge-1")
HOSTILE = "\x1b[31m<!channel>\u202e*bold* ```json\n{" + "\ud800" + "x" * 500
LABELS = ("billing", "login", "bug")

EXAMPLES = tuple(
    Example(
        f"T-{i}", f"question {i}", LABELS[i % 3], {"lang": "de" if i % 4 == 0 else "en"}, group=f"g{i // 6}"
    )
    for i in range(N)
)


def side(run: int, texts: list[str | None], **more) -> Side:
    """One run by its answers; None is a timeout."""
    responses = {
        e.id: (
            Response(e.id, text, latency_s=0.2 + 0.001 * (i % 7), input_tokens=10 + i % 5, output_tokens=2,
                     finish_reason="stop", fingerprint="fp_1", logprobs=(-0.1 - 0.001 * ((i * run) % 5),))
            if text is not None
            else Response(e.id, error=ResponseError(ErrorKind.TIMEOUT, "timed out")),
        )
        for i, (e, text) in enumerate(zip(EXAMPLES, texts, strict=True))
    }  # fmt: skip
    right = np.array(
        [np.nan if t is None else float(t == e.expected) for e, t in zip(EXAMPLES, texts, strict=True)]
    )
    return Side(
        run=run,
        started_at=1000.0 * run,
        served=Served(model="ft", fingerprint="fp_1", version="1", parent="base", models=("ft", "base")),
        responses=responses,
        scores={"label": right},
        labels={"label": {i: t for i, t in enumerate(texts) if t in LABELS}},
        format_failures={
            "label": frozenset(i for i, t in enumerate(texts) if t is not None and t not in LABELS)
        },
        **more,
    )


def healthy(run: int) -> Side:
    """A run of a model that is wrong now and then, never on the same examples."""
    return side(run, [LABELS[(i + ((i + run) % 30 == 0)) % 3] for i in range(N)])


def facts(now: Side | None = None) -> Facts:
    """A target that was healthy three times; ``now`` is the run that is asked about."""
    return Facts(
        examples=EXAMPLES,
        now=now or healthy(9),
        before=healthy(8),
        earlier=healthy(7),
        again=healthy(10),
        scorer="label",
        usual={"label": np.nanmean([healthy(r).scores["label"] for r in range(1, 6)], axis=0)},
        identities=(Served(model="ft", fingerprint="fp_1"),) * 3,
        onset_at=9000.0,
        base=BaseAnswers("base", {e.id: ("This is about billing.",) * 2 for e in EXAMPLES}),
        rescored=(Rescored("label", 8, 0.95, 0.95, 0, N),),
        judges=(JudgeSeen("label", JUDGE, JUDGE, AskedAgain(8, 0.95, 0.95, 1, 1, N), N),),
    )


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_silent_on_a_healthy_target(rule):
    """A rule that can look sees nothing where nothing changed."""
    if rule.needs(facts()):
        assert rule.find(facts()) is None


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_silent_on_nothing(rule):
    """Nothing known: the rule says that it cannot look, and finds nothing if it is asked all the same."""
    for empty in (Facts(), Facts(examples=EXAMPLES), replace(facts(), before=None, earlier=None, again=None)):
        assert rule.find(empty) is None
    assert not rule.needs(Facts())


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
@pytest.mark.parametrize(
    "texts",
    [[HOSTILE] * N, [""] * N, [None] * N, ["{" * 5000] * N, ["```" * 999] * N, ["[" * 50_000] * N],
    ids=["hostile", "empty", "errors", "braces", "fences", "deep"],
)  # fmt: skip
def test_hostile_answers_are_never_quoted(rule, texts):
    """Whatever the model says, a rule does not fail on it, and its sentences hold none of it."""
    found = rule.find(facts(side(9, texts)))
    if found is not None:
        for line in (found.title, found.next, *found.facts):
            assert line.isprintable()
            assert "channel" not in line
            assert len(line) < 400


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_hostile_names_are_shown_harmlessly(rule):
    """Names that a server, a mark or a label bring are cut and made printable."""
    now = replace(healthy(9), served=Served(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,)))
    now = replace(now, labels={"label": dict.fromkeys(range(N), HOSTILE)}, scores={"label": np.zeros(N)})
    asked = replace(facts(now), marks=(Mark(8900.0, HOSTILE, HOSTILE),), base=BaseAnswers(HOSTILE, {}))
    asked = replace(
        asked, judges=(JudgeSeen(HOSTILE, JUDGE, Served(HOSTILE, HOSTILE), told="the judge changed"),)
    )
    found = rule.find(asked)
    if found is not None:
        for line in (found.title, found.next, *found.facts):
            assert line.isprintable()
            assert len(line) < 400


def test_every_rule_says_what_it_is():
    """Names are those of the modules, and what is looked at can be listed in a sentence."""
    assert len(rules()) >= 13
    for rule in rules():
        assert rule.looks_at
        assert not rule.looks_at.endswith(".")


def test_the_strongest_come_first_and_few():
    """At most three causes are told, the strongest first, each with a fact and a next step."""
    bad = side(9, ["This is about billing."] * N)
    found = diagnose(replace(facts(bad), marks=(Mark(8900.0, "2"),)))
    strengths = [cause.strength for cause in found.causes]
    assert 0 < len(strengths) <= MOST
    assert strengths == sorted(strengths, reverse=True)
    assert all(cause.facts and cause.next for cause in found.causes)
    assert found.causes[0].name == "base_model"
    assert found.causes[0].facts[0] == "60/60 answers identical to the base model's (usual: 0)"


def test_no_cause_is_said_with_what_was_looked_at():
    """Where nothing fits, one line says what was looked at, and what could not be."""
    found = diagnose(replace(facts(), base=None, rescored=()))
    (line,) = found.sentences
    assert found.causes == ()
    assert line.startswith("no cause found; looked at: ")
    assert "deployment marks" in line.partition("not known:")[0]
    assert "stored answers scored again" in line.partition("not known:")[2]
    assert diagnose(Facts()).sentences == ()


def test_a_cause_needs_a_fact_and_a_strength():
    """A cause without a fact, or with a certainty that nobody has, is refused when it is made."""
    with pytest.raises(ValueError, match="fact"):
        Cause("x", "x", 0.5, (), "look")
    with pytest.raises(ValueError, match="strength"):
        Cause("x", "x", 1.0, ("a",), "look")
    words = [Cause("x", "x", s, ("a",), "look").likelihood for s in (0.95, 0.8, 0.5)]
    assert words == ["very likely", "likely", "possible"]
    assert Diagnosis().sentences == ()
