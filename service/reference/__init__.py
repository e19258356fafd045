"""What can be configured, called and scraped? The reference pages, written from the code that they describe.

``pages()`` is pure: a page's name and its Markdown, from the models, the plug-ins, the metrics and the commands as they
are. ``python -m service.reference deploy/reference`` writes them to a folder; a test fails where a page in the
repository differs. To add a page: a module in this folder with a ``page`` function, and a row in :data:`PAGES`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

PAGES = {
    "configuration.md": ("configuration", "Every key of `goldwatch.yaml`."),
    "scorers.md": ("scorers", "How answers become scores."),
    "endpoints.md": ("endpoints", "How models are asked."),
    "notifiers.md": ("notifiers", "Whom alerts go to."),
    "checks.md": ("checks", "What is asked of a target's history."),
    "causes.md": ("causes", "What may have changed when a run is bad."),
    "metrics.md": ("metrics", "What Prometheus sees."),
    "commands.md": ("commands", "What `goldwatch` does on the command line, and its exit codes."),
}
"""Each page's file, its module in this folder, and what it answers."""

REWRITE = "python -m service.reference deploy/reference"
"""The command that writes the pages anew."""


def pages() -> Mapping[str, str]:
    """Every page as Markdown, by file name; ``README.md`` lists the others."""
    made = {"README.md": _index()}
    for file, (module, _about) in PAGES.items():
        page: Any = importlib.import_module(f"{__name__}.{module}").page
        made[file] = page()
    return made


def _index() -> str:
    lines = [
        f"- [{file.removesuffix('.md').capitalize()}]({file}): {about}" for file, (_, about) in PAGES.items()
    ]
    return "\n".join(
        [
            "# Reference",
            "",
            *lines,
            "",
            f"The pages are written from the code by `{REWRITE}`.",
            "To change one, change the docstrings and descriptions there.",
            "How to add to any of them: [adding.md](../adding.md).",
            "What to do at an alert: [runbook.md](../runbook.md).",
            "",
        ]
    )
