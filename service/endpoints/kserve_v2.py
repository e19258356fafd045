"""How is a classifier behind the Open Inference Protocol asked? ``POST {base_url}/v2/models/{model}/infer``.

KServe, Triton, MLServer, OpenVINO and TorchServe speak it. The input's text goes out as a BYTES tensor of one element
(a conversation as one line a turn). The answer is either

- a BYTES tensor that holds the label, or
- a tensor of numbers, one per label: the output is the label of the greatest, and its log-probability is kept. With
  ``softmax: true`` the numbers are logits; else they count as probabilities where they lie in [0, 1].
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import math
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field, field_validator

from checks.types import Example, Json, Served
from service.endpoints._faults import bad_body, error_in
from service.endpoints._http import (
    Address,
    Answer,
    HttpEndpoint,
    canonical,
    flattened,
    json_problem,
    name_or_none,
    parse_json,
)
from service.endpoints._model import AsksByModel
from service.text import safe

if TYPE_CHECKING:
    import httpx


class KserveV2(AsksByModel, HttpEndpoint):
    """A classifier behind the Open Inference Protocol.

    Example::

        endpoint:
          kind: kserve_v2
          base_url: http://127.0.0.1:8080
          model: ticket-classifier
          labels: [billing, login, shipping, bug]
          softmax: true
    """

    kind: Literal["kserve_v2"] = "kserve_v2"
    base_url: Annotated[Address, Field(description="The address before /v2.")]
    model: Annotated[
        str, Field(min_length=1, max_length=500, description="The model's name in the server's repository.")
    ]
    version: Annotated[
        str | None, Field(min_length=1, max_length=100, description="The model's version.")
    ] = None
    input: Annotated[str, Field(min_length=1, description="The name of the input tensor.")] = "text"
    input_shape: Annotated[
        tuple[Literal[1], ...],
        Field(min_length=1, max_length=4, description="[1], or [1, 1] for batching models."),
    ] = (1,)
    output: Annotated[
        str | None, Field(min_length=1, description="The name of the output tensor; by default the first.")
    ] = None
    labels: Annotated[
        tuple[str, ...], Field(description="The labels of a tensor of numbers, in its order.")
    ] = ()
    softmax: Annotated[bool, Field(description="The numbers are logits, not probabilities.")] = False
    params: Annotated[dict[str, Any], Field(default_factory=dict, description="The request's parameters.")]

    @field_validator("params")
    @classmethod
    def _json(cls, params: dict[str, Any]) -> dict[str, Any]:
        if problem := json_problem(params, "params"):
            raise ValueError(problem)
        return params

    @field_validator("labels")
    @classmethod
    def _each_once(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) != len(labels):
            raise ValueError("labels holds a label twice")
        return labels

    @field_validator("base_url")
    @classmethod
    def _before_v2(cls, base_url: str) -> str:
        if base_url.endswith("/v2"):
            raise ValueError("base_url ends before /v2: remove it")
        return base_url

    @property
    def url(self) -> str:
        """The address that requests go to."""
        return f"{self._model_url}/infer"

    def question(self) -> Json:
        """Which tensors are asked, the labels and the parameters."""
        return {
            "input": self.input, "output": self.output, "labels": list(self.labels), "softmax": self.softmax,
            "params": self.params,
        }  # fmt: skip

    def body_for(self, example: Example) -> bytes:
        """The request for an example."""
        return f"{self._beginning}{json.dumps(flattened(example))}]}}]}}".encode()

    def read(self, body: bytes) -> Answer:
        """The label that the answer names."""
        content = parse_json(body)
        if (said := error_in(content)) is not None:
            bad_body("status 200 with an error instead of an answer", said)
        tensors = content.get("outputs") if isinstance(content, dict) else None
        tensors = [t for t in tensors if isinstance(t, dict)] if isinstance(tensors, list) else []
        tensor = next((t for t in tensors if self.output in (None, t.get("name"))), None)
        if tensor is None:
            names = ", ".join(safe(str(t.get("name")), 40) for t in tensors[:10]) or "none"
            wanted = f" {self.output}" if self.output else ""
            bad_body(f"the body has no output tensor{wanted} (there are: {names})", body)
        data = _flat(tensor.get("data"))
        if not data:
            bad_body(f"the tensor {safe(str(tensor.get('name')), 40)} is empty", body)
        output, logprob = self._label(data, tensor, body)
        return {
            "output": output,
            "logprobs": None if logprob is None else (logprob,),
            "served_model": name_or_none(content.get("model_name")),
            "fingerprint": name_or_none(content.get("model_version")),
        }

    async def identify(self, client: httpx.AsyncClient, *, timeout_s: float) -> Served:
        """What the pages of the server and of the model say: names, versions, platform (as ``root``)."""
        server, model = await asyncio.gather(
            self.fetch(client, f"{self.base_url}/v2", timeout_s=timeout_s),
            self.fetch(client, self._model_url, timeout_s=timeout_s),
        )
        server, model = (page if isinstance(page, dict) else {} for page in (server, model))
        versions = model.get("versions")
        known = [v for v in versions if isinstance(v, str)] if isinstance(versions, list) else []
        named = [n for n in (name_or_none(server.get("name")), name_or_none(server.get("version"))) if n]
        return Served(
            model=name_or_none(model.get("name")),
            fingerprint=name_or_none(",".join(known)),
            version=" ".join(named) or None,
            root=name_or_none(model.get("platform")),
        )

    def _label(self, data: list[Any], tensor: dict[str, Any], body: bytes) -> tuple[str, float | None]:
        if isinstance(data[0], str):
            if len(data) != 1:
                bad_body(
                    f"the tensor {safe(str(tensor.get('name')), 40)} holds {len(data)} texts, not one", body
                )
            return _text(data[0], tensor), None
        if not all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in data):
            bad_body("the output tensor holds neither texts nor finite numbers", body)
        if not self.labels:
            if len(data) == 1:
                return canonical(data[0]), None
            bad_body("the output tensor holds numbers: configure labels: [...] in its order", body)
        if len(data) != len(self.labels):
            bad_body(f"the output tensor holds {len(data)} numbers for {len(self.labels)} labels", body)
        best = max(range(len(data)), key=data.__getitem__)
        return self.labels[best], _logprob(data, data[best], softmax=self.softmax)

    @cached_property
    def _model_url(self) -> str:
        version = f"/versions/{quote(self.version, safe='')}" if self.version else ""
        return f"{self.base_url}/v2/models/{quote(self.model, safe='')}{version}"

    @cached_property
    def _beginning(self) -> str:
        constant: dict[str, Any] = {}
        if self.params:
            constant["parameters"] = self.params
        if self.output:
            constant["outputs"] = [{"name": self.output}]
        tensor = json.dumps({"name": self.input, "shape": list(self.input_shape), "datatype": "BYTES"})[:-1]
        head = json.dumps(constant)[:-1] + ", " if constant else "{"
        return f'{head}"inputs": [{tensor}, "data": ['


def _flat(data: Any) -> list[Any]:
    """A tensor's elements: nested lists are allowed by the protocol."""
    while isinstance(data, list) and data and all(isinstance(item, list) for item in data):
        data = [element for item in data for element in item]
    return data if isinstance(data, list) else []


def _text(value: str, tensor: dict[str, Any]) -> str:
    parameters = tensor.get("parameters")
    if isinstance(parameters, dict) and parameters.get("content_type") == "base64":
        try:
            return base64.b64decode(value, validate=True).decode("utf-8", "replace")
        except binascii.Error:
            return value
    return value


def _logprob(data: list[float], best: float, *, softmax: bool) -> float | None:
    if softmax:
        return -math.log(sum(math.exp(v - best) for v in data))
    return math.log(best) if 0.0 < best <= 1.0 and min(data) >= 0.0 else None
