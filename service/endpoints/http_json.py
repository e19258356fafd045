"""How is any JSON API asked? A template of its request, and JMESPath for where the answer stands.

A text in ``body`` may hold ``{{ input }}``, ``{{ messages }}`` or ``{{ id }}``; nothing else is computed there.
A text that is exactly ``{{ input }}`` becomes the input as it is: a text, or the conversation as a list of
``{"role", "content"}``. Within a longer text a conversation is one line a turn. ``{{ messages }}`` is always the list.
An output that is no text becomes canonical JSON text. Nothing found (or null) is no answer.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from checks.types import Json
from service.endpoints._http import address
from service.endpoints._template import Template
from service.text import safe


def _address_with_query(value: str) -> str:
    return address(value, query=True)


class HttpJson(Template):
    """Any API that takes and gives JSON.

    Example::

        endpoint:
          kind: http_json
          url: https://api.example.com/classify
          body: {query: "{{ input }}", options: {top: 1}}
          output: result[0].label
    """

    kind: Literal["http_json"] = "http_json"
    address_: Annotated[
        str, Field(alias="url", description="The whole address."), AfterValidator(_address_with_query)
    ]
    method_: Annotated[Literal["POST", "PUT"], Field(alias="method", description="The HTTP method.")] = "POST"

    @property
    def url(self) -> str:
        """The address without its query, which may hold a secret."""
        return safe(self.address_.partition("?")[0], 200)

    @property
    def address(self) -> str:
        """The whole address."""
        return self.address_

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.method_

    @property
    def model_name(self) -> None:
        """Unknown: the protocol names none."""
        return

    def question(self) -> Json:
        """The method, the body's template, and where the answer stands."""
        return {"method": self.method_, "body": self.body, "output": self.output}
