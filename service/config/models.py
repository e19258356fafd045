"""What may a configuration say? Frozen models; unknown keys are errors.

A key's YAML name has no unit because its value does (``timeout: 30s``); the attribute carries it (``timeout_s``).
Paths are held absolute, taken from the configuration file's folder. What holds between parts (unique names, names
that must exist) is in ``service/config/rules.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from checks.scorers import Scorer
from checks.traffic import PART as TRAFFIC_PART
from service.config.daemon_parts import Alerting, FalseAlarms, Log, Metrics, Retention, Web
from service.config.deployments import Deployments
from service.config.durations import Duration
from service.config.fields import EndpointField, Name, NotifierField, ScorerField, day
from service.config.section import HomePath, Section, Variable
from service.config.section import fault as _fault
from service.config.target_parts import (
    BaselineSource,
    Bursts,
    Identity,
    Limits,
    Promises,
    Schedule,
    Traffic,
    Worth,
)
from service.errors import UserError


def _store(value: str) -> str:
    scheme, found, _rest = value.partition("://")
    if not found or scheme not in ("sqlite", "postgresql+psycopg"):
        other = scheme in ("postgres", "postgresql") or scheme.startswith("postgresql+")
        hint = "; did you mean 'postgresql+psycopg://...'?" if found and other else ""
        if not found and "@" not in value:
            hint = f"; did you mean 'sqlite:///{value}'?"
        shown = repr(scheme if found or "@" in value else value) if "@" not in scheme else "this"
        raise _fault(f"a store is sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME, not {shown}{hint}")
    return value


def _off(value: Any) -> Any:
    return {"per_hour": 0} if value is False else value


def _or_false(schema: dict[str, Any]) -> None:
    if "$ref" in schema:
        schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"const": False}]


class Target(Section):
    """One deployed model under watch."""

    name: Annotated[Name, Field(description="In metrics, pages, messages and commands.")]
    endpoint: Annotated[EndpointField, Field(description="How the model is asked.")]
    golden: Annotated[HomePath, Field(description="The golden set, a frozen JSONL file.")]
    scorers: Annotated[
        tuple[ScorerField, ...],
        Field(min_length=1, description="What makes a score of an answer; at least one."),
    ]
    labels: Annotated[
        Mapping[str, str], Field(description="On every alert and on goldwatch_target_info.")
    ] = Field(default_factory=dict)
    severity: Annotated[
        Literal["critical", "warning", "info"], Field(description="How urgent its alerts are.")
    ] = "warning"
    reference: Annotated[
        EndpointField | None, Field(description="The base model, to tell whether the adapter is applied.")
    ] = None
    challengers: Annotated[
        Mapping[Name, EndpointField],
        Field(description="Other models by name, to tell whether this one still pays."),
    ] = Field(default_factory=dict)
    worth: Annotated[Worth, Field(description="How the challengers are asked, and what the models cost.")] = (
        Worth()
    )
    retires_on: Annotated[
        Annotated[date, BeforeValidator(day)] | None,
        Field(
            description="The day on which the provider switches the model off; told 90, 30 and 7 days before. Without "
            "it, what the provider's model list says."
        ),
    ] = None
    schedule: Schedule = Schedule.model_validate({"every": "1h"})
    repeats: Annotated[int, Field(ge=1, le=100, description="Requests per example.")] = 1
    concurrency: Annotated[int, Field(ge=1, le=1024, description="Requests in flight.")] = 8
    timeout_s: Annotated[Duration, Field(alias="timeout", gt=0, description="Per request.")] = 30.0
    deadline_s: Annotated[Duration, Field(alias="deadline", gt=0, description="Per run.")] = 1800.0
    retries: Annotated[int, Field(ge=0, le=20, description="After transport faults, 429 and 5xx.")] = 3
    limits: Limits = Limits()
    promises: Promises = Promises()
    min_answered: Annotated[float, Field(gt=0, le=1, description="Below it a run is inconclusive.")] = 0.9
    baseline: BaselineSource = BaselineSource()
    weight: Annotated[
        float,
        Field(
            gt=0,
            le=1e6,
            description="Its part of the false-alarm budget, relative to the other targets': more weight, sooner "
            "found. A change holds for later runs only.",
        ),
    ] = 1.0
    smallest_effect: Annotated[
        float | None,
        Field(
            gt=0,
            lt=1,
            description="The least change of a score or a rate that is worth a page: 0.02 is 2 points. A smaller one, "
            "however certain, is reported and not paged; floors, latency and length are not held back.",
        ),
    ] = None
    confirm: Annotated[bool, Field(description="Replay a bad run at once, before a verdict.")] = True
    bursts: Annotated[
        Bursts,
        BeforeValidator(_off),
        Field(
            description="Replays between ticks, on rising evidence and to collect a baseline, within the limits; "
            "`false` for none.",
            json_schema_extra=_or_false,
        ),
    ] = Bursts()
    identity: Annotated[
        Identity | None,
        Field(
            description="Tell by border prompts whether another model is served, where answers come without "
            "log-probabilities (which say more, and need no requests); `{}` as by default. Not asked where nothing is "
            "said."
        ),
    ] = None
    traffic: Annotated[
        Traffic | None,
        Field(
            description="Watch what production asks and gets; takes a tenth of the target's part of the "
            "false-alarm budget. Not watched where nothing is said."
        ),
    ] = None
    deployments: Annotated[
        Deployments, Field(description="Where its deployments are heard of: each is marked and starts a run.")
    ] = Deployments()
    notify: Annotated[tuple[str, ...] | None, Field(description="Notifiers by name; default: all.")] = None

    _share: float = PrivateAttr(default=1.0)

    @property
    def share(self) -> float:
        """What the target's runs have of the false-alarm budget.

        Its weight over the sum of all targets' weights, less the part of its traffic where that is watched.
        """
        return self._share if self.traffic is None else self._share * (1.0 - TRAFFIC_PART)

    @property
    def traffic_share(self) -> float:
        """What the target's traffic has of the false-alarm budget; 0 where it is not watched."""
        return 0.0 if self.traffic is None else self._share * TRAFFIC_PART

    @property
    def asks_border_prompts(self) -> bool:
        """Whether border prompts are asked beside the golden set."""
        return self.identity is not None and not self.endpoint.gives_logprobs

    @model_validator(mode="after")
    def _one_token_can_be_asked(self) -> Self:
        bound = getattr(self.endpoint, "one_token", None)
        if self.asks_border_prompts and (bound is None or bound(None) is None):
            raise _fault(
                f"identity: border prompts need answers of one token, which the kind {self.endpoint.kind} cannot be "
                "asked for; remove it, or set logprobs where the kind has it"
            )
        return self

    def scorer(self, name: str) -> Scorer:
        """The scorer of that name.

        Raises:
            KeyError: there is none.
        """
        for scorer in self.scorers:
            if scorer.scorer_name == name:
                return scorer
        raise KeyError(name)


