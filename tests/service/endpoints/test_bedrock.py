"""Is Bedrock's Converse API asked as AWS asks for? Against a stand-in that computes every signature anew."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from checks.types import ErrorKind, Message, Served
from service.endpoints.bedrock import Bedrock
from tests.service.endpoints.standins.aws import BedrockRuntime, error

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJIMEYCIQDK"


@pytest.fixture
def provider(server: Any, aws: None, monkeypatch: pytest.MonkeyPatch) -> BedrockRuntime:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    stand_in = BedrockRuntime(SECRET, TOKEN, bearer="bedrock-api-key-0123456789")
    server.answers(stand_in.behaviour)
    return stand_in


def bedrock(server: Any, **more: Any) -> Bedrock:
    minimal = {"base_url": server.address, "region": "eu-central-1", "model": BedrockRuntime.model}
    return Bedrock.model_validate(minimal | more)


def test_aws_accepts_the_signed_request(server: Any, ask: Any, provider: BedrockRuntime) -> None:
    """An ARN in the path, a session's token, system and few-shot messages: the signature is right, the shape is too."""
    shots = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "bug"}]
    params = {"inferenceConfig": {"maxTokens": 16, "temperature": 0}, "requestMetadata": {"by": "goldwatch"}}
    r = ask(
        bedrock(server, system="Route.", messages=shots, params=params, headers={"X-Amzn-Trace": "a  b"}),
        (Message("system", "Be brief."), Message("user", "Straße?")),
    )
    assert (r.error, r.output) == (None, "billing")
    assert provider.accepted == [
        {
            **params,
            "system": [{"text": "Route.\n\nBe brief."}],
            "messages": [
                {"role": "user", "content": [{"text": "?"}]},
                {"role": "assistant", "content": [{"text": "bug"}]},
                {"role": "user", "content": [{"text": "Straße?"}]},
            ],
        }
    ]


def test_facts_of_the_answer_are_kept(server: Any, ask: Any, provider: BedrockRuntime) -> None:
    """Input tokens hold those of the cache, which are told apart too; the reason for the end."""
    r = ask(bedrock(server))
    assert (r.input_tokens, r.cached_tokens, r.output_tokens, r.finish_reason) == (29, 20, 3, "end_turn")


def test_an_api_key_needs_no_signature(
    server: Any, ask: Any, provider: BedrockRuntime, monkeypatch: Any
) -> None:
    """It goes out as a bearer token; a wrong one is told."""
    monkeypatch.setenv("BEDROCK_KEY", "bedrock-api-key-0123456789")
    assert ask(bedrock(server, api_key_env="BEDROCK_KEY")).output == "billing"
    assert "x-amz-date" not in server.requests[0].headers
    monkeypatch.setenv("BEDROCK_KEY", "another")
    assert ask(bedrock(server, api_key_env="BEDROCK_KEY")).error.kind is ErrorKind.AUTH


def test_a_profile_is_read(
    server: Any, ask: Any, provider: BedrockRuntime, monkeypatch: Any, tmp_path: Path
) -> None:
    """Its credentials are used, not those of the environment; one that is not there is told."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    keys = f"aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET}\naws_session_token = {TOKEN}\n"
    file.write_text(f"[watch]\n{keys}")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    assert ask(bedrock(server, profile="watch")).output == "billing"
    r = ask(bedrock(server, profile="nobody"))
    assert r.error.kind is ErrorKind.AUTH
    assert "nobody" in r.error.message


def test_without_credentials_nothing_is_sent(
    server: Any, ask: Any, provider: BedrockRuntime, monkeypatch: Any
) -> None:
    """It is told as auth, by doctor too, with what to do."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    endpoint = bedrock(server)
    r = ask(endpoint)
    assert (r.error.kind, r.error.message) == (ErrorKind.AUTH, "no AWS credentials are found")
    assert server.requests == []
    (fault,) = endpoint.check_secrets()
    assert "AWS_ACCESS_KEY_ID" in str(fault.remedy)


def test_without_its_extra_it_says_what_to_install(
    server: Any, ask: Any, provider: BedrockRuntime, monkeypatch: Any
) -> None:
    """The request and doctor; an API key needs no extra."""
    monkeypatch.setitem(sys.modules, "botocore.exceptions", None)
    endpoint = bedrock(server)
    assert ask(endpoint).error.message == "requests to AWS cannot be signed: botocore is not installed"
    (fault,) = endpoint.check_secrets()
    assert fault.remedy == "pip install 'goldwatch[aws]'"
    monkeypatch.setenv("BEDROCK_KEY", "bedrock-api-key-0123456789")
    assert ask(bedrock(server, api_key_env="BEDROCK_KEY")).output == "billing"


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"region": "us-east-1"}, ErrorKind.AUTH, "scoped to eu-central-1"),
        ({"model": "nobody.model-v1:0"}, ErrorKind.NOT_FOUND, "check model, region and the account"),
        ({"params": {"topK": 3}}, ErrorKind.REFUSED, "Unknown parameter"),
        ({"params": {"inferenceConfig": {"max_tokens": 3}}}, ErrorKind.REFUSED, "max_tokens"),
        (
            {"messages": [{"role": "assistant", "content": "x"}]},
            ErrorKind.REFUSED,
            "start with a user message",
        ),
    ],
)
def test_a_wrong_configuration_is_told_in_awss_words(
    more: dict[str, Any], kind: ErrorKind, words: str, server: Any, ask: Any, provider: BedrockRuntime
) -> None:
    """Region, model, parameters, turns."""
    r = ask(bedrock(server, **more))
    assert (r.output, r.error.kind) == (None, kind)
    assert words in r.error.message


