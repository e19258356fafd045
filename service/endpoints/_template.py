"""What do protocols with a template share? The request's JSON with places for the input, and where the answer stands.

A text in ``body`` may hold ``{{ input }}``, ``{{ messages }}`` or ``{{ id }}``; nothing else is computed there.
A text that is exactly ``{{ input }}`` becomes the input as it is: a text, or the conversation as a list of
``{"role", "content"}``. Within a longer text a conversation is one line a turn. ``{{ messages }}`` is always the list.
An output that is no text becomes canonical JSON text. Nothing found (or null) is no answer.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, field_validator

from checks.types import Example, Json, Served
from service.endpoints._faults import bad_body, error_in
from service.endpoints._http import (
    Answer,
    HttpEndpoint,
    canonical,
    count_or_none,
    flattened,
    json_problem,
    name_or_none,
    parse_json,
)
from service.text import safe

if TYPE_CHECKING:
    import httpx

_SLOT = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_VARIABLES = ("input", "messages", "id")


def _path(value: str) -> str:
    import jmespath  # noqa: PLC0415  # only where this kind is configured
    from jmespath.exceptions import JMESPathError  # noqa: PLC0415

    try:
        jmespath.compile(value)
    except JMESPathError as error:
        first = str(error).splitlines()[0].rstrip(":") if str(error) else type(error).__name__
        raise ValueError(
            f"{safe(value, 60)!r} is not JMESPath: {safe(first, 120)}; see jmespath.org"
        ) from None
    return value


Path = Annotated[str, Field(min_length=1), AfterValidator(_path)]


class Template(HttpEndpoint):
    """The base of ``http_json`` and ``sagemaker``."""

    body: Annotated[Any, Field(description="The request's JSON; texts in it may hold {{ input }}.")]
    output: Annotated[Path, Field(description="JMESPath of the answer.")]
    input_tokens: Annotated[Path | None, Field(description="JMESPath of the count of input tokens.")] = None
    output_tokens: Annotated[Path | None, Field(description="JMESPath of the count of output tokens.")] = None
    served_model: Annotated[
        Path | None, Field(description="JMESPath of the name of the model that answered.")
    ] = None
    fingerprint: Annotated[Path | None, Field(description="JMESPath of what tells deployments apart.")] = None

    @field_validator("body")
    @classmethod
    def _sends_the_input(cls, body: Any) -> Any:
        if problem := json_problem(body, "body"):
            raise ValueError(problem)
        names = {name for text in _texts(body) for name in _SLOT.findall(text)}
        if unknown := sorted(names - set(_VARIABLES)):
            raise ValueError(
                f"body: unknown variable {{{{ {safe(unknown[0], 40)} }}}}; "
                "allowed: {{ input }}, {{ messages }}, {{ id }}"
            )
        if not names & {"input", "messages"}:
            raise ValueError(
                'body must hold "{{ input }}" or "{{ messages }}": else every example asks the same'
            )
        return body

    def question(self) -> Json:
        """The body's template, and where the answer stands."""
        return {"body": self.body, "output": self.output}

    def body_for(self, example: Example) -> bytes:
        """The request for an example."""
        return json.dumps(_filled(self.body, example)).encode()

    def read(self, body: bytes) -> Answer:
        """What the paths find in the answer."""
        from jmespath.exceptions import JMESPathError  # noqa: PLC0415

        content = parse_json(body)
        try:
            found = {name: path.search(content) for name, path in self._paths.items()}
        except (JMESPathError, ValueError, TypeError, RecursionError) as error:
            bad_body(f"output cannot be looked up ({type(error).__name__})", body)
        if found["output"] is None:
            if (said := error_in(content)) is not None:
                bad_body("status 200 with an error instead of an answer", said)
            bad_body(f"nothing stands at output ({safe(self.output, 60)})", body)
        output = found["output"]
        return {
            "output": output if isinstance(output, str) else canonical(output),
            "input_tokens": count_or_none(found.get("input_tokens")),
            "output_tokens": count_or_none(found.get("output_tokens")),
            "served_model": name_or_none(found.get("served_model")),
            "fingerprint": name_or_none(found.get("fingerprint")),
        }

    async def identify(self, client: httpx.AsyncClient, *, timeout_s: float) -> Served:
        """Nothing: such an API has no page for it; ``served_model`` and ``fingerprint`` tell per answer."""
        del client, timeout_s
        return Served()

    @cached_property
    def _paths(self) -> dict[str, Any]:
        import jmespath  # noqa: PLC0415

        named = {
            "output": self.output, "input_tokens": self.input_tokens, "output_tokens": self.output_tokens,
            "served_model": self.served_model, "fingerprint": self.fingerprint,
        }  # fmt: skip
        return {name: jmespath.compile(path) for name, path in named.items() if path is not None}


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


def _filled(value: Any, example: Example) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, example) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, example) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    if whole := _SLOT.fullmatch(value.strip()):
        return _variable(whole[1], example)
    return _SLOT.sub(lambda slot: _as_text(slot[1], example), value)


def _variable(name: str, example: Example) -> Any:
    if name == "id":
        return example.id
    if name == "input" and isinstance(example.input, str):
        return example.input
    if isinstance(example.input, str):
        return [{"role": "user", "content": example.input}]
    return [{"role": turn.role, "content": turn.content} for turn in example.input]


def _as_text(name: str, example: Example) -> str:
    if name == "id":
        return example.id
    return flattened(example) if name == "input" else json.dumps(_variable(name, example))
