"""Is ``/metrics`` what the contract says, and true?"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from checks.inference import packing
from checks.judge_drift import COUNTS, HUMAN, SCORES
from checks.traffic import streams
from checks.traffic.window import Window
from checks.types import ALL, Finding, ScoreSummary, Verdict
from service.facts import BesideFacts, WorthFacts
from service.metrics import NAMES, registry
from service.metrics_findings import OF_CHECKS, of_findings, telling_slices
from service.records import DeploymentMark, MetricsSnapshot, TrafficRecord, TrafficWindow
from service.store.traffic import TrafficChange
from service.web import exposition

CONTRACT = {
    "goldwatch_runs_total": {"target", "verdict"},
    "goldwatch_last_run_timestamp_seconds": {"target"},
    "goldwatch_last_measured_timestamp_seconds": {"target"},
    "goldwatch_limit_used_ratio": {"target", "limit"},
    "goldwatch_deployment_timestamp_seconds": {"target"},
    "goldwatch_model_retirement_timestamp_seconds": {"target"},
    "goldwatch_traffic_samples_total": {"target", "outcome"},
    "goldwatch_traffic_last_sample_timestamp_seconds": {"target"},
    "goldwatch_traffic_coverage_debt_ratio": {"target"},
    "goldwatch_traffic_coverage_debt_lower_ratio": {"target"},
    "goldwatch_traffic_coverage_debt_upper_ratio": {"target"},
    "goldwatch_traffic_malformed_ratio": {"target"},
    "goldwatch_traffic_refusal_ratio": {"target"},
    "goldwatch_traffic_evidence": {"target"},
    "goldwatch_traffic_moved": {"target"},
    "goldwatch_judge_agreement": {"target", "scorer", "coefficient"},
    "goldwatch_judge_agreement_lower": {"target", "scorer", "coefficient"},
    "goldwatch_judge_agreement_upper": {"target", "scorer", "coefficient"},
    "goldwatch_run_interval_seconds": {"target"},
    "goldwatch_run_duration_seconds": {"target"},
    "goldwatch_next_run_timestamp_seconds": {"target"},
    "goldwatch_measured": {"target"},
    "goldwatch_requests_total": {"target", "outcome"},
    "goldwatch_request_duration_seconds": {"target"},
    "goldwatch_time_to_first_token_seconds": {"target"},
    "goldwatch_tokens_total": {"target", "direction"},
    "goldwatch_cost_usd_total": {"target"},
    "goldwatch_request_cost_usd": {"target"},
    "goldwatch_promise_used_ratio": {"target", "promise"},
    "goldwatch_examples_total": {"target", "scorer", "outcome"},
    "goldwatch_score_ratio": {"target", "scorer"},
    "goldwatch_baseline_score_ratio": {"target", "scorer"},
    "goldwatch_unscored_ratio": {"target", "scorer"},
    "goldwatch_score_change": {"target", "scorer"},
    "goldwatch_score_change_lower": {"target", "scorer"},
    "goldwatch_score_change_upper": {"target", "scorer"},
    "goldwatch_slice_score_ratio": {"target", "scorer", "slice"},
    "goldwatch_slice_score_change": {"target", "scorer", "slice"},
    "goldwatch_evidence": {"target", "check"},
    "goldwatch_regressed": {"target", "check"},
    "goldwatch_generalization_difference": {"target", "scorer", "compared"},
    "goldwatch_staleness_change": {"target", "scorer"},
    "goldwatch_base_model_alike_ratio": {"target"},
    "goldwatch_baseline_base_model_alike_ratio": {"target"},
    "goldwatch_first_token_shift_nats": {"target"},
    "goldwatch_baseline_first_token_shift_nats": {"target"},
    "goldwatch_border_prompts_changed_ratio": {"target"},
    "goldwatch_baseline_border_prompts_changed_ratio": {"target"},
    "goldwatch_worth_pays": {"target"},
    "goldwatch_worth_difference": {"target", "challenger"},
    "goldwatch_worth_difference_lower": {"target", "challenger"},
    "goldwatch_worth_difference_upper": {"target", "challenger"},
    "goldwatch_worth_compared_timestamp_seconds": {"target", "challenger"},
    "goldwatch_alerts_firing": {"target", "severity"},
    "goldwatch_notifications_total": {"notifier", "outcome"},
    "goldwatch_config_last_reload_successful": set(),
}
INFOS = {
    "goldwatch_target_info",
    "goldwatch_golden_info",
    "goldwatch_endpoint_info",
    "goldwatch_build_info",
    "goldwatch_deployment_info",
    "goldwatch_web_info",
}

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(store: Any, daemon: Any) -> Values:
    text = generate_latest(registry(store, daemon)).decode()
    found: Values = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} is exported twice"
            found[key] = sample.value
    return found


def value(found: Values, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def base(name: str) -> str:
    for suffix in ("_bucket", "_sum", "_count"):
        if name.startswith(("goldwatch_request_duration", "goldwatch_time_to_first")):
            name = name.removesuffix(suffix)
    return name


def watch_traffic(store: Any, target: str) -> None:
    """A target whose usual traffic is known, with two windows in the store."""
    hour = Window(0.0, 3600.0, samples=60, compared=60, novel=3, answered=60, read=60, malformed=1, refused=2)
    state = packing.pack(streams.initial(streams.Subject(0, ())))
    record = TrafficRecord(target, "about", 0.0, 1, 168, replace(hour, closed_at=4000.0), state, 180, 2, 1)
    ended = [TrafficWindow(n, replace(hour, novel=n % 7), 0.1, 2160.0) for n in (167, 168)]
    store.change_traffic(target, lambda _: TrafficChange(record, ended))


def test_names_and_labels_are_the_contracts(fleet: Any, daemon: Any, store: Any) -> None:
    """A fleet in every state exports exactly the contract's names, each with exactly its labels."""
    daemon.external_url = "https://goldwatch.example.com/"
    day = date(2027, 1, 15)
    daemon.known = [
        replace(one, tokens_per_day=10**6, usd_per_day=1.0, retires_on=day, traffic_window_s=3600.0)
        for one in daemon.known
    ]
    watch_traffic(store, "quiet")
    beside = BesideFacts("base", "pays", 0.04, (0.01, 0.07), 10.0)
    daemon.worths = {"quiet": WorthFacts("pays", "pays: +4.0 points", (beside,))}
    store.add_mark(DeploymentMark("quiet", daemon.at - 60, "v2"))
    labels: dict[str, set[str]] = {}
    for name, pairs in scrape(store, daemon):
        labels.setdefault(base(name), set()).update({k for k, _ in pairs} - {"le"})
    own = {name for metrics in OF_CHECKS.values() for name in metrics}  # the fleet has none of their findings
    own |= {name for name in NAMES if name.startswith("goldwatch_judge_")}  # nor does a judge score it
    labels |= {name: set(NAMES[name]) for name in own}
    assert {k: v for k, v in labels.items() if k not in INFOS} == CONTRACT
    assert set(labels) - set(CONTRACT) == INFOS == set(NAMES) - set(CONTRACT)
    assert labels["goldwatch_target_info"] == {"target", "severity", "pager", "team", "env"}


