"""What may be changed over HTTP? The acts behind the API's POSTs and the pages' buttons, each once for both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastapi import HTTPException

from service.acts import ActError
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


def accept(store: Store, facts: Facts, name: str, reason: str) -> BaselineRecord:
    """What a target answers now is healthy: its next measured runs become the baseline.

    Raises:
        HTTPException: 409 if it never ran.
    """
    last = store.last_run(name)
    if last is None:
        raise HTTPException(
            409, f"{name} never ran, so there is nothing to accept: its first runs become its baseline"
        )
    return store.open_baseline(name, last.id + 1, reason, facts.now())


@contextmanager
def told() -> Iterator[None]:
    """What cannot be done to an alert, as an answer: 404 where there is none, 409 where it is too late."""
    try:
        yield
    except ActError as error:
        raise HTTPException(404 if error.missing else 409, str(error)) from None
