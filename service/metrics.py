"""What does Prometheus see? A collector that reads the store at each scrape.

Every replica exports the same values, since they all come from the store: rules and dashboards use
``max by (...)``. What is unknown is absent, never 0 and never NaN. Scores and findings are those of the
last run that could be measured; ``goldwatch_measured`` says whether that was the last run. The names
are public; :data:`NAMES` lists them with their labels.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from checks.types import ALL, FloatArray, ScoreSummary, Verdict
from service import __version__
from service.facts import Facts, TargetFacts, WorthFacts
from service.metrics_findings import Row, of_findings, of_judges
from service.records import (
    DeploymentMark,
    Histogram,
    MetricsSnapshot,
    RunRecord,
    TargetMetrics,
    TrafficRecord,
    TrafficWindow,
)
from service.retirement import listed_at, retirement
from service.traffic.view import TrafficView, view

Value = tuple[Sequence[str], float]
DAY_S = 86_400.0

NAMES: Mapping[str, tuple[str, ...]] = {
    "goldwatch_runs_total": ("target", "verdict"),
    "goldwatch_last_run_timestamp_seconds": ("target",),
    "goldwatch_last_measured_timestamp_seconds": ("target",),
    "goldwatch_run_interval_seconds": ("target",),
    "goldwatch_run_duration_seconds": ("target",),
    "goldwatch_next_run_timestamp_seconds": ("target",),
    "goldwatch_measured": ("target",),
    "goldwatch_requests_total": ("target", "outcome"),
    "goldwatch_request_duration_seconds": ("target",),
    "goldwatch_time_to_first_token_seconds": ("target",),
    "goldwatch_tokens_total": ("target", "direction"),
    "goldwatch_cost_usd_total": ("target",),
    "goldwatch_limit_used_ratio": ("target", "limit"),
    "goldwatch_request_cost_usd": ("target",),
    "goldwatch_promise_used_ratio": ("target", "promise"),
    "goldwatch_examples_total": ("target", "scorer", "outcome"),
    "goldwatch_score_ratio": ("target", "scorer"),
    "goldwatch_baseline_score_ratio": ("target", "scorer"),
    "goldwatch_unscored_ratio": ("target", "scorer"),
    "goldwatch_score_change": ("target", "scorer"),
    "goldwatch_score_change_lower": ("target", "scorer"),
    "goldwatch_score_change_upper": ("target", "scorer"),
    "goldwatch_slice_score_ratio": ("target", "scorer", "slice"),
    "goldwatch_slice_score_change": ("target", "scorer", "slice"),
    "goldwatch_evidence": ("target", "check"),
    "goldwatch_regressed": ("target", "check"),
    "goldwatch_generalization_difference": ("target", "scorer", "compared"),
    "goldwatch_staleness_change": ("target", "scorer"),
    "goldwatch_base_model_alike_ratio": ("target",),
    "goldwatch_baseline_base_model_alike_ratio": ("target",),
    "goldwatch_first_token_shift_nats": ("target",),
    "goldwatch_baseline_first_token_shift_nats": ("target",),
    "goldwatch_border_prompts_changed_ratio": ("target",),
    "goldwatch_baseline_border_prompts_changed_ratio": ("target",),
    "goldwatch_judge_agreement": ("target", "scorer", "coefficient"),
    "goldwatch_judge_agreement_lower": ("target", "scorer", "coefficient"),
    "goldwatch_judge_agreement_upper": ("target", "scorer", "coefficient"),
    "goldwatch_worth_pays": ("target",),
    "goldwatch_worth_difference": ("target", "challenger"),
    "goldwatch_worth_difference_lower": ("target", "challenger"),
    "goldwatch_worth_difference_upper": ("target", "challenger"),
    "goldwatch_worth_compared_timestamp_seconds": ("target", "challenger"),
    "goldwatch_deployment_timestamp_seconds": ("target",),
    "goldwatch_deployment_info": ("target", "version"),
    "goldwatch_model_retirement_timestamp_seconds": ("target",),
    "goldwatch_traffic_samples_total": ("target", "outcome"),
    "goldwatch_traffic_last_sample_timestamp_seconds": ("target",),
    "goldwatch_traffic_coverage_debt_ratio": ("target",),
    "goldwatch_traffic_coverage_debt_lower_ratio": ("target",),
    "goldwatch_traffic_coverage_debt_upper_ratio": ("target",),
    "goldwatch_traffic_malformed_ratio": ("target",),
    "goldwatch_traffic_refusal_ratio": ("target",),
    "goldwatch_traffic_evidence": ("target",),
    "goldwatch_traffic_moved": ("target",),
    "goldwatch_target_info": ("target", "severity", "pager"),
    "goldwatch_golden_info": ("target", "digest", "version"),
    "goldwatch_endpoint_info": (
        "target", "kind", "url", "model", "served_model", "fingerprint", "server_version", "parent",
    ),
    "goldwatch_build_info": ("version", "python_version"),
    "goldwatch_web_info": ("url",),
    "goldwatch_alerts_firing": ("target", "severity"),
    "goldwatch_notifications_total": ("notifier", "outcome"),
    "goldwatch_config_last_reload_successful": (),
}  # fmt: skip
"""Every exported name with its labels; ``goldwatch_target_info`` has the targets' own labels besides."""

