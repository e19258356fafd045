"""What may a configuration say? Frozen models; unknown keys are errors.

A key's YAML name has no unit because its value does (``timeout: 30s``); the attribute carries it (``timeout_s``).
Paths are held absolute, taken from the configuration file's folder. What holds between parts (unique names, names
that must exist) is in ``service/config/rules.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
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

from checks.plugged import Plugged
from checks.scorers import Scorer
from checks.traffic import PART as TRAFFIC_PART
from checks.traffic import WINDOW_S as TRAFFIC_WINDOW_S
from service.config.cron import check_cron, check_timezone
from service.config.deployments import Deployments, Webhooks
from service.config.durations import Duration
from service.config.section import HomePath, Section, Variable
from service.config.section import fault as _fault
from service.errors import UserError

NAME_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$"
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s/]+):([0-9]{1,5})", re.ASCII)


def _name(value: str) -> str:
    if not re.fullmatch(NAME_PATTERN, value):
        raise _fault(
            f"{value!r} is not a name: write letters, digits and _ . - (at most 64, the first a letter or digit)"
        )
    return value


def _listen(value: str) -> str:
    match = _LISTEN.fullmatch(value)
    if match is None or int(match[2]) > 65535:
        raise _fault(f"{value!r} is not HOST:PORT, such as 127.0.0.1:9790 or [::1]:9790 (port 0 to 65535)")
    return value


def _web_address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise _fault(f"{value!r} is not an address: write http:// or https:// and a host, without ? and #")
    return value.rstrip("/")


def _cron(value: str) -> str:
    try:
        check_cron(value)
    except ValueError as error:
        raise _fault(str(error)) from None
    return value


def _day(value: Any) -> date:
    if isinstance(value, str):
        with suppress(ValueError):
            return date.fromisoformat(value.strip())
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise _fault(f"{value!r} is not a date: write it as 2027-01-15")


def _timezone(value: str) -> str:
    try:
        check_timezone(value)
    except ValueError as error:
        raise _fault(str(error)) from None
    return value


def _store(value: str) -> str:
    scheme, found, _rest = value.partition("://")
    if not found or scheme not in ("sqlite", "postgresql+psycopg"):
        other = scheme in ("postgres", "postgresql") or scheme.startswith("postgresql+")
        hint = "; did you mean 'postgresql+psycopg://...'?" if found and other else ""
        shown = repr(scheme if found or "@" in value else value) if "@" not in scheme else "this"
        raise _fault(f"a store is sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME, not {shown}{hint}")
    return value


Name = Annotated[str, Field(json_schema_extra={"pattern": NAME_PATTERN}), AfterValidator(_name)]
EndpointField = Annotated[Any, Plugged("service.endpoints")]
ScorerField = Annotated[Scorer, Plugged("checks.scorers")]
NotifierField = Annotated[Any, Plugged("service.notifiers")]


class FalseAlarms(Section):
    """The false-alarm budget: at most so many false pages per period, over everything that is watched."""

    at_most: Annotated[float, Field(gt=0, le=10_000, description="False pages.")] = 1.0
    per_s: Annotated[Duration, Field(alias="per", ge=86_400, description="The period, at least 1d.")] = (
        90 * 86_400.0
    )

    @property
    def period_h(self) -> float:
        """Hours per false page: what evidence is measured against."""
        return self.per_s / 3600.0 / self.at_most


class Web(Section):
    """Where metrics, pages and the API answer."""

    listen: Annotated[str, AfterValidator(_listen), Field(description="HOST:PORT.")] = "127.0.0.1:9790"
    token_env: Annotated[
        Variable | None, Field(description="The variable with the token that changes of state need.")
    ] = None
    token_file: Annotated[HomePath | None, Field(description="The file with that token.")] = None
    external_url: Annotated[
        Annotated[str, AfterValidator(_web_address)] | None,
        Field(
            description="The address that links in messages begin with. Where `listen` is on loopback, requests by its "
            "name are answered too: a proxy on the same machine passes that on."
        ),
    ] = None
    show_texts: Annotated[bool, Field(description="Whether pages and API show inputs and outputs.")] = True
    webhooks: Annotated[
        Webhooks, Field(description="The secrets that registries sign or send their webhooks with.")
    ] = Webhooks()

    @property
    def host(self) -> str:
        """The host to listen on, an IPv6 address without its brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0 asks the system for a free one."""
        return int(self.listen.rpartition(":")[2])

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token_env and self.token_file:
            raise _fault("token_env and token_file are both set: keep one")
        return self


class Alerting(Section):
    """Who pages, and how often a standing alert is repeated."""

    owner: Annotated[
        Literal["goldwatch", "prometheus"], Field(description="The one side that pages; never both.")
    ] = "goldwatch"
    repeat_every_s: Annotated[
        Duration, Field(alias="repeat_every", ge=60, description="A standing alert is repeated so often.")
    ] = 4 * 3600.0
    outage_after: Annotated[
        int, Field(ge=1, le=1000, description="Unmeasured runs in a row until an outage is an alert.")
    ] = 2


class Retention(Section):
    """How long responses are kept. Runs, scores, findings and baselines stay."""

    texts_s: Annotated[Duration, Field(alias="texts", ge=3600, description="Age at which texts go.")] = (
        90 * 86_400.0
    )


class Metrics(Section):
    """What ``/metrics`` holds."""

    slices: Annotated[int, Field(ge=0, le=10_000, description="Slices per target, the most telling.")] = 20


class Log(Section):
    """How the daemon logs."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="The least level.")] = (
        "info"
    )
    format: Annotated[
        Literal["auto", "console", "json"], Field(description="auto: console on a terminal, else json.")
    ] = "auto"


