"""What may be changed over HTTP? The acts behind the API's POSTs and the pages' buttons, each once for both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastapi import HTTPException

from service.acts import ActError
from service.errors import UserError
from service.facts import Facts
from service.records import BaselineRecord, DeploymentMark, RunKind

if TYPE_CHECKING:
    from service.store import Store


def configured(facts: Facts, name: str) -> None:
    """See that a target is configured.

    Raises:
        HTTPException: 404 if it is not.
    """
    if all(one.name != name for one in facts.targets()):
        raise HTTPException(404, f"no target is named {name!r}")


def add_mark(store: Store, facts: Facts, name: str, version: str, note: str | None) -> DeploymentMark:
    """Keep a deployment mark of this moment."""
    made = DeploymentMark(name, facts.now(), version, note)
    store.add_mark(made)
    return made


async def run_after(facts: Facts, name: str) -> bool:
    """Ask for the run that a mark starts; False if one is asked for already."""
    return await facts.request_run(name, RunKind.MARK)


def accept(facts: Facts, name: str, reason: str) -> BaselineRecord:
    """What a target answers now is healthy: see ``service/acceptance.py`` for where the baseline starts.

    Raises:
        HTTPException: 409 if it cannot be accepted, with what to do.
    """
    try:
        return facts.accept_baseline(name, reason)
    except UserError as error:
        remedy = f": {error.remedy}" if error.remedy else ""
        raise HTTPException(409, f"{error.message}{remedy}") from None


@contextmanager
def told() -> Iterator[None]:
    """What cannot be done to an alert, as an answer: 404 where there is none, 409 where it is too late."""
    try:
        yield
    except ActError as error:
        raise HTTPException(404 if error.missing else 409, error.message) from None
