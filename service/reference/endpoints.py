"""How are models asked? The page of the endpoints."""

from __future__ import annotations

from service.reference.kinds import kind_page

_INTRO = """\
An endpoint is how a model is asked: protocol, address, model, prompt and parameters. It stands under a target's
`endpoint`, `reference` (the base model) and `challengers`. Keys and other secrets are named by variable (`_env`) or
file (`_file`) and never stand in the configuration. Every request says `User-Agent: goldwatch/VERSION`. Redirects
to another host are refused."""


def page() -> str:
    """The page as Markdown."""
    return kind_page("service.endpoints", "Endpoints", _INTRO, whole_module=True)
