"""Which keys may be written, of which type, and what are they for? Read from the configuration's JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from service.config.durations import PATTERN
from service.reference.markdown import inline, table

Schema = Mapping[str, Any]
_REF = "#/$defs/"
_ANY = "any JSON"
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}
_ROOMS = {
    "scorers": "[scorer](scorers.md)",
    "endpoints": "[endpoint](endpoints.md)",
    "notifiers": "[notifier](notifiers.md)",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its path from where it stands, its type in words, its default as YAML, and what it is for.

    ``section`` is the name of the definition that holds what may stand under it, or None.
    """

    path: str
    type: str
    default: str | None
    required: bool
    description: str
    section: str | None = field(default=None, compare=False)


def keys(definition: Schema, definitions: Schema, prefix: str = "") -> Iterator[Key]:
    """The keys of one definition, the required ones first; ``kind`` and what stands under the keys are left out."""
    required = set(definition.get("required", ()))
    named = definition.get("properties", {})
    for name in sorted(named, key=lambda key: key not in required):
        if name == "kind":
            continue
        part = named[name]
        section = _section(part, definitions)
        description = part.get("description") or (
            definitions[section].get("description", "") if section else ""
        )
        yield Key(
            prefix + name,
            words(part, definitions),
            _default(part),
            name in required,
            inline(description.split("\n\n")[0]),
            section,
        )


def deep(definition: Schema, definitions: Schema, prefix: str = "") -> Iterator[Key]:
    """The keys of one definition, each followed by those that stand under it: ``price.input_per_mtok``."""
    for key in keys(definition, definitions, prefix):
        yield key
        if key.section:
            many = "[]" if key.type.startswith("list") else ""
            yield from deep(definitions[key.section], definitions, f"{key.path}{many}.")


def key_table(found: Iterable[Key]) -> str:
    """The keys as a Markdown table, or an empty text where there are none."""
    rows = [
        (
            f"`{key.path}`",
            key.type,
            "**required**" if key.required else f"`{key.default}`" if key.default is not None else "",
            key.description,
        )
        for key in found
    ]
    return table(("Key", "Type", "Default", "What it is for"), rows) if rows else ""


def words(part: Schema, definitions: Schema) -> str:
    """The type of a value in words.

    >>> words({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, {})
    'whole number, at least 1'
    >>> words({"type": "array", "items": {"enum": ["a", "b"]}}, {})
    'list: `a`, `b`'
    """
    if "$ref" in part:
        return words(definitions[part["$ref"].removeprefix(_REF)], definitions)
    for room in _rooms(part):
        return _ROOMS[room]
    choices = [choice for choice in part.get("anyOf", ()) if choice.get("type") != "null"]
    if choices:
        return " or ".join(dict.fromkeys(words(choice, definitions) for choice in choices))
    if "enum" in part or "const" in part:
        values = part.get("enum", [part.get("const")])
        return ", ".join(f"`{str(v).lower() if isinstance(v, bool) else v}`" for v in values)
    if part.get("pattern") == PATTERN:
        return "duration"
    match part.get("type"):
        case "array":
            return _list(part, definitions)
        case "object" if "properties" in part:
            return "mapping"
        case "object":
            return _mapping(part, definitions)
        case str(name) if name in _TYPES:
            bounds = [
                _BOUNDS[bound].format(f"{part[bound]:,}".removesuffix(".0"))
                for bound in _BOUNDS
                if bound in part
            ]
            kind = "path" if part.get("format") == "path" else _TYPES[name]
            return ", ".join([kind, *bounds])
    return _ANY


def _list(part: Schema, definitions: Schema) -> str:
    if "prefixItems" in part:
        pair = [words(item, definitions) for item in part["prefixItems"]]
        return f"pair: {pair[0]}" if len(pair) == 2 and pair[0] == pair[1] else "list"
    inner = words(part.get("items", {}), definitions)
    return "list" if inner == _ANY else f"list: {inner}"


def _mapping(part: Schema, definitions: Schema) -> str:
    values = [part.get("additionalProperties"), *part.get("patternProperties", {}).values()]
    inner = [words(value, definitions) for value in values if isinstance(value, Mapping)]
    return f"mapping: name to {inner[0]}" if inner and inner[0] != _ANY else "mapping"


def _rooms(part: Schema) -> Iterator[str]:
    """The rooms whose plug-ins may stand here."""
    for choice in part.get("oneOf", ()):
        room = choice.get("$ref", "").removeprefix(_REF).partition(".")[0]
        if room in _ROOMS:
            yield room


def _section(part: Schema, definitions: Schema) -> str | None:
    """The definition of the mapping that stands here, alone or in a list, where there is one."""
    for choice in (part, *part.get("anyOf", ())):
        if "$ref" in choice:
            name: str = choice["$ref"].removeprefix(_REF)
            return name if "properties" in definitions[name] else None
        if choice.get("type") == "array" and (found := _section(choice.get("items", {}), definitions)):
            return found
    return None


def _default(part: Schema) -> str | None:
    """The default as YAML on one line; None where there is none to speak of."""
    value = part.get("default")
    if isinstance(value, Mapping):
        value = {key: _short(item) for key, item in value.items() if item is not None}
    if value is None or value in ([], {}, ""):
        return None
    if isinstance(value, bool | int | float):
        return str(_short(value)).lower()
    return (
        yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000)
        .removesuffix("...\n")
        .strip()
    )


def _short(value: Any) -> Any:
    """A whole float as the integer that a person would write."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
