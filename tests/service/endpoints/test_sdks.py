"""Are the stand-ins faithful? Each provider's own SDK is understood by its stand-in, and understands its answers.

The SDKs are no dependency of goldwatch, but of its development (``pyproject.toml``, group ``dev``), so that CI holds
them against every stand-in; where one is not installed its tests are skipped.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.service.endpoints.standins.anthropic import Anthropic
from tests.service.endpoints.standins.aws import SAID, BedrockRuntime, SageMakerRuntime, error, event_stream
from tests.service.endpoints.standins.azure import Azure, throttled
from tests.service.endpoints.standins.google import SCOPE, TokenService, VertexAI, account
from tests.service.endpoints.standins.openai_responses import Responses

WHY = "the provider's SDK is not installed"
ASKED = [{"role": "system", "content": "Route."}, {"role": "user", "content": "My parcel?"}]


@pytest.mark.parametrize("stream", [False, True])
def test_openais_sdk_speaks_with_azure(stream: bool, server: Any) -> None:
    """Whole and streamed: deployment in the path, version in the query, ``api-key``."""
    openai = pytest.importorskip("openai", reason=WHY)
    server.answers(Azure("k" * 32, "router").behaviour)
    with openai.AzureOpenAI(azure_endpoint=server.address, api_key="k" * 32, api_version="2024-10-21") as sdk:
        said = sdk.chat.completions.create(model="router", messages=ASKED, max_tokens=8, stream=stream)
        if stream:
            text = "".join(c.choices[0].delta.content or "" for c in said if c.choices)
        else:
            text = said.choices[0].message.content
            assert said.usage.prompt_tokens_details.cached_tokens == 10
    assert text == "billing"


def test_openais_sdk_understands_azures_refusals(server: Any) -> None:
    """Filter, throttling, deployment, key: each is the SDK's own exception."""
    openai = pytest.importorskip("openai", reason=WHY)
    azure = Azure("k" * 32, "router")
    server.answers(azure.behaviour)
    options = {"azure_endpoint": server.address, "api_version": "2024-10-21", "max_retries": 0}
    with (
        openai.AzureOpenAI(api_key="k" * 32, **options) as sdk,
        openai.AzureOpenAI(api_key="no", **options) as bad,
    ):
        create = sdk.chat.completions.create
        with pytest.raises(openai.BadRequestError) as filtered:
            create(model="router", messages=[{"role": "user", "content": "FORBIDDEN"}])
        assert filtered.value.code == "content_filter"
        azure.failures = [throttled(7)]
        with pytest.raises(openai.RateLimitError):
            create(model="router", messages=ASKED)
        with pytest.raises(openai.NotFoundError):
            create(model="other", messages=ASKED)
        with pytest.raises(openai.AuthenticationError):
            bad.chat.completions.create(model="router", messages=ASKED)


@pytest.mark.parametrize("stream", [False, True])
def test_openais_sdk_speaks_with_responses(stream: bool, server: Any) -> None:
    """Whole and streamed; an unknown parameter and a wrong key are the SDK's own exceptions."""
    openai = pytest.importorskip("openai", reason=WHY)
    server.answers(Responses("sk-1", "m").behaviour)
    asked = {
        "model": "m",
        "instructions": "Route.",
        "input": "My parcel?",
        "store": False,
        "max_output_tokens": 16,
    }
    asked["include"] = ["message.output_text.logprobs"]
    with openai.OpenAI(base_url=f"{server.address}/v1", api_key="sk-1", max_retries=0) as sdk:
        if stream:
            with sdk.responses.stream(**asked) as said:
                whole = said.get_final_response()
        else:
            whole = sdk.responses.create(**asked)
        with pytest.raises(openai.BadRequestError):
            sdk.responses.create(**asked, extra_body={"nonsense": 1})
    assert (whole.output_text, whole.status) == ("billing", "completed")
    assert whole.usage.input_tokens_details.cached_tokens == 10
    with (
        openai.OpenAI(base_url=f"{server.address}/v1", api_key="no", max_retries=0) as sdk,
        pytest.raises(openai.AuthenticationError),
    ):
        sdk.responses.create(**asked)


@pytest.mark.parametrize("stream", [False, True])
def test_anthropics_sdk_speaks_with_messages(stream: bool, server: Any) -> None:
    """Whole and streamed; a model that is not there and a wrong key are the SDK's own exceptions."""
    anthropic = pytest.importorskip("anthropic", reason=WHY)
    server.answers(Anthropic("sk-ant-1").behaviour)
    asked = {"model": "claude-x", "max_tokens": 8, "system": "Route.", "messages": ASKED[1:]}
    with anthropic.Anthropic(base_url=server.address, api_key="sk-ant-1", max_retries=0) as sdk:
        if stream:
            with sdk.messages.stream(**asked) as said:
                whole = said.get_final_message()
        else:
            whole = sdk.messages.create(**asked)
        with pytest.raises(anthropic.NotFoundError):
            sdk.messages.create(**asked | {"model": "claude-y"})
    assert whole.content[0].text == "billing"
    assert (whole.stop_reason, whole.usage.cache_read_input_tokens) == ("end_turn", 20)
    with (
        anthropic.Anthropic(base_url=server.address, api_key="no", max_retries=0) as sdk,
        pytest.raises(anthropic.AuthenticationError),
    ):
        sdk.messages.create(**asked)


