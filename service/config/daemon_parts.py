"""What may be said of the daemon itself? Its budget, pages, alerting, retention, metrics and log."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from service.config.deployments import Webhooks
from service.config.durations import Duration
from service.config.section import HomePath, Section, Variable
from service.config.section import fault as _fault

_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s/]+):([0-9]{1,5})", re.ASCII)


def _listen(value: str) -> str:
    match = _LISTEN.fullmatch(value)
    if match is None or int(match[2]) > 65535:
        raise _fault(f"{value!r} is not HOST:PORT, such as 127.0.0.1:9790 or [::1]:9790 (port 0 to 65535)")
    return value


def _web_address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise _fault(f"{value!r} is not an address: write http:// or https:// and a host, without ? and #")
    return value.rstrip("/")


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
