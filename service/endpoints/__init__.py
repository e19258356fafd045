"""How is a model asked? One protocol per file.

To add one: a module named like its kind, holding one subclass of :class:`Endpoint` with
``kind: Literal["your_kind"] = "your_kind"``. Its fields are its configuration. A protocol over HTTP derives from
``HttpEndpoint`` in ``_http.py``, which brings keys, headers, bounds, redirects and errors in words.
The battery in ``tests/service/endpoints/test_every_endpoint.py`` runs over every kind that registers.
Only this room and ``service/notifiers`` open connections outward.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from checks.registry import Plugin
from checks.types import Example, Json, Response, Served

if TYPE_CHECKING:
    import httpx  # the command line reads configurations without it

    from service.endpoints._secrets import SecretError

ROOM = "service.endpoints"


class Price(BaseModel):
    """US dollars: per million tokens, and per hour where the model is hosted for this use alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_per_mtok: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="US dollars per million input tokens.")
    ] = 0.0
    output_per_mtok: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="US dollars per million output tokens.")
    ] = 0.0
    cached_per_mtok: Annotated[
        float | None,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="US dollars per million input tokens that the provider had cached, in `goldwatch report`; "
            "default: as other input.",
        ),
    ] = None
    hosting_per_hour: Annotated[
        float | None,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="US dollars per hour that the model costs whether it is asked or not, in `goldwatch report`.",
        ),
    ] = None


class Endpoint(Plugin):
    """The base of all endpoints."""

    CONNECTION: ClassVar[frozenset[str]] = frozenset({
        "kind", "name", "price", "base_url", "url", "model", "version", "api_key_env", "api_key_file", "headers",
        "headers_env", "max_response_bytes", "logprobs", "stream",
    })  # fmt: skip
    """The fields that say whom to ask and how; all others are the question."""

    kind: str
    price: Annotated[
        Price | None, Field(description="What tokens cost; without it costs are unknown, not 0.")
    ] = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The address that requests go to, without credentials, for messages and the identity panel."""

    @property
    @abstractmethod
    def model_name(self) -> str | None:
        """The model that is asked for, where the protocol names one."""

    @property
    def gives_logprobs(self) -> bool:
        """Whether answers are asked for with the log-probabilities of their tokens."""
        return bool(getattr(self, "logprobs", False))

    def one_token(self, temperature: float | None) -> Self | None:  # noqa: ARG002
        """The same model, asked for the first token of an answer only; None where the protocol cannot bound one.

        ``temperature`` is asked for in place of the configured one; None: as configured.
        """
        return None

    def changed(self, values: Mapping[str, Any]) -> Self:
        """A copy with other values; made anew, so that nothing which was computed from the old ones stays."""
        fields = type(self).model_fields
        given = {fields[n].alias or n: getattr(self, n) for n in self.model_fields_set if n not in values}
        return type(self).model_validate(given | {fields[n].alias or n: v for n, v in values.items()})

    @abstractmethod
    def question(self) -> Json:
        """The prompt and parameters as configured: what must stay the same for runs to be comparable.

        Not the URL, the model's name, keys, headers or prices: a new deployment is judged against
        the old one.
        """

    @abstractmethod
    async def ask(self, client: httpx.AsyncClient, example: Example, *, timeout_s: float) -> Response:
        """One attempt at one example. A failure is a response with an ``error``; this never raises."""

    @abstractmethod
    async def identify(self, client: httpx.AsyncClient, *, timeout_s: float) -> Served:
        """What the server says it is, from its own pages; whatever is not offered stays None. Never raises."""

    def secrets(self) -> dict[str, Any]:
        """The configuration keys that name secrets, each with its variable or file, for ``doctor``."""
        return {}

    def check_secrets(self) -> list[SecretError]:
        """What is wrong with the secrets, each said so that it can be put right; empty if nothing is."""
        return []
