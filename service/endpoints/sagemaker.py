"""How is an endpoint on Amazon SageMaker asked? ``POST /endpoints/{endpoint}/invocations``: a template, and JMESPath.

Requests are signed with AWS's own credentials, by the extra ``aws``. What the container takes and gives is its own
affair: ``body`` is the request's JSON, ``output`` says where the answer stands, both as in ``http_json``; texts may
hold ``{{ input }}``, ``{{ messages }}`` or ``{{ id }}``. A model that is not ready, or a container that fails, is told
apart from a request that the container refuses. Streams are not read.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from service.endpoints._aws import Aws
from service.endpoints._names import Like
from service.endpoints._template import Template

_Name = Annotated[
    str,
    Field(max_length=63),
    Like("[A-Za-z0-9](-*[A-Za-z0-9])*", "a name of SageMaker: letters, digits and - between them"),
]
_Target = Annotated[
    str,
    Field(max_length=1_024),
    Like("[!-~]([ -~]*[!-~])?", "the name of a model: one line of printable ASCII"),
]


class SageMaker(Aws, Template):
    """An endpoint on Amazon SageMaker.

    Example::

        endpoint:
          kind: sagemaker
          region: eu-central-1
          endpoint: ticket-router
          inference_component: ticket-router-adapter
          body: {inputs: "Ticket: {{ input }} Queue:", parameters: {max_new_tokens: 4, do_sample: false}}
          output: "[0].generated_text"
    """

    kind: Literal["sagemaker"] = "sagemaker"
    endpoint: Annotated[_Name, Field(description="The endpoint's name.")]
    inference_component: Annotated[
        _Name | None, Field(description="The inference component: one adapter or model of several.")
    ] = None
    target_model: Annotated[_Target | None, Field(description="The model of a multi-model endpoint.")] = None
    target_variant: Annotated[_Name | None, Field(description="The production variant; default: any.")] = None

    SERVICE: ClassVar[str] = "sagemaker"
    HOST: ClassVar[str] = "runtime.sagemaker"

    @model_validator(mode="after")
    def _signed(self) -> SageMaker:
        if not self.signs:
            raise ValueError(
                "SageMaker takes no key: requests are signed with AWS's credentials; remove it, or write profile: NAME"
            )
        return self

    @property
    def url(self) -> str:
        """The address that requests go to."""
        return f"{self.root}/endpoints/{self.endpoint}/invocations"

    @property
    def model_name(self) -> str:
        """The inference component, the model or the endpoint that is asked for."""
        return self.inference_component or self.target_model or self.endpoint

    @property
    def own_headers(self) -> dict[str, str]:
        """What of the endpoint is asked for."""
        named = {
            "X-Amzn-SageMaker-Inference-Component": self.inference_component,
            "X-Amzn-SageMaker-Target-Model": self.target_model,
            "X-Amzn-SageMaker-Target-Variant": self.target_variant,
        }
        return {name: value for name, value in named.items() if value is not None}
