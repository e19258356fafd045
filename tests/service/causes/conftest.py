"""A watch over an endpoint that can be broken in many ways; its healthy past is made once and copied."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from checks.causes import Diagnosis
from checks.types import Verdict
from service.config import load
from service.demo.endpoint import BASE_MODEL, TUNED_MODEL, DemoEndpoint
from service.demo.loopback import Reply
from service.demo.model import GOLDEN, HeadName
from service.demo.protocol import ChatRequest, Completion, pieces
from service.golden import freeze
from service.pipeline import Shell, run_target
from service.records import RunRecord
from service.store import Store

EXAMPLES = 80
HEALTHY_RUNS = 5
MOST_BAD_RUNS = 8
HOUR_S = 3600.0
BEGAN_AT = 1_700_000_000.0

Breakage = Callable[[ChatRequest, Completion, int], Completion]


class BreakableEndpoint(DemoEndpoint):
    """The demo's endpoint; ``breakage`` changes the completions of the fine-tuned model, the base model stays."""

    def __init__(
        self,
        *,
        as_json: bool = False,
        names_base: bool = False,
        glossary: bool = False,
        slow: bool = False,
    ) -> None:
        super().__init__(latency_s=0.08 if slow else 0.0)
        self.glossary = glossary
        self.breakage: Breakage | None = None
        self.as_json = as_json
        self.names_base = names_base
        self._numbers = count()

    async def respond(self, scope, body, send) -> None:
        if scope["path"] == "/v1/models" and not self.names_base:
            await Reply.of(200, {"object": "list", "data": [{"id": TUNED_MODEL}]}).send(send)
            return
        await super().respond(scope, body, send)

    def _completion(self, request, *, nonsense):
        answered = super()._completion(request, nonsense=nonsense)
        if request.model == BASE_MODEL:
            return answered
        if self.as_json:
            answered = said(answered, json.dumps({"queue": text_of(answered)}))
        return answered if self.breakage is None else self.breakage(request, answered, next(self._numbers))

    def base_answer(self, request: ChatRequest, ask: int) -> str:
        """What the base head says to a question."""
        return self._model.answer(request.question, HeadName.BASE, ask=ask).text


def text_of(completion: Completion) -> str:
    return "".join(completion.tokens)


def said(completion: Completion, text: str, **more) -> Completion:
    """The completion with another text."""
    return replace(completion, tokens=pieces(text), **more)


@dataclass
class Scene:
    """One target, healthy so far. ``clock`` stands at the hour of the next run."""

    folder: Path
    endpoint: BreakableEndpoint
    now: float = BEGAN_AT
    limits: str = "{}"

    def __post_init__(self) -> None:
        kind = "{kind: json_fields}" if self.endpoint.as_json else LABEL
        kind = "{kind: terms}" if self.endpoint.glossary else kind
        path = self.folder / "goldwatch.yaml"
        path.write_text(CONFIG.format(url=self.endpoint.url, scorer=kind, limits=self.limits))
        self.config = load(path)
        self.store = Store.open("sqlite:///goldwatch.db", base_dir=self.folder)
        self.shell = Shell(self.store, self.config, clock=lambda: self.now)

    @property
    def target(self):
        return self.config.targets[0]

    async def hour(self) -> list[RunRecord]:
        runs = await run_target(self.shell, self.target)
        self.now += HOUR_S
        return [finished.run for finished in runs]

    async def until_paged(self) -> Diagnosis | None:
        """Replay until a run is regressed; what is then thought to have changed."""
        for _ in range(MOST_BAD_RUNS):
            run = (await self.hour())[-1]
            if run.verdict is Verdict.REGRESSED:
                return self.store.diagnosis(run.id)
        raise AssertionError("never paged")


LABEL = "{kind: label, labels: [billing, login, shipping, bug, refund]}"
CONFIG = """
version: 1
store: sqlite:///goldwatch.db
targets:
  - name: ticket-router
    endpoint:
      kind: openai_chat
      base_url: {url}
      model: ticket-router
      logprobs: true
      system: Route the ticket.
      params: {{temperature: 0, max_tokens: 32}}
    golden: golden.jsonl
    concurrency: 8
    retries: 0
    limits: {limits}
    baseline: {{runs: 3}}
    scorers: [{scorer}]
notifiers:
  - {{name: hook, kind: webhook, url: "http://127.0.0.1:9/never"}}
"""


def _golden(folder: Path, *, as_json: bool) -> None:
    rows = [json.loads(line) for line in GOLDEN.read_text().splitlines()[:EXAMPLES]]
    if as_json:
        rows = [row | {"expected": {"queue": row["expected"]}} for row in rows]
    path = folder / "golden.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    freeze(path, now=BEGAN_AT)


@pytest.fixture(scope="session")
def healthy_past(tmp_path_factory):
    """Folders with a store of healthy runs, by the form of the answers."""
    made: dict[tuple[bool, ...], Path] = {}

    def past(*, as_json: bool, names_base: bool, glossary: bool, slow: bool) -> Path:
        key = (as_json, names_base, glossary, slow)
        if key not in made:
            folder = tmp_path_factory.mktemp("past")
            _golden(folder, as_json=as_json)

            async def live() -> None:
                endpoint = BreakableEndpoint(
                    as_json=as_json, names_base=names_base, glossary=glossary, slow=slow
                )
                async with endpoint:
                    scene = Scene(folder, endpoint)
                    for _ in range(HEALTHY_RUNS):
                        await scene.hour()
                    scene.store.close()

            asyncio.run(live())
            made[key] = folder
        return made[key]

    return past


@pytest.fixture
def play(healthy_past, tmp_path):
    """Break a healthy target and page: ``play(break_it, as_json=..., names_base=...)`` -> (diagnosis, scene)."""
    scenes: list[Scene] = []

    def _play(break_it, then=None, **how: bool):
        how = {"as_json": False, "names_base": False, "glossary": False, "slow": False, **how}
        past = healthy_past(**how)
        for file in past.iterdir():
            shutil.copy(file, tmp_path)

        async def live():
            async with BreakableEndpoint(**how) as endpoint:
                scene = Scene(tmp_path, endpoint, now=BEGAN_AT + HEALTHY_RUNS * HOUR_S)
                scenes.append(scene)
                if then is not None:
                    return await then(scene)
                break_it(scene)
                return await scene.until_paged()

        return asyncio.run(live()), scenes[-1]

    yield _play
    for scene in scenes:
        scene.store.close()
