"""Does the API keep its own document? Schemathesis asks it whatever the document allows, and much that it forbids."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from service.web.app import create_app

GENEROUS = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def ask_everything(
    app: Any, known: dict[str, Any], mode: GenerationMode, headers: dict[str, str]
) -> set[int]:
    """Ask each operation whatever its schema gives; the statuses that were seen."""
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    seen: set[int] = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        names = {parameter.name for parameter in operation.path_parameters}
        path = {name: value for name, value in known.items() if name in names}

        @GENEROUS
        @given(case=operation.as_strategy(generation_mode=mode, path_parameters=path or None))
        def ask(case: schemathesis.Case) -> None:
            seen.add(case.call_and_validate(headers=headers).status_code)

        with contextlib.suppress(Unsatisfiable):  # there is no wrong way to ask what takes nothing
            ask()
    return seen


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_answer_is_undocumented(mode: GenerationMode, fleet: Any, store: Any, daemon: Any) -> None:
    """No 5xx, and no status, content type or body outside the document, on what is there, right or wrong."""
    daemon.token = "right"
    minutes = itertools.count(daemon.at, 61.0)
    daemon.now = lambda: next(minutes)  # schemathesis tries wrong tokens too; these are never too many
    known = {
        "name": "ticket-router",
        "run_id": store.last_run("ticket-router").id,
        "alert_id": store.alerts("ticket-router")[0].id,
        "silence_id": "none",
    }
    seen = ask_everything(create_app(store, daemon), known, mode, {"Authorization": "Bearer right"})
    assert max(seen) < 500
    assert seen >= ({200, 201, 202} if mode is GenerationMode.POSITIVE else {422})


def test_no_answer_to_a_stranger_is_undocumented(fleet: Any, store: Any, daemon: Any) -> None:
    """With made-up names and without the token: 404 and 401, then 429, all as documented."""
    daemon.token = "right"
    app = create_app(store, daemon)
    seen = ask_everything(app, {}, GenerationMode.POSITIVE, {"Authorization": "Bearer wrong"})
    assert {401, 404, 429} <= seen
    assert max(seen) < 500
