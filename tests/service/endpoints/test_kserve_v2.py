"""Does the Open Inference Protocol give labels, from texts and from numbers?"""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from checks.types import ErrorKind
from service.endpoints.kserve_v2 import KserveV2


def classifier(server: Any, **more: Any) -> KserveV2:
    return KserveV2.model_validate({"base_url": server.address, "model": "tickets/v1"} | more)


def outputs(*tensors: dict[str, Any]) -> dict[str, Any]:
    return {"model_name": "tickets", "model_version": "3", "outputs": list(tensors)}


def test_the_request_is_one_bytes_tensor(server: Any, ask: Any) -> None:
    """Name, shape and data of the input, the output asked for and the parameters, at the version's address."""
    server.answers(
        server.reply(200, outputs({"name": "label", "datatype": "BYTES", "shape": [1], "data": ["bug"]}))
    )
    response = ask(
        classifier(server, version="3", input="body", input_shape=[1, 1], output="label", params={"k": 1})
    )
    assert (response.output, response.served_model, response.fingerprint) == ("bug", "tickets", "3")
    assert server.requests[0].path == "/v2/models/tickets%2Fv1/versions/3/infer"
    assert server.requests[0].json == {
        "parameters": {"k": 1},
        "outputs": [{"name": "label"}],
        "inputs": [{"name": "body", "shape": [1, 1], "datatype": "BYTES", "data": ["Where is my parcel?"]}],
    }


def test_probabilities_give_the_greatest_label_and_its_logprob(server: Any, ask: Any) -> None:
    """A nested tensor is flattened; the top probability is kept as a log-probability."""
    server.answers(server.reply(200, outputs({"name": "p", "shape": [1, 3], "data": [[0.1, 0.7, 0.2]]})))
    response = ask(classifier(server, labels=["a", "b", "c"]))
    assert (response.output, response.logprobs) == ("b", (pytest.approx(math.log(0.7)),))


def test_logits_are_normalised_where_told(server: Any, ask: Any) -> None:
    """softmax: true turns logits into the same log-probability that softmax gives; without it there is none."""
    server.answers(server.reply(200, outputs({"name": "z", "data": [1000.0, 999.0, -5.0]})))
    expected = -math.log(1 + math.exp(-1) + math.exp(-1005))
    assert ask(classifier(server, labels=["a", "b", "c"], softmax=True)).logprobs == (
        pytest.approx(expected),
    )
    response = ask(classifier(server, labels=["a", "b", "c"]))
    assert (response.output, response.logprobs) == ("a", None)


@pytest.mark.parametrize(
    ("body", "fields", "words"),
    [
        (outputs({"name": "x", "data": [1]}), {"output": "y"}, "no output tensor y (there are: x)"),
        (outputs({"name": "x", "data": []}), {}, "the tensor x is empty"),
        (outputs({"name": "x", "data": [1.0, 2.0]}), {}, "configure labels"),
        (outputs({"name": "x", "data": [1.0, 2.0]}), {"labels": ["a"]}, "2 numbers for 1 labels"),
        (outputs({"name": "x", "data": [1.0, None]}), {"labels": ["a", "b"]}, "finite numbers"),
        (outputs({"name": "x", "data": [1.0, float("nan")]}), {"labels": ["a", "b"]}, "finite numbers"),
        (outputs({"name": "x", "data": ["a", "b"]}), {}, "holds 2 texts, not one"),
        (outputs(), {}, "there are: none"),
    ],
)
def test_a_tensor_that_is_no_answer_says_why(
    body: dict[str, Any], fields: dict[str, Any], words: str, server: Any, ask: Any
) -> None:
    """What does not fit the configuration is no answer."""
    server.answers(server.reply(200, body))
    error = ask(classifier(server, **fields)).error
    assert error.kind is ErrorKind.BAD_BODY
    assert words in error.message


def test_identity_is_read_from_the_protocol_s_pages(server: Any, identify: Any) -> None:
    """The server's name and version, the model's versions and platform."""
    server.script["/v2"] = [server.reply(200, {"name": "triton", "version": "2.50.0"})]
    server.script["/v2/models/tickets%2Fv1"] = [
        server.reply(200, {"name": "tickets", "versions": ["2", "3"], "platform": "onnx"})
    ]
    served = identify(classifier(server))
    assert (served.version, served.model) == ("triton 2.50.0", "tickets")
    assert (served.fingerprint, served.root) == ("2,3", "onnx")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"labels": ["a", "a"]}, "holds a label twice"),
        ({"base_url": "http://h/v2"}, "ends before /v2"),
        ({"input_shape": [2]}, "Input should be 1"),
    ],
)
def test_a_bad_configuration_says_what_to_write(fields: dict[str, Any], words: str, server: Any) -> None:
    """Each fault is found at construction."""
    with pytest.raises(ValidationError) as caught:
        classifier(server, **fields)
    assert words in str(caught.value)
