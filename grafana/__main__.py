"""How are the dashboards written? ``python -m grafana`` writes the JSON files; ``--check`` only says if they differ."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana import fleet, target

DASHBOARDS: Mapping[str, Callable[[], Dashboard]] = {
    "fleet.json": fleet.board,
    "target.json": target.board,
}
"""The file that each dashboard is written to."""


def text(name: str) -> str:
    """The JSON of one of :data:`DASHBOARDS`."""
    made = json.loads(JSONEncoder().encode(DASHBOARDS[name]().build()))
    return json.dumps(_current(made), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _current(made: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the SDK writes everywhere and Grafana 13's schema no longer knows there."""
    for variable in made["templating"]["list"]:
        for key in ("auto", "auto_min", "auto_count"):
            variable.pop(key, None)
    for panel in made["panels"]:
        if panel["type"] == "table":
            panel["options"].pop("footer", None)
    return made


def main(arguments: Sequence[str]) -> int:
    """Write the files that differ, or with ``--check`` name them and return 1."""
    folder, check = Path(__file__).parent, "--check" in arguments
    stale = [
        name
        for name in DASHBOARDS
        if not (folder / name).exists() or (folder / name).read_text("utf-8") != text(name)
    ]
    for name in stale:
        if not check:
            (folder / name).write_text(text(name), "utf-8")
        sys.stdout.write(f"{'differs' if check else 'wrote'} {folder / name}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
