"""Is this file a configuration? All of its faults at once, or a frozen :class:`Config`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from service.config import rules, source, translate
from service.config.errors import ConfigError, Problem
from service.config.models import Config

DEFAULT_PATH = Path("goldwatch.yaml")


def load(path: Path | str = DEFAULT_PATH) -> Config:
    """Read and check a configuration file. No other file is opened and nothing is asked of the network.

    Raises:
        ConfigError: with every fault, each with its line, its key's path and what is allowed.
    """
    file = Path(path)
    try:
        if file.is_dir():
            raise ConfigError(str(path), [Problem(None, "", "a folder, not a file")])
        with file.open("rb") as stream:
            content = stream.read(source.MAX_BYTES + 1)
    except FileNotFoundError:
        missing = "no such file: write one with goldwatch init, or name yours with --config FILE"
        raise ConfigError(str(path), [Problem(None, "", missing)]) from None
    except OSError as error:
        why = f"it cannot be read: {error.strerror or error}"
        raise ConfigError(str(path), [Problem(None, "", why)]) from None
    return parse(content, file)


def parse(content: bytes, path: Path) -> Config:
    """Check a configuration's content; ``path`` is where it stands, for messages and relative paths.

    Raises:
        ConfigError: with every fault.
    """
    document = source.read(content)
    problems = list(document.problems)
    if document.data is None and problems:
        raise ConfigError(str(path), problems)
    if not isinstance(document.data, dict):
        problems.append(Problem(1, "", "the file must be a mapping of keys to values; run: goldwatch init"))
        raise ConfigError(str(path), problems)
    config = None
    try:
        config = Config.model_validate(document.data, context={"base_dir": path.absolute().parent})
    except ValidationError as error:
        problems += translate.problems(error, document, Config)
    faulty = {problem.key for problem in problems}
    for where, message in rules.faults(document.data):
        if (key := source.show_path(where)) not in faulty:
            place = document.place(where)
            problems.append(Problem(place.line if place else None, key, message))
    if problems or config is None:
        raise ConfigError(str(path), problems)
    config._path = path.absolute()  # noqa: SLF001  # the one place that knows it
    config._digest = _digest(document.data)  # noqa: SLF001
    return config


def _digest(data: Any) -> str:
    canonical = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
