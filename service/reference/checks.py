"""What is asked of a target's history? The page of the checks."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping

from checks.base import Check
from checks.judge import all_checks
from service.reference.markdown import join, prose

_INTRO = """\
A check asks one question of a target's runs, each time there is a new one. Its weight is its part of the target's
false-alarm budget relative to the other checks that apply; a check of weight 0 spends none. One run never pages
alone: a bad run is `suspect` until a second agrees."""


def own() -> Mapping[str, Check]:
    """The checks that ship with goldwatch, by name."""
    return {
        name: check for name, check in all_checks().items() if type(check).__module__.startswith("checks.")
    }


def page() -> str:
    """The page as Markdown."""
    parts = ["# Checks", _INTRO]
    for name, check in own().items():
        parts += [f"## `{name}`", f"Weight {check.weight:g}.", prose(documentation(check))]
    return join(parts)


def documentation(check: Check) -> str:
    """The docstring of the check's module: its question, its hypothesis and its limits."""
    return inspect.getdoc(sys.modules[type(check).__module__]) or ""