class Config(Section):
    """A whole configuration. ``service.config.load`` makes one from a file."""

    version: Annotated[Literal[1], Field(description="Of this format; always 1.")]
    store: Annotated[
        Annotated[str, AfterValidator(_store)] | None,
        Field(
            description="`sqlite:///FILE` (relative to this file) or `postgresql+psycopg://USER@HOST/NAME`; "
            "by default `sqlite:///goldwatch.db`."
        ),
    ] = None
    store_env: Annotated[Variable | None, Field(description="The variable that holds the store's URL.")] = (
        None
    )
    false_alarms: FalseAlarms = FalseAlarms()
    web: Web = Web()
    alerting: Alerting = Alerting()
    retention: Retention = Retention()
    metrics: Metrics = Metrics()
    log: Log = Log()
    targets: Annotated[
        tuple[Target, ...], Field(min_length=1, description="The deployed models under watch.")
    ]
    notifiers: Annotated[
        tuple[NotifierField, ...], Field(description="Channels that alerts go to; each has a name.")
    ] = ()

    _path: Path | None = PrivateAttr(default=None)
    _digest: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _one_store(self) -> Self:
        if self.store is not None and self.store_env is not None:
            raise _fault("store and store_env are both set: keep one")
        return self

    def model_post_init(self, context: Any, /) -> None:  # noqa: ARG002  # Pydantic's signature
        """Share the false-alarm budget over the targets by their weights."""
        whole = sum(target.weight for target in self.targets)
        for target in self.targets:
            target._share = target.weight / whole  # noqa: SLF001  # set once, where the sum is known

    @property
    def path(self) -> Path | None:
        """The file that it was loaded from."""
        return self._path

    @property
    def base_dir(self) -> Path:
        """The folder that relative paths and SQLite URLs start from."""
        return self._path.parent if self._path else Path.cwd()

    @property
    def digest(self) -> str:
        """``sha256:...`` over what the file says; comments, order of keys and layout do not matter."""
        return self._digest

    @property
    def period_h(self) -> float:
        """The budget's period in hours per false page."""
        return self.false_alarms.period_h

    def store_url(self, environ: Mapping[str, str]) -> str:
        """The store's URL, from ``store_env`` where that is set; SQLite paths absolute.

        Raises:
            UserError: the variable is not set, or holds no store's URL.
        """
        url = self.store or "sqlite:///goldwatch.db"
        if self.store_env is not None:
            url = environ.get(self.store_env, "").strip()
            try:
                _store(url)
            except PydanticCustomError:
                raise UserError(
                    f"store_env: the environment variable {self.store_env} holds no store's URL",
                    "set it to sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
                ) from None
        scheme, _, path = url.partition(":///")
        if scheme != "sqlite" or not path or path.startswith((":memory:", "/", "file:")):
            return url
        return f"sqlite:///{self.base_dir.resolve() / path}"

    def target(self, name: str) -> Target:
        """The target of that name.

        Raises:
            UserError: there is none; the message lists those that there are.
        """
        from service.config.errors import did_you_mean, list_of  # noqa: PLC0415  # on the error's path only

        for target in self.targets:
            if target.name == name:
                return target
        names = [target.name for target in self.targets]
        raise UserError(f"no target {name!r}{did_you_mean(name, names)}", f"targets: {list_of(names)}")

    def notifiers_of(self, target: Target) -> tuple[Any, ...]:
        """The notifiers that alerts of the target go to: those it names, or all."""
        if target.notify is None:
            return self.notifiers
        return tuple(n for n in self.notifiers if n.name in target.notify)
