"""Can each endpoint be asked? One real example answered, and what the server says it is.

Name resolution, connection, TLS, key and model are told by what stops the one request that needs them all.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from checks.types import ErrorKind, Example, Json, Response, Served
from service.doctor import Diagnosis, Level, Part
from service.text import safe
from service.wording import seconds

if TYPE_CHECKING:
    import httpx

    from service.endpoints import Endpoint

_STEP = {
    ErrorKind.CONNECT: "connection",
    ErrorKind.TLS: "TLS",
    ErrorKind.AUTH: "key",
    ErrorKind.NOT_FOUND: "address or model",
    ErrorKind.TIMEOUT: "time",
    ErrorKind.RATE_LIMITED: "rate limit",
    ErrorKind.SERVER: "server",
    ErrorKind.REFUSED: "request",
    ErrorKind.REDIRECT: "address",
}
_REMEDY = {
    ErrorKind.TIMEOUT: "look whether the server is overloaded, or raise timeout",
    ErrorKind.RATE_LIMITED: "wait, or lower limits.requests_per_second and concurrency",
    ErrorKind.SERVER: "look at the server's log",
}


async def ask_endpoint(
    client: httpx.AsyncClient,
    endpoint: Endpoint,
    example: Example | None,
    *,
    target: str,
    key: str,
    timeout_s: float,
) -> tuple[Diagnosis, Served]:
    """Ask who the server is, and one example.

    Args:
        client: from ``service.http``.
        endpoint: whom to ask.
        example: a golden example; None where the golden set cannot be read.
        target: whose endpoint it is.
        key: which of the target's endpoints, as in the configuration.
        timeout_s: for each of the two.
    """
    served = await endpoint.identify(client, timeout_s=timeout_s)
    name = f"{key} {safe(endpoint.url, 120)}"
    if example is None:
        message = f"{name}: not asked: there is no example to ask"
        return Diagnosis(
            Part.ENDPOINT, target, Level.WARNING, message, "correct the golden set first"
        ), served
    response = await endpoint.ask(client, example, timeout_s=timeout_s)
    facts = _facts(key, endpoint, served, response)
    if response.error is not None:
        step = _STEP.get(response.error.kind, "answer")
        message = f"{name}: {step}: {safe(response.error.message, 400)}"
        remedy = _REMEDY.get(response.error.kind)
        return Diagnosis(Part.ENDPOINT, target, Level.FAILED, message, remedy, facts), served
    took = f" in {seconds(response.latency_s)}" if response.latency_s is not None else ""
    message = f"{name}: answered {safe(example.id, 40)}{took}; {_who(served, response)}"
    wanted = endpoint.model_name
    if wanted is not None and served.models is not None and wanted not in served.models:
        listed = ", ".join(safe(model, 60) for model in served.models[:5]) or "none"
        message += f"; but it does not list the model {safe(wanted, 60)!r} (listed: {listed})"
        remedy = "see that this is the server and the name that you mean: some servers answer to any name"
        return Diagnosis(Part.ENDPOINT, target, Level.WARNING, message, remedy, facts), served
    return Diagnosis(Part.ENDPOINT, target, Level.OK, message, facts=facts), served


def _who(served: Served, response: Response) -> str:
    said = {
        "model": response.served_model or served.model,
        "fingerprint": response.fingerprint or served.fingerprint,
        "version": served.version,
        "parent": served.parent,
        "root": served.root,
    }
    told = ", ".join(f"{name} {safe(value, 80)}" for name, value in said.items() if value)
    return f"it says it is {told}" if told else "it does not say what it is"


def _facts(key: str, endpoint: Endpoint, served: Served, response: Response) -> dict[str, Json]:
    known: dict[str, Any] = {name: value for name, value in asdict(served).items() if name != "models"}
    known["model"] = response.served_model or served.model
    known["fingerprint"] = response.fingerprint or served.fingerprint
    error = None if response.error is None else str(response.error.kind)
    listed = None if served.models is None else endpoint.model_name in served.models
    return {"key": key, "served": known, "listed": listed, "latency_s": response.latency_s, "error": error}
