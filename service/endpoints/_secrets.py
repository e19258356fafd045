"""Where is the key? In an environment variable or a file, read when it is needed, and never shown.

A file may hold a trailing line break. A rotated secret is taken up with the next request.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.endpoints._faults import Fault
from service.errors import UserError
from service.text import ELLIPSIS

_MAX_SECRET_BYTES = 65_536
_SHORTEST_HIDDEN = 4
HIDDEN = "***"


class SecretError(UserError):
    """A secret is missing or cannot be a header's value. The message names the variable or file, never the value."""


def from_env(variable: str, key: str) -> str:
    """The secret in an environment variable.

    Args:
        variable: its name.
        key: the configuration key that names it, for the message.

    Raises:
        SecretError: it is not set, empty, or not one line of printable ASCII.
    """
    value = os.environ.get(variable)
    if value is None:
        raise SecretError(f"the environment variable {variable} ({key}) is not set", f"export {variable}=...")
    return _checked(value, f"the environment variable {variable} ({key})")


def from_file(path: str, key: str) -> str:
    """The secret in a file; arguments and errors as in :func:`from_env`."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise SecretError(f"the file {path} ({key}) cannot be read: {error.strerror or error}") from None
    if len(content) > _MAX_SECRET_BYTES:
        raise SecretError(f"the file {path} ({key}) is too large for a secret")
    return _checked(content.decode("latin-1"), f"the file {path} ({key})")


def hide(text: str, secrets: tuple[str, ...]) -> str:
    """The text with every secret in it replaced, also one that was cut off with an ellipsis.

    >>> hide("no such key: sk-12345", ("sk-12345",)), hide("no such key: sk-12…", ("sk-12345",))
    ('no such key: ***', 'no such key: ***…')
    """
    for secret in secrets:
        if len(secret) < _SHORTEST_HIDDEN:
            continue
        text = text.replace(secret, HIDDEN)
        if ELLIPSIS in text:
            for length in range(len(secret) - 1, _SHORTEST_HIDDEN - 1, -1):
                text = text.replace(secret[:length] + ELLIPSIS, HIDDEN + ELLIPSIS)
    return text


def unusable(obtain: Callable[[], object]) -> list[SecretError]:
    """What is wrong with credentials that have to be obtained; empty if nothing is."""
    try:
        obtain()
    except SecretError as error:
        return [error]
    except Fault as fault:
        return [SecretError(fault.error.message)]
    return []


def hide_in(value: Any, secrets: tuple[str, ...]) -> Any:
    """Plain data with every secret in its texts replaced, at any depth, keys included.

    >>> hide_in({"root": ["Bearer sk-12345"], "n": 1}, ("sk-12345",))
    {'root': ['Bearer ***'], 'n': 1}
    """
    if isinstance(value, str):
        return hide(value, secrets)
    if isinstance(value, dict):
        return {hide_in(key, secrets): hide_in(one, secrets) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(hide_in(one, secrets) for one in value)
    return value


def _checked(value: str, where: str) -> str:
    value = value.strip()
    if not value:
        raise SecretError(f"{where} is empty")
    if not (value.isascii() and value.isprintable()):
        raise SecretError(f"{where} must hold one line of printable ASCII")
    return value
