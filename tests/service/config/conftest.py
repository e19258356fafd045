"""A tiny endpoint of kind ``probe``, registered as a package installed beside goldwatch would be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydantic import Field

from checks import registry
from service.endpoints import Endpoint


class Probe(Endpoint):
    kind: Literal["probe"] = "probe"
    base_url: str
    model: str
    system: str | None = None
    api_key_env: str | None = None
    api_key_file: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    logprobs: bool | int = False

    @property
    def url(self) -> str:
        return self.base_url

    @property
    def model_name(self) -> str:
        return self.model

    def question(self) -> Any:
        return {"system": self.system, "params": self.params}

    async def ask(self, client: Any, example: Any, *, timeout_s: float) -> Any:
        raise NotImplementedError

    async def identify(self, client: Any, *, timeout_s: float) -> Any:
        raise NotImplementedError


class _EntryPoint:
    def load(self) -> type[Probe]:
        return Probe


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real = registry._foreign

    def foreign(room: str) -> dict[str, Any]:
        return {**real(room), "probe": _EntryPoint()} if room == "service.endpoints" else real(room)

    monkeypatch.setattr(registry, "_foreign", foreign)
    registry.kinds.cache_clear()
    registry.find.cache_clear()
    yield
    registry.kinds.cache_clear()
    registry.find.cache_clear()
