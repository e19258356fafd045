"""YAML as JavaScript programs read it (YAML 1.2): ``yes``, ``on``, ``12:30`` and dates are texts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from service.errors import UserError


class _Loader(yaml.SafeLoader):
    """Numbers, true, false and null are what they are in JSON; every other plain word is a text."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    """A text; two escaped halves of a character beyond 16 bits are one, as in JavaScript."""
    held = str(loader.construct_scalar(node))
    return held.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


_Loader.add_constructor("tag:yaml.org,2002:str", _text)


def read_yaml(text: str) -> Any:
    """What a text says.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader


def load(path: Path) -> Any:
    """What a file says.

    Raises:
        UserError: it is no YAML.
    """
    try:
        return read_yaml(path.read_text("utf-8-sig"))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: no YAML: {error}", "correct the file") from None
