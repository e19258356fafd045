"""How do model registries tell of a deployment? Their webhooks, as they send them; each makes a mark and starts a run.

They cannot bear goldwatch's token: MLflow signs each delivery, the Hugging Face Hub sends a secret along. Which target
an event is about says ``deployments`` at the target; an event about none is answered with 200 and no mark.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request

from service.deployments import Heard, huggingface, mlflow
from service.facts import Facts
from service.web import changes
from service.web.api import ALWAYS
from service.web.body import described, json_object
from service.web.door import Door
from service.web.models import ErrorOut, MarkOut, Model

if TYPE_CHECKING:
    from service.store import Store

REPEATED_WITHIN_S = 600.0
"""The same news again so soon is the same delivery, sent again."""

_ANSWERS: dict[int | str, dict[str, Any]] = {
    **ALWAYS,
    400: {"model": ErrorOut, "description": "The body is no JSON object."},
    401: {
        "model": ErrorOut,
        "description": "It is not signed with the secret, or not of these minutes; says which.",
    },
    403: {"model": ErrorOut, "description": "No secret is configured for this sender's webhooks."},
    413: {"model": ErrorOut, "description": "The body is too long."},
    429: {"model": ErrorOut, "description": "Too many that were not right came from there."},
}
_EVENT = described("The event, as the registry sends it.")


class WebhookOut(Model):
    """The marks that an event made, and why none where there is none."""

    marks: list[MarkOut]
    reason: str | None


def router(store: Store, facts: Facts, door: Door) -> APIRouter:
    """The routes."""
    api = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])

    async def taken(
        request: Request,
        sender: str,
        fault: Callable[[str, bytes], str | None],
        heard: Callable[[Mapping[str, Any], str], Heard | None],
    ) -> WebhookOut:
        secret = facts.webhook_secrets.get(sender)
        body = await request.body()
        if secret is None:
            raise HTTPException(403, f"no webhook is taken without web.webhooks.{sender}_secret_env")
        door.require_sender(request, fault(secret, body))
        event = json_object(body)
        named = {t.name: t.deployments[sender] for t in facts.targets() if sender in t.deployments}
        found = {name: news for name, wanted in named.items() if (news := heard(event, wanted)) is not None}
        marks = [await _marked(store, facts, name, news) for name, news in found.items()]
        made = [mark for mark in marks if mark is not None]
        if made:
            return WebhookOut(marks=made, reason=None)
        why = "that was told already" if found else "no deployment that a target waits for"
        return WebhookOut(marks=[], reason=why)

    @api.post(
        "/mlflow", summary="A webhook of MLflow's model registry", responses=_ANSWERS, openapi_extra=_EVENT
    )
    async def of_mlflow(request: Request) -> WebhookOut:
        def fault(secret: str, body: bytes) -> str | None:
            return mlflow.fault(secret, request.headers, body, facts.now())

        return await taken(request, "mlflow", fault, mlflow.heard)

    @api.post(
        "/huggingface", summary="A webhook of the Hugging Face Hub", responses=_ANSWERS, openapi_extra=_EVENT
    )
    async def of_huggingface(request: Request) -> WebhookOut:
        def fault(secret: str, _body: bytes) -> str | None:
            return huggingface.fault(secret, request.headers)

        return await taken(request, "huggingface", fault, huggingface.heard)

    return api


async def _marked(store: Store, facts: Facts, name: str, news: Heard) -> MarkOut | None:
    """The mark that the news makes, with the run that it starts; None where the same was told just now."""

    def told() -> bool:
        newest = store.marks(name, facts.now() - REPEATED_WITHIN_S)[-1:]
        return any((mark.version, mark.note) == (news.version, news.note) for mark in newest)

    if await asyncio.to_thread(told):
        return None
    made = await asyncio.to_thread(changes.add_mark, store, facts, name, news.version, news.note)
    accepted = await changes.run_after(facts, name)
    return MarkOut(target=name, at=made.at, version=made.version, note=made.note, accepted=accepted)
