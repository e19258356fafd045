"""How is a fine-tune on Azure OpenAI asked? ``POST {base_url}/openai/deployments/{model}/chat/completions``.

The body and the answers are those of ``openai_chat``. What differs: the deployment stands in the path, the version of
the API in the query, and the key goes out as ``api-key``. Azure's newer ``/openai/v1`` takes the model in the body:
there ``openai_chat`` with ``headers_env: {api-key: ...}`` is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field

from checks.types import Served
from service.endpoints._http import Address
from service.endpoints._names import ApiVersion
from service.endpoints.openai_chat import OpenAIChat

if TYPE_CHECKING:
    import httpx


class AzureOpenAI(OpenAIChat):
    """A deployment on Azure OpenAI.

    Example::

        endpoint:
          kind: azure_openai
          base_url: https://my-resource.openai.azure.com
          model: ticket-router-ft      # the deployment's name
          api_version: 2024-10-21
          api_key_env: AZURE_OPENAI_API_KEY
          system: Route the ticket.
          params: {temperature: 0, max_tokens: 8}
    """

    kind: Literal["azure_openai"] = "azure_openai"  # type: ignore[assignment]  # a kind of its own
    base_url: Annotated[Address, Field(description="The resource's address, without a path.")]
    model: Annotated[str, Field(min_length=1, max_length=500, description="The deployment's name.")]
    api_version: Annotated[ApiVersion, Field(description="The version of the API, such as 2024-10-21.")] = (
        "2024-10-21"
    )

    KEY_HEADER: ClassVar[str] = "api-key"
    KEY_PREFIX: ClassVar[str] = ""

    @property
    def url(self) -> str:
        """The address that requests go to."""
        deployment = quote(self.model, safe="")
        return (
            f"{self.base_url}/openai/deployments/{deployment}/chat/completions?api-version={self.api_version}"
        )

    async def identify(self, client: httpx.AsyncClient, *, timeout_s: float) -> Served:
        """Nothing: a deployment's key may not ask what is deployed. Its answers name the model and its version."""
        del client, timeout_s
        return Served()
