"""An endpoint that does as it is told, and a clock that only moves when somebody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal

import pytest
from pydantic import Field

from checks.types import ErrorKind, Example, Response, ResponseError, Served
from service.endpoints import Endpoint
from service.replay import ReplayPlan, ReplayResult, replay

Behaviour = Callable[[Example], Any]


class Scripted(Endpoint):
    """Asks ``behave``: it returns a text, an ErrorKind, a Response, an awaitable of one of these, or raises."""

    kind: Literal["scripted"] = "scripted"
    behave: Any = Field(default=None, exclude=True)
    served: Any = Field(default=Served(), exclude=True)
    asked: list[tuple[str, float]] = Field(default_factory=list, exclude=True)

    @property
    def url(self) -> str:
        return "http://scripted"

    @property
    def model_name(self) -> str:
        return "m"

    def question(self) -> Any:
        return {}

    async def ask(self, client: Any, example: Example, *, timeout_s: float) -> Response:
        self.asked.append((example.id, timeout_s))
        said = self.behave(example)
        if asyncio.iscoroutine(said):
            said = await said
        await asyncio.sleep(0)
        if isinstance(said, ErrorKind):
            return Response(example.id, error=ResponseError(said, f"it was {said.value}"))
        return said if isinstance(said, Response) else Response(example.id, output=said)

    async def identify(self, client: Any, *, timeout_s: float) -> Served:
        if isinstance(self.served, Exception):
            raise self.served
        return self.served

    @property
    def ids(self) -> list[str]:
        return [example_id for example_id, _ in self.asked]


class Clock:
    """``sleep`` moves the time at once; ``slept`` lists the waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, wait_s: float) -> None:
        until = self.now_s + wait_s
        self.slept.append(wait_s)
        await asyncio.sleep(0)
        self.now_s = max(self.now_s, until)


def golden(count: int) -> list[Example]:
    return [Example(f"T-{i:04}", f"text {i}") for i in range(count)]


class Room:
    """Runs replays on the scripted clock and keeps what was saved."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.saved: list[Response] = []
        self.batches: list[int] = []

    def save(self, batch: list[Response]) -> None:
        self.batches.append(len(batch))
        self.saved.extend(batch)

    async def go(self, examples: int | Sequence[Example], endpoint: Endpoint, **more: Any) -> ReplayResult:
        options = {
            key: more.pop(key) for key in ("save", "already", "progress", "stop", "rng") if key in more
        }
        clock = more.pop("clock", self.clock)
        sleep = self.clock.sleep if clock is self.clock else asyncio.sleep
        plan = ReplayPlan(**({"concurrency": 1} | more))
        examples = golden(examples) if isinstance(examples, int) else examples
        options = {"save": self.save} | options
        result = await replay(examples, endpoint, plan, clock=clock, sleep=sleep, **options)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not {task for task in left if "replay" in repr(task.get_coro())}, (
            "a replay leaves no task behind"
        )
        return result

    def run(self, examples: int | Sequence[Example], endpoint: Endpoint, **more: Any) -> ReplayResult:
        return asyncio.run(self.go(examples, endpoint, **more))


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def scripted() -> Callable[..., Scripted]:
    def make(behave: Behaviour | str | ErrorKind, **more: Any) -> Scripted:
        return Scripted(behave=behave if callable(behave) else lambda _: behave, **more)

    return make
