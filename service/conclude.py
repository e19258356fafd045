"""What follows from a run's answers? Score, judge, alert, and close the run in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from checks import judge
from checks.causes import Diagnosis
from checks.quality import State as QualityState
from checks.types import FloatArray, Measurement, Response, Served, Subject
from service import evidence, history
from service.alerting import (
    AlertKind,
    AlertPolicy,
    Notification,
    Outcome,
    Transition,
    of_a_judge,
    transitions,
)
from service.judges import diagnosed
from service.known_bad import again
from service.message import Evidence, body, outbox
from service.records import BaseModelAnswers, Golden, Requests, RunKind, RunRecord
from service.scoring import Scored, likeness, score_run, spent

if TYPE_CHECKING:
    from service.config import Config, Target
    from service.endpoints import Price
    from service.judging import Judged
    from service.store import Store

_LOOK_BACK = 200


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished run as the store has it, and the judgement that it was closed with."""

    run: RunRecord
    judgement: judge.Judgement


@dataclass(frozen=True, slots=True)
class Appraised:
    """A run's answers, scored and judged, before anything of it is written.

    ``after`` is the state of the checks that the run leaves.
    """

    record: RunRecord
    served: Served | None
    responses: Sequence[Response]
    scored: Scored
    about: Subject
    judgement: judge.Judgement
    after: judge.State
    judged: Judged | None = None

    @property
    def judges_told(self) -> bool:
        """Whether a judge changed, or gave no verdicts in several runs."""
        return any(of_a_judge(finding) for finding in self.judgement.findings)


def appraise(
    store: Store,
    target: Target,
    golden: Golden,
    run_id: int,
    *,
    served: Served | None,
    trouble: str | None,
    base: BaseModelAnswers | None = None,
    judged: Judged | None = None,
    border: Mapping[str, FloatArray] | None = None,
) -> Appraised:
    """Score and judge the responses of a running run that were saved; nothing is written.

    Args:
        store: where the run is.
        target: the run's target.
        golden: the golden set that was replayed.
        run_id: the run.
        served: what the server said it is.
        trouble: why the run may not be judged (interrupted, the store failed), or None.
        base: the base model's answers, where they are known.
        judged: the scorers as they know what the judges replied, where any asks.
        border: what was said to the border prompts, where they are asked.
    """
    record = _record(store, run_id)
    responses = store.responses(run_id)
    scored = score_run(golden.examples, target.scorers if judged is None else judged.scorers, responses)
    if judged is not None:
        scored = replace(scored, judged=judged.seen)
    if border:
        scored = replace(scored, judged={**scored.judged, **border})
    if base is not None:
        alike = likeness(golden.examples, responses, base.texts)
        scored = replace(scored, observed={**scored.observed, **alike})
    if target.reference is not None:
        alike, which = again(store, golden, record, responses)
        scored = replace(scored, observed={**scored.observed, **alike}, judged={**scored.judged, **which})
    if target.promises.usd_per_1000_requests is not None:
        paid = spent(golden.examples, responses, partial(cost_usd, target.endpoint.price))
        scored = replace(scored, observed={**scored.observed, **paid})
    about = subject_of(store, target, golden, record.baseline_id)
    before = history.state_before(store, target.name, record.segment, about)
    after, found = judge.judge(about, before, _measurement(record, scored, measured=trouble is None))
    if trouble is not None:
        found = replace(found, reason=trouble)
    return Appraised(record, _served(served, responses), responses, scored, about, found, after, judged)


