"""Which model is asked, and with which parameters? Of endpoints whose configuration has ``model`` and ``params``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


class AsksByModel:
    """Before ``HttpEndpoint`` among the bases."""

    if TYPE_CHECKING:
        model: str
        params: dict[str, Any]

    @property
    def model_name(self) -> str:
        """The model that is asked for."""
        return self.model

    @property
    def sent_params(self) -> dict[str, Any]:
        """``params``."""
        return self.params
