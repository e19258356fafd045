"""How is a model's error said to a person? With its line, its key's path, the value, and what is allowed.

Pydantic knows the rule that was broken; the document knows the place and how the value was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from checks.plugged import Plugged
from checks.registry import UnknownKindError, find
from service.config.errors import Problem, did_you_mean, list_of
from service.config.source import Document, Path, show_path
from service.text import safe

_SECRET_KEY = re.compile(
    r"(^|_|-)(api_?key|key|token|secret|password|passwd|authorization|credentials?|cookie|dsn|signing)$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"^(sk-|xox[a-z]-|gh[a-z]_|glpat-|AKIA|hf_|whsec_|Bearer |Basic |-----BEGIN)|hooks\.slack\.com|://[^/\s]*:[^/\s]*@"
)
_SYNONYMS = {
    "type": "kind", "provider": "kind", "protocol": "kind", "url": "base_url", "endpoint_url": "base_url",
    "dataset": "golden", "golden_set": "golden", "data": "golden", "metrics": "scorers", "scorer": "scorers",
    "evals": "scorers", "interval": "schedule", "every": "schedule", "cron": "schedule", "alerts": "notify",
    "notifiers": "notify", "base_model": "reference", "base": "reference", "threshold": "min", "floor": "min",
    "database": "store", "db": "store", "models": "targets", "target": "targets", "notifier": "notifiers",
    "channels": "notifiers", "system_prompt": "system", "parameters": "params", "tz": "timezone",
}  # fmt: skip
"""What people write from habit, and the word that is meant. Used only where that word is a known key."""

_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_WANTED = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "string": "a text", "list": "a list",
    "tuple": "a list", "dict": "a mapping of keys to values", "mapping": "a mapping of keys to values",
    "model": "a mapping of keys to values", "path": "a path", "frozenset": "a list", "set": "a list",
}  # fmt: skip


def problems(error: ValidationError, document: Document, model: type[BaseModel]) -> list[Problem]:
    """The faults of a validation, in words; alternatives of one value (``bool or int``) become one fault."""
    found: dict[Path, list[str]] = {}
    for details in error.errors(include_url=False):
        if details["type"] == "too_short" and _length(details["input"]) >= details["ctx"]["min_length"]:
            continue  # Pydantic counts good items only, and the bad ones have faults of their own
        path = _path(details, document.data)
        message = _message(details, path, document, model)
        if message not in found.setdefault(path, []):
            found[path].append(message)
    listed = []
    for path, messages in found.items():
        place = document.place(path)
        listed.append(Problem(place.line if place else None, show_path(path), "; or ".join(messages)))
    return listed


def is_secret(path: Path, value: Any) -> bool:
    """True if the value may be a secret, by its key or by its look; it is then never shown.

    >>> is_secret(("endpoint", "api_key"), "x"), is_secret(("endpoint", "model"), "x")
    (True, False)
    """
    keys = [part for part in path if isinstance(part, str)]
    if "headers" in keys[:-1] or (keys[:1] == ["notifiers"] and keys[-1:] == ["url"]):
        return True
    if keys and (keys[-1].endswith("_env") or _SECRET_KEY.search(keys[-1])):
        return True
    return isinstance(value, str) and bool(_SECRET_VALUE.search(value))


def _path(details: ErrorDetails, data: Any) -> Path:
    """The error's location as a path into the data: names of union members and validators are dropped."""
    path: list[str | int] = []
    for i, part in enumerate(details["loc"]):
        last = i == len(details["loc"]) - 1
        if _has(data, part):
            data = data[part]
        elif not last or not (details["type"] == "missing" or _is_absent_kind(details, data)):
            continue
        path.append(part)
    return tuple(path)


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and 0 <= part < len(data)
    return isinstance(data, Mapping) and part in data


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list | tuple | Mapping | str) else 0


def _is_absent_kind(details: ErrorDetails, data: Any) -> bool:
    return details["type"] == "plugin_kind" and isinstance(data, Mapping)


