"""What does the YAML say, and on which line? Plain data, and a place for every key path.

Only safe YAML is read: no tags that build objects. Size, depth and the expansion of aliases are bounded, so that
a hostile file costs a moment and not the machine. Duplicate keys are faults; so are keys that YAML 1.1 silently
turns into a boolean (``on``, ``yes``).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from service.config.errors import Problem
from service.text import safe

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path: TypeAlias = "tuple[str | int, ...]"

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_VALUES = 200_000

_TAG = "tag:yaml.org,2002:"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands (line and column from 1) and, for a scalar, its text as written."""

    line: int
    column: int
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a YAML file, a :class:`Place` for each key path, and the faults met on the way."""

    data: Any
    places: dict[Path, Place]
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path) -> Place | None:
        """The place of the path, or of its nearest parent that is there."""
        for length in range(len(path), -1, -1):
            if (place := self.places.get(path[:length])) is not None:
                return place
        return None


def show_path(path: Path) -> str:
    """The path as people write it.

    >>> show_path(("targets", 0, "labels", "my team"))
    "targets[0].labels['my team']"
    """
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            shown += f".{part}" if shown else part
        else:
            shown += f"[{safe(part, 80)!r}]"
    return shown


def read(content: bytes) -> Document:
    """Read YAML. Faults are in ``problems``; then ``data`` holds what could be read, or None."""
    if len(content) > MAX_BYTES:
        return _failed(f"{len(content):,} bytes are too many for a configuration: at most {MAX_BYTES:,}")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _failed(f"byte 0x{content[error.start]:02x} is not UTF-8: save the file as UTF-8", line)
    text = text.removeprefix("\ufeff")
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        return _failed(f"the control character U+{ord(control[0]):04X} is not allowed: remove it", line)
    try:
        if too_deep := _too_deep(text):
            return _failed(f"more than {MAX_DEPTH} levels deep", too_deep)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        return _failed(*_syntax(error, text))
    except yaml.YAMLError as error:
        return _failed(safe(str(error), 200))
    if node is None:
        return _failed("the file is empty; run: goldwatch init")
    return _Reader().document(node)


def _failed(message: str, line: int | None = None, column: int | None = None) -> Document:
    return Document(None, {}, [Problem(line, "", message, column)])


def _too_deep(text: str) -> int | None:
    """The line where nesting passes the bound. Events are read without recursion, whatever the depth."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                return int(event.start_mark.line) + 1 if event.start_mark else 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def _syntax(error: yaml.MarkedYAMLError, text: str) -> tuple[str, int | None, int | None]:
    mark = error.problem_mark or error.context_mark
    line, column = (int(mark.line), int(mark.column)) if mark else (None, None)
    lines = text.splitlines()
    written = lines[line] if line is not None and line < len(lines) else ""
    problem = (error.problem or "it cannot be read").rstrip(".")
    if "\t" in written[: len(written) - len(written.lstrip())]:
        message = "a tab stands in the indentation: YAML wants spaces"
    elif "mapping values are not allowed" in problem:
        message = "unexpected ': ': check the indentation, or put the text in quotes"
    elif "undefined alias" in problem:
        message = (
            f"{problem}: *NAME needs an &NAME earlier in the file (a text that begins with * needs quotes)"
        )
    elif "expected a single document" in (error.context or ""):
        message = "a second document begins here: keep everything in one, without ---"
    elif "cannot start any token" in problem and written.lstrip()[:1] in {"@", "`", "%"}:
        message = f"a text that begins with {written.lstrip()[:1]} needs quotes"
    else:
        message = f"not YAML: {safe(problem, 200)}"
        if error.context:
            message += f" ({safe(error.context, 200)})"
    return message, None if line is None else line + 1, None if column is None else column + 1


