"""Which shapes does the API answer with? The OpenAPI document is made of these, and of what ``bodies.py`` takes.

A run's object is the contract's ``run --json`` object. Lists are paged: ``next_cursor`` asks for the page after this
one, and is null on the last. What is unknown is null; times are seconds since 1970 (UTC).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Verdict = Literal["inconclusive", "regressed", "learning", "suspect", "improved", "ok"]


class Model(BaseModel):
    """The base of all answers."""

    model_config = ConfigDict(frozen=True)


class GoldenOut(Model):
    """The golden set of a run."""

    digest: str
    version: int | None
    examples: int


class ScoreOut(Model):
    """The mean of one scorer over one slice."""

    scorer: str
    slice: str
    mean: float | None
    n: int
    unscored: int


class FindingOut(Model):
    """A check's answer for one scorer and slice."""

    check: str
    scorer: str | None
    slice: str
    verdict: Verdict
    evidence: float | None
    threshold: float | None
    effect: float | None
    interval: tuple[float, float] | None
    baseline: float | None
    current: float | None
    onset_run: int | None
    reason: str | None


class RequestsOut(Model):
    """Examples that were asked, each once, by outcome; extra requests apart."""

    ok: int
    failed: int
    retried: int


class TokensOut(Model):
    """Tokens of a run."""

    input: int | None
    output: int | None


class RunOut(Model):
    """One run; ``verdict`` is null while it is under way."""

    target: str
    run: int
    scheduled_at: float | None
    started_at: float
    golden: GoldenOut
    verdict: Verdict | None
    reason: str | None
    scores: list[ScoreOut]
    findings: list[FindingOut]
    requests: RequestsOut
    tokens: TokensOut
    cost_usd: float | None


class RunsOut(Model):
    """Runs, newest first. ``next_cursor`` asks for the page after this one; null on the last."""

    runs: list[RunOut]
    next_cursor: int | None


class FindingsOut(Model):
    """What the checks found in one run."""

    run: int
    findings: list[FindingOut]
    next_cursor: int | None


class ScorerMarkOut(Model):
    """What one scorer says of one example: its mean in the baseline's runs, and its score now."""

    scorer: str
    was: float | None
    now: float | None


class ExampleOut(Model):
    """One example that broke. Texts are null where they are not shown, not kept any more, or unknown.

    ``since_run`` is the first run of the unbroken stretch of wrong answers that ends with this run;
    ``since_exact`` is false where it may have begun before. ``before_run`` answered ``before``: the last good run, or
    one of the baseline that had it right where that one had not.
    """

    id: str
    slices: dict[str, str]
    scores: list[ScorerMarkOut]
    since_run: int
    since_at: float
    since_exact: bool
    input: Any
    expected: Any
    before: str | None
    before_run: int | None
    now: str | None
    reason: str | None


class ExamplesOut(Model):
    """The examples that broke in a run by one scorer, unless told otherwise the one that lost most.

    ``broke`` and ``fixed`` count over the whole golden set, ``matching`` those in the slice that was asked for;
    ``scorers`` and ``slices`` say how many broke by each; ``before_run`` is the run whose answers are "before".
    """

    run: int
    scorer: str | None
    broke: int
    fixed: int
    matching: int
    before_run: int | None
    scorers: dict[str, int]
    slices: dict[str, int]
    examples: list[ExampleOut]
    next_cursor: int | None


class MovedOut(Model):
    """A pair of labels that moved: ``now`` of ``of`` answers, in the mean of the baseline ``baseline``."""

    expected: str
    named: str | None
    now: int
    baseline: float
    of: int


class ConfusionOut(Model):
    """One scorer's confusion matrix: rows are ``expected``, columns ``named`` (null: no label, or several).

    ``now`` counts examples of the run, ``baseline`` is the mean over the baseline's runs.
    """

    scorer: str
    expected: list[str]
    named: list[str | None]
    now: list[list[int]]
    baseline: list[list[float]]
    moved: list[MovedOut]


class ConfusionsOut(Model):
    """The confusion matrices of a run; none where no scorer reads labels, or texts are not shown."""

    run: int
    confusion: list[ConfusionOut]
    next_cursor: int | None


class AcknowledgementOut(Model):
    """Somebody sees to an alert: who says so, since when, and what they said."""

    by: str
    at: float
    reason: str | None


