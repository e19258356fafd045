"""What does each kind of endpoint need, and what is a good answer of its server? For the batteries over all kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MINIMAL: dict[str, Callable[[str], dict[str, Any]]] = {
    "http_json": lambda a: {"url": f"{a}/ask", "body": {"q": "{{ input }}"}, "output": "answer.label"},
    "kserve_v2": lambda a: {"base_url": a, "model": "m", "labels": ["a", "b"]},
    "bedrock": lambda a: {"base_url": a, "model": "m", "region": "eu-central-1"},
    "vertex": lambda a: {"base_url": a, "model": "m", "project": "my-project", "location": "europe-west4"},
    "sagemaker": lambda a: {
        "base_url": a, "endpoint": "m", "region": "eu-central-1", "body": {"inputs": "{{ input }}"},
        "output": "[0].generated_text",
    },
}  # fmt: skip
SIGNED = {"sagemaker"}
"""The kinds that take no key: they sign with credentials that stand in the environment."""
GOOD: dict[str, Any] = {
    "openai_chat": {"choices": [{"message": {"content": "billing"}}]},
    "openai_completions": {"choices": [{"text": "billing"}]},
    "azure_openai": {"choices": [{"message": {"content": "billing"}}]},
    "anthropic_messages": {"type": "message", "content": [{"type": "text", "text": "billing"}]},
    "openai_responses": {
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "billing"}]}]
    },
    "bedrock": {"output": {"message": {"role": "assistant", "content": [{"text": "billing"}]}}},
    "vertex": {"candidates": [{"content": {"parts": [{"text": "billing"}]}, "finishReason": "STOP"}]},
    "sagemaker": [{"generated_text": "billing"}],
    "http_json": {"answer": {"label": "billing"}},
    "kserve_v2": {"outputs": [{"name": "o", "datatype": "BYTES", "shape": [1], "data": ["billing"]}]},
}


def minimal(kind: str, address: str) -> dict[str, Any]:
    """The smallest configuration of a kind, without keys."""
    return {"kind": kind} | MINIMAL.get(kind, lambda a: {"base_url": f"{a}/v1", "model": "m"})(address)