class _Reader:
    """Walks the node graph once, building data and places; aliases are walked at each use, within a bound."""

    def __init__(self) -> None:
        self.places: dict[Path, Place] = {}
        self.problems: list[Problem] = []
        self.values = 0
        self.open: set[int] = set()

    def document(self, node: yaml.Node) -> Document:
        self.places[()] = _place(node)
        try:
            data = self.value(node, ())
        except _TooManyValuesError:
            line = self.places[()].line
            bomb = Problem(line, "", f"anchors and aliases expand to more than {MAX_VALUES:,} values")
            return Document(None, {}, [bomb])
        except _TooDeepError:
            return _failed(f"more than {MAX_DEPTH} levels deep")
        return Document(data, self.places, self.problems)

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.values += 1
        if self.values > MAX_VALUES:
            raise _TooManyValuesError
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        if len(path) > MAX_DEPTH:
            raise _TooDeepError
        if id(node) in self.open:
            self.fault(node, path, "an alias stands inside its own anchor")
            return {} if isinstance(node, yaml.MappingNode) else []
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                if node.tag != _TAG + "map":
                    self.fault(node, path, _bad_tag(node.tag))
                return self.mapping(node, path)
            if node.tag != _TAG + "seq":
                self.fault(node, path, _bad_tag(node.tag))
            return self.sequence(node, path)
        finally:
            self.open.discard(id(node))

    def sequence(self, node: yaml.Node, path: Path) -> list[Any]:
        items = []
        for index, item in enumerate(node.value):
            here = (*path, index)
            self.places[here] = _place(item)
            items.append(self.value(item, here))
        return items

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data = self.merged(node, path)
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge" or (key := self.key(key_node, path)) is None:
                continue
            line = int(key_node.start_mark.line) + 1
            here = (*path, key)
            if key in lines:
                self.problems.append(
                    Problem(line, show_path(here), f"this key is already there on line {lines[key]}")
                )
                continue
            lines[key] = line
            raw = value_node.value if isinstance(value_node, yaml.ScalarNode) else None
            self.places[here] = Place(line, int(key_node.start_mark.column) + 1, raw)
            data[key] = self.value(value_node, here)
        return data

    def merged(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        """What ``<<`` brings in. The first of several sources wins; the mapping's own keys overwrite them later."""
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag != _TAG + "merge":
                continue
            sources = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            for source in reversed(sources):
                if isinstance(source, yaml.MappingNode):
                    data.update(self.value(source, path))
                else:
                    self.fault(key_node, path, "<< needs a mapping, or a list of mappings")
        return data

    def key(self, node: yaml.Node, path: Path) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self.fault(node, path, "a key must be a text")
            return None
        raw = str(node.value)
        if node.tag in (_TAG + "bool", _TAG + "null"):
            read_as = "nothing" if node.tag.endswith("null") else _spoken(raw)
            here = show_path((*path, raw))
            line = int(node.start_mark.line) + 1
            self.problems.append(
                Problem(line, here, f"YAML reads the key {raw} as {read_as}: put it in quotes, '{raw}'")
            )
            return None
        return raw

    def scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        raw, tag = str(node.value), node.tag.removeprefix(_TAG)
        if tag == "null":
            return None
        if tag == "bool":
            return raw.lower() in {"yes", "true", "on"}
        if tag in {"int", "float"}:
            return _number(raw, tag)
        if tag not in {"str", "timestamp", "value"}:
            self.fault(node, path, _bad_tag(node.tag))
        return raw

    def fault(self, node: yaml.Node, path: Path, message: str) -> None:
        self.problems.append(Problem(int(node.start_mark.line) + 1, show_path(path), message))


class _TooManyValuesError(Exception):
    pass


class _TooDeepError(Exception):
    pass


def _place(node: yaml.Node) -> Place:
    raw = node.value if isinstance(node, yaml.ScalarNode) else None
    return Place(int(node.start_mark.line) + 1, int(node.start_mark.column) + 1, raw)


def _bad_tag(tag: str) -> str:
    return f"the tag {safe(tag.replace(_TAG, '!!'), 80)} is not allowed: write plain values"


def _spoken(raw: str) -> str:
    return "true" if raw.lower() in {"yes", "true", "on"} else "false"


def _number(raw: str, tag: str) -> int | float | str:
    """The number; what YAML 1.1 calls a number and people do not (``12:30``, ``0b1``, a novel of digits) is a text."""
    text = raw.replace("_", "")
    try:
        if tag == "int":
            return int(text, 10) if len(text) <= 300 else raw
        special = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
        return special[text.lower()] if text.lower() in special else float(text)
    except ValueError:
        return raw
