"""Is a judge that changed named as the cause, with what its server says and what it says of stored answers?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.types import Verdict
from service.alerting import AlertKind, AlertState
from service.demo.endpoint import DemoEndpoint
from service.demo.protocol import pieces
from service.web.views import diagnosis
from tests.service.pipeline.judged import quiet_hours


class Verbose(DemoEndpoint):
    """Never answers twice in the same letters, so that every answer must be judged anew."""

    numbers = 0

    def _completion(self, request, *, nonsense):
        answered = super()._completion(request, nonsense=nonsense)
        self.numbers += 1
        return replace(answered, tokens=pieces("".join(answered.tokens) + " " * (self.numbers % 997)))


@pytest.fixture(scope="module")
def go_on(tmp_path_factory):
    """Goes on from five healthy hours with anchors."""
    with quiet_hours(tmp_path_factory.mktemp("anchored")) as going_on:
        yield going_on


@pytest.fixture(scope="module")
def go_on_without_anchors(tmp_path_factory):
    """Goes on from five healthy hours without anchors, in which every answer was judged anew."""
    folder = tmp_path_factory.mktemp("unanchored")
    with quiet_hours(folder, endpoint=Verbose(latency_s=0.0), anchored=False) as going_on:
        yield going_on


async def _until_alert(bench, kind: AlertKind):
    for _ in range(8):
        await bench.hour()
        if kind in bench.firing():
            return bench.firing()[kind]
    raise AssertionError("never told")


def _causes(bench, alert):
    return [(c.name, c.title, c.facts) for c in diagnosis(bench.store, alert).causes]


def test_a_judge_of_another_version_is_named_in_its_alert(go_on, tmp_path) -> None:
    """The alert and its message say which model the judge's server names now, and which it named before."""

    async def story(bench):
        bench.configure(NOTIFIED)
        bench.judge.strict, bench.judge.version = True, "judge-2"
        alert = await _until_alert(bench, AlertKind.JUDGE)
        ((name, title, facts),) = _causes(bench, alert)
        assert (name, title) == ("judge_changed", 'the judge of "judge" changed')
        assert facts[0] == 'the judge\'s model "judge-1" → "judge-2"'
        (told,) = bench.store.notifications(alert.id)
        assert told.notification.body["cause"] == [f"{title}: {facts[0]}"]

    go_on(story, tmp_path)


def test_a_judge_that_changed_behind_its_name_is_named_so(go_on, tmp_path) -> None:
    """Its server says what it always said; the anchors tell."""

    async def story(bench):
        bench.judge.strict = True
        ((_, title, facts),) = _causes(bench, await _until_alert(bench, AlertKind.JUDGE))
        assert title == 'the judge of "judge" changed behind the same name'
        assert "anchors are scored otherwise" in facts[0]

    go_on(story, tmp_path)


def test_a_judge_that_is_out_is_told_with_its_errors(go_on, tmp_path) -> None:
    """Without verdicts the cause counts what failed, by kind."""

    async def story(bench):
        bench.judge.down = True
        ((_, title, facts),) = _causes(bench, await _until_alert(bench, AlertKind.JUDGE))
        assert title == 'the judge of "judge" gives no verdicts'
        assert facts[0] == "20/20 questions to it failed: server_error 20"

    go_on(story, tmp_path)


def test_without_anchors_stored_answers_tell_a_changed_judge_from_a_changed_model(
    go_on_without_anchors, tmp_path
) -> None:
    """The run regresses by the judge's scores; the same answers as before lose as much, so the judge is named first.

    They are judged once more only once, whatever the runs that follow say, and the runs' own replies stay as they were.
    """

    async def story(bench):
        bench.judge.strict, bench.judge.version = True, "judge-2"
        alert = await _until_alert(bench, AlertKind.REGRESSION)
        name, title, facts = _causes(bench, alert)[0]
        assert (name, title) == ("judge_changed", 'the judge of "judge" changed, not the model')
        assert facts[0].startswith("60 stored answers of run ")
        assert facts[1] == 'the judge\'s model "judge-1" → "judge-2"'
        bench.judge.asked.clear()
        await bench.hour()
        assert len(bench.judge.asked) == 60

    go_on_without_anchors(story, tmp_path)


def test_a_changed_model_is_not_put_down_to_its_judge(go_on_without_anchors, tmp_path) -> None:
    """The judge scores stored answers as it did: it is no cause, though it has another name."""

    async def story(bench):
        bench.endpoint.drop_adapter()
        bench.judge.version = "judge-2"
        alert = await _until_alert(bench, AlertKind.REGRESSION)
        found = diagnosis(bench.store, alert)
        assert "judge_changed" not in [cause.name for cause in found.causes]
        assert any(one.startswith("the judges") for one in found.looked_at)
        assert bench.store.last_run("router").verdict is Verdict.REGRESSED
        assert bench.store.alerts("router", AlertState.FIRING) == [alert]

    go_on_without_anchors(story, tmp_path)


NOTIFIED = """notifiers:
  - {name: hook, kind: webhook, url: "http://127.0.0.1:9/never"}
"""