def test_the_newest_deployment_is_told(fleet: Any, daemon: Any, store: Any) -> None:
    """Of several marks the newest one's time and version, and nothing where none was set."""
    for at, version in ((10.0, "v1"), (30.0, "v3"), (20.0, "v2")):
        store.add_mark(DeploymentMark("quiet", at, version))
    found = scrape(store, daemon)
    assert value(found, "goldwatch_deployment_timestamp_seconds", target="quiet") == 30.0
    versions = [dict(labels) for name, labels in found if name == "goldwatch_deployment_info"]
    assert versions == [{"target": "quiet", "version": "v3"}]


def test_what_is_promised_and_what_a_request_costs_are_told(fleet: Any, daemon: Any, store: Any) -> None:
    """The slowest twentieth of the answers over what is promised, and dollars by answered request."""
    found = scrape(store, daemon)
    used = value(found, "goldwatch_promise_used_ratio", target="quiet", promise="latency_p95")
    assert used == pytest.approx(0.208 / 0.3, abs=0.01)
    cost = value(found, "goldwatch_request_cost_usd", target="quiet")
    assert cost == pytest.approx(0.0004 / 60)
    assert value(found, "goldwatch_request_cost_usd", target="never-ran") is None


def test_the_use_of_limits_is_that_of_the_utc_day(fleet: Any, daemon: Any, store: Any) -> None:
    """Only runs that ended since midnight UTC count, as they do for the limits themselves."""
    daemon.known = [replace(one, tokens_per_day=100_000, usd_per_day=0.02) for one in daemon.known]
    midnight = daemon.at - daemon.at % 86_400
    today = [r for r in store.runs("quiet", limit=None) if (r.finished_at or 0) >= midnight]
    assert 0 < len(today) < 14
    found = scrape(store, daemon)
    tokens, usd = store.usage_since("quiet", midnight)
    assert tokens == len(today) * 22 * 60
    used = {
        limit: value(found, "goldwatch_limit_used_ratio", target="quiet", limit=limit)
        for limit in ("tokens_per_day", "usd_per_day")
    }
    assert used == {"tokens_per_day": tokens / 100_000, "usd_per_day": pytest.approx(usd / 0.02)}
    assert value(found, "goldwatch_limit_used_ratio", target="never-ran", limit="tokens_per_day") == 0


