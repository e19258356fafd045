"""Does the embedded endpoint speak the OpenAI protocol, and break only when told to?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from service.demo.endpoint import BASE_MODEL, TUNED_MODEL, DemoEndpoint, Fault, FaultKind
from service.demo.model import GOLDEN, SYSTEM
from service.golden.lock import load

EXAMPLES = load(GOLDEN).examples


def served(
    work: Callable[[DemoEndpoint, httpx.AsyncClient], Awaitable[None]], **options: Any
) -> DemoEndpoint:
    """Run ``work`` against an endpoint on loopback."""

    async def main() -> DemoEndpoint:
        async with (
            DemoEndpoint(latency_s=0.0, **options) as endpoint,
            httpx.AsyncClient(timeout=10) as client,
        ):
            await work(endpoint, client)
        return endpoint

    return asyncio.run(main())


def body(text: str = "Where is my parcel?", model: str = TUNED_MODEL, **more: Any) -> dict[str, Any]:
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
    return {"model": model, "messages": turns, "temperature": 0, "max_tokens": 8, **more}


async def chat(endpoint: DemoEndpoint, client: httpx.AsyncClient, **more: Any) -> httpx.Response:
    return await client.post(f"{endpoint.url}/chat/completions", json=body(**more))


async def replay(
    endpoint: DemoEndpoint, client: httpx.AsyncClient, model: str = TUNED_MODEL, *, backwards: bool = False
) -> dict[str, str]:
    """The answers to 80 examples, by id; every one must be a 200 by the model that was asked."""
    gate, examples = asyncio.Semaphore(8), EXAMPLES[:80]

    async def ask(text: str) -> str:
        async with gate:
            answer = await chat(endpoint, client, text=text, model=model)
        assert answer.status_code == 200
        assert answer.json()["model"] == model
        return str(answer.json()["choices"][0]["message"]["content"])

    order = examples[::-1] if backwards else examples
    texts = await asyncio.gather(*(ask(str(example.input)) for example in order))
    return {example.id: text for example, text in zip(order, texts, strict=True)}


def test_a_completion_has_the_shape_of_the_protocol() -> None:
    """A completion names model, fingerprint, finish reason, token counts, and log-probabilities if asked."""

    async def work(endpoint: DemoEndpoint, client: httpx.AsyncClient) -> None:
        content = (await chat(endpoint, client, logprobs=True)).json()
        assert content["object"] == "chat.completion"
        assert content["model"] == TUNED_MODEL
        assert content["system_fingerprint"].startswith("fp_")
        choice = content["choices"][0]
        assert choice["message"] == {"role": "assistant", "content": "shipping"}
        assert choice["finish_reason"] == "stop"
        assert "".join(token["token"] for token in choice["logprobs"]["content"]) == "shipping"
        assert choice["logprobs"]["content"][0]["logprob"] < 0
        usage = content["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert usage["prompt_tokens"] > 10
        assert usage["completion_tokens"] == 2
        assert (await chat(endpoint, client)).json()["choices"][0]["logprobs"] is None

    served(work)


def test_a_stream_brings_the_same_text_in_pieces() -> None:
    """Streamed pieces joined give the answer; usage comes in the last chunk, and then ``[DONE]``."""

    async def work(endpoint: DemoEndpoint, client: httpx.AsyncClient) -> None:
        answer = await chat(endpoint, client, stream=True, stream_options={"include_usage": True})
        assert answer.headers["content-type"] == "text/event-stream"
        events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
        assert events[-1] == "[DONE]"
        chunks = [json.loads(event) for event in events[:-1]]
        assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
        deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
        assert "".join(delta.get("content", "") for delta in deltas) == "shipping"
        assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
        assert chunks[-1]["usage"]["completion_tokens"] == 2

    served(work)


def test_max_tokens_cuts_the_answer() -> None:
    """With one token allowed the answer is cut and says so."""

    async def work(endpoint: DemoEndpoint, client: httpx.AsyncClient) -> None:
        content = (await chat(endpoint, client, max_tokens=1)).json()
        assert content["choices"][0]["finish_reason"] == "length"
        assert content["usage"]["completion_tokens"] == 1

    served(work)


def test_the_model_list_names_the_parent() -> None:
    """``/v1/models`` lists both models with root and parent, also after the adapter was dropped."""

    async def work(endpoint: DemoEndpoint, client: httpx.AsyncClient) -> None:
        before = (await client.get(f"{endpoint.url}/models")).json()
        parents = {model["id"]: model["parent"] for model in before["data"]}
        assert parents == {TUNED_MODEL: BASE_MODEL, BASE_MODEL: None}
        assert all(model["root"] for model in before["data"])
        endpoint.drop_adapter()
        assert (await client.get(f"{endpoint.url}/models")).json() == before
        assert "version" in (await client.get(f"{endpoint.address}/version")).json()

    served(work)


def test_a_dropped_adapter_answers_as_the_base_model_under_the_same_name() -> None:
    """After the drop every request is a 200 by the same name with the base model's answer, until restored."""

    async def work(endpoint: DemoEndpoint, client: httpx.AsyncClient) -> None:
        expected = {example.id: example.expected for example in EXAMPLES[:80]}

        def right(answers: dict[str, str]) -> float:
            return sum(answers[key] == expected[key] for key in answers) / len(answers)

        healthy = await replay(endpoint, client)
        base = [await replay(endpoint, client, BASE_MODEL) for _ in range(2)]
        endpoint.drop_adapter()
        assert not endpoint.adapter_applied
        dropped = await replay(endpoint, client)
        assert right(healthy) > 0.9
        assert right(dropped) < 0.75
        assert dropped == base[1]  # the second pass over these texts, as for the dropped one
        endpoint.restore()
        assert right(await replay(endpoint, client)) > 0.9

    served(work)