class AlertOut(Model):
    """One regression or outage of one target from one onset, or a trouble of the watch itself (``topic``)."""

    id: str
    target: str
    kind: Literal["regression", "outage", "judge", "watch", "notice"]
    state: Literal["firing", "resolved"]
    severity: str
    labels: dict[str, str]
    opened_at: float
    opened_run: int | None
    onset_run: int | None
    updated_at: float
    updated_run: int | None
    resolved_at: float | None
    notified_at: float | None
    repeats: int
    findings: list[FindingOut]
    topic: str
    flapping: bool
    acknowledgement: AcknowledgementOut | None


class AlertsOut(Model):
    """Alerts, newest first. ``next_cursor`` asks for the page after this one; null on the last."""

    alerts: list[AlertOut]
    next_cursor: int | None


class MessageOut(Model):
    """One message about an alert, and how its delivery stands."""

    id: str
    event: str
    notifier: str
    created_at: float
    state: Literal["pending", "sent", "failed"]
    attempts: int
    due_at: float | None
    done_at: float | None
    error: str | None


class MessagesOut(Model):
    """Who was told of an alert, oldest first."""

    alert: str
    messages: list[MessageOut]
    next_cursor: int | None


class CauseOut(Model):
    """One likely cause. ``facts`` are sentences, the most telling first; ``next`` is what to do about it."""

    name: str
    title: str
    likelihood: str
    facts: list[str]
    next: str


class CausesOut(Model):
    """What probably changed, the likeliest first, over the alert's runs up to the newest.

    No cause is only as good as the looking: ``looked_at`` and ``not_looked_at`` say what could be looked at.
    """

    alert: str
    causes: list[CauseOut]
    looked_at: list[str]
    not_looked_at: list[str]


class BaselineOut(Model):
    """Runs that say what healthy is; ``runs`` is empty while they are being collected.

    ``replaced_at`` is null for the one in force.
    """

    id: int
    opened_at: float
    reason: str | None
    from_run: int
    runs: list[int]
    replaced_at: float | None


class BaselinesOut(Model):
    """All baselines that a target has had, oldest first."""

    target: str
    baselines: list[BaselineOut]
    next_cursor: int | None


class TargetOut(Model):
    """One target as it is configured and as it stands."""

    name: str
    severity: str
    labels: dict[str, str]
    endpoint: EndpointOut
    schedule: str | None
    interval_s: float | None
    next_run_at: float | None
    verdict: Verdict | None = Field(description="Of the last finished run; null before the first.")
    measured: bool | None
    last_measured_at: float | None
    last_run: int | None
    running: bool
    trouble: str | None = Field(
        description="Why it could not be run as it stands; null where nothing is wrong."
    )
    retires_at: float | None = Field(
        description="When its model is switched off, by retires_on or the provider's model list; null if nobody says."
    )
    alerts: list[str] = Field(description="The ids of its firing alerts.")


class EndpointOut(Model):
    """The endpoint as configured, and what it last said it is."""

    kind: str | None
    url: str | None
    model: str | None
    reference: str | None
    served_model: str | None
    fingerprint: str | None
    version: str | None
    parent: str | None


class TargetsOut(Model):
    """All targets, in the configuration's order."""

    targets: list[TargetOut]
    next_cursor: int | None


class SilenceOut(Model):
    """A silence of a target, or of one alert. ``ended_at`` is null unless it was lifted before ``until``."""

    id: str
    target: str
    alert_id: str | None
    created_at: float
    until: float
    by: str
    reason: str
    ended_at: float | None
    active: bool


class SilencesOut(Model):
    """A target's silences, newest first."""

    target: str
    silences: list[SilenceOut]
    next_cursor: int | None


class PastMarkOut(Model):
    """A deployment mark."""

    at: float
    version: str
    note: str | None


class MarksOut(Model):
    """A target's deployment marks, newest first. ``next_cursor`` asks for the page after this one."""

    target: str
    marks: list[PastMarkOut]
    next_cursor: int | None


class MarkOut(Model):
    """A deployment mark, and whether the run that it asks for was accepted."""

    target: str
    at: float
    version: str
    note: str | None
    accepted: bool


class AcceptedOut(Model):
    """A run was asked for; ``accepted`` is false if one was under way or asked for already."""

    target: str
    accepted: bool


class ErrorOut(Model):
    """What went wrong, in words."""

    detail: str


TargetOut.model_rebuild()