def test_botos_sdk_speaks_with_bedrock(server: Any, aws: None) -> None:
    """Signed by its own signer, with an ARN in the path; refusals are the SDK's own exceptions."""
    boto3 = pytest.importorskip("boto3", reason=WHY)
    bedrock = BedrockRuntime("s3cret", "t0ken")
    server.answers(bedrock.behaviour)
    keys = {
        "aws_access_key_id": bedrock.access,
        "aws_secret_access_key": "s3cret",
        "aws_session_token": "t0ken",
    }
    options = {"region_name": bedrock.region, "endpoint_url": server.address, "config": once()}
    sdk = boto3.client("bedrock-runtime", **keys, **options)
    asked = {"modelId": bedrock.model, "messages": [{"role": "user", "content": [{"text": "My parcel?"}]}]}
    asked |= {"system": [{"text": "Route."}], "inferenceConfig": {"maxTokens": 8, "temperature": 0.0}}
    said = sdk.converse(**asked)
    assert said["output"]["message"]["content"][-1]["text"] == "billing"
    assert (said["stopReason"], said["usage"]["cacheReadInputTokens"]) == ("end_turn", 20)
    events = list(sdk.converse_stream(**asked)["stream"])
    texts = [e["contentBlockDelta"]["delta"].get("text", "") for e in events if "contentBlockDelta" in e]
    assert ("".join(texts), events[-1]["metadata"]["usage"]["outputTokens"]) == ("billing", 3)
    bedrock.failures = [event_stream(*SAID, ("throttlingException", {"message": "Not now."}))]
    with pytest.raises(sdk.exceptions.ClientError, match="throttlingException"):
        list(sdk.converse_stream(**asked)["stream"])
    for status, code in (
        (429, "ThrottlingException"),
        (429, "ModelNotReadyException"),
        (424, "ModelErrorException"),
    ):
        bedrock.failures = [error(status, code, "Not now.")]
        with pytest.raises(getattr(sdk.exceptions, code)):
            sdk.converse(**asked)
    with pytest.raises(sdk.exceptions.ValidationException):
        sdk.converse(**asked | {"modelId": "other"})
    wrong = boto3.client("bedrock-runtime", **keys | {"aws_secret_access_key": "other"}, **options)
    with pytest.raises(wrong.exceptions.ClientError, match="InvalidSignatureException"):
        wrong.converse(**asked)


def test_botos_sdk_speaks_with_sagemaker(server: Any, aws: None) -> None:
    """Signed by its own signer, with an inference component; refusals are the SDK's own exceptions."""
    boto3 = pytest.importorskip("boto3", reason=WHY)
    sagemaker = SageMakerRuntime("s3cret")
    server.answers(sagemaker.behaviour)
    keys = {"aws_access_key_id": sagemaker.access, "aws_secret_access_key": "s3cret"}
    sdk = boto3.client(
        "sagemaker-runtime", region_name=sagemaker.region, endpoint_url=server.address, config=once(), **keys
    )
    asked = {"EndpointName": "ticket-router", "ContentType": "application/json", "Body": b'{"inputs": "x"}'}
    asked["InferenceComponentName"] = "adapter-1"
    said = sdk.invoke_endpoint(**asked)
    assert json.loads(said["Body"].read()) == [{"generated_text": "billing"}]
    assert said["InvokedProductionVariant"] == "AllTraffic"
    with pytest.raises(sdk.exceptions.ModelError) as refused:
        sdk.invoke_endpoint(**asked | {"Body": b"{}"})
    assert refused.value.response["OriginalStatusCode"] == 400
    with pytest.raises(sdk.exceptions.ValidationError):
        sdk.invoke_endpoint(**asked | {"EndpointName": "other"})
    sagemaker.failures = [error(429, "ModelNotReadyException", "Loading.", key="Message")]
    with pytest.raises(sdk.exceptions.ModelNotReadyException):
        sdk.invoke_endpoint(**asked)


@pytest.mark.parametrize("stream", [False, True])
def test_googles_sdk_speaks_with_vertex(stream: bool, server: Any) -> None:
    """With a token that it fetched by a service account's key; a blocked prompt and an unknown model are told."""
    genai = pytest.importorskip("google.genai", reason=WHY)
    from google.oauth2 import service_account

    service = TokenService(f"{server.address}/token")
    vertex = VertexAI(service)
    server.script["/token"] = [service.behaviour]
    server.answers(vertex.behaviour)
    credentials = service_account.Credentials.from_service_account_info(account(service.uri), scopes=[SCOPE])
    options = {
        "project": "my-project",
        "location": "europe-west4",
        "http_options": {"base_url": server.address},
    }
    with genai.Client(vertexai=True, credentials=credentials, **options) as sdk:
        config = {"system_instruction": "Route.", "temperature": 0, "response_logprobs": True, "logprobs": 2}
        asked = {"model": "gemini-2.5-flash", "contents": "My parcel?", "config": config}
        if stream:
            said = list(sdk.models.generate_content_stream(**asked))
            text, last = "".join(one.text or "" for one in said), said[-1]
        else:
            last = sdk.models.generate_content(**asked)
            text = last.text
        assert text == "billing"
        assert (last.usage_metadata.thoughts_token_count, last.candidates[0].finish_reason) == (5, "STOP")
        assert last.candidates[0].logprobs_result.chosen_candidates[0].log_probability == -0.1
        blocked = sdk.models.generate_content(model="gemini-2.5-flash", contents="FORBIDDEN")
        assert blocked.prompt_feedback.block_reason == "PROHIBITED_CONTENT"
        with pytest.raises(genai.errors.ClientError) as missing:
            sdk.models.generate_content(model=VertexAI.tuned.replace("123", "9"), contents="x")
        assert (missing.value.code, missing.value.status) == (404, "NOT_FOUND")
        tuned = sdk.models.generate_content(model=VertexAI.tuned, contents="My parcel?")
        assert tuned.text == "billing"


def once() -> Any:
    """A configuration of botocore that tries once."""
    from botocore.config import Config

    return Config(retries={"total_max_attempts": 1, "mode": "standard"})
