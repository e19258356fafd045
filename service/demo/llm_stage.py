"""What is watched by ``goldwatch demo --llm``? SmolLM2 with a LoRA adapter, restarted without its strength."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from service.demo.llm import GOLDEN, LABELS, MODEL, SYSTEM, LlmServer


class LlmStage:
    """A language model behind llama.cpp: its adapter at scale 1, and after :meth:`drop` at 0."""

    model = MODEL
    base_model: str | None = None
    golden = GOLDEN
    system = SYSTEM
    labels: tuple[str, ...] = LABELS
    max_tokens = 4
    concurrency = 4
    baseline_runs = 3
    healthy_replays = 5
    about = "SmolLM2-135M with a LoRA adapter that routes support tickets, behind llama.cpp"
    broken_by = (
        "the server was restarted with the adapter at scale 0: same name, same address, every request a 200"
    )

    def __init__(self) -> None:
        self._server = LlmServer(scale=1.0, threads=2, slots=4)

    @property
    def url(self) -> str:
        """The ``base_url`` of the OpenAI protocol."""
        return self._server.url

    async def drop(self) -> None:
        """Restart the server with the adapter at scale 0, behind the same address."""
        await self._server.restart(scale=0.0)

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop()