_HELP = {
    "goldwatch_runs_total": "Finished runs by verdict.",
    "goldwatch_last_run_timestamp_seconds": "When the last run ended, measured or not.",
    "goldwatch_last_measured_timestamp_seconds": "When the last run that could be measured ended.",
    "goldwatch_run_interval_seconds": "The time between runs; for a cron the longest around now.",
    "goldwatch_run_duration_seconds": "How long the last run took.",
    "goldwatch_next_run_timestamp_seconds": "When the next run is due.",
    "goldwatch_measured": "1 if the last run could be measured, 0 if not.",
    "goldwatch_requests_total": "Examples that were asked by outcome (ok, failed); extra ones as retried.",
    "goldwatch_request_duration_seconds": "How long answered requests took.",
    "goldwatch_time_to_first_token_seconds": "Time to the first token of streamed answers.",
    "goldwatch_tokens_total": "Tokens by direction (input, output).",
    "goldwatch_cost_usd_total": "What the tokens cost, in US dollars.",
    "goldwatch_request_cost_usd": "What an answered request cost in the last measured run, US dollars.",
    "goldwatch_promise_used_ratio": "What was measured over what is promised, in the last measured run: above 1 it was "
    "not kept.",
    "goldwatch_examples_total": "Examples by outcome (passed: at least one half, failed, unscored).",
    "goldwatch_limit_used_ratio": "Share of a limit of the UTC day that ended runs have used.",
    "goldwatch_score_ratio": "Mean score over the golden set in the last measured run.",
    "goldwatch_baseline_score_ratio": "Mean score over the golden set in the baseline.",
    "goldwatch_unscored_ratio": "Share of examples that could not be scored in the last measured run.",
    "goldwatch_score_change": "Mean score now minus the baseline's.",
    "goldwatch_score_change_lower": "Lower end of the 95% interval of the change.",
    "goldwatch_score_change_upper": "Upper end of the 95% interval of the change.",
    "goldwatch_slice_score_ratio": "Mean score of a slice in the last measured run; the most telling slices.",
    "goldwatch_slice_score_change": "Mean score of a slice minus the baseline's; the most telling slices.",
    "goldwatch_evidence": "Evidence of a change relative to the paging threshold: 1 pages.",
    "goldwatch_regressed": "1 if the check finds a regression, 0 if not; held while nothing can be measured.",
    "goldwatch_generalization_difference": "Mean score of new wording minus that of the wording trained on.",
    "goldwatch_staleness_change": "Change of the score per quarter of a year that knowledge is newer.",
    "goldwatch_base_model_alike_ratio": "Share of answers that are the base model's (reference) to the letter.",
    "goldwatch_baseline_base_model_alike_ratio": "The same share in the baseline.",
    "goldwatch_first_token_shift_nats": "How far the log-probabilities of first tokens moved, in the mean (logprobs).",
    "goldwatch_baseline_first_token_shift_nats": "How far they usually move.",
    "goldwatch_border_prompts_changed_ratio": "Share of border prompts (identity) that begin with another token.",
    "goldwatch_baseline_border_prompts_changed_ratio": "The same share in the baseline.",
    "goldwatch_judge_agreement": "How well the judge agrees with people on its anchors beyond chance (ac1, kappa), in "
    "the last measured run: 1 fully, 0 as chance would.",
    "goldwatch_judge_agreement_lower": "Lower end of its 95% interval.",
    "goldwatch_judge_agreement_upper": "Upper end of its 95% interval.",
    "goldwatch_worth_pays": "1 if the fine-tune pays beside its challengers, 0 if no longer; absent while undecided.",
    "goldwatch_worth_difference": "Mean score of the fine-tune minus that of a challenger.",
    "goldwatch_worth_difference_lower": "Lower end of its 95% interval.",
    "goldwatch_worth_difference_upper": "Upper end of its 95% interval.",
    "goldwatch_worth_compared_timestamp_seconds": "When the challenger was last asked.",
    "goldwatch_deployment_timestamp_seconds": "When the newest deployment was marked.",
    "goldwatch_deployment_info": "The version that the newest deployment mark names.",
    "goldwatch_model_retirement_timestamp_seconds": "When the model is switched off (retires_on, else what the "
    "provider's model list says).",
    "goldwatch_traffic_samples_total": "Samples of production by outcome (counted, rejected, own: goldwatch's own).",
    "goldwatch_traffic_last_sample_timestamp_seconds": "When the newest sample of production was asked.",
    "goldwatch_traffic_coverage_debt_ratio": "Share of a week's samples that no golden example represents.",
    "goldwatch_traffic_coverage_debt_lower_ratio": "Lower end of its 95% interval.",
    "goldwatch_traffic_coverage_debt_upper_ratio": "Upper end of its 95% interval.",
    "goldwatch_traffic_malformed_ratio": "Share of a week's answers that cannot be read in the expected form.",
    "goldwatch_traffic_refusal_ratio": "Share of a week's answers that refuse.",
    "goldwatch_traffic_evidence": "Evidence that the traffic moved, relative to the threshold: 1 pages.",
    "goldwatch_traffic_moved": "1 while a page stands that the traffic moved, 0 if not; says nothing of the model.",
    "goldwatch_target_info": "The target's labels, and the side that pages for it.",
    "goldwatch_golden_info": "The golden set that the last run replayed.",
    "goldwatch_endpoint_info": "The endpoint as configured, and what it last said it is.",
    "goldwatch_build_info": "The version of goldwatch.",
    "goldwatch_web_info": "Where people reach the pages (web.external_url).",
    "goldwatch_alerts_firing": "Alerts that are firing.",
    "goldwatch_notifications_total": "Delivery attempts by outcome (sent, retried, failed: given up).",
    "goldwatch_config_last_reload_successful": "1 if the newest configuration is in force, 0 if refused.",
}


