"""What do the checks measure in units of their own? The base model, new wording, newer knowledge, worth, retirement."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries

from grafana import parts
from grafana.parts import GREEN, GREY, ORANGE, RED, chart, figure, steps

_T = 'target="$target"'


def panels() -> list[timeseries.Panel | stat.Panel]:
    """Panels for the end of the target's dashboard; those of checks that a target does not have stay empty."""
    return [
        parts.line_at(
            chart(
                "Promises: measured over promised",
                "Check promises: above 1 a run did not keep it; it pages where that goes on.",
                (f"max by (promise) (goldwatch_promise_used_ratio{{{_T}}})", "{{promise}}"),
                low=0,
                span=8,
            ),
            1,
        ),
        chart(
            "Cost of a request",
            "US dollars, in the last measured run.",
            (f"max(goldwatch_request_cost_usd{{{_T}}})", "a request"),
            unit="currencyUSD",
            low=0,
            span=8,
        ),
        chart(
            "Examples by outcome",
            "Passed, failed and unscored over the time chosen above, by scorer: what SLO tools count.",
            (
                f"max by (scorer, outcome) (increase(goldwatch_examples_total{{{_T}}}[$window]))",
                "{{scorer}} {{outcome}}",
            ),
            low=0,
            span=8,
        ),
        _with_usual(
            "Answers that are the base model's",
            "Check adapter_applied: nearly all of them, and the adapter is not applied. Needs reference.",
            "base_model_alike_ratio",
            unit="percentunit",
        ),
        _with_usual(
            "Shift of first tokens",
            "Check identity, in nats: another quantisation, server or model. Needs logprobs.",
            "first_token_shift_nats",
            unit="short",
        ),
        _with_usual(
            "Border prompts that begin otherwise",
            "Check identity without log-probabilities: the share of prompts on the fence whose first token is another.",
            "border_prompts_changed_ratio",
            unit="percentunit",
        ),
        chart(
            "New wording against the wording trained on",
            "Check generalization: below 0 new wording is answered worse; a gap that widens pages.",
            (
                f"max by (scorer, compared) (goldwatch_generalization_difference{{{_T}}})",
                "{{scorer}} {{compared}}",
            ),
            unit="percentunit",
            span=8,
        ),
        chart(
            "Newer knowledge, change per quarter of a year",
            "Check staleness: below 0 newer knowledge is answered worse. It pages nobody.",
            (f"max by (scorer) (goldwatch_staleness_change{{{_T}}})", "{{scorer}}"),
            unit="percentunit",
            span=8,
        ),
        chart(
            "Agreement of judges with people",
            "On the anchors, beyond chance: 1 fully, 0 as chance would, with the 95% interval of AC1. A judge that "
            "changed says nothing about the model.",
            (
                f"max by (scorer, coefficient) (goldwatch_judge_agreement{{{_T}}})",
                "{{scorer}} {{coefficient}}",
            ),
            (
                f'max by (scorer) (goldwatch_judge_agreement_lower{{{_T}, coefficient="ac1"}})',
                "{{scorer}} ac1, lower end",
            ),
            (
                f'max by (scorer) (goldwatch_judge_agreement_upper{{{_T}, coefficient="ac1"}})',
                "{{scorer}} ac1, upper end",
            ),
            span=8,
        ),
        _worth().span(16),
        figure(
            "Still pays?",
            "Beside its challengers: goldwatch report says why.",
            f"max(goldwatch_worth_pays{{{_T}}})",
            none="undecided",
            mappings=[parts.words(_1=("pays", GREEN), _0=("no longer", ORANGE))],
        ).height(8),
        figure(
            "Model retires in",
            "By retires_on, else by what the provider's model list says.",
            f"max(goldwatch_model_retirement_timestamp_seconds{{{_T}}}) - time()",
            unit="s",
            none="no date",
            thresholds=steps((None, RED), (7 * 86_400, ORANGE), (90 * 86_400, GREEN)),
        ).height(8),
    ]


def _with_usual(title: str, description: str, name: str, *, unit: str) -> timeseries.Panel:
    panel = chart(
        title,
        description,
        (f"max(goldwatch_{name}{{{_T}}})", "now"),
        (f"max(goldwatch_baseline_{name}{{{_T}}})", "usual"),
        unit=unit,
        low=0,
        span=8,
    )
    return parts.style(panel, "usual", color=GREY, lineStyle={"fill": "dash", "dash": [8, 8]})


def _worth() -> timeseries.Panel:
    difference = "max by (challenger) (goldwatch_worth_difference{}{{" + _T + "}})"
    return chart(
        "Fine-tune minus challenger",
        "The difference of the mean scores over all comparisons so far, with its 95% interval.",
        (difference.format(""), "{{challenger}}"),
        (difference.format("_lower"), "{{challenger}}, lower end"),
        (difference.format("_upper"), "{{challenger}}, upper end"),
        unit="percentunit",
    )
