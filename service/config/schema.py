"""What may an editor complete? The JSON Schema of the configuration, over every plug-in that is known here."""

from __future__ import annotations

from typing import Any

from checks.registry import find, kinds

_REF = "#/$defs/"


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``goldwatch.yaml``; every known plug-in is imported for it."""
    from service.config.models import Config  # noqa: PLC0415  # the models are needed only here

    made = Config.model_json_schema(by_alias=True, mode="validation")
    definitions: dict[str, Any] = {}
    properties = _expand(made["properties"], definitions)
    own = {name: _expand(definition, definitions) for name, definition in made["$defs"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "goldwatch.yaml",
        "description": "Which deployed models goldwatch watches, how, and whom it tells.",
        "type": "object",
        "additionalProperties": False,
        "required": made["required"],
        "properties": properties,
        "$defs": own | dict(sorted(definitions.items())),
    }


def _expand(part: Any, definitions: dict[str, Any]) -> Any:
    """The schema with one alternative per kind wherever a plug-in is allowed."""
    from checks.plugged import ROOM_MARK  # noqa: PLC0415  # with the models

    if isinstance(part, list):
        return [_expand(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    if ROOM_MARK not in part:
        return _written({key: _expand(item, definitions) for key, item in part.items()})
    rest = {key: item for key, item in part.items() if key != ROOM_MARK}
    return {
        **rest,
        "oneOf": [_alternative(part[ROOM_MARK], kind, definitions) for kind in kinds(part[ROOM_MARK])],
    }


def _written(part: dict[str, Any]) -> dict[str, Any]:
    """The schema with a duration's default as it is written in a file: ``30s``, where Pydantic says 30.0."""
    from service.config.durations import PATTERN, format_duration  # noqa: PLC0415  # with the models

    default = part.get("default")
    if part.get("pattern") == PATTERN and isinstance(default, int | float):
        return part | {"default": format_duration(default)}
    return part


def _alternative(room: str, kind: str, definitions: dict[str, Any]) -> dict[str, str]:
    """A reference to one plug-in's definition, which is made at its first use."""
    name = f"{room.rpartition('.')[2]}.{kind}"
    if name not in definitions:
        made = find(room, kind).model_json_schema(by_alias=True, ref_template=f"{_REF}{name}.{{model}}")
        inner = {f"{name}.{inner}": part for inner, part in made.pop("$defs", {}).items()}
        definitions.update({key: _expand(part, definitions) for key, part in inner.items()})
        made["properties"]["kind"].pop(
            "default", None
        )  # in a file, the kind is what tells the alternatives apart
        made["required"] = sorted({"kind", *made.get("required", [])})
        definitions[name] = _expand(made, definitions)  # a plug-in may hold another one: a judge its endpoint
    return {"$ref": _REF + name}
