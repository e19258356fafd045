"""What happened to one target? Scores with their interval, evidence, slices, latency, spend, deployments, alerts."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard, table, timeseries

from grafana import checks, parts, traffic, vllm
from grafana.parts import BLUE, FLEET, GREEN, GREY, ORANGE, RED, chart, figure, steps

_T = 'target="$target"'
_IDENTITY = "kind, url, model, served_model, fingerprint, server_version, parent"
_TS = 'target="$target", scorer="$scorer"'


def _quantile(share: float, metric: str) -> str:
    inner = f"max by (le) (increase({metric}_bucket{{{_T}}}[$window]))"
    return f"histogram_quantile({share}, {inner})"


def _scores() -> timeseries.Panel:
    change = "max by (target, scorer) (goldwatch_score_change_{}{{" + _TS + "}})"
    baseline = f"max by (target, scorer) (goldwatch_baseline_score_ratio{{{_TS}}})"
    panel = chart(
        "Score: $scorer",
        "The mean score of the last measured run, the baseline, and the 95% interval of the score now. A baseline "
        "outside the interval is what a change looks like; whether it pages is said by the evidence.",
        (f"max by (target, scorer) (goldwatch_score_ratio{{{_TS}}})", "score"),
        (baseline, "baseline"),
        (f"{baseline} + {change.format('lower')}", "interval, lower end"),
        (f"{baseline} + {change.format('upper')}", "interval, upper end"),
        unit="percentunit",
        span=parts.WIDTH,
        height=9,
    ).repeat("scorer")
    panel = parts.style(panel, "score", color=BLUE)
    panel = parts.style(panel, "baseline", color=GREY, lineStyle={"fill": "dash", "dash": [8, 8]})
    panel = parts.style(panel, "interval, lower end", color=BLUE, lineWidth=0)
    return parts.style(
        panel,
        "interval, upper end",
        color=BLUE,
        lineWidth=0,
        fillBelowTo="interval, lower end",
        fillOpacity=15,
    )


def _served() -> table.Panel:
    return parts.listing(
        "What is served",
        "The endpoint as configured, and what it last said it is. What changed at the onset is the likely cause.",
        [(f"max by ({_IDENTITY}) (goldwatch_endpoint_info{{{_T}}})", "")],
        hide=["Value"],
    ).height(4)


def board() -> dashboard.Dashboard:
    """The dashboard *goldwatch: target*."""
    bad = steps((None, GREEN), (1, RED))
    made = (
        parts.start(
            parts.TARGET, "goldwatch: target", "One target: is it as good as it was, and what changed?"
        )
        .with_variable(parts.choice("target", "Target", "label_values(goldwatch_target_info, target)"))
        .with_variable(
            parts.choice("scorer", "Scorer", f"label_values(goldwatch_score_ratio{{{_T}}}, scorer)")
            .multi(multi=True)
            .include_all(include_all=True)
        )
        .with_variable(parts.window())
        .with_variable(
            parts.choice("vllm_model", "vLLM model", "label_values(vllm:num_requests_running, model_name)")
            .multi(multi=True)
            .include_all(include_all=True)
            .all_value(".*")
        )
        .link(
            parts.link(
                "goldwatch", "${goldwatch_url}/targets/${target}", "broken examples, causes, acknowledge"
            )
        )
        .link(parts.link("Fleet", f"/d/{FLEET}", "all targets"))
        .annotation(
            parts.annotation(
                "Alerts",
                f"max by (target, severity) (goldwatch_alerts_firing{{{_T}}}) > 0",
                RED,
                "goldwatch: alert",
                "{{severity}}",
            )
        )
        .annotation(
            parts.annotation(
                "Deployments",
                f"max by (target) (goldwatch_deployment_timestamp_seconds{{{_T}}}) * on (target) group_left (version) "
                f"topk by (target) (1, max by (target, version) (goldwatch_deployment_info{{{_T}}})) * 1000",
                BLUE,
                "deployed",
                "{{version}}",
                at_value=True,
            )
        )
        .with_panel(
            figure(
                "State",
                "Whether a check stands at regressed; held while nothing can be measured.",
                f"max(goldwatch_regressed{{{_T}}})",
                none="learning",
                mappings=[parts.words(_1=("regressed", RED), _0=("not regressed", GREEN))],
            )
        )
        .with_panel(
            figure(
                "Last run",
                "An unmeasured run says nothing about the model.",
                f"max(goldwatch_measured{{{_T}}})",
                none="none",
                mappings=[parts.words(_1=("measured", GREEN), _0=("not measured", ORANGE))],
            )
        )
        .with_panel(
            figure(
                "Highest evidence",
                "1 pages.",
                f"max(goldwatch_evidence{{{_T}}})",
                decimals=2,
                thresholds=bad,
                none="learning",
            )
        )
        .with_panel(
            figure(
                "Measured before",
                "How old the figures here are.",
                f"time() - max(goldwatch_last_measured_timestamp_seconds{{{_T}}})",
                unit="s",
                none="never",
            )
        )
        .with_panel(
            figure(
                "Next run in",
                "By the schedule.",
                f"max(goldwatch_next_run_timestamp_seconds{{{_T}}}) - time()",
                unit="s",
            )
        )
        .with_panel(
            figure(
                "Alerts firing",
                "That goldwatch keeps for this target.",
                f"sum(max by (severity) (goldwatch_alerts_firing{{{_T}}}))",
                thresholds=bad,
            )
        )
        .with_panel(_scores())
        .with_panel(
            parts.line_at(
                chart(
                    "Evidence by check",
                    "How sure each check is, relative to what pages.",
                    (f"max by (check) (goldwatch_evidence{{{_T}}})", "{{check}}"),
                    low=0,
                ),
                1,
            )
        )
        .with_panel(
            chart(
                "Checks that stand at regressed",
                "1 from the confirmed regression until it is over.",
                (f"max by (check) (goldwatch_regressed{{{_T}}})", "{{check}}"),
                low=0,
                high=1,
            )
        )
        .with_panel(
            parts.bars(
                "Slices: change against the baseline, worst first",
                "The slices that tell most, in the last measured run.",
                f"sort(max by (scorer, slice) (goldwatch_slice_score_change{{{_T}}}))",
                "{{scorer}} {{slice}}",
                unit="percentunit",
            ).thresholds(steps((None, RED), (-0.05, ORANGE), (0, GREEN)))
        )
        .with_panel(
            chart(
                "Slices: score",
                "The same slices over time.",
                (f"max by (scorer, slice) (goldwatch_slice_score_ratio{{{_T}}})", "{{scorer}} {{slice}}"),
                unit="percentunit",
                high=1,
            )
        )
        .with_panel(
            chart(
                "Format failures: examples that could not be scored",
                "Prose where there was a label, a fence round the JSON.",
                (f"max by (scorer) (goldwatch_unscored_ratio{{{_T}}})", "{{scorer}}"),
                unit="percentunit",
                low=0,
            )
        )
        .with_panel(
            chart(
                "Requests",
                "Answered, failed and retried, over the time chosen above.",
                (f"max by (outcome) (increase(goldwatch_requests_total{{{_T}}}[$window]))", "{{outcome}}"),
                low=0,
            )
        )
        .with_panel(
            chart(
                "Latency",
                "Of answered requests, over the time chosen above.",
                (_quantile(0.5, "goldwatch_request_duration_seconds"), "median"),
                (_quantile(0.95, "goldwatch_request_duration_seconds"), "95%"),
                unit="s",
                low=0,
            )
        )
        .with_panel(
            chart(
                "Time to first token",
                "Of streamed answers, over the time chosen above.",
                (_quantile(0.5, "goldwatch_time_to_first_token_seconds"), "median"),
                (_quantile(0.95, "goldwatch_time_to_first_token_seconds"), "95%"),
                unit="s",
                low=0,
            )
        )
        .with_panel(
            chart(
                "Tokens",
                "Over the time chosen above.",
                (f"max by (direction) (increase(goldwatch_tokens_total{{{_T}}}[$window]))", "{{direction}}"),
                low=0,
                span=8,
            )
        )
        .with_panel(
            chart(
                "Cost",
                "US dollars over the time chosen above.",
                (f"max(increase(goldwatch_cost_usd_total{{{_T}}}[$window]))", "cost"),
                unit="currencyUSD",
                low=0,
                span=8,
            )
        )
        .with_panel(
            chart(
                "Limits used and time taken",
                "Share of the UTC day's limits, and of the interval that a run takes.",
                (f"max by (limit) (goldwatch_limit_used_ratio{{{_T}}})", "{{limit}}"),
                (
                    f"max(goldwatch_run_duration_seconds{{{_T}}}) / max(goldwatch_run_interval_seconds{{{_T}}})",
                    "run / interval",
                ),
                unit="percentunit",
                low=0,
                span=8,
            )
        )
        .with_panel(_served())
    )
    for panel in checks.panels():
        made = made.with_panel(panel)
    return made.with_row(traffic.row()).with_row(vllm.row())