class Source(Protocol):
    """What the collector reads."""

    def metrics_snapshot(self) -> MetricsSnapshot:
        """Totals and newest runs, of one moment."""

    def newest_marks(self) -> Mapping[str, DeploymentMark]:
        """The newest deployment mark of each target that has one."""

    def spent_since(self, target: str, at: float, /) -> tuple[int, float]:
        """Tokens and US dollars of the runs that ended since ``at``."""

    def judged(self, run_id: int) -> Mapping[str, FloatArray]:
        """What was seen of the judges in a finished run."""

    def traffic(self, target: str) -> TrafficRecord | None:
        """How the watch over a target's traffic stands."""

    def traffic_windows(self, target: str, *, first: int = 1, most: int | None = None) -> list[TrafficWindow]:
        """The windows of its traffic that ended, oldest first."""


class GoldwatchCollector(Collector):
    """The contract's metrics, from the store and the daemon's facts."""

    def __init__(self, store: Source, facts: Facts) -> None:
        self._store, self._facts = store, facts

    def describe(self) -> Iterable[Metric]:
        """The names without a read of the store, so that registering needs none."""
        return list(families().values())

    def collect(self) -> Iterator[Metric]:
        """One scrape: one read of the store, then every family that has a value."""
        snapshot = self._store.metrics_snapshot()
        targets = [
            (facts, snapshot.targets.get(facts.name, TargetMetrics(facts.name, None, None)))
            for facts in self._facts.targets()
        ]
        values: dict[str, list[Value]] = {name: [] for name in NAMES}
        marks = self._store.newest_marks()
        for facts, target in targets:
            for name, labels, value in (
                *_of_target(facts, target, self._facts.slices),
                *_of_mark(marks.get(facts.name)),
                *self._of_limits(facts),
                *self._of_judges(target),
                *self._of_traffic(facts),
                *_of_worth(self._facts.worth(facts.name)),
            ):
                values[name].append(((facts.name, *labels), value))
            if (next_at := self._facts.next_run_at(facts.name)) is not None:
                values["goldwatch_next_run_timestamp_seconds"].append(((facts.name,), next_at))
        values["goldwatch_build_info"].append(((__version__, platform.python_version()), 1))
        if self._facts.external_url is not None:
            values["goldwatch_web_info"].append(((self._facts.external_url.rstrip("/"),), 1))
        values["goldwatch_notifications_total"] += sorted(snapshot.notifications.items())
        if (reloaded := self._facts.reload_successful()) is not None:
            values["goldwatch_config_last_reload_successful"].append(((), float(reloaded)))
        for name in NAMES:
            family = _family(name)
            if isinstance(family, HistogramMetricFamily):
                _fill_histogram(family, name, targets)
            elif name == "goldwatch_target_info":
                family = _target_info([facts for facts, _ in targets])
            else:
                for labels, value in values[name]:
                    family.add_metric(labels, value)
            if family.samples:
                yield family

    def _of_judges(self, target: TargetMetrics) -> Iterator[Row]:
        run = target.last_measured
        if run is not None and any(finding.check == "judge_drift" for finding in run.findings):
            yield from of_judges(self._store.judged(run.id))

    def _of_traffic(self, facts: TargetFacts) -> Iterator[Row]:
        if facts.traffic_window_s is None:
            return
        found = view(self._store, facts.name, facts.traffic_window_s)
        if found is not None:
            yield from _of_traffic(found)

    def _of_limits(self, facts: TargetFacts) -> Iterator[Row]:
        if facts.tokens_per_day is None and facts.usd_per_day is None:
            return
        now = self._facts.now()
        tokens, usd = self._store.spent_since(facts.name, now - now % DAY_S)
        if facts.tokens_per_day is not None:
            yield "goldwatch_limit_used_ratio", ("tokens_per_day",), tokens / facts.tokens_per_day
        if facts.usd_per_day is not None:
            yield "goldwatch_limit_used_ratio", ("usd_per_day",), usd / facts.usd_per_day