def test_a_clock_that_is_wrong_is_told(server: Any, ask: Any, provider: BedrockRuntime) -> None:
    """A signature holds for minutes."""
    provider.now = lambda: datetime.now(UTC) + timedelta(hours=1)
    r = ask(bedrock(server))
    assert r.error.kind is ErrorKind.AUTH
    assert "this machine's clock" in r.error.message


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (429, "ThrottlingException", ErrorKind.RATE_LIMITED, "too many requests"),
        (400, "ServiceQuotaExceededException", ErrorKind.RATE_LIMITED, "too many requests"),
        (429, "ModelNotReadyException", ErrorKind.SERVER, "not ready to answer yet"),
        (408, "ModelTimeoutException", ErrorKind.TIMEOUT, "took too long"),
        (424, "ModelErrorException", ErrorKind.SERVER, "the model's container answered"),
        (500, "InternalServerException", ErrorKind.SERVER, "the service failed"),
        (503, "ServiceUnavailableException", ErrorKind.SERVER, "the service failed"),
        (403, "AccessDeniedException", ErrorKind.AUTH, "what they allow"),
        (403, "ExpiredTokenException", ErrorKind.AUTH, "check the credentials"),
        (404, "ResourceNotFoundException", ErrorKind.NOT_FOUND, "check model"),
        (400, "ValidationException", ErrorKind.REFUSED, "refused"),
        (418, "SomethingNewException", ErrorKind.REFUSED, "SomethingNewException"),
    ],
)
def test_errors_are_told_by_their_code(
    status: int, code: str, kind: ErrorKind, words: str, server: Any, ask: Any, provider: BedrockRuntime
) -> None:
    """The code says what a status leaves open; what may pass says when to ask again, if AWS does."""
    reply = error(status, code, "Not now.")
    reply.headers["Retry-After"] = "7"
    provider.failures = [reply]
    r = ask(bedrock(server))
    assert (r.output, r.error.kind, r.error.status) == (None, kind, status)
    assert words in r.error.message
    assert '"Not now."' in r.error.message
    assert r.error.retry_after_s == (7.0 if kind.retryable else None)


@pytest.mark.parametrize(
    ("content", "reason", "output"),
    [
        ([{"text": "a"}, {"text": "b"}], "end_turn", "ab"),
        ([{"toolUse": {"toolUseId": "t", "name": "route", "input": {"to": "x"}}}], "tool_use",
         '[{"arguments":{"to":"x"},"name":"route"}]'),
        ([{"text": "Sorry, I cannot."}], "guardrail_intervened", "Sorry, I cannot."),
        ([], "content_filtered", ""),
        ([{"reasoningContent": {"reasoningText": {"text": "hm"}}}], "max_tokens", ""),
    ],
)  # fmt: skip
def test_what_counts_as_the_output(
    content: list[Any], reason: str, output: str, server: Any, ask: Any, provider: Any
) -> None:
    """Texts, calls, what a guardrail says instead, and silence are answers."""
    message = {"role": "assistant", "content": content}
    server.answers(server.reply(200, {"output": {"message": message}, "stopReason": reason}))
    r = ask(bedrock(server))
    assert (r.error, r.output, r.finish_reason) == (None, output, reason)


def test_secrets_stay_in(
    server: Any, ask: Any, provider: BedrockRuntime, monkeypatch: Any, caplog: Any
) -> None:
    """AWS quotes what should have been signed, the session's token included: no error and no log shows a secret."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(provider, "secret", "another")
    r = ask(bedrock(server))
    assert r.error.kind is ErrorKind.AUTH
    sent = server.requests[0].headers
    assert sent["x-amz-security-token"] == TOKEN
    server.answers(server.reply(403, {"message": f"{SECRET} {TOKEN} {sent['authorization']}"}))
    assert SECRET not in str(ask(bedrock(server)).error)
    echo = {"output": {"message": {"content": [{"text": f"say {TOKEN} {SECRET}"}]}}}
    server.answers(server.reply(200, echo))
    assert ask(bedrock(server)).output == "say *** ***"
    for secret in (SECRET, TOKEN[:20], TOKEN):
        assert secret not in caplog.text + str(r)
    assert set(bedrock(server).secrets().values()) >= {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}


def test_a_redirect_is_not_followed_even_at_home(server: Any, ask: Any, provider: BedrockRuntime) -> None:
    """A signature is for one address."""
    server.answers(server.redirect("/model/other/converse"))
    r = ask(bedrock(server))
    assert r.error.kind is ErrorKind.REDIRECT
    assert len(server.requests) == 1


def test_the_regions_own_address_is_asked() -> None:
    """China has its own suffix."""
    url = Bedrock(region="eu-central-1", model="a.b:0").url
    assert url == "https://bedrock-runtime.eu-central-1.amazonaws.com/model/a.b%3A0/converse"
    assert Bedrock(region="cn-north-1", model="m").url.startswith(
        "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/"
    )


def test_a_region_that_is_none_is_refused() -> None:
    """It would become a host's name."""
    with pytest.raises(ValidationError, match="region"):
        Bedrock(region="evil.example/", model="m")


def test_nothing_is_asked_about_the_model(server: Any, identify: Any, provider: BedrockRuntime) -> None:
    """That is another API's, with permissions of its own."""
    assert identify(bedrock(server)) == Served()
    assert server.requests == []