def _message(details: ErrorDetails, path: Path, document: Document, model: type[BaseModel]) -> str:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "missing":
        return "required key is missing" + _example(path)
    if kind == "extra_forbidden":
        return _unknown(path, _keys(path[:-1], model, document.data))
    shown = "" if is_secret(path, value) else _shown(value, path, document)
    instead = f", not {shown}" if shown else ""
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        meant = _as_meant(kind, value) if instead and context[key] == 1 else ""
        return f"must be {words} {_bound(context[key], path, document)}{instead}{meant}"
    if kind == "literal_error":
        allowed = re.findall(r"'((?:[^'\\]|\\.)*)'", str(context["expected"])) or [str(context["expected"])]
        if value in allowed:  # only the type is wrong: the text "1" for the number 1
            near = ": write it without quotes"
        else:
            near = did_you_mean(value, allowed) if isinstance(value, str) else ""
        return f"must be {list_of(allowed) if len(allowed) == 1 else 'one of ' + list_of(allowed)}{instead}{near}"
    if kind in {"too_short", "too_long"}:
        few = kind == "too_short"
        bound = context["min_length"] if few else context["max_length"]
        return f"must hold at {'least' if few else 'most'} {bound} item{'s' if bound != 1 else ''}"
    if kind in {"string_too_short", "string_too_long"}:
        few = kind == "string_too_short"
        bound = context["min_length"] if few else context["max_length"]
        if few and bound == 1:
            return "must not be empty"
        return f"must have at {'least' if few else 'most'} {bound} characters{instead}"
    if kind == "finite_number":
        return f"must be a finite number{instead}"
    wanted = _WANTED.get(kind.partition("_")[0])
    if kind == "string_type" and instead and isinstance(value, int | float) and not isinstance(value, bool):
        instead = f", not the number {shown}"
    if wanted and kind.rpartition("_")[2] in {"type", "parsing", "from", "float"}:
        meant = _quoting(kind, value, path, document) or (instead and _as_meant(kind, value))
        return f"must be {wanted}{instead}{meant}"
    message = re.sub(r"^(Value error|Assertion failed), ", "", details["msg"])
    return message + instead if kind in _PYDANTIC else message


_PYDANTIC = frozenset({"string_pattern_mismatch", "enum", "none_required", "invalid_key", "is_instance_of"})
"""Kinds of error whose message is Pydantic's own and does not name the value."""


def _quoting(kind: str, value: Any, path: Path, document: Document) -> str:
    """How to write a text that YAML takes for something else."""
    if kind != "string_type" or not isinstance(value, bool | int | float):
        return ""
    raw = _raw(path, document) or str(value)
    if path[-1:] == ("listen",):
        return f": write host and port, '127.0.0.1:{safe(raw, 60)}'"
    return f": put it in quotes, '{safe(raw, 60)}'"


def _as_meant(kind: str, value: Any) -> str:
    """How to write what is meant by a percentage where a share belongs, or by one item where a list does.

    >>> _as_meant("less_than_equal", 95), _as_meant("float_parsing", "90%"), _as_meant("list_type", "billing")
    (': for 95% write 0.95', ': for 90% write 0.9', ': write [billing]')
    """
    if (
        kind in {"list_type", "tuple_type"}
        and isinstance(value, str)
        and re.fullmatch(r"[\w.-]{1,40}", value)
    ):
        return f": write [{value}]"
    if kind == "less_than_equal" and isinstance(value, int | float) and 10 <= value <= 100:
        return f": for {value:g}% write {value / 100:g}"
    if (
        kind.startswith("float")
        and isinstance(value, str)
        and (found := re.fullmatch(r"(\d{1,3}(?:\.\d+)?) ?%", value))
    ):
        return f": for {found[1]}% write {float(found[1]) / 100:g}"
    return ""


def _shown(value: Any, path: Path, document: Document) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool | int | float):
        raw = _raw(path, document)
        if isinstance(value, bool) and raw and raw.lower() not in {"true", "false"}:
            return f"{safe(raw, 60)} (YAML reads {'true' if value else 'false'})"
        return safe(raw or str(value), 60)
    if isinstance(value, str):
        return repr(safe(value, 60))
    return "a mapping" if isinstance(value, Mapping) else "a list"