def _of_worth(found: WorthFacts | None) -> Iterator[Row]:
    if found is None:
        return
    if found.standing != "undecided":
        yield "goldwatch_worth_pays", (), float(found.standing == "pays")
    for one in found.besides:
        if one.effect is not None:
            yield "goldwatch_worth_difference", (one.challenger,), one.effect
        if one.interval is not None:
            yield "goldwatch_worth_difference_lower", (one.challenger,), one.interval[0]
            yield "goldwatch_worth_difference_upper", (one.challenger,), one.interval[1]
        if one.compared_at is not None:
            yield "goldwatch_worth_compared_timestamp_seconds", (one.challenger,), one.compared_at


def _of_traffic(found: TrafficView) -> Iterator[Row]:
    for outcome, count in (("counted", found.samples), ("own", found.own), ("rejected", found.rejected)):
        yield "goldwatch_traffic_samples_total", (outcome,), count
    known = {
        "goldwatch_traffic_last_sample_timestamp_seconds": found.last_at,
        "goldwatch_traffic_malformed_ratio": found.malformed_ratio,
        "goldwatch_traffic_refusal_ratio": found.refusal_ratio,
        "goldwatch_traffic_evidence": found.evidence,
        "goldwatch_traffic_moved": None if found.learning else float(bool(found.moved)),
    }
    if (owed := found.debt) is not None:
        known["goldwatch_traffic_coverage_debt_ratio"] = owed.ratio
        if owed.interval is not None:
            known["goldwatch_traffic_coverage_debt_lower_ratio"] = owed.interval[0]
            known["goldwatch_traffic_coverage_debt_upper_ratio"] = owed.interval[1]
    for name, value in known.items():
        if value is not None:
            yield name, (), value


def registry(store: Source, facts: Facts) -> CollectorRegistry:
    """A fresh registry that holds goldwatch's metrics and nothing else."""
    made = CollectorRegistry(auto_describe=False)
    made.register(GoldwatchCollector(store, facts))
    return made


def families() -> Mapping[str, Metric]:
    """Every exported name with its empty family: type, help and labels, in the order of :data:`NAMES`."""
    return {name: _family(name) for name in NAMES}


def _family(name: str) -> Any:
    labels = NAMES[name]
    if name in ("goldwatch_request_duration_seconds", "goldwatch_time_to_first_token_seconds"):
        return HistogramMetricFamily(name, _HELP[name], labels=labels)
    if name.endswith("_total"):
        return CounterMetricFamily(name, _HELP[name], labels=labels)
    return GaugeMetricFamily(name, _HELP[name], labels=labels)


