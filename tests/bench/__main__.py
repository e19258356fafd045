"""How fast and how small? Every figure of the promise, as ratios measured side by side in one run.

    python -m tests.bench [NAME...] [--OPTION...]

Each module of this folder with a ``measure()`` is one row of figures: ``(what, figure, goal, met)``. Machines are
noisy, so a figure is the best of a few rounds, and a goal is a ratio to something measured in the same rounds wherever
that can be had. Nothing here is a test: a slow machine must not turn a build red.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Measure what is named, or everything."""
    options = [word for word in sys.argv[1:] if word.startswith("--")]
    named = [word for word in sys.argv[1:] if not word.startswith("--")]
    names = named or sorted(m.name for m in pkgutil.iter_modules([str(HERE)]) if m.name != "__main__")
    print("| what | measured | goal | met |\n|---|---|---|---|")
    for name in names:
        module = importlib.import_module(f"tests.bench.{name}")
        if hasattr(module, "measure"):
            rows = module.measure(options) if options else module.measure()
            for what, figure, goal, met in rows:
                print(f"| {what} | {figure} | {goal} | {'yes' if met else '**no**'} |", flush=True)


if __name__ == "__main__":  # the bench's own processes import this file again
    main()
