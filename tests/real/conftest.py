"""Which real parts may a test here ask for? A language model with its fine-tune, served by llama.cpp."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from service.demo.llm import LlmServer, missing_parts


class RunningLlm:
    """A server of the language model for tests: one process, one address, any strength of its adapter.

    ``url`` is the ``base_url`` of the OpenAI protocol. ``restart`` changes the strength behind it.
    """

    def __init__(self, scale: float = 1.0, chat_template: str | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="llm-server")
        self._thread.start()
        self._server = LlmServer(scale=scale, chat_template=chat_template)
        try:
            self._do(self._server.start())
        except BaseException:
            self._end_loop()
            raise
        self.url = self._server.url

    @property
    def scale(self) -> float | None:
        return self._server.scale

    @property
    def pid(self) -> int | None:
        return self._server.pid

    def restart(self, *, scale: float | None) -> None:
        self._do(self._server.restart(scale=scale))

    def change_template(self, chat_template: str) -> None:
        """Start anew behind the same address, with another chat template: no request and no answer tells of it."""
        self._server.chat_template = chat_template
        self._do(self._server.restart(scale=self._server.scale))

    def stop(self) -> None:
        try:
            self._do(self._server.stop())
        finally:
            self._end_loop()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=90)

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="session")
def _llm_process() -> Iterator[RunningLlm]:
    problem = missing_parts()
    if problem is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(problem)
        pytest.skip(problem)
    server = RunningLlm()
    yield server
    server.stop()


@pytest.fixture
def base_server(_llm_process: RunningLlm) -> Iterator[RunningLlm]:
    """Another server, of the base model alone."""
    server = RunningLlm(scale=0.0)
    yield server
    server.stop()


@pytest.fixture
def judge_server(_llm_process: RunningLlm) -> Iterator[RunningLlm]:
    """Another server of the fine-tune, to judge with."""
    server = RunningLlm()
    yield server
    server.stop()


@pytest.fixture
def llm_server(_llm_process: RunningLlm) -> RunningLlm:
    """The running server, with its adapter at full strength again."""
    if _llm_process.scale != 1.0:
        _llm_process.restart(scale=1.0)
    return _llm_process
