"""How does a page come about? Templates with autoescape on, and what every page is given."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from service import __version__, wording
from service.facts import Facts
from service.text import safe
from service.web import diff
from service.web.door import Door

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
_TEXT = 600
"""The most characters of one text where no difference is shown; the API has the whole."""


_SIDE_BY_SIDE = 48


class Renderer:
    """Templates with autoescape on.

    Text of a model, a golden set or a person goes through ``shown`` besides, which makes hidden characters visible.
    """

    def __init__(self, facts: Facts, door: Door) -> None:
        self._facts, self._door = facts, door

    @cached_property
    def _env(self) -> Environment:
        """Made for the first page: most daemons are asked for their metrics alone."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

        env = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        env.filters["shown"] = lambda text, limit=_TEXT: safe(written(text), limit)
        env.filters["block"] = lambda text: diff.shown(written(text))
        env.filters["count"] = count
        env.filters["short"] = short
        env.filters["capital"] = lambda text: text[:1].upper() + text[1:]
        env.globals.update(wording=wording, version=__version__, difference=diff.difference)
        return env

    def __call__(
        self, request: Request, template: str, status_code: int = 200, **values: Any
    ) -> HTMLResponse:
        """A page. ``can_change`` says whether its buttons would work for whoever asks."""
        now = self._facts.now()
        html = self._env.get_template(template).render(
            now=now,
            show_texts=self._facts.show_texts,
            can_change=self._door.may_change(request),
            has_login=self._facts.token is not None,
            logged_in=self._door.session(request) is not None,
            csrf=self._door.form_token(request),
            path=request.url.path,
            ago=lambda at: wording.ago(now - at),
            **values,
        )
        return HTMLResponse(html, status_code)


def written(value: Any) -> str:
    """A JSON value as a text: a text as it is, messages by their roles, all else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(v, dict) and "content" in v for v in value):
        return "\n".join(f"{v.get('role', '')}: {v['content']}" for v in value)
    return json.dumps(value, ensure_ascii=False)


def short(values: list[Any]) -> bool:
    """Whether texts are short enough to stand side by side."""
    texts = ["" if value is None else written(value) for value in values]
    return all(len(text) <= _SIDE_BY_SIDE and "\n" not in text for text in texts)


def count(amount: float) -> str:
    """A number of things in at most four characters.

    >>> count(950), count(161_234), count(2_400_000)
    ('950', '161k', '2.4M')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if amount >= size:
            shown = amount / size
            return f"{shown:.0f}{unit}" if shown >= 10 else f"{shown:.1f}{unit}"
    return f"{amount:.0f}"
