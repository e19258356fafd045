"""What does Prometheus see? The page of the metrics."""

from __future__ import annotations

from service.metrics import NAMES, families
from service.reference.markdown import join, table

_INTRO = """\
The daemon exports these on `/metrics`. The names are public and change only with a major version. Durations are
seconds, `_ratio` lies in 0..1, `_total` only rises. What is unknown is absent, never 0. Every replica exports the
same values from the store, so rules and dashboards take `max by (...)`.

```promql
max by (target, scorer) (goldwatch_score_ratio)
```"""

_BESIDES = """\
`goldwatch_target_info` has the target's own `labels` besides. A histogram has the series `_bucket`, `_sum` and
`_count`."""


def page() -> str:
    """The page as Markdown."""
    rows = [
        (f"`{name}`", family.type, ", ".join(f"`{label}`" for label in NAMES[name]), family.documentation)
        for name, family in families().items()
    ]
    return join(
        [
            "# Metrics",
            _INTRO,
            table(("Name", "Type", "Labels", "What it says"), rows),
            _BESIDES,
        ]
    )
