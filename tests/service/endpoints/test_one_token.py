"""Does each kind that can bound an answer ask for one token, at the temperature that is wanted?"""

from __future__ import annotations

import json

import pytest

from checks.registry import find, kinds
from checks.types import Example
from service.endpoints import ROOM
from tests.service.endpoints.kinds import minimal

FORMS = {"response_format": {"type": "json_object"}, "tools": [], "stop": ["\n"], "top_p": 0.5}
BOUNDED = {
    "openai_chat": {**FORMS, "max_completion_tokens": 8, "temperature": 1},
    "openai_completions": {"stop": ["\n"], "top_p": 0.5, "max_tokens": 8},
    "azure_openai": {**FORMS, "max_tokens": 8},
    "anthropic_messages": {"top_p": 0.5, "max_tokens": 8, "stop_sequences": ["x"]},
}


def asked(kind: str, temperature: float | None) -> dict[str, object]:
    """The body of the one-token request of a kind that is asked for more, in a form, streamed."""
    given = minimal(kind, "http://127.0.0.1:9") | {"params": BOUNDED[kind], "stream": True}
    bound = find(ROOM, kind).model_validate(given).one_token(temperature)
    body: dict[str, object] = json.loads(bound.body_for(Example("a", "I paid twice")))
    return body


@pytest.mark.parametrize("kind", BOUNDED)
def test_one_token_is_asked_for_at_the_temperature_wanted(kind: str) -> None:
    """By the parameter that was configured; no form, no tools, no stream; what else was configured stays."""
    body = asked(kind, 0.0)
    sizes = {body.get(name) for name in ("max_tokens", "max_completion_tokens")} - {None}
    assert (sizes, body["temperature"], body["top_p"]) == ({1}, 0.0, 0.5)
    assert not body.get("stream")
    assert not {"response_format", "tools", "stop", "stop_sequences"} & body.keys()


@pytest.mark.parametrize("kind", BOUNDED)
def test_without_a_temperature_the_configured_one_is_kept(kind: str) -> None:
    """An endpoint that refuses another is asked as configured."""
    assert asked(kind, None).get("temperature") == BOUNDED[kind].get("temperature")


@pytest.mark.parametrize("kind", sorted(set(kinds(ROOM)) - set(BOUNDED) - {"probe"}))
def test_other_kinds_say_that_they_cannot(kind: str) -> None:
    """None, so that the configuration can be refused in words."""
    endpoint = find(ROOM, kind).model_validate(minimal(kind, "http://127.0.0.1:9"))
    assert endpoint.one_token(0.0) is None
