"""What must hold between the parts? Names that are unique, names that exist, limits that can bite.

The rules read the plain data, not the models, so that they speak even where another part is faulty. What has the
wrong type is passed over here: the models report it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from service.config.errors import did_you_mean, list_of
from service.config.source import Path

Fault: TypeAlias = "tuple[Path, str]"

RESERVED_LABELS = frozenset({
    "alertname", "check", "direction", "instance", "job", "le", "notifier", "outcome", "pager", "quantile",
    "scorer", "severity", "slice", "target", "verdict",
})  # fmt: skip
"""Label names that goldwatch or Prometheus set themselves."""

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def faults(data: Any) -> Iterator[Fault]:
    """Every broken rule: the path of the key, and a message."""
    config = _mapping(data)
    notifiers = _list(config.get("notifiers"))
    yield from _unique("notifiers", notifiers, "name", "notifier")
    yield from _unique("targets", _list(config.get("targets")), "name", "target")
    known = [name for n in notifiers if isinstance(name := _mapping(n).get("name"), str)]
    for i, notifier in enumerate(notifiers):
        yield from _variables(_mapping(notifier), ("notifiers", i))
    for i, item in enumerate(_list(config.get("targets"))):
        yield from _target(_mapping(item), ("targets", i), known)


def _target(target: Mapping[str, Any], here: Path, notifiers: list[str]) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for i, item in enumerate(_list(target.get("scorers"))):
        scorer = _mapping(item)
        name = scorer.get("name") or scorer.get("kind")
        if isinstance(name, str):
            if name in seen:
                why = f"the scorer name {name!r} is already that of scorers[{seen[name]}]: give one a name of its own"
                yield (*here, "scorers", i, "name" if "name" in scorer else "kind"), why
            seen.setdefault(name, i)
    compared = _mapping(target.get("worth")).get("scorer")
    if isinstance(compared, str) and seen and compared not in seen:
        there = f" Scorers: {list_of(list(seen))}"
        yield (
            (*here, "worth", "scorer"),
            f"no scorer {compared!r}{did_you_mean(compared, list(seen)) or '.'}{there}",
        )
    for i, name in enumerate(_list(target.get("notify"))):
        if isinstance(name, str) and name not in notifiers:
            there = f" Notifiers: {list_of(notifiers)}" if notifiers else " There are none"
            yield (*here, "notify", i), f"no notifier {name!r}{did_you_mean(name, notifiers) or '.'}{there}"
    for label in _mapping(target.get("labels")):
        if not _LABEL.fullmatch(label) or label.startswith("__"):
            why = "not a Prometheus label name: write letters, digits and _, not beginning with a digit or __"
            yield (*here, "labels", label), why
        elif label in RESERVED_LABELS:
            yield (*here, "labels", label), f"reserved; not allowed: {list_of(sorted(RESERVED_LABELS))}"
    limits, endpoint = _mapping(target.get("limits")), _mapping(target.get("endpoint"))
    if limits.get("usd_per_day") is not None and endpoint and endpoint.get("price") is None:
        why = "needs endpoint.price, such as {input_per_mtok: 0.30, output_per_mtok: 1.20}: nothing is counted without"
        yield (*here, "limits", "usd_per_day"), why
    promised = _mapping(target.get("promises")).get("usd_per_1000_requests")
    if promised is not None and endpoint and endpoint.get("price") is None:
        why = "needs endpoint.price, such as {input_per_mtok: 0.30, output_per_mtok: 1.20}: no cost is known without"
        yield (*here, "promises", "usd_per_1000_requests"), why
    for key in ("endpoint", "reference"):
        yield from _variables(_mapping(target.get(key)), (*here, key))
    for name, challenger in _mapping(target.get("challengers")).items():
        yield from _variables(_mapping(challenger), (*here, "challengers", name))


def _unique(key: str, items: list[Any], field: str, noun: str) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for i, item in enumerate(items):
        name = _mapping(item).get(field)
        if isinstance(name, str):
            if name in seen:
                yield (key, i, field), f"the {noun} name {name!r} is already that of {key}[{seen[name]}]"
            seen.setdefault(name, i)


def _variables(plugin: Mapping[str, Any], here: Path) -> Iterator[Fault]:
    for key, value in plugin.items():
        if key.endswith("_env") and isinstance(value, str) and not _VARIABLE.fullmatch(value):
            why = "not the name of an environment variable: write the variable's name, not the secret itself"
            yield (*here, key), why


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