class Schedule(Section):
    """When a target is replayed: ``every`` (ticks at multiples since 1970) or ``cron``."""

    every_s: Annotated[
        Duration | None, Field(alias="every", ge=1, le=366 * 86_400, description="The interval, at least 1s.")
    ] = None
    cron: Annotated[
        Annotated[str, AfterValidator(_cron)] | None,
        Field(description="Minute, hour, day of month, month, day of week (0 and 7 are Sunday)."),
    ] = None
    timezone: Annotated[
        Annotated[str, AfterValidator(_timezone)] | None,
        Field(description="An IANA time zone for cron; UTC by default."),
    ] = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.every_s is None) == (self.cron is None):
            both = "not both" if self.cron is not None else "neither is set"
            raise _fault(f"write every or cron, {both}")
        if self.timezone is not None and self.cron is None:
            raise _fault(
                "timezone goes with cron only: every ticks at multiples of the interval since 1970 (UTC)"
            )
        return self


class Bursts(Section):
    """Replays between the ticks of the schedule: on rising evidence, and to collect a baseline; `false` for none."""

    every_s: Annotated[
        Duration, Field(alias="every", ge=60, le=3600, description="How far apart they are, 1m to 1h.")
    ] = 300.0
    per_hour: Annotated[
        int, Field(ge=0, le=59, description="At most so many an hour, beside the scheduled runs; 0 for none.")
    ] = 11
    baseline: Annotated[bool, Field(description="Collect up to half of a baseline's runs by bursts.")] = True


class Limits(Section):
    """What a target may use. No limit where nothing is said."""

    requests_per_second: Annotated[float | None, Field(gt=0, description="Requests started per second.")] = (
        None
    )
    tokens_per_day: Annotated[int | None, Field(gt=0, description="Input and output tokens per UTC day.")] = (
        None
    )
    usd_per_day: Annotated[float | None, Field(gt=0, description="US dollars per UTC day, by price.")] = None


def _off(value: Any) -> Any:
    return {"per_hour": 0} if value is False else value


def _or_false(schema: dict[str, Any]) -> None:
    if "$ref" in schema:
        schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"const": False}]