def _raw(path: Path, document: Document) -> str | None:
    place = document.places.get(path)
    return place.raw if place else None


def _bound(bound: Any, path: Path, document: Document) -> str:
    """The bound in the unit that the value was written in."""
    raw = _raw(path, document)
    if raw and re.search(r"[0-9]\s*(ms|s|m|h|d|w)\s*$", raw):
        from service.config.durations import format_duration  # noqa: PLC0415  # only where a duration is wrong

        return format_duration(float(bound)) if bound else "0s"
    return f"{bound:g}" if isinstance(bound, float) else str(bound)


def _unknown(path: Path, keys: Sequence[str]) -> str:
    key = str(path[-1])
    if _SECRET_KEY.search(key) or any(f"{key}_env" == known for known in keys):
        variable = next((k for k in keys if k == f"{key}_env"), None) or next(
            (k for k in keys if k.endswith("_env")), f"{key}_env"
        )
        file = variable.removesuffix("_env") + "_file"
        other = f" (or {file}: PATH)" if file in keys else ""
        return (
            "a secret must not stand in this file: put it into an environment variable and write "
            f"{variable}: VARIABLE{other}"
        )
    meant = _SYNONYMS.get(key.lower())
    near = f"; did you mean {meant!r}?" if meant in keys else did_you_mean(key, keys)
    if not keys:
        return "unknown key"
    return f"unknown key{near}{' Allowed:' if near else '; allowed:'} {list_of(keys)}"


def _example(path: Path) -> str:
    examples = {
        "version": "version: 1", "name": "name: my-model", "golden": "golden: golden.jsonl",
        "scorers": "scorers: [{kind: exact_match}]", "targets": "targets: [...]; run: goldwatch init",
        "endpoint": "endpoint: {kind: openai_chat, base_url: ..., model: ...}",
    }  # fmt: skip
    if len(path) in (1, 3) and path[-1] in examples and path[0] in {"version", "targets"}:
        return f", such as {examples[str(path[-1])]}"
    return ""


def _keys(path: Path, model: type[BaseModel], data: Any) -> list[str]:
    """The keys that the mapping at the path may have, in the model's order; empty where that is unknown."""
    found: type[BaseModel] | None = model
    annotation: Any = model
    for part in path:
        data = data[part]
        in_model = found if isinstance(part, str) else None
        annotation = _fields(in_model).get(str(part)) if in_model else _inside(annotation)
        found = _model(annotation, data)
    return list(_fields(found)) if found else []


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Each field's YAML name with its annotation, the metadata included."""
    shown = {}
    for name, field in model.model_fields.items():
        shown[field.alias or name] = (field.annotation, tuple(field.metadata))
    return shown


def _inside(annotation: Any) -> Any:
    """What the items of a list or the values of a mapping are."""
    for part in _parts(annotation):
        origin = get_origin(part)
        if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping | Sequence):
            return next((a for a in reversed(get_args(part)) if a is not Ellipsis), None)
    return None


def _model(annotation: Any, data: Any) -> type[BaseModel] | None:
    for part in _parts(annotation):
        if isinstance(part, Plugged):
            kind = data.get("kind") if isinstance(data, Mapping) else None
            try:
                return find(part.room, kind) if isinstance(kind, str) else None
            except (UnknownKindError, ImportError):
                return None
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _parts(annotation: Any) -> Iterator[Any]:
    """The annotation, the members of its unions and its metadata, flattened."""
    if isinstance(annotation, tuple):
        for part in annotation:
            yield from _parts(part)
        return
    yield annotation
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if hasattr(annotation, "__metadata__"):
        yield from annotation.__metadata__
        yield from _parts(annotation.__origin__)
    elif arguments and not (isinstance(origin, type) and issubclass(origin, Mapping | Sequence)):
        for argument in arguments:
            if argument is not type(None):
                yield from _parts(argument)
