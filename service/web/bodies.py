"""What may be sent to the API? The bodies of requests that change something.

Whatever is not named here is passed over, so that a program that sends more is not refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

_NOT_BLANK = Field(json_schema_extra={"pattern": r"\S"})
"""What the document says of a text that is stripped: it holds more than spaces."""

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), _NOT_BLANK]
"""Why; is kept and shown."""


class AcceptIn(BaseModel):
    """What a target answers now is healthy: why?"""

    model_config = ConfigDict(extra="ignore")

    reason: Reason


By = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), _NOT_BLANK]
"""Who; free text."""


class AcknowledgeIn(BaseModel):
    """Somebody sees to the alert: who, and what they say."""

    model_config = ConfigDict(extra="ignore")

    by: By
    reason: Annotated[str | None, Field(max_length=2000)] = None


class SilenceIn(BaseModel):
    """Nobody wants to hear of it for so many seconds: who says so, and why?"""

    model_config = ConfigDict(extra="ignore")

    by: By
    reason: Reason
    for_s: Annotated[float, Field(strict=True, gt=0, le=30 * 86_400)]


class MarkIn(BaseModel):
    """A deployment mark: what was deployed."""

    model_config = ConfigDict(extra="ignore")

    version: Annotated[str, Field(min_length=1, max_length=200)]
    note: Annotated[str | None, Field(max_length=2000)] = None


class MlflowAlias(BaseModel):
    """Which version of which registered model an alias names now."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, Field(max_length=500)]
    alias: Annotated[str, Field(max_length=500)]
    version: Annotated[str, Field(min_length=1, max_length=200)]


class MlflowEvent(BaseModel):
    """MLflow's webhook body of ``model_version_alias.created``; its other events are no deployment."""

    model_config = ConfigDict(extra="ignore")

    entity: Literal["model_version_alias"]
    action: Literal["created"]
    data: MlflowAlias

    def mark(self) -> MarkIn:
        """The same as a mark."""
        return MarkIn(version=self.data.version, note=f"MLflow: {self.data.name} is {self.data.alias}"[:2000])


def _form(body: Any) -> str:
    return (
        "mlflow" if isinstance(body, MlflowEvent) or (isinstance(body, dict) and "entity" in body) else "mark"
    )


MarkBody = Annotated[
    Annotated[MarkIn, Tag("mark")] | Annotated[MlflowEvent, Tag("mlflow")], Discriminator(_form)
]
"""A deployment mark in our form or in MLflow's: whatever has an ``entity`` is one of MLflow's events."""