def test_the_order_of_requests_does_not_matter() -> None:
    """Two endpoints that are asked the same in opposite orders answer the same, pass by pass."""
    seen: list[list[dict[str, str]]] = []
    for backwards in (False, True):

        async def work(endpoint: DemoEndpoint, client: httpx.AsyncClient, turn: bool = backwards) -> None:
            seen.append([await replay(endpoint, client, backwards=turn) for _ in range(2)])

        served(work)
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b'{"model": "gone", "messages": []}', 404, "model_not_found"),
        (b'{"model": ["base"], "messages": []}', 404, "model_not_found"),
        (b'{"model": "base", "messages": []}', 400, "invalid_value"),
        (b'{"model": "base", "messages": [{"role": "system", "content": "x"}]}', 400, "invalid_value"),
        (b'{"model": "base", "messages": [{"role": "user", "content": 1}]}', 400, "invalid_value"),
        (json.dumps(body(temperature=3)).encode(), 400, "invalid_value"),
        (json.dumps(body(max_tokens=0)).encode(), 400, "invalid_value"),
        (json.dumps(body(seed="x")).encode(), 400, "invalid_value"),
        (b"x" * 4_000_001, 413, None),
    ],
)
def test_a_bad_request_is_refused_with_a_reason(content: bytes, status: int, code: str | None) -> None:
    """A request that cannot be answered gets the protocol's error, and the endpoint goes on answering."""

    async def work(endpoint: DemoEndpoint, client: httpx.AsyncClient) -> None:
        answer = await client.post(f"{endpoint.url}/chat/completions", content=content)
        assert answer.status_code == status
        assert answer.json()["error"]["message"]
        assert answer.json()["error"].get("code") == code
        assert (await chat(endpoint, client)).status_code == 200

    served(work)


def test_unknown_pages_and_methods_are_refused() -> None:
    """An unknown path is 404, a wrong method 405."""

    async def work(endpoint: DemoEndpoint, client: httpx.AsyncClient) -> None:
        assert (await client.get(f"{endpoint.url}/nothing")).status_code == 404
        assert (await client.get(f"{endpoint.url}/chat/completions")).status_code == 405

    served(work)


def test_faults_do_what_they_say() -> None:
    """Outage is a 503, garbage a 200 without JSON, gibberish a 200 without a label; restore heals."""

    async def work(endpoint: DemoEndpoint, client: httpx.AsyncClient) -> None:
        endpoint.fault = Fault(FaultKind.OUTAGE)
        assert (await chat(endpoint, client)).status_code == 503
        endpoint.fault = Fault(FaultKind.GARBAGE)
        answer = await chat(endpoint, client)
        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            answer.json()
        endpoint.fault = Fault(FaultKind.GIBBERISH)
        assert "shipping" not in (await chat(endpoint, client)).json()["choices"][0]["message"]["content"]
        endpoint.fault = Fault(FaultKind.LATENCY, delay_s=0.5)
        with pytest.raises(httpx.ReadTimeout):
            await client.post(f"{endpoint.url}/chat/completions", json=body(), timeout=0.1)
        endpoint.restore()
        assert (await chat(endpoint, client)).json()["choices"][0]["message"]["content"] == "shipping"

    served(work)


def test_a_fault_hits_its_share_of_requests() -> None:
    """A fault with ratio 0.3 hits between 15 and 45% of 200 requests."""

    async def work(endpoint: DemoEndpoint, client: httpx.AsyncClient) -> None:
        endpoint.fault = Fault(FaultKind.OUTAGE, ratio=0.3)
        codes = [(await client.get(f"{endpoint.url}/models")).status_code for _ in range(200)]
        assert 30 <= codes.count(503) <= 90

    served(work)


@pytest.mark.parametrize(("ratio", "delay_s"), [(0.0, 1.0), (1.1, 1.0), (1.0, -1.0), (1.0, float("nan"))])
def test_an_impossible_fault_is_refused(ratio: float, delay_s: float) -> None:
    """A share outside (0, 1] and a delay that is no duration are refused at once."""
    with pytest.raises(ValueError, match=r"ratio|delay_s"):
        Fault(FaultKind.LATENCY, ratio=ratio, delay_s=delay_s)


def test_the_address_is_free_again_after_the_end() -> None:
    """Outside its block the endpoint has no address, and nobody answers at the old one."""

    async def main() -> None:
        async with DemoEndpoint() as endpoint:
            address = endpoint.address
        with pytest.raises(RuntimeError, match="not running"):
            _ = endpoint.address
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(address)

    asyncio.run(main())


def test_a_taken_port_is_an_error() -> None:
    """A port that somebody else listens on is refused with an OSError."""

    async def main() -> None:
        async with DemoEndpoint() as endpoint:
            taken = int(endpoint.address.rpartition(":")[2])
            with pytest.raises(OSError, match="in use"):
                await DemoEndpoint(port=taken).start()

    asyncio.run(main())
