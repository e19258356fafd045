"""``python -m service.reference FOLDER``: write the reference pages to a folder."""

from __future__ import annotations

import sys
from pathlib import Path

from service.reference import REWRITE, pages


def main(arguments: list[str]) -> int:
    """Write every page whose text has changed and name it; returns the exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(f"usage: {REWRITE}", file=sys.stderr)  # noqa: T201  # this is a command
        return 2
    folder = Path(arguments[0])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages().items():
            file = folder / name
            if not file.exists() or file.read_text("utf-8") != text:
                file.write_text(text, encoding="utf-8")
                print(f"wrote {file}")  # noqa: T201
    except OSError as error:
        print(f"{error.filename or folder} cannot be written: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
