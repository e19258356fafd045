"""Is an endpoint on SageMaker asked as AWS asks for? Against a stand-in that computes every signature anew."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from checks.types import ErrorKind
from service.endpoints.sagemaker import SageMaker
from tests.service.endpoints.standins.aws import SageMakerRuntime, error

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def provider(server: Any, aws: None, monkeypatch: pytest.MonkeyPatch) -> SageMakerRuntime:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    stand_in = SageMakerRuntime(SECRET)
    server.answers(stand_in.behaviour)
    return stand_in


def sagemaker(server: Any, **more: Any) -> SageMaker:
    minimal = {"base_url": server.address, "region": "eu-central-1", "endpoint": "ticket-router"}
    minimal |= {"body": {"inputs": "Ticket: {{ input }}"}, "output": "[0].generated_text"}
    return SageMaker.model_validate(minimal | more)


def test_aws_accepts_the_signed_request(server: Any, ask: Any, provider: SageMakerRuntime) -> None:
    """The template is filled, the inference component and variant stand in signed headers, the answer is found."""
    body = {"inputs": "Ticket: {{ input }}", "parameters": {"max_new_tokens": 4}}
    r = ask(
        sagemaker(server, body=body, inference_component="adapter-1", target_variant="AllTraffic"), "Straße?"
    )
    assert (r.error, r.output) == (None, "billing")
    assert provider.accepted == [{"inputs": "Ticket: Straße?", "parameters": {"max_new_tokens": 4}}]
    headers = server.requests[0].headers
    assert headers["x-amzn-sagemaker-inference-component"] == "adapter-1"
    assert "x-amzn-sagemaker-target-variant" in headers["authorization"]


def test_a_request_that_was_changed_on_its_way_is_refused(
    server: Any, ask: Any, provider: SageMakerRuntime
) -> None:
    """The stand-in would notice: another secret makes another signature."""
    provider.secret = "other"
    r = ask(sagemaker(server))
    assert r.error.kind is ErrorKind.AUTH
    assert SECRET not in str(r)


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"endpoint": "other"}, ErrorKind.NOT_FOUND, "no model 'other' in eu-central-1"),
        ({"inference_component": "other"}, ErrorKind.NOT_FOUND, "no model 'other'"),
        ({"region": "us-east-1"}, ErrorKind.AUTH, "scoped to eu-central-1"),
        ({"body": {"prompt": "{{ input }}"}}, ErrorKind.REFUSED, "the model's container answered 400"),
        ({"output": "text"}, ErrorKind.BAD_BODY, "nothing stands at output"),
    ],
)
def test_a_wrong_configuration_is_told(
    more: dict[str, Any], kind: ErrorKind, words: str, server: Any, ask: Any, provider: SageMakerRuntime
) -> None:
    """Endpoint, component, region, body, output."""
    r = ask(sagemaker(server, **more))
    assert (r.output, r.error.kind) == (None, kind)
    assert words in r.error.message


@pytest.mark.parametrize(
    ("status", "code", "more", "kind", "words"),
    [
        (429, "ModelNotReadyException", {}, ErrorKind.SERVER, "not ready to answer yet"),
        (400, "ThrottlingException", {}, ErrorKind.RATE_LIMITED, "too many requests"),
        (424, "ModelError", {"OriginalStatusCode": 500}, ErrorKind.SERVER, "container answered 500"),
        (424, "ModelError", {"OriginalStatusCode": 429}, ErrorKind.RATE_LIMITED, "container answered 429"),
        (424, "ModelError", {"OriginalStatusCode": 422}, ErrorKind.REFUSED, "container answered 422"),
        (500, "InternalFailure", {}, ErrorKind.SERVER, "the service failed"),
        (530, "InternalDependencyException", {}, ErrorKind.SERVER, "the service failed"),
        (503, "ServiceUnavailable", {}, ErrorKind.SERVER, "the service failed"),
        (400, "ValidationError", {}, ErrorKind.REFUSED, "the request is refused"),
    ],
)
def test_errors_are_told_by_their_code(
    status: int,
    code: str,
    more: dict[str, Any],
    kind: ErrorKind,
    words: str,
    server: Any,
    ask: Any,
    provider: SageMakerRuntime,
) -> None:
    """A container that fails is an outage; one that refuses will refuse again."""
    provider.failures = [error(status, code, "Not now.", key="Message", **more)]
    r = ask(sagemaker(server))
    assert (r.output, r.error.kind, r.error.status) == (None, kind, status)
    assert words in r.error.message
    assert '"Not now."' in r.error.message


def test_a_key_is_refused() -> None:
    """There is none: it would be sent and mean nothing."""
    with pytest.raises(ValidationError, match="SageMaker takes no key"):
        SageMaker(
            region="eu-central-1", endpoint="e", body={"i": "{{ input }}"}, output="o", api_key_env="KEY"
        )


@pytest.mark.parametrize("name", ["a/b", "a:b", "a b", "", "-a"])
def test_an_endpoint_is_a_name(name: str) -> None:
    """It becomes a part of the path."""
    with pytest.raises(ValidationError, match="endpoint"):
        SageMaker(region="eu-central-1", endpoint=name, body={"i": "{{ input }}"}, output="o")


def test_the_question_leaves_out_what_may_be_deployed_anew() -> None:
    """Another endpoint, component or region asks the same."""
    body = {"i": "{{ input }}"}
    one = SageMaker(region="eu-central-1", endpoint="a", body=body, output="o")
    other = SageMaker(region="us-east-1", endpoint="b", inference_component="c", body=body, output="o")
    assert one.question() == other.question() == {"body": body, "output": "o"}
