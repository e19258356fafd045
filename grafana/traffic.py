"""What does production ask and get? The row of panels about a target's traffic; empty where it is not watched."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from grafana import parts
from grafana.parts import chart

_T = 'target="$target"'


def row() -> dashboard.Row:
    """A collapsed row."""
    debt = f"max(goldwatch_traffic_coverage_debt{{}}_ratio{{{{{_T}}}}})"
    return (
        dashboard.Row("Production traffic")
        .collapsed(collapsed=True)
        .with_panel(
            parts.line_at(
                chart(
                    "Evidence that the traffic moved",
                    "The world, not the model: 1 is told.",
                    (f"max(goldwatch_traffic_evidence{{{_T}}})", "evidence"),
                    (f"max(goldwatch_traffic_moved{{{_T}}})", "told"),
                    low=0,
                    span=8,
                ),
                1,
            )
        )
        .with_panel(
            chart(
                "Coverage debt",
                "The share of a week's samples that no golden example represents, with its 95% interval; 5% is usual.",
                (debt.format(""), "debt"),
                (debt.format("_lower"), "lower end"),
                (debt.format("_upper"), "upper end"),
                unit="percentunit",
                low=0,
                span=8,
            )
        )
        .with_panel(
            chart(
                "Unreadable answers and refusals in production",
                "Of a week's answers.",
                (f"max(goldwatch_traffic_malformed_ratio{{{_T}}})", "unreadable"),
                (f"max(goldwatch_traffic_refusal_ratio{{{_T}}})", "refusals"),
                unit="percentunit",
                low=0,
                span=8,
            )
        )
        .with_panel(
            chart(
                "Samples",
                "By outcome, over the time chosen above.",
                (
                    f"max by (outcome) (increase(goldwatch_traffic_samples_total{{{_T}}}[$window]))",
                    "{{outcome}}",
                ),
                low=0,
            )
        )
        .with_panel(
            chart(
                "Age of the newest sample",
                "Rises while nothing is heard of production.",
                (f"time() - max(goldwatch_traffic_last_sample_timestamp_seconds{{{_T}}})", "age"),
                unit="s",
                low=0,
            )
        )
    )
