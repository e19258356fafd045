"""Which shapes does the API answer with? The OpenAPI document is made of these.

A run's object is the contract's ``run --json`` object. What is unknown is null; times are seconds since 1970 (UTC).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
    """Runs, newest first; ``next_before`` asks for the page after this one, null on the last."""

    runs: list[RunOut]
    next_before: int | None


class ExampleOut(Model):
    """One example that broke. Texts are null where they are not shown, not kept any more, or unknown."""

    id: str
    expected: Any
    before: str | None
    now: str | None
    reason: str | None


class ExamplesOut(Model):
    """The examples that broke in a run, worst first; ``next_offset`` is null on the last page.

    ``scorer`` is the one that lost most; ``before_run`` the run whose answers are "before".
    """

    run: int
    scorer: str | None
    broke: int
    fixed: int
    before_run: int | None
    examples: list[ExampleOut]
    next_offset: int | None


class AlertOut(Model):
    """One regression or outage of one target from one onset."""

    id: str
    target: str
    kind: Literal["regression", "outage"]
    state: Literal["firing", "resolved"]
    severity: str
    labels: dict[str, str]
    opened_at: float
    opened_run: int
    onset_run: int | None
    updated_at: float
    updated_run: int
    resolved_at: float | None
    notified_at: float | None
    repeats: int
    findings: list[FindingOut]


class AlertsOut(Model):
    """Alerts, newest first."""

    alerts: list[AlertOut]


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


class AcceptedOut(Model):
    """A run was asked for; ``accepted`` is false if one was under way or asked for already."""

    target: str
    accepted: bool


class ErrorOut(Model):
    """What went wrong, in words."""

    detail: str


class MarkIn(BaseModel):
    """A deployment mark: what was deployed. MLflow's ``model_version_alias.created`` body is taken as well."""

    model_config = ConfigDict(extra="ignore")

    version: Annotated[str, Field(min_length=1, max_length=200)]
    note: Annotated[str | None, Field(max_length=2000)] = None

    @model_validator(mode="before")
    @classmethod
    def _from_mlflow(cls, value: Any) -> Any:
        """MLflow nests what it tells under ``data``, and says what happened beside it."""
        if not isinstance(value, dict) or value.get("entity") != "model_version_alias":
            return value
        data = value.get("data")
        if value.get("action") != "created" or not isinstance(data, dict):
            raise ValueError("of MLflow's events only model_version_alias.created is a deployment mark")
        return {
            "version": str(data.get("version", "")),
            "note": f"MLflow: {data.get('name')} is {data.get('alias')}",
        }


class MarkOut(Model):
    """A deployment mark, and whether the run that it asks for was accepted."""

    target: str
    at: float
    version: str
    note: str | None
    accepted: bool


TargetOut.model_rebuild()