def conclude(
    store: Store,
    config: Config,
    target: Target,
    golden: Golden,
    appraised: Appraised,
    *,
    diagnosis: Diagnosis | None = None,
    owner: str | None,
    clock: Callable[[], float],
) -> Finished:
    """Close a running run with everything that follows from its appraisal.

    Args:
        store: where the run is.
        config: who is told.
        target: the run's target.
        golden: the golden set that was replayed.
        appraised: the run, scored and judged.
        diagnosis: what probably changed, where somebody looked.
        owner: who holds the run's lease.
        clock: tells seconds since 1970.

    Raises:
        NotRunningError: the run was closed or taken over by somebody else.
    """
    record, responses, scored = appraised.record, appraised.responses, appraised.scored
    judged, run_id = appraised.judgement, appraised.record.id
    transition = _transition(store, config, target, record, judged, clock())
    messages = _messages(
        store, config, target, golden, record, scored, judged, transition, responses, diagnosis, clock()
    )
    answered = int(scored.answered.sum())
    asked = len({r.example_id for r in responses})
    tokens = _tokens(responses)
    store.finish_run(
        run_id,
        verdict=judged.verdict,
        reason=judged.reason,
        measured=judged.taken_in,
        requests=Requests(answered, asked - answered, sum(max(r.attempts - 1, 0) for r in responses)),
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cost_usd=cost_usd(target.endpoint.price, *tokens),
        served=appraised.served,
        summaries=scored.summaries,
        findings=judged.findings,
        vectors=scored.vectors,
        answered=scored.answered,
        latency_s=scored.latency_s,
        observed=scored.observed,
        judged=scored.judged,
        judges=None if appraised.judged is None else appraised.judged.served,
        now=clock(),
        snapshot=judge.dump(appraised.after),
        alerts=transition.alerts,
        outbox=messages,
        owner=owner,
    )
    if record.baseline_id is not None:
        needed = appraised.about.baseline_runs
        pin_when_complete(store, target.name, record.baseline_id, needed, appraised.after)
    return Finished(_record(store, run_id), judged)


def subject_of(store: Store, target: Target, golden: Golden, baseline_id: int | None = None) -> Subject:
    """What is judged; a pinned baseline keeps its own number of runs, whatever the configuration says now.

    The baseline is that of a run (``baseline_id``), which may have been replaced while it went on, or the one in force.
    """
    if baseline_id is None:
        baseline = store.baseline(target.name)
    else:
        baseline = next((b for b in store.baselines(target.name) if b.id == baseline_id), None)
    pinned = len(baseline.runs) if baseline is not None and baseline.runs else target.baseline.runs
    return history.configured_subject(target, golden, baseline_runs=pinned)


def pin_when_complete(store: Store, target: str, judged_by: int, needed: int, state: judge.State) -> None:
    """Pin the runs that completed the baseline; nothing is done before, and nothing twice.

    Only the baseline that the state was folded under (``judged_by``) is pinned: one that was accepted while the run
    went on asks for runs of its own.
    """
    baseline = store.baseline(target)
    quality = state.checks.get("quality")
    if baseline is None or baseline.id != judged_by or baseline.runs or not isinstance(quality, QualityState):
        return
    complete = [watched.learnt for _, watched in sorted(quality.scorers.items()) if not watched.down.learning]
    if complete and len(complete[0]) >= needed:
        store.pin_baseline(baseline.id, [int(run) for run in complete[0][:needed]])


def cost_usd(price: Price | None, input_tokens: int | None, output_tokens: int | None) -> float | None:
    """What the tokens cost, US dollars; None where the price or the counts are unknown."""
    if price is None or (input_tokens is None and output_tokens is None):
        return None
    return ((input_tokens or 0) * price.input_per_mtok + (output_tokens or 0) * price.output_per_mtok) / 1e6


def _record(store: Store, run_id: int) -> RunRecord:
    record = store.run(run_id)
    if record is None:
        raise RuntimeError(f"run {run_id} is gone from the store")
    return record


def _measurement(record: RunRecord, scored: Scored, *, measured: bool) -> Measurement:
    from service.store import stored_latency  # noqa: PLC0415  # heavy, and only runs need it

    return Measurement(
        run=record.id,
        started_at=record.started_at,
        measured=measured,
        scores={v.scorer: v.values for v in scored.vectors},
        answered=scored.answered,
        latency_s=stored_latency(scored.latency_s),
        share=record.share,
        period_h=record.period_h,
        observed=scored.observed,
        labels=scored.labels,
        malformed=scored.malformed,
        judged=scored.judged,
        burst=record.kind is RunKind.BURST,
    )


