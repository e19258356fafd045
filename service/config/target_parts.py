"""What may be said of one part of a target? Schedule, limits, promises, worth, baseline, traffic, identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from checks.traffic import WINDOW_S as TRAFFIC_WINDOW_S
from service.config.cron import check_cron, check_timezone
from service.config.durations import Duration
from service.config.section import HomePath, Section
from service.config.section import fault as _fault


def _cron(value: str) -> str:
    try:
        check_cron(value)
    except ValueError as error:
        raise _fault(str(error)) from None
    return value


def _timezone(value: str) -> str:
    try:
        check_timezone(value)
    except ValueError as error:
        raise _fault(str(error)) from None
    return value


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