class Promises(Section):
    """What is promised to the model's users, whatever it did before. Nothing is where nothing is said."""

    latency_p95_s: Annotated[
        Duration | None,
        Field(alias="latency_p95", gt=0, description="19 of 20 answers are whole within this time."),
    ] = None
    ttft_p95_s: Annotated[
        Duration | None,
        Field(
            alias="ttft_p95",
            gt=0,
            description="19 of 20 answers begin within this time; needs `stream: true` in the endpoint.",
        ),
    ] = None
    usd_per_1000_requests: Annotated[
        float | None,
        Field(
            gt=0,
            allow_inf_nan=False,
            description="A thousand requests cost at most so many US dollars; needs a price in the endpoint.",
        ),
    ] = None

    @property
    def limits(self) -> Mapping[str, float]:
        """What is promised, by its key, in seconds or US dollars."""
        given = {
            "latency_p95": self.latency_p95_s,
            "ttft_p95": self.ttft_p95_s,
            "usd_per_1000_requests": self.usd_per_1000_requests,
        }
        return {name: limit for name, limit in given.items() if limit is not None}

    @property
    def waits(self) -> Mapping[str, float]:
        """Those of them that recorded answers can speak of, without a price: in seconds."""
        return {name: limit for name, limit in self.limits.items() if not name.startswith("usd")}


class Worth(Section):
    """Whether the fine-tune still pays: its challengers answer the golden set too, from time to time."""

    every_s: Annotated[
        Duration, Field(alias="every", ge=3600, le=366 * 86_400, description="How often they are asked.")
    ] = 7 * 86_400.0
    margin: Annotated[
        float,
        Field(
            gt=0, lt=1, description="A difference in the mean score that is called small: 0.02 is 2 points."
        ),
    ] = 0.02
    scorer: Annotated[
        str | None, Field(description="By whose score quality is compared; default: the first scorer.")
    ] = None
    requests_per_month: Annotated[
        float | None,
        Field(gt=0, allow_inf_nan=False, description="Your traffic; without it costs are by 1,000 requests."),
    ] = None
    training_usd: Annotated[
        float | None, Field(ge=0, allow_inf_nan=False, description="What the fine-tune cost, US dollars.")
    ] = None
    before_after: Annotated[
        HomePath | None,
        Field(
            description="The comparison that justified the fine-tune, as `goldwatch compare BASE TUNED --keep FILE` "
            "wrote it; `goldwatch report` tells it again."
        ),
    ] = None
    life_s: Annotated[
        Duration,
        Field(alias="life", ge=86_400, description="How long it is to serve: training is spread over it."),
    ] = 365 * 86_400.0


class BaselineSource(Section):
    """Where healthy comes from: the first ``runs`` measured runs, or a file that ``baseline export`` wrote."""

    runs: Annotated[int, Field(ge=3, le=1000, description="Measured runs, at least 3.")] = 10
    from_file: Annotated[HomePath | None, Field(alias="from", description="An exported baseline.")] = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.from_file is not None and "runs" in self.model_fields_set:
            raise _fault("write runs or from, not both: an exported baseline brings its own runs")
        return self


class Traffic(Section):
    """What production asks and gets, watched beside the golden set; `{}` to take in posted samples only."""

    file: Annotated[
        HomePath | None, Field(description="A JSONL file of samples that is followed, through its rotations.")
    ] = None
    keep_texts: Annotated[
        bool,
        Field(
            description="Keep the texts of requests that no golden example represents, at most 1,000 and no longer "
            "than `retention.texts`, for `goldwatch traffic export`. Otherwise nothing of production text is stored."
        ),
    ] = False
    window_s: Annotated[
        Duration,
        Field(alias="window", ge=600, le=86_400, description="What is judged at a time, 10m to 1d."),
    ] = TRAFFIC_WINDOW_S


class Identity(Section):
    """Border prompts: one-token requests whose answer sits on the fence, found by themselves, never scored."""

    border_prompts: Annotated[
        int,
        Field(
            ge=8,
            le=40,
            description="How many are asked in every run; a search takes some three hundred once.",
        ),
    ] = 20
    temperature: Annotated[
        float,
        Field(ge=0, le=2, description="At which they are asked; at 0 least is left to chance."),
    ] = 0.0


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
        Annotated[date, BeforeValidator(_day)] | None,
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
