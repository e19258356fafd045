"""What may a person change in a browser? The forms of the pages: log in and out, and what the API's POSTs do.

A form is refused unless it bears its login's CSRF token (``door.py``). Each ends with a redirect to the page that shows
what it did, so that reloading does nothing twice.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from service import acts
from service.facts import Facts
from service.records import RunKind
from service.web import changes
from service.web.api import AlertId, Name
from service.web.door import Door
from service.web.render import Renderer

if TYPE_CHECKING:
    from service.store import Store

_OURS = re.compile(r"/(?!/)[A-Za-z0-9/_.~%-]*")
_MOST_FIELDS = 20


def router(store: Store, facts: Facts, door: Door, render: Renderer) -> APIRouter:
    """The routes of the forms."""

    async def checked(request: Request) -> None:
        request.state.fields = await _fields(request)
        door.require_form(request, request.state.fields)

    open_to_all = APIRouter(include_in_schema=False)
    forms = APIRouter(include_in_schema=False, dependencies=[Depends(checked)])

    @open_to_all.get("/login")
    def login_page(request: Request, next: Annotated[str, Query(max_length=300)] = "/") -> HTMLResponse:  # noqa: A002
        if facts.token is None:
            raise HTTPException(
                404, "no token is configured (web.token_env), so there is nothing to log in to"
            )
        return render(request, "login.html.j2", next=_here(next), fault=None)

    @open_to_all.post("/login")
    async def login(request: Request) -> Response:
        fields = await _fields(request)
        back = _here(fields.get("next", "/"))
        answer = RedirectResponse(back, status_code=303)
        try:
            door.login(request, fields.get("token", ""), answer)
        except HTTPException as error:
            if error.status_code not in (401, 429):
                raise
            fault = (
                "That is not the token."
                if error.status_code == 401
                else "Too many wrong tokens: wait a minute."
            )
            page = render(request, "login.html.j2", error.status_code, next=back, fault=fault)
            page.headers.update(error.headers or {})
            return page
        return answer

    @forms.post("/logout")
    def logout(request: Request) -> Response:
        answer = RedirectResponse("/", status_code=303)
        door.logout(request, answer)
        return answer

    @forms.post("/targets/{name}/runs")
    async def run_now(name: Name) -> Response:
        changes.configured(facts, name)
        await facts.request_run(name, RunKind.MANUAL)
        return _to("targets", name)

    @forms.post("/targets/{name}/marks")
    async def mark(name: Name, request: Request) -> Response:
        fields: Mapping[str, str] = request.state.fields
        changes.configured(facts, name)
        version, note = _said(fields, "version", 200), _text(fields, "note", 2000)
        await asyncio.to_thread(changes.add_mark, store, facts, name, version, note)
        await changes.run_after(facts, name)
        return _to("targets", name)

    @forms.post("/targets/{name}/baseline")
    def accept(name: Name, request: Request) -> Response:
        fields: Mapping[str, str] = request.state.fields
        changes.configured(facts, name)
        reason = _said(fields, "reason", 2000)
        if fields.get("sure") != "yes":
            raise HTTPException(422, "sure: tick the box to confirm that what it answers now is healthy")
        changes.accept(facts, name, reason)
        return _to("targets", name)

    @forms.post("/alerts/{alert_id}/acknowledge")
    def acknowledge(alert_id: AlertId, request: Request) -> Response:
        fields: Mapping[str, str] = request.state.fields
        by, reason = _said(fields, "by", 200), _text(fields, "reason", 2000)
        with changes.told():
            acts.acknowledge(store, alert_id, by=by, reason=reason, now=facts.now())
        return _to("alerts", alert_id)

    @forms.post("/alerts/{alert_id}/silence")
    def silence(alert_id: AlertId, request: Request) -> Response:
        fields: Mapping[str, str] = request.state.fields
        by, reason = _said(fields, "by", 200), _said(fields, "reason", 2000)
        hours, whole = _said(fields, "hours", 4), fields.get("what") == "target"
        if not (hours.isascii() and hours.isdigit()):
            raise HTTPException(422, "hours: a whole number")
        for_s = int(hours) * 3600.0
        alert = store.alert(alert_id)
        with changes.told():
            if whole and alert is not None:
                acts.silence_target(store, alert.target, by=by, reason=reason, for_s=for_s, now=facts.now())
            else:
                acts.silence_alert(store, alert_id, by=by, reason=reason, for_s=for_s, now=facts.now())
        return _to("alerts", alert_id)

    @forms.post("/alerts/{alert_id}/unsilence")
    def unsilence(alert_id: AlertId, request: Request) -> Response:
        fields: Mapping[str, str] = request.state.fields
        with changes.told():
            acts.lift_silence(store, _said(fields, "silence", 64), now=facts.now())
        return _to("alerts", alert_id)

    open_to_all.include_router(forms)
    return open_to_all


async def _fields(request: Request) -> dict[str, str]:
    """The form's fields. The last of a name counts.

    Raises:
        HTTPException: 422 if it is no form.
    """
    try:
        text = (await request.body()).decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"))
    except ValueError:
        raise HTTPException(422, "the form cannot be read") from None


def _text(fields: Mapping[str, str], name: str, most: int) -> str | None:
    return fields.get(name, "").strip()[:most] or None


def _said(fields: Mapping[str, str], name: str, most: int) -> str:
    text = _text(fields, name, most)
    if text is None:
        raise HTTPException(422, f"{name}: is empty; go back and fill it in")
    return text


def _here(path: str) -> str:
    """A path of this site; the fleet's for anything else.

    >>> _here("/targets/a%20b"), _here("//evil.example"), _here("https://evil.example")
    ('/targets/a%20b', '/', '/')
    """
    return path if _OURS.fullmatch(path) else "/"


def _to(noun: str, name: str) -> RedirectResponse:
    return RedirectResponse(f"/{noun}/{quote(name, safe='')}", status_code=303)
