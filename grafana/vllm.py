"""What did the model server do meanwhile? vLLM's own metrics, in a row that is folded until somebody asks.

The names are those of vLLM's V1 engine (https://docs.vllm.ai/en/stable/usage/metrics/). Prometheus must scrape vLLM's
``/metrics``; without it the row is empty and the rest of the dashboard whole.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from grafana.parts import chart

_M = 'model_name=~"$vllm_model"'

_ADAPTERS_SEEN = "time() - max by (running_lora_adapters, waiting_lora_adapters) (vllm:lora_requests_info)"
"""Seconds since vLLM last said that these adapters were in use: the value is a time, and old labels stay."""


def _quantile(metric: str) -> str:
    return (
        f"histogram_quantile(0.95, sum by (le, model_name) (rate({metric}_bucket{{{_M}}}[$__rate_interval])))"
    )


def row() -> dashboard.Row:
    """The row, folded."""
    return (
        dashboard.Row("Model server (vLLM)")
        .collapsed(collapsed=True)
        .with_panel(
            chart(
                "Requests in vLLM",
                "Running and waiting, from all clients. A queue explains latency, not wrong answers.",
                (f"sum by (model_name) (vllm:num_requests_running{{{_M}}})", "{{model_name}} running"),
                (f"sum by (model_name) (vllm:num_requests_waiting{{{_M}}})", "{{model_name}} waiting"),
                low=0,
                span=8,
            )
        )
        .with_panel(
            chart(
                "Adapters in use",
                "LoRA adapters with requests. An adapter that is asked for and never here is not applied.",
                (
                    f"({_ADAPTERS_SEEN} < 120) * 0 + 1",
                    "running {{running_lora_adapters}}, waiting {{waiting_lora_adapters}}",
                ),
                low=0,
                span=8,
            )
        )
        .with_panel(
            chart(
                "KV cache used",
                "Near 100% requests are preempted.",
                (f"max by (model_name) (vllm:kv_cache_usage_perc{{{_M}}})", "{{model_name}}"),
                unit="percentunit",
                low=0,
                high=1,
                span=8,
            )
        )
        .with_panel(
            chart(
                "Time to first token, 95%",
                "From all clients, beside goldwatch's own.",
                (_quantile("vllm:time_to_first_token_seconds"), "{{model_name}}"),
                unit="s",
                low=0,
                span=8,
            )
        )
        .with_panel(
            chart(
                "Whole request, 95%",
                "From all clients, beside goldwatch's own.",
                (_quantile("vllm:e2e_request_latency_seconds"), "{{model_name}}"),
                unit="s",
                low=0,
                span=8,
            )
        )
        .with_panel(
            chart(
                "Finished requests by reason",
                "More 'length' than before: answers are cut off, or no longer end.",
                (
                    f"sum by (finished_reason) (rate(vllm:request_success_total{{{_M}}}[$__rate_interval]))",
                    "{{finished_reason}}",
                ),
                unit="reqps",
                low=0,
                span=8,
            )
        )
    )
