"""Does any JSON API fit, by a template that computes nothing and paths that are checked at once?"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from checks.types import ErrorKind, Message
from service.endpoints.http_json import HttpJson


def api(server: Any, **more: Any) -> HttpJson:
    fields = {
        "url": f"{server.address}/classify?v=2",
        "body": {"q": "{{ input }}"},
        "output": "result[0].label",
    }
    return HttpJson.model_validate(fields | more)


def test_the_template_keeps_types_and_fills_texts(server: Any, ask: Any) -> None:
    """A leaf that is exactly the input keeps its JSON type; within a text it is text; the rest is untouched."""
    server.answers(server.reply(200, {"result": [{"label": "a"}]}))
    body = {
        "q": "{{ input }}",
        "all": ["id={{id}}: {{ input }}!", "{{messages}}"],
        "n": 1.5,
        "deep": {"x": None},
    }
    assert ask(api(server, body=body), "say {{ id }}").output == "a"
    assert ask(api(server, body=body), (Message("user", "a"), Message("assistant", "b"))).output == "a"
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    first, second = (request.json for request in server.requests)
    user = [{"role": "user", "content": "say {{ id }}"}]
    assert first == {
        "q": "say {{ id }}",
        "all": ["id=T-1: say {{ id }}!", user],
        "n": 1.5,
        "deep": {"x": None},
    }
    assert second == {
        "q": turns,
        "all": ["id=T-1: user: a\nassistant: b!", turns],
        "n": 1.5,
        "deep": {"x": None},
    }
    assert server.requests[0].path == "/classify?v=2"


def test_the_paths_find_everything(server: Any, ask: Any) -> None:
    """Output, tokens, served model and fingerprint by JMESPath; an object becomes canonical JSON."""
    server.answers(
        server.reply(200, {"r": {"b": 1, "a": "ü"}, "u": {"in": 3, "out": 4.0}, "m": "v7", "build": "b1"})
    )
    response = ask(
        api(
            server,
            output="r",
            input_tokens="u.in",
            output_tokens="u.out",
            served_model="m",
            fingerprint="build",
        )
    )
    assert response.output == '{"a":"ü","b":1}'
    assert (response.input_tokens, response.output_tokens) == (3, 4)
    assert (response.served_model, response.fingerprint) == ("v7", "b1")


def test_nothing_at_the_path_is_no_answer(server: Any, ask: Any) -> None:
    """The error names the path and quotes the body; false and 0 are answers."""
    server.answers(server.reply(200, {"result": []}))
    error = ask(api(server)).error
    assert error.kind is ErrorKind.BAD_BODY
    assert error.message == 'nothing stands at output (result[0].label): "{"result": []}"'
    server.answers(server.reply(200, {"result": [{"label": False}]}))
    assert ask(api(server)).output == "false"


def test_a_function_on_the_wrong_type_is_no_answer(server: Any, ask: Any) -> None:
    """JMESPath's own errors are the answer's fault."""
    server.answers(server.reply(200, {"x": 7}))
    error = ask(api(server, output="join(',', x)")).error
    assert error.kind is ErrorKind.BAD_BODY
    assert "output cannot be looked up" in error.message


def test_the_query_is_sent_and_not_shown(server: Any, ask: Any) -> None:
    """What follows the question mark may be a secret: it is in no message."""
    server.answers(server.reply(404))
    endpoint = api(server, url=f"{server.address}/x?key=hunter22", method="PUT")
    assert endpoint.url == f"{server.address}/x"
    assert "hunter22" not in ask(endpoint).error.message
    assert (server.requests[0].method, server.requests[0].path) == ("PUT", "/x?key=hunter22")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"output": "a["}, "is not JMESPath"),
        ({"output": "nosuch("}, "is not JMESPath"),
        ({"body": {"q": "x"}}, "else every example asks the same"),
        ({"body": None}, "else every example asks the same"),
        ({"body": "{{ input | upper }}"}, "unknown variable {{ input | upper }}"),
        ({"body": ["{{ input }}", float("nan")]}, "body[1]: nan is not JSON"),
        ({"method": "DELETE"}, "'POST' or 'PUT'"),
        ({"url": "ftp://h/x"}, "write http:// or https://"),
    ],
)
def test_a_bad_configuration_says_what_to_write(fields: dict[str, Any], words: str, server: Any) -> None:
    """Each fault is found at construction."""
    with pytest.raises(ValidationError) as caught:
        api(server, **fields)
    assert words in str(caught.value)
