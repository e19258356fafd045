"""``goldwatch schema``: what may a configuration say, for an editor?"""

from __future__ import annotations

import json


def command() -> None:
    """Print the JSON Schema of goldwatch.yaml, for editors.

    Editors complete and check the file as you type when its first line is
    # yaml-language-server: $schema=goldwatch.schema.json

    \b
    Example:
      goldwatch schema > goldwatch.schema.json
    """  # noqa: D301  # Typer reads the \b
    from service.config.schema import schema

    print(json.dumps(schema(), indent=2, ensure_ascii=False))
