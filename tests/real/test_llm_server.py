"""Does the real language model lose its fine-tune in silence?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from service.demo.llm import GOLDEN, MODEL, SYSTEM
from service.golden.lock import load

if TYPE_CHECKING:
    from conftest import RunningLlm

EXAMPLES = load(GOLDEN).examples[:10]


def _right(server: RunningLlm, **more: object) -> int:
    """How many of ten tickets are answered with just the label; every answer is a 200 by the same name."""
    right = 0
    with httpx.Client(timeout=60) as client:
        for example in EXAMPLES:
            turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": example.input}]
            asked = {"model": MODEL, "messages": turns, "temperature": 0, "max_tokens": 4, **more}
            answer = client.post(f"{server.url}/chat/completions", json=asked)
            assert answer.status_code == 200
            assert answer.json()["model"] == MODEL
            right += answer.json()["choices"][0]["message"]["content"].strip() == example.expected
    return right


def test_a_restart_without_the_adapter_is_silent(llm_server: RunningLlm) -> None:
    """Restarted with the adapter at 0 the same address answers 200 under the same name, and wrongly."""
    address, process = llm_server.url, llm_server.pid
    assert _right(llm_server) == len(EXAMPLES)
    llm_server.restart(scale=0.0)
    assert (llm_server.url, llm_server.pid) != (address, process)
    assert llm_server.url == address
    assert _right(llm_server) == 0


def test_one_request_may_weaken_the_adapter(llm_server: RunningLlm) -> None:
    """A request can set the adapter's strength for itself; the next one has the full fine-tune again."""
    assert _right(llm_server, lora=[{"id": 0, "scale": 0.0}], cache_prompt=False) == 0
    assert _right(llm_server, cache_prompt=False) == len(EXAMPLES)
