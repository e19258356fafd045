"""Is the right cause named first on a target that was really broken that way?

The endpoint is the demo's over HTTP, the model is trained, the pipeline, the store and the checks are the real ones.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import replace

import pytest

from checks.scorers.label import Label
from checks.types import Score, Verdict
from service.demo.model import LABELS
from service.demo.protocol import pieces
from service.records import DeploymentMark


def text_of(completion) -> str:
    """What is said."""
    return "".join(completion.tokens)


def said(completion, text, **more):
    """The completion with another text."""
    return replace(completion, tokens=pieces(text), **more)


def hit(text: str, ratio: float) -> bool:
    """Whether a text is among a fixed part of all texts."""
    return zlib.crc32(text.encode()) / 2**32 < ratio


def other(label: str) -> str:
    """Another label, always the same for one."""
    return LABELS[(LABELS.index(label) + 2) % len(LABELS)]


def adapter_lost(scene):
    scene.endpoint.drop_adapter()


def another_model(scene):
    def breakage(request, answer, _number):
        text = other(text_of(answer)) if hit(request.question, 0.3) else text_of(answer)
        return said(answer, text, model="ticket-router-v2", fingerprint="fp_other")

    scene.endpoint.breakage = breakage


def upgraded_server(scene):
    def breakage(request, answer, _number):
        text = other(text_of(answer)) if hit(request.question, 0.3) else text_of(answer)
        return said(answer, text, fingerprint="fp_upgraded")

    scene.endpoint.breakage = breakage


def deployed(scene):
    scene.store.add_mark(DeploymentMark("ticket-router", scene.now - 1140, "0.32", "server 0.31 → 0.32"))

    def breakage(request, answer, _number):
        return said(answer, other(text_of(answer)) if hit(request.question, 0.3) else text_of(answer))

    scene.endpoint.breakage = breakage


def fenced(scene):
    scene.endpoint.breakage = lambda _r, answer, _n: said(answer, f"```json\n{text_of(answer)}\n```")


def chatty_json(scene):
    def breakage(request, answer, _number):
        talks = hit(request.question, 0.5)
        return said(answer, f"Sure! Here is the JSON: {text_of(answer)}" if talks else text_of(answer))

    scene.endpoint.breakage = breakage


def renamed_field(scene):
    def breakage(_request, answer, _number):
        return said(answer, text_of(answer).replace('"queue"', '"team"'))

    scene.endpoint.breakage = breakage


def field_that_nobody_scores(scene):
    def breakage(_request, answer, _number):
        return said(answer, text_of(answer).replace("{", '{"v": 2, '))

    scene.endpoint.breakage = breakage


def cut_off(scene):
    scene.endpoint.breakage = lambda _r, answer, _n: replace(
        answer, tokens=answer.tokens[:3], finish_reason="length"
    )


def faster_and_worse(scene):
    slower_and_worse(scene, latency_s=0.005)


def slower_and_worse(scene, latency_s=0.08):
    scene.endpoint._latency_s = latency_s

    def breakage(request, answer, number):
        garbled = hit(request.question, 0.4)
        return said(answer, LABELS[(number + len(request.question)) % 5] if garbled else text_of(answer))

    scene.endpoint.breakage = breakage


def swallowed(scene):
    def breakage(_request, answer, _number):
        return said(answer, "billing" if text_of(answer) == "refund" else text_of(answer))

    scene.endpoint.breakage = breakage


def refusing(scene):
    def breakage(request, answer, _number):
        refuses = hit(request.question, 0.4)
        return said(answer, "I'm sorry, but I can't help with that." if refuses else text_of(answer))

    scene.endpoint.breakage = breakage


def half_of_the_replicas_named(scene):
    def breakage(_request, answer, number):
        if random.Random(number).random() < 0.5:
            return answer
        return said(answer, other(text_of(answer)), fingerprint="fp_second")

    scene.endpoint.breakage = breakage


def two_of_three_replicas(scene):
    def breakage(request, answer, number):
        return (
            answer
            if random.Random(number).random() < 1 / 3
            else said(answer, scene.endpoint.base_answer(request, number))
        )

    scene.endpoint.breakage = breakage


def half_of_the_replicas_otherwise_wrong(scene):
    def breakage(_request, answer, number):
        return answer if random.Random(number).random() < 0.5 else said(answer, other(text_of(answer)))

    scene.endpoint.breakage = breakage


def german_only(scene):
    german = ("ich", "nicht", "die", "der", "und", "ein", "eine", "mein", "meine", "ist")

    def breakage(request, answer, number):
        words = request.question.lower().split()
        speaks = sum(word in german for word in words) >= 1
        return said(answer, LABELS[(number * 31 + len(words)) % 5] if speaks else text_of(answer))

    scene.endpoint.breakage = breakage


def empty(scene):
    scene.endpoint.breakage = lambda request, answer, _n: (
        said(answer, "") if hit(request.question, 0.4) else answer
    )


def other_template(scene):
    def breakage(request, answer, _number):
        text = other(text_of(answer)) if hit(request.question, 0.3) else text_of(answer)
        return said(answer, text, prompt_tokens=answer.prompt_tokens + 14)

    scene.endpoint.breakage = breakage


def coarser_weights(scene):
    def breakage(request, answer, number):
        weak = hit(request.question, 0.2)
        text = LABELS[zlib.crc32(request.question.encode()) % 5] if weak else text_of(answer)
        return said(answer, text, logprob=answer.logprob * 1.6 - 0.05)

    scene.endpoint.breakage = breakage


CASES = [
    (adapter_lost, "base_model", {"names_base": True}),
    (adapter_lost, "base_model", {}),
    (another_model, "served_identity", {}),
    (upgraded_server, "served_identity", {}),
    (deployed, "deployment", {}),
    (fenced, "answer_form", {"as_json": True}),
    (chatty_json, "answer_form", {"as_json": True}),
    (renamed_field, "schema_drift", {"as_json": True}),
    (field_that_nobody_scores, "schema_drift", {"as_json": True}),
    (cut_off, "truncated", {"as_json": True}),
    (swallowed, "terms", {"glossary": True}),
    (slower_and_worse, "latency", {}),
    (faster_and_worse, "latency", {"slow": True}),
    (swallowed, "label_swallowed", {}),
    (refusing, "refusals", {}),
    (half_of_the_replicas_named, "replicas", {}),
    (two_of_three_replicas, "replicas", {"names_base": True}),
    (half_of_the_replicas_otherwise_wrong, "replicas", {}),
    (german_only, "one_part", {}),
    (empty, "no_answers", {}),
    (other_template, "prompt_changed", {}),
    (coarser_weights, "many_small_changes", {}),
]


@pytest.mark.parametrize(
    ("break_it", "name", "how"),
    CASES,
    ids=[f"{way.__name__}{'-' + '-'.join(how) if how else ''}" for way, _, how in CASES],
)
def test_the_cause_comes_first(play, break_it, name, how):
    """Of the causes that are told, the strongest is what was done to the endpoint."""
    found, _ = play(break_it, **how)
    shown = [(cause.name, round(cause.strength, 2), cause.sentence) for cause in found.causes]
    print(f"{break_it.__name__}: {shown}")
    assert shown[:1], "no cause"
    assert shown[0][0] == name, shown


def test_a_field_that_nobody_scores_pages_by_its_path(play):
    """Every score stays as it was; the structure regresses, and the cause names the field."""
    found, scene = play(field_that_nobody_scores, as_json=True)
    newest = scene.store.last_run("ticket-router")
    bad = {finding.scorer for finding in newest.findings if finding.verdict is Verdict.REGRESSED}
    assert "structure" in bad
    assert "json_fields" not in bad
    assert '"v" is new in' in " ".join(found.causes[0].facts)


def test_a_changed_scorer_is_not_taken_for_a_changed_model(play, monkeypatch):
    """A scorer that was upgraded to another opinion is named, since stored answers score otherwise today."""
    before = Label.score

    def upgraded(self, example, response):
        given = before(self, example, response)
        return Score(0.0, "now case counts", label=given.label) if given.label == "login" else given

    found, _ = play(lambda _scene: monkeypatch.setattr(Label, "score", upgraded))
    print([cause.sentence for cause in found.causes])
    assert found.causes[0].name == "scorer_changed"
    assert found.causes[0].likelihood == "very likely"


def test_a_state_that_regressed_before_is_named_when_it_comes_again(play):
    """A label is swallowed, given back, and swallowed again: the second page says which run was the same."""
    told = []

    async def twice(scene):
        for _ in range(2):
            swallowed(scene)
            told.append(await scene.until_paged())
            scene.endpoint.breakage = None
            for _ in range(12):
                await scene.hour()

    _, scene = play(swallowed, then=twice)
    first, again = told
    assert "known_bad" not in [cause.name for cause in first.causes]
    assert again.causes[0].name == "known_bad"
    named = int(again.causes[0].title.rpartition(" ")[2])
    assert str(scene.store.run(named).verdict) == "regressed"
