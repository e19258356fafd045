"""How does a mapping become a plug-in? By its ``kind``.

``Plugged(room)`` annotates a field whose value is validated by the class that the room registers under the
mapping's ``kind``; only that one is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from checks.registry import Plugin, UnknownKindError, did_you_mean, find, kinds, list_of

ROOM_MARK = "x-goldwatch-room"
"""Stands in the models' JSON Schema where a plug-in of a room is allowed."""


@dataclass(frozen=True, slots=True)
class Plugged:
    """Marks a field that holds a plug-in of ``room``."""

    room: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Validate by the class of the mapping's kind; serialise by the value's own class."""
        return core_schema.with_info_plain_validator_function(
            self._validate, serialization=core_schema.plain_serializer_function_ser_schema(_dump)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A mark with the room; ``service.config.schema`` puts one alternative per kind in its place."""
        return {ROOM_MARK: self.room}

    def _validate(self, value: Any, info: core_schema.ValidationInfo) -> Any:
        if isinstance(value, Plugin):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("plugin_type", "must be a mapping with a kind")
        known = kinds(self.room)
        kind = value.get("kind")
        if "kind" not in value:
            why = f"required key is missing; one of {list_of(known)}"
        elif not isinstance(kind, str):
            why = f"must be one of {list_of(known)}"
        else:
            try:
                cls = find(self.room, kind)
            except UnknownKindError:
                hint = did_you_mean(kind, known)
                why = f"unknown kind {kind!r}{hint}{' Known:' if hint else '; known:'} {list_of(known)}"
            else:
                return cls.model_validate(_at_home(value, info), context=info.context)
        error = PydanticCustomError("plugin_kind", "{why}", {"why": why})
        raise ValidationError.from_exception_data(
            "kind", [InitErrorDetails(type=error, loc=("kind",), input=kind)]
        )


def _dump(value: Any) -> Any:
    return value.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"kind": value.kind}


def _at_home(value: Mapping[str, Any], info: core_schema.ValidationInfo) -> dict[str, Any]:
    """The mapping with its ``..._file`` paths taken from the configuration's folder."""
    home = (info.context or {}).get("base_dir")
    if not isinstance(home, Path):
        return dict(value)
    return {
        key: str(home / item) if key.endswith("_file") and isinstance(item, str) and item else item
        for key, item in value.items()
    }