def test_promtool_has_nothing_to_say(fleet: Any, daemon: Any, store: Any, promtool: Any) -> None:
    """Prometheus' own linter finds no fault in names, types and help."""
    checked = promtool("check", "metrics", stdin=generate_latest(registry(store, daemon)).decode())
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_a_regression_is_seen(fleet: Any, daemon: Any, store: Any) -> None:
    """The regressed target shows its score, its baseline, the change with its interval, and a firing alert."""
    found = scrape(store, daemon)
    on: dict[str, str] = {"target": "ticket-router", "scorer": "label"}
    now, before = (
        value(found, "goldwatch_score_ratio", **on),
        value(found, "goldwatch_baseline_score_ratio", **on),
    )
    change = value(found, "goldwatch_score_change", **on)
    low, high = (value(found, f"goldwatch_score_change_{end}", **on) for end in ("lower", "upper"))
    assert None not in (now, before, change, low, high)
    assert math.isclose(change, now - before, abs_tol=0.02)  # type: ignore[operator,arg-type]
    assert low < change < high < 0  # type: ignore[operator]
    assert value(found, "goldwatch_regressed", target="ticket-router", check="quality") == 1
    assert value(found, "goldwatch_regressed", target="quiet", check="quality") == 0
    assert value(found, "goldwatch_evidence", target="ticket-router", check="quality") >= 1  # type: ignore[operator]
    assert value(found, "goldwatch_alerts_firing", target="ticket-router", severity="critical") == 1
    assert value(found, "goldwatch_alerts_firing", target="quiet", severity="critical") == 0


def test_unknown_is_absent(fleet: Any, daemon: Any, store: Any) -> None:
    """Before the baseline there is no change, before the first run no score; nothing is NaN."""
    found = scrape(store, daemon)
    assert not any(math.isnan(v) for v in found.values())
    assert value(found, "goldwatch_score_ratio", target="new", scorer="label") is not None
    assert value(found, "goldwatch_unscored_ratio", target="new", scorer="label") == 0
    for name in ("goldwatch_baseline_score_ratio", "goldwatch_score_change"):
        assert value(found, name, target="new", scorer="label") is None
    assert value(found, "goldwatch_regressed", target="new", check="quality") is None
    of_never = {base(name) for name, labels in found if ("target", "never-ran") in labels}
    assert of_never == {
        "goldwatch_run_interval_seconds",
        "goldwatch_next_run_timestamp_seconds",
        "goldwatch_alerts_firing",
        "goldwatch_target_info",
        "goldwatch_endpoint_info",
    }


