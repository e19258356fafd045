"""Which options mean the same in every command?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration file.", show_default=True)
]
"""``config: ConfigFile = CONFIG``."""

CONFIG = Path("goldwatch.yaml")
"""The default of :data:`ConfigFile`."""

TargetName = Annotated[str, typer.Argument(metavar="TARGET", help="A target's name.")]
"""``target: TargetName``."""

HELP: Mapping[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""``context_settings=dict(HELP)`` of every Typer application."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs, one object per line.")]
"""``as_json: AsJson = False``."""