def _transition(
    store: Store, config: Config, target: Target, record: RunRecord, judged: judge.Judgement, now: float
) -> Transition:
    dark, last_measured_at = 0, None
    if not judged.taken_in:
        dark = 1
        for run in store.runs(target.name, limit=_LOOK_BACK, before=record.id):
            if run.measured:
                last_measured_at = run.started_at
                break
            dark += 1
    outcome = Outcome(
        target=target.name,
        run=record.id,
        started_at=record.started_at,
        verdict=judged.verdict,
        answered=judged.taken_in,
        findings=judged.findings,
        severity=target.severity,
        labels=target.labels,
        onset_run=judged.onset_run,
        unmeasured_runs=dark,
        last_measured_at=last_measured_at,
        interval_s=target.schedule.every_s,
    )
    policy = AlertPolicy.of(config.alerting)
    silences = store.silences(target.name, active_at=now)
    return transitions(store.recent_alerts(target.name), outcome, now, policy, silences)


def _messages(
    store: Store,
    config: Config,
    target: Target,
    golden: Golden,
    record: RunRecord,
    scored: Scored,
    judged: judge.Judgement,
    transition: Transition,
    responses: Sequence[Response],
    diagnosis: Diagnosis | None,
    now: float,
) -> tuple[Notification, ...]:
    if not transition.messages:
        return ()
    failures: Mapping[str, int] = Counter(str(r.error.kind) for r in responses if r.error is not None)
    onset = store.run(judged.onset_run) if judged.onset_run is not None else None
    facts = Evidence(
        answered=int(scored.answered.sum()),
        asked=len(golden.examples),
        started_at=record.started_at,
        onset_at=onset.started_at if onset is not None else None,
        reason=judged.reason,
        failures=failures,
    )
    if any(notice.alert.kind is AlertKind.REGRESSION for notice in transition.messages):
        found = evidence.broken(
            store,
            record.id,
            target.name,
            golden,
            store.baseline(target.name),
            vectors=scored.vectors,
            onset=judged.onset_run,
            limit=5,
        )
        facts = replace(facts, examples=found.broke, broke=found.broke_count, fixed=found.fixed_count)
    bodies = {
        notice.alert.kind: body(
            notice.event,
            notice.alert,
            with_causes(facts, diagnosis, notice.alert.kind),
            external_url=config.web.external_url,
        )
        for notice in transition.messages
    }
    names = [notifier.name for notifier in config.notifiers_of(target)]
    return outbox(transition.messages, bodies, names, now)


def with_causes(facts: Evidence, diagnosis: Diagnosis | None, kind: AlertKind) -> Evidence:
    """The evidence with what probably changed, as far as it is about an alert of this kind."""
    found = diagnosed(diagnosis, kind)
    return facts if found is None else replace(facts, cause=found.sentences, causes=found.causes)


def _tokens(responses: Sequence[Response]) -> tuple[int | None, int | None]:
    inputs = [r.input_tokens for r in responses if r.input_tokens is not None]
    outputs = [r.output_tokens for r in responses if r.output_tokens is not None]
    return sum(inputs) if inputs else None, sum(outputs) if outputs else None


def _served(said: Served | None, responses: Sequence[Response]) -> Served | None:
    """What the server's own pages say, completed by what its answers say most often."""
    models = Counter(r.served_model for r in responses if r.served_model)
    fingerprints = Counter(r.fingerprint for r in responses if r.fingerprint)
    known = said or Served()
    completed = replace(
        known,
        model=models.most_common(1)[0][0] if models else known.model,
        fingerprint=fingerprints.most_common(1)[0][0] if fingerprints else known.fingerprint,
    )
    return None if completed == Served() else completed
