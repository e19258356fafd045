"""Does a person hear of it? goldwatch, Prometheus, its rules, Alertmanager, a webhook: all real; and the dashboards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GRAFANA = Path(__file__).parents[2] / "grafana"
SENT = "fleet.json: Messages A"
"""The one panel that is empty where goldwatch sends nothing."""
BORDER = "Border prompts that begin otherwise"
"""Asked of the target that gives no log-probabilities."""
DASHBOARDS = ("fleet.json", "target.json")
VALUES = {
    "$__rate_interval": "1m",
    "${datasource}": "prometheus",
    "$target": "router",
    "$scorer": "label",
    "$window": "5m",
    "$vllm_model": ".*",
}


def test_a_broken_endpoint_reaches_a_webhook_and_every_panel(make_watch: Any, until: Any) -> None:
    """The endpoint breaks -> goldwatch -> Prometheus -> its rule -> Alertmanager -> a webhook; one alert, and it ends.

    Meanwhile every query of every panel, variable and annotation of the dashboards returns data.
    """
    watch = make_watch()
    watch.serve("prometheus", [])
    watch.alert()
    watch.scrape()
    watch.learnt()
    watch.production()
    for _ in range(3):
        watch.compare()
    assert watch.told("firing") == []
    mark = watch.post("/targets/router/marks", {"version": "v2"})
    assert mark.is_success, mark.text
    watch.endpoint.real.drop_adapter()
    (alert, *more) = until(lambda: watch.told("firing"), "a webhook about a firing alert")
    assert more == []
    assert alert["labels"] == {
        "alertname": "GoldwatchAdapterNotApplied",
        "target": "router",
        "severity": "critical",
        "team": "support-ml",
    }
    assert alert["annotations"]["summary"] == "router answers like its base model"
    wanted = {what: expr for what, expr in queries().items() if what != SENT}
    until(
        lambda: all(has_data(watch, expr) for expr in wanted.values()),
        lambda: [what for what, expr in wanted.items() if not has_data(watch, expr)],
    )
    assert not has_data(watch, queries()[SENT])
    watch.endpoint.real.restore()
    until(lambda: watch.told("resolved"), "a webhook about the resolved alert")
    assert {a["labels"]["alertname"] for a in watch.told("firing")} == {"GoldwatchAdapterNotApplied"}


def test_goldwatch_tells_alertmanager_itself_and_the_rules_stay_silent(make_watch: Any, until: Any) -> None:
    """With owner goldwatch the same alert comes from goldwatch directly, once; the rules that are loaded are silent."""
    watch = make_watch()
    watch.alert()
    watch.serve("goldwatch", [{"name": "am", "kind": "alertmanager", "url": watch.alertmanager}])
    watch.scrape()
    watch.learnt()
    watch.endpoint.real.drop_adapter()
    (alert, *more) = until(lambda: watch.told("firing"), "a webhook about a firing alert")
    assert more == []
    assert alert["labels"]["alertname"] == "GoldwatchModelRegressed"
    assert (
        alert["labels"].items() >= {"target": "router", "severity": "critical", "team": "support-ml"}.items()
    )
    until(lambda: watch.query("target:goldwatch_regressed:max == 1"), "the regression in Prometheus")
    before = watch.evaluated_at()
    until(lambda: watch.evaluated_at() != before, "another evaluation of the rules")
    assert watch.query('ALERTS{alertname=~"Goldwatch.*"}') == []
    assert until(lambda: has_data(watch, queries()[SENT]), "counted messages")


def queries() -> dict[str, str]:
    """Every query of the dashboards, with what asks it, variables replaced."""
    found: list[tuple[str, str]] = []
    for name in DASHBOARDS:
        made = json.loads((GRAFANA / name).read_text("utf-8"))
        panels = [p for row in made["panels"] for p in (row, *row.get("panels", ()))]
        found += [
            (
                f"{name}: {panel['title']} {target['refId']}",
                target["expr"].replace("$target", "untuned") if panel["title"] == BORDER else target["expr"],
            )
            for panel in panels
            for target in panel.get("targets") or ()
        ]
        found += [(f"{name}: annotation {a['name']}", a["expr"]) for a in made["annotations"]["list"]]
        for variable in made["templating"]["list"]:
            if variable["type"] == "query":
                series, label = variable["query"]["query"][len("label_values(") : -1].rsplit(", ", 1)
                found.append((f"{name}: {variable['name']}", f"count by ({label}) ({series})"))
    for variable, value in VALUES.items():
        found = [(what, expr.replace(variable, value)) for what, expr in found]
    assert not [expr for _, expr in found if "$" in expr]
    assert len(found) > 40
    assert len(dict(found)) == len(found)
    return dict(found)


def has_data(watch: Any, expr: str) -> bool:
    result = watch.query(expr)
    return bool(result) and any(sample["value"][1] != "NaN" for sample in result)
