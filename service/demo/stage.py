"""What is watched in the demo, and how does it break? The small ticket model behind its own endpoint.

``service/demo/llm_stage.py`` is the same for the language model.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from service.demo.endpoint import BASE_MODEL, TUNED_MODEL, DemoEndpoint
from service.demo.model import GOLDEN, LABELS, SYSTEM


class Stage(Protocol):
    """A served fine-tune that can silently lose it. Used in an ``async with`` block, which starts and stops it.

    ``base_model`` is the name under which the same server offers the base model, None if it does not.
    """

    model: str
    base_model: str | None
    golden: Path
    system: str
    labels: tuple[str, ...]
    max_tokens: int
    concurrency: int
    baseline_runs: int
    healthy_replays: int
    about: str
    broken_by: str

    @property
    def url(self) -> str:
        """The ``base_url`` of the OpenAI protocol."""

    async def drop(self) -> None:
        """Lose the fine-tune: the same name at the same address is answered by the base model from now on."""

    async def __aenter__(self) -> Self:
        """Start serving."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""


class TicketStage:
    """The embedded endpoint over the small model that is trained when it starts."""

    model = TUNED_MODEL
    base_model: str | None = BASE_MODEL
    golden = GOLDEN
    system = SYSTEM
    labels: tuple[str, ...] = LABELS
    max_tokens = 16
    concurrency = 8
    baseline_runs = 10
    healthy_replays = 12
    about = "A small model that routes support tickets, fine-tuned just now on this machine"
    broken_by = "the server now answers without the fine-tune: same name, same address, every request a 200"

    def __init__(self) -> None:
        self._endpoint = DemoEndpoint()

    @property
    def url(self) -> str:
        """The ``base_url`` of the OpenAI protocol."""
        return self._endpoint.url

    async def drop(self) -> None:
        """Answer with the base head from now on."""
        self._endpoint.drop_adapter()

    async def __aenter__(self) -> Self:
        await self._endpoint.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._endpoint.stop()
