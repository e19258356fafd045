"""Which options mean the same in every command?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration file.", show_default=True)
]
"""``config: ConfigFile = CONFIG``."""

CONFIG = Path("goldwatch.yaml")
"""The default of :data:`ConfigFile`."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs, one object per line.")]
"""``as_json: AsJson = False``."""
