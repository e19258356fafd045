"""What is watched, how, and who is told? ``goldwatch.yaml`` as frozen models.

``load(path)`` gives a :class:`Config` or raises :class:`ConfigError` with every fault at once. ``source`` reads YAML
with a place for each key, ``models`` says what is allowed, ``rules`` what must hold between parts, ``translate`` puts
a model's error into words. To add a key: a field in ``models`` with a description, and a bad file in
``tests/service/config/bad/``.
"""

from __future__ import annotations

from service.config.errors import ConfigError, Problem
from service.config.load import DEFAULT_PATH, load, parse
from service.config.models import Config, Target
from service.config.schema import schema
from service.config.target_parts import Schedule

__all__ = [
    "DEFAULT_PATH",
    "Config",
    "ConfigError",
    "Problem",
    "Schedule",
    "Target",
    "load",
    "parse",
    "schema",
]
