"""Which target needs a look? All targets at a glance, worst first: evidence, freshness, spend."""

from __future__ import annotations

from grafana_foundation_sdk.builders import common, dashboard, table

from grafana import parts
from grafana.parts import BLUE, GREEN, GREY, ORANGE, RED, TARGET, chart, figure, steps

_STATE = """\
max by (target) (goldwatch_regressed) * 2
or max by (target) (goldwatch_target_info) * 0"""

_LINKS = [
    {
        "title": "Open ${__data.fields.target}",
        "url": f"/d/{TARGET}?var-target=${{__data.fields.target}}&${{__url_time_range}}",
    },
    {
        "title": "goldwatch's own page",
        "url": "${goldwatch_url}/targets/${__data.fields.target}",
        "targetBlank": True,
    },
]


def _targets() -> table.Panel:
    """The table of targets."""
    panel = parts.listing(
        "Targets, worst first",
        "Each target with what its last measured run says. Evidence 1 pages. A regression is held while nothing can be "
        "measured; old figures say nothing of now.",
        [
            (_STATE, "State"),
            ("max by (target) (goldwatch_evidence)", "Evidence"),
            ("min by (target) (goldwatch_score_ratio)", "Lowest score"),
            ("min by (target) (goldwatch_score_change)", "Worst change"),
            ("max by (target) (goldwatch_measured)", "Last run"),
            ("time() - max by (target) (goldwatch_last_measured_timestamp_seconds)", "Measured before"),
            ("max by (target) (goldwatch_next_run_timestamp_seconds) - time()", "Next run in"),
            ("sum by (target) (max by (target, severity) (goldwatch_alerts_firing))", "Alerts"),
            ("max by (target) (increase(goldwatch_cost_usd_total[30d]))", "Cost of 30 days"),
        ],
    )
    panel = panel.sort_by(
        [
            common.TableSortByFieldState().display_name("State").desc(desc=True),
            common.TableSortByFieldState().display_name("Evidence").desc(desc=True),
        ]
    )
    coloured = {"type": "color-text"}
    state = parts.words(_2=("regressed", RED), _0=("no regression known", GREEN))
    measured = parts.words(_1=("measured", GREEN), _0=("not measured", ORANGE))
    evidence = {"mode": "absolute", "steps": [{"color": GREY, "value": None}, {"color": RED, "value": 1}]}
    columns: dict[str, dict[str, object]] = {
        "target": {"links": _LINKS},
        "State": {"mappings": [state], "custom__cellOptions": coloured},
        "Evidence": {"decimals": 2, "thresholds": evidence, "custom__cellOptions": coloured},
        "Lowest score": {"unit": "percentunit", "decimals": 1},
        "Worst change": {"unit": "percentunit", "decimals": 1},
        "Last run": {"mappings": [measured], "custom__cellOptions": coloured},
        "Measured before": {"unit": "s"},
        "Next run in": {"unit": "s"},
        "Cost of 30 days": {"unit": "currencyUSD", "decimals": 2},
    }
    for name, properties in columns.items():
        panel = parts.column(panel, name, **properties)
    return panel


def board() -> dashboard.Dashboard:
    """The dashboard *goldwatch: fleet*."""
    bad = steps((None, GREEN), (1, RED))
    warn = steps((None, GREEN), (1, ORANGE))
    evidence = parts.line_at(
        chart(
            "Evidence",
            "How sure goldwatch is of a change, relative to what pages. The ten highest targets.",
            ("topk(10, max by (target) (goldwatch_evidence))", "{{target}}"),
            low=0,
        ),
        1,
    )
    return (
        parts.start(parts.FLEET, "goldwatch: fleet", "All targets at a glance, worst first.")
        .with_variable(parts.window())
        .link(parts.link("goldwatch", "${goldwatch_url}/", "goldwatch's own pages"))
        .annotation(
            parts.annotation(
                "Alerts",
                "max by (target, severity) (goldwatch_alerts_firing) > 0",
                RED,
                "{{target}}",
                "{{severity}}",
            )
        )
        .annotation(
            parts.annotation(
                "Deployments",
                "max by (target) (goldwatch_deployment_timestamp_seconds) * on (target) group_left (version) "
                "topk by (target) (1, max by (target, version) (goldwatch_deployment_info)) * 1000",
                BLUE,
                "{{target}}",
                "{{version}}",
                at_value=True,
            )
        )
        .with_panel(
            figure(
                "Regressed",
                "Targets with a check that stands at regressed.",
                "count(max by (target) (goldwatch_regressed) == 1) or vector(0)",
                thresholds=bad,
            )
        )
        .with_panel(
            figure(
                "Not measured",
                "Targets whose last run could not be measured. They are not regressed; nobody knows.",
                "count(max by (target) (goldwatch_measured) == 0) or vector(0)",
                thresholds=warn,
            )
        )
        .with_panel(
            figure(
                "Targets",
                "All that are watched.",
                "count(max by (target) (goldwatch_target_info))",
            )
        )
        .with_panel(
            figure(
                "Alerts firing",
                "Regressions and outages that goldwatch keeps as alerts.",
                "sum(max by (target, severity) (goldwatch_alerts_firing))",
                thresholds=bad,
            )
        )
        .with_panel(
            figure(
                "Spent",
                "By all targets, over the time chosen above.",
                "sum(max by (target) (increase(goldwatch_cost_usd_total[$window])))",
                unit="currencyUSD",
                decimals=2,
                none="no prices",
            )
        )
        .with_panel(
            figure(
                "Configuration",
                "Whether the newest configuration is in force everywhere.",
                "min(goldwatch_config_last_reload_successful)",
                mappings=[parts.words(_1=("in force", GREEN), _0=("refused", RED))],
            )
        )
        .with_panel(_targets())
        .with_panel(evidence)
        .with_panel(
            chart(
                "Age of the newest measurement",
                "Rises while a target cannot be measured or is not run.",
                (
                    "topk(10, time() - max by (target) (goldwatch_last_measured_timestamp_seconds))",
                    "{{target}}",
                ),
                unit="s",
                low=0,
            )
        )
        .with_panel(
            chart(
                "Lowest score",
                "The lowest of each target's scorers.",
                ("bottomk(10, min by (target) (goldwatch_score_ratio))", "{{target}}"),
                unit="percentunit",
                high=1,
            )
        )
        .with_panel(
            chart(
                "Runs by verdict",
                "Over the time chosen above.",
                (
                    "sum by (verdict) (max by (target, verdict) (increase(goldwatch_runs_total[$window])))",
                    "{{verdict}}",
                ),
                low=0,
            )
        )
        .with_panel(
            chart(
                "Spent by target",
                "US dollars, over the time chosen above.",
                ("topk(10, max by (target) (increase(goldwatch_cost_usd_total[$window])))", "{{target}}"),
                unit="currencyUSD",
                low=0,
                span=8,
            )
        )
        .with_panel(
            parts.line_at(
                chart(
                    "Limits used",
                    "Share of the UTC day's limits. At 100% a target is no longer measured until midnight.",
                    ("topk(10, max by (target, limit) (goldwatch_limit_used_ratio))", "{{target}} {{limit}}"),
                    unit="percentunit",
                    low=0,
                    span=8,
                ),
                0.9,
                ORANGE,
            )
        )
        .with_panel(
            chart(
                "Messages",
                "Delivery attempts by notifier and outcome, over the time chosen above.",
                (
                    "max by (notifier, outcome) (increase(goldwatch_notifications_total[$window]))",
                    "{{notifier}} {{outcome}}",
                ),
                low=0,
                span=8,
            )
        )
    )