def _of_target(facts: TargetFacts, target: TargetMetrics, slices: int) -> Iterator[Row]:
    for verdict, count in sorted(target.runs.items()):
        yield "goldwatch_runs_total", (verdict,), count
    for outcome, count in sorted(target.requests.items()):
        yield "goldwatch_requests_total", (outcome,), count
    for direction, count in sorted(target.tokens.items()):
        yield "goldwatch_tokens_total", (direction,), count
    for scorer, outcomes in sorted(target.examples.items()):
        for outcome, count in sorted(outcomes.items()):
            yield "goldwatch_examples_total", (scorer, outcome), count
    if target.cost_usd is not None:
        yield "goldwatch_cost_usd_total", (), target.cost_usd
    if facts.interval_s is not None:
        yield "goldwatch_run_interval_seconds", (), facts.interval_s
    if (leaves := retirement(facts.retires_on, listed_at(target.last_run, target.last_measured))) is not None:
        yield "goldwatch_model_retirement_timestamp_seconds", (), leaves.at
    for severity, count in sorted({facts.severity: 0, **target.firing}.items()):
        yield "goldwatch_alerts_firing", (severity,), count
    yield from _of_last_run(facts, target.last_run)
    if target.last_measured is not None:
        run = target.last_measured
        yield "goldwatch_last_measured_timestamp_seconds", (), run.finished_at or run.started_at
        if run.cost_usd is not None and run.requests.ok:
            yield "goldwatch_request_cost_usd", (), run.cost_usd / (run.requests.ok * max(run.repeats, 1))
        yield from _of_scores(run.summaries)
        yield from of_findings(run, slices)


def _of_mark(mark: DeploymentMark | None) -> Iterator[Row]:
    if mark is not None:
        yield "goldwatch_deployment_timestamp_seconds", (), mark.at
        yield "goldwatch_deployment_info", (mark.version,), 1


def _of_last_run(facts: TargetFacts, run: RunRecord | None) -> Iterator[Row]:
    served = run.served if run else None
    yield (
        "goldwatch_endpoint_info",
        tuple(
            value or ""
            for value in (
                facts.kind,
                facts.url,
                facts.model,
                served.model if served else None,
                served.fingerprint if served else None,
                served.version if served else None,
                served.parent if served else None,
            )
        ),
        1,
    )
    if run is None:
        return
    if run.measured is not None:
        yield "goldwatch_measured", (), float(run.measured and run.verdict is not Verdict.INCONCLUSIVE)
    if run.finished_at is not None:
        yield "goldwatch_last_run_timestamp_seconds", (), run.finished_at
        yield "goldwatch_run_duration_seconds", (), max(run.finished_at - run.started_at, 0.0)
    version = "" if run.golden_version is None else str(run.golden_version)
    yield "goldwatch_golden_info", (run.golden_digest, version), 1


def _of_scores(summaries: Sequence[ScoreSummary]) -> Iterator[Row]:
    for summary in summaries:
        if summary.slice != ALL:
            continue
        if summary.mean is not None:
            yield "goldwatch_score_ratio", (summary.scorer,), summary.mean
        if whole := summary.n + summary.unscored:
            yield "goldwatch_unscored_ratio", (summary.scorer,), summary.unscored / whole


def _fill_histogram(
    family: HistogramMetricFamily, name: str, targets: Sequence[tuple[TargetFacts, TargetMetrics]]
) -> None:
    for facts, target in targets:
        seen = target.latency if name == "goldwatch_request_duration_seconds" else target.ttft
        if seen is not None:
            family.add_metric((facts.name,), _cumulative(seen), seen.sum_s)


def _cumulative(seen: Histogram) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bound, count in zip([*seen.bounds_s, float("inf")], seen.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else f"{float(bound)}", float(total)))
    return buckets


def _target_info(targets: Sequence[TargetFacts]) -> GaugeMetricFamily:
    """The targets' own labels; one that a target does not have is empty, as Prometheus reads absence."""
    own = NAMES["goldwatch_target_info"]
    extra = sorted({label for facts in targets for label in facts.labels} - set(own))
    family = GaugeMetricFamily("goldwatch_target_info", _HELP["goldwatch_target_info"], labels=[*own, *extra])
    for facts in targets:
        own_values = (facts.name, facts.severity, facts.pager)
        family.add_metric([*own_values, *(facts.labels.get(label, "") for label in extra)], 1)
    return family
