"""One run from the first request to the outbox, over a real endpoint and a real store."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from checks import judge
from checks.types import ALL, Finding, Verdict
from service import history
from service.alerting import AlertEvent, AlertKind, AlertState
from service.conclude import subject_of
from service.demo.endpoint import Fault, FaultKind
from service.golden import EditedError, NotFrozenError, check_lock
from service.pipeline import resume, to_confirm
from service.records import NewRun, RunKind, RunState
from service.segment import segment_key


def verdicts(runs):
    return [str(finished.run.verdict) for finished in runs]


def test_a_dropped_adapter_is_replayed_at_once_and_pages_once(watch):
    """The bad run is suspect, its confirmation regressed; one alert opens and one message per notifier waits."""

    async def story():
        async with watch() as bench:
            quiet = [v for _ in range(6) for v in verdicts(await bench.hour())]
            bench.endpoint.drop_adapter()
            bad = await bench.hour()
            return (
                bench,
                quiet,
                bad,
                bench.store.alerts(),
                bench.store.notifications(bench.store.alerts()[0].id),
            )

    bench, quiet, bad, alerts, messages = asyncio.run(story())
    assert quiet == ["learning"] * 4 + ["ok"] * 2
    assert verdicts(bad) == ["suspect", "regressed"]
    assert [f.run.kind for f in bad] == [RunKind.MANUAL, RunKind.CONFIRM]
    assert [(a.kind, a.state, a.severity, a.onset_run) for a in alerts] == [
        (AlertKind.REGRESSION, AlertState.FIRING, "critical", bad[0].run.id)
    ]
    assert [m.notification.event for m in messages] == [AlertEvent.FIRING]
    body = messages[0].notification.body
    assert body["finding"]["scorer"] == "label"
    assert 1 <= len(body["examples"]) <= 5
    assert all(e["before"] is not None and e["now"] is not None for e in body["examples"])
    assert bench.target.labels["team"] == body["alert"]["labels"]["team"]


@pytest.mark.parametrize(
    ("regressed", "suspect", "replayed"),
    [
        ((), ("quality",), True),
        ((), ("latency",), True),
        (("latency",), ("quality",), True),
        (("output_shift",), ("adapter_applied",), True),
        (("latency",), ("output_shift",), False),
        (("quality",), ("adapter_applied",), False),
        (("latency",), (), False),
    ],
)
def test_a_standing_alert_of_latency_does_not_make_a_dropped_adapter_wait(regressed, suspect, replayed):
    """Answers that look wrong are replayed at once, unless wrong answers are what stands already."""
    found = {Verdict.REGRESSED: regressed, Verdict.SUSPECT: suspect}
    findings = tuple(
        Finding(check, None, ALL, verdict) for verdict, names in found.items() for check in names
    )
    verdict = Verdict.REGRESSED if regressed else Verdict.SUSPECT
    judged = judge.Judgement(verdict, "", findings, bool(suspect), bool(regressed), None, True)
    assert to_confirm(judged) is replayed


def test_the_regression_resolves_when_the_adapter_is_back(watch):
    """A few healthy runs end the alert and a message says so."""

    async def story():
        async with watch() as bench:
            for _ in range(5):
                await bench.hour()
            bench.endpoint.drop_adapter()
            await bench.hour()
            bench.endpoint.restore()
            after = [v for _ in range(4) for v in verdicts(await bench.hour())]
            alert = bench.store.alerts()[0]
            return after, alert.state, [m.notification.event for m in bench.store.notifications(alert.id)]

    after, state, events = asyncio.run(story())
    assert after[-1] == "ok"
    assert state is AlertState.RESOLVED
    assert events == [AlertEvent.FIRING, AlertEvent.RESOLVED]


@pytest.mark.parametrize("kind", [FaultKind.OUTAGE, FaultKind.GIBBERISH])
def test_an_outage_is_inconclusive_and_an_alert_of_its_own_kind(kind, watch):
    """An endpoint that fails is never a regression; after two such runs people are told of an outage."""

    async def story():
        async with watch() as bench:
            for _ in range(5):
                await bench.hour()
            bench.endpoint.fault = Fault(kind)
            dark = [v for _ in range(2) for v in verdicts(await bench.hour())]
            return dark, [(a.kind, a.state) for a in bench.store.alerts()]

    dark, alerts = asyncio.run(story())
    if kind is FaultKind.OUTAGE:
        assert dark == ["inconclusive", "inconclusive"]
        assert alerts == [(AlertKind.OUTAGE, AlertState.FIRING)]
    else:
        assert "inconclusive" not in dark


def test_what_is_kept_of_the_fold_equals_the_fold_of_all_history(watch):
    """The shortcut between runs and a fold from the first run agree to the last bit."""

    async def story():
        async with watch() as bench:
            for i in range(8):
                if i == 6:
                    bench.endpoint.drop_adapter()
                await bench.hour()
            golden = check_lock(bench.target.golden)
            about = subject_of(bench.store, bench.target, golden)
            baseline = bench.store.baseline(bench.target.name)
            segment = segment_key(bench.target, golden.digest, baseline.id)
            kept = history.state_before(bench.store, bench.target.name, segment, about)
            fresh = history.state_before(bench.store, bench.target.name, segment, about, fresh=True)
            return judge.dump(kept), judge.dump(fresh), bench.store.snapshot(bench.target.name, segment)

    kept, fresh, snapshot = asyncio.run(story())
    assert snapshot is not None
    assert kept == fresh


def test_a_run_that_was_killed_is_taken_up_and_only_the_rest_is_asked(watch):
    """What was saved is not asked again, and the run is judged whole, once."""

    async def story():
        async with watch() as bench:
            for _ in range(4):
                await bench.hour()
            golden = check_lock(bench.target.golden)
            baseline = bench.store.baseline(bench.target.name)
            bench.store.put_golden(golden)
            run_id = bench.store.claim_run(
                NewRun(
                    target=bench.target.name,
                    kind=RunKind.SCHEDULED,
                    scheduled_at=bench.now,
                    golden_digest=golden.digest,
                    segment=segment_key(bench.target, golden.digest, baseline.id),
                    baseline_id=baseline.id,
                    share=1.0,
                    period_h=2160.0,
                ),
                owner="a process that died",
                now=bench.now,
                lease_s=10,
            )
            earlier = bench.store.responses(bench.store.last_measured(bench.target.name).id)
            bench.store.save_responses(run_id, earlier[:200])
            before = bench.endpoint.requests_total
            bench.now += 60
            resumed = await resume(bench.shell)
            return run_id, resumed, bench.endpoint.requests_total - before, await resume(bench.shell)

    run_id, resumed, asked, again = asyncio.run(story())
    assert [f.run.id for f in resumed] == [run_id]
    assert resumed[0].run.verdict is Verdict.OK
    assert resumed[0].run.requests.ok == 240
    assert asked <= 40 + 4
    assert again == []


def test_a_killed_run_that_is_too_old_is_closed_unjudged(watch):
    """Past its deadline a run is inconclusive, never judged on half its answers."""

    async def story():
        async with watch() as bench:
            await bench.hour()
            golden = check_lock(bench.target.golden)
            baseline = bench.store.baseline(bench.target.name)
            run_id = bench.store.claim_run(
                NewRun(
                    target=bench.target.name,
                    kind=RunKind.SCHEDULED,
                    scheduled_at=None,
                    golden_digest=golden.digest,
                    segment=segment_key(bench.target, golden.digest, baseline.id),
                    baseline_id=baseline.id,
                    share=1.0,
                    period_h=2160.0,
                ),
                owner="a process that died",
                now=bench.now,
                lease_s=10,
            )
            bench.now += bench.target.deadline_s + 60
            await resume(bench.shell)
            return bench.store.run(run_id)

    run = asyncio.run(story())
    assert run.state is RunState.DONE
    assert run.verdict is Verdict.INCONCLUSIVE
    assert run.measured is False


def test_a_scheduled_time_has_one_run(watch):
    """Asked twice for the same time, the second asks nothing."""

    async def story():
        async with watch() as bench:
            at = bench.now
            one = await bench.hour(kind=RunKind.SCHEDULED, scheduled_at=at)
            two = await bench.hour(kind=RunKind.SCHEDULED, scheduled_at=at)
            return one, two

    one, two = asyncio.run(story())
    assert len(one) == 1
    assert two == []


def test_a_golden_set_that_is_not_frozen_is_refused(watch, tmp_path):
    """Nothing is asked of the endpoint for a set that may still change."""

    async def story():
        loose = tmp_path / "loose.jsonl"
        loose.write_text('{"id": "a", "input": "x", "expected": "bug"}\n')
        async with watch() as bench:
            target = bench.target.model_copy(update={"golden": loose})
            bench.config = bench.config.model_copy(update={"targets": (target,)})
            with pytest.raises(NotFrozenError, match="goldwatch freeze"):
                await bench.hour()
            return bench.endpoint.requests_total

    assert asyncio.run(story()) == 0


def test_an_edited_golden_set_is_refused(watch, tmp_path):
    """An edit after the freeze is an error that names the lock, not a regression."""
    from service.golden import freeze

    async def story():
        loose = tmp_path / "edited.jsonl"
        loose.write_text('{"id": "a", "input": "x", "expected": "bug"}\n')
        freeze(loose, 0.0)
        loose.write_text('{"id": "a", "input": "y", "expected": "bug"}\n')
        async with watch() as bench:
            target = bench.target.model_copy(update={"golden": loose})
            bench.config = bench.config.model_copy(update={"targets": (target,)})
            with pytest.raises(EditedError):
                await bench.hour()

    asyncio.run(story())


def test_the_day_s_token_limit_makes_a_run_inconclusive_and_never_regressed(watch):
    """Where the limit is used up nothing is asked, and that says nothing about the model."""
    from service.config.target_parts import Limits

    async def story():
        async with watch() as bench:
            target = bench.target.model_copy(update={"limits": Limits(tokens_per_day=500)})
            bench.config = bench.config.model_copy(update={"targets": (target,)})
            runs = await bench.hour()
            return runs, bench.endpoint.requests_total

    runs, asked = asyncio.run(story())
    assert verdicts(runs) == ["inconclusive"]
    assert asked < 240


def test_a_store_that_fails_makes_the_run_inconclusive_and_says_so(watch, monkeypatch):
    """What was saved is intact; the reason names the store."""
    from service.store import Store, StoreError

    async def story():
        async with watch() as bench:
            real, calls = Store.save_responses, []

            def failing(self, run_id, responses):
                calls.append(len(responses))
                if len(calls) > 1:
                    raise StoreError("the disk is full")
                real(self, run_id, responses)

            monkeypatch.setattr(Store, "save_responses", failing)
            runs = await bench.hour()
            return runs, len(bench.store.responses(runs[0].run.id)), calls

    runs, saved, calls = asyncio.run(story())
    assert verdicts(runs) == ["inconclusive"]
    assert "the disk is full" in runs[0].run.reason
    assert saved == calls[0]


def test_scores_are_kept_to_the_last_bit(watch):
    """What the store gives back is what was judged."""

    async def story():
        async with watch() as bench:
            runs = await bench.hour()
            segment = runs[0].run.segment
            return next(bench.store.measurements(bench.target.name, segment)), bench.store.vectors(
                runs[0].run.id
            )

    measurement, vectors = asyncio.run(story())
    np.testing.assert_array_equal(measurement.scores["label"], vectors[0].values)