def test_an_outage_holds_what_was_last_measured(fleet: Any, daemon: Any, store: Any) -> None:
    """While nothing answers, ``measured`` is 0 and score and verdict are those of the last measured run."""
    found = scrape(store, daemon)
    assert value(found, "goldwatch_measured", target="unreachable") == 0
    assert value(found, "goldwatch_measured", target="quiet") == 1
    assert value(found, "goldwatch_regressed", target="unreachable", check="quality") == 0
    assert value(found, "goldwatch_score_ratio", target="unreachable", scorer="label") > 0.9  # type: ignore[operator]
    last = "goldwatch_last_measured_timestamp_seconds"
    assert value(found, last, target="unreachable") == value(found, last, target="quiet") - 2 * 3600  # type: ignore[operator]


def test_histograms_count_every_answer(fleet: Any, daemon: Any, store: Any) -> None:
    """The buckets grow to the count, which is that of the answered examples."""
    found = scrape(store, daemon)
    buckets = sorted(
        (float(dict(labels)["le"]), v)
        for (name, labels), v in found.items()
        if name == "goldwatch_request_duration_seconds_bucket" and ("target", "quiet") in labels
    )
    counts = [count for _, count in buckets]
    assert [bound for bound, _ in buckets] == [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, math.inf]
    assert counts == sorted(counts)
    answered = value(found, "goldwatch_requests_total", target="quiet", outcome="ok")
    assert counts[-1] == answered == value(found, "goldwatch_request_duration_seconds_count", target="quiet")


def test_two_replicas_export_the_same(fleet: Any, daemon: Any, store: Any) -> None:
    """Two collectors on one store agree on every value."""
    assert scrape(store, daemon) == scrape(store, daemon)


def test_a_judges_agreement_with_people_is_exported(fleet: Any, daemon: Any, store: Any) -> None:
    """AC1 and kappa with their intervals, of the last measured run; nothing where no judge was asked."""

    class Judged:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def metrics_snapshot(self) -> MetricsSnapshot:
            whole = store.metrics_snapshot()
            quiet = whole.targets["quiet"]
            drift = Finding("judge_drift", "tone", ALL, Verdict.OK)
            run = replace(quiet.last_measured, findings=(drift,))
            return replace(whole, targets={**whole.targets, "quiet": replace(quiet, last_measured=run)})

        def judged(self, _run_id: int) -> Any:
            said, people = np.array([1.0, 1, 0, 1] * 5), np.array([1.0, 1, 0, 0] * 5)
            return {SCORES + "tone": said, HUMAN + "tone": people, COUNTS + "tone": np.array([1.0, 60, 60])}

    found = scrape(Judged(), daemon)
    for coefficient, expected in (("ac1", 0.529), ("kappa", 0.5)):
        labels = {"target": "quiet", "scorer": "tone", "coefficient": coefficient}
        now = value(found, "goldwatch_judge_agreement", **labels)
        assert now == pytest.approx(expected, abs=0.01)
        low = value(found, "goldwatch_judge_agreement_lower", **labels)
        high = value(found, "goldwatch_judge_agreement_upper", **labels)
        assert low is not None
        assert high is not None
        assert low < now < high
    assert not [name for name, _ in scrape(store, daemon) if name.startswith("goldwatch_judge")]


def test_counters_never_go_down(fleet: Any, daemon: Any, store: Any) -> None:
    """Another run, and deleting old responses, lower no counter."""
    before = scrape(store, daemon)
    fleet.run("quiet", "good")
    store.prune(daemon.at + 1e9, 1.0)
    after = scrape(store, daemon)
    for key, count in before.items():
        if key[0].endswith(("_total", "_count", "_bucket")):
            assert after[key] >= count, key


def test_an_empty_store_exports_what_is_configured(store: Any, daemon: Any) -> None:
    """Before the first run there are targets and a version, and nothing else is made up."""
    names = {name for name, _ in scrape(store, daemon)}
    assert "goldwatch_build_info" in names
    assert not names & {"goldwatch_score_ratio", "goldwatch_measured", "goldwatch_runs_total"}


