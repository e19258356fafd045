"""How is an OpenAI-compatible text completion model asked? ``POST {base_url}/completions``.

``prompt`` is the template of the text that the model continues: ``{input}`` stands for the example's input, and nothing
else in it is special. A conversation becomes one text: a single turn its content, several turns one line each,
``role: content``.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from checks.types import Example, Json
from service.endpoints._faults import bad_body
from service.endpoints._http import Answer, flattened, logprobs_or_none, name_or_none
from service.endpoints._openai import OpenAI, Reading

_INPUT = "{input}"


def _template(value: str) -> str:
    if _INPUT not in value:
        raise ValueError("prompt must hold {input}, where the example's input goes")
    return value


class OpenAICompletions(OpenAI):
    """A completion model behind an OpenAI-compatible API.

    Example::

        endpoint:
          kind: openai_completions
          base_url: http://127.0.0.1:8000/v1
          model: ticket-router-ft
          prompt: "Ticket: {input} Queue:"
          params: {temperature: 0, max_tokens: 4}
    """

    kind: Literal["openai_completions"] = "openai_completions"
    prompt: Annotated[
        str,
        AfterValidator(_template),
        Field(description="The text to continue; {input} is the example's input."),
    ] = _INPUT

    PATH: ClassVar[str] = "/completions"
    RESERVED: ClassVar[dict[str, str]] = {
        "model": "write model: beside it",
        "messages": "this protocol has none; use openai_chat",
        "prompt": "write prompt: beside it",
        "stream": "write stream: true beside it",
        "echo": "the prompt is no part of the answer",
    }

    def question(self) -> Json:
        """The prompt's template and the parameters."""
        return {"prompt": self.prompt, "params": self.params}

    def logprob_options(self) -> dict[str, Any]:
        """``logprobs: N``; ``true`` asks for 1."""
        return {} if self.logprobs is False else {"logprobs": int(self.logprobs)}

    def body_for(self, example: Example) -> bytes:
        """The request for an example."""
        prompt = self.prompt.replace(_INPUT, flattened(example))
        return f'{self._beginning}, "prompt": {json.dumps(prompt)}}}'.encode()

    def read_choice(self, choice: dict[str, Any], body: bytes) -> Answer:
        """The answer of a whole choice."""
        text = choice.get("text")
        if not isinstance(text, str):
            bad_body("the body has no text in choices[0]", body)
        return {
            "output": text,
            "finish_reason": name_or_none(choice.get("finish_reason")),
            "logprobs": logprobs_or_none(_tokens(choice)),
        }

    def read_delta(self, choice: dict[str, Any], reading: Reading) -> bool:
        """Add a streamed part of the text."""
        text = choice.get("text")
        reading.logprobs += _tokens(choice)
        if isinstance(text, str) and text:
            reading.texts.append(text)
            return True
        return False

    def read_end(self, reading: Reading) -> str:
        """The whole output of a stream."""
        return "".join(reading.texts)

    @cached_property
    def _beginning(self) -> str:
        return json.dumps(self.constant_part)[:-1]


def _tokens(choice: dict[str, Any]) -> list[Any]:
    """The tokens' log-probabilities: a list of numbers, or (llama.cpp) of objects as in chat."""
    logprobs = choice.get("logprobs")
    if not isinstance(logprobs, dict):
        return []
    numbers, tokens = logprobs.get("token_logprobs"), logprobs.get("content")
    if isinstance(numbers, list):
        return numbers
    return (
        [t.get("logprob") if isinstance(t, dict) else None for t in tokens]
        if isinstance(tokens, list)
        else []
    )