def test_a_scrape_is_written_as_the_library_writes_it(
    fleet: Any, store: Any, daemon: Any, make_facts: Any, hostile: str
) -> None:
    """The fast writer gives the library's bytes, at the first scrape and at the next, whatever names say."""
    odd = {"team": 'a"b\\c\nd' + hostile, "z": "", "_a": "ü"}
    daemon.known = [*daemon.known, make_facts("t", labels=odd, model=hostile)]
    made = registry(store, daemon)
    expected = generate_latest(made)
    assert expected.count(b"\n") > 200
    assert exposition.text(made) == expected
    assert exposition.text(made) == expected


def test_hostile_names_are_escaped(store: Any, daemon: Any, make_facts: Any) -> None:
    """A label value with quotes, newlines and backslashes is read back as it was."""
    odd = 'a"b\\c\nd'
    daemon.known = [make_facts("t", labels={"team": odd})]
    assert (
        value(
            scrape(store, daemon),
            "goldwatch_target_info",
            target="t",
            severity="critical",
            pager="goldwatch",
            team=odd,
        )
        == 1
    )


def test_registering_reads_no_store(daemon: Any) -> None:
    """A registry can be made while the store is away; only a scrape needs it."""

    class Away:
        def metrics_snapshot(self) -> MetricsSnapshot:
            raise OSError("away")

    made = registry(Away(), daemon)
    with pytest.raises(OSError, match="away"):
        generate_latest(made)


def test_the_most_telling_slices_come_first(fleet: Any, store: Any) -> None:
    """A regressed slice goes before larger quiet ones; the bound holds."""
    run = store.last_measured("quiet")
    summaries = tuple(ScoreSummary("label", f"k={n}", 0.9, 10 * n, 0) for n in range(40))
    fell = Finding("quality", "label", "k=3", Verdict.REGRESSED, 2.0, effect=-0.3)
    odd = Finding("quality", "label", "k=2", Verdict.SUSPECT, 0.5, effect=-0.3)
    run = replace(run, summaries=(*summaries, ScoreSummary("label", ALL, 0.9, 400, 0)), findings=(fell, odd))
    chosen = telling_slices(run, 20)
    assert len(chosen) == 20
    assert chosen[:3] == [("label", "k=3"), ("label", "k=2"), ("label", "k=39")]


def test_each_check_has_its_own_figure(fleet: Any, store: Any) -> None:
    """What a check measures is exported in its own unit; what it does not know is absent, never 0."""
    run = store.last_run("quiet")
    found = (
        Finding("generalization", "label", "origin=novel", Verdict.OK, effect=-0.04),
        Finding("staleness", "label", ALL, Verdict.OK, effect=-0.013),
        Finding("adapter_applied", None, ALL, Verdict.OK, baseline=0.31, current=0.3),
        Finding("identity", None, ALL, Verdict.LEARNING),
    )
    rows = {(name, *labels): value for name, labels, value in of_findings(replace(run, findings=found), 0)}
    own = {key: value for key, value in rows.items() if key[0] in {n for m in OF_CHECKS.values() for n in m}}
    assert own == {
        ("goldwatch_generalization_difference", "label", "origin=novel"): -0.04,
        ("goldwatch_staleness_change", "label"): -0.013,
        ("goldwatch_base_model_alike_ratio",): 0.3,
        ("goldwatch_baseline_base_model_alike_ratio",): 0.31,
    }


def test_what_is_undecided_is_neither_1_nor_0(fleet: Any, daemon: Any, store: Any) -> None:
    """Whether a fine-tune pays is told once it can be said; a challenger that was never asked has no figures."""
    daemon.worths = {
        "quiet": WorthFacts("undecided", "undecided", (BesideFacts("base", "undecided"),)),
        "new": WorthFacts("no_longer_pays", "no longer pays", ()),
    }
    found = {pair for pair in scrape(store, daemon) if pair[0].startswith("goldwatch_worth")}
    assert found == {("goldwatch_worth_pays", frozenset({("target", "new")}))}
