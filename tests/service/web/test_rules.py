"""Do the shipped rules hold with a real Prometheus, on what goldwatch really exports?"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from service.metrics import NAMES

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
OPTIONAL = RULES.with_name("rules-optional.yml")
CONTRACT = {
    "GoldwatchModelRegressed",
    "GoldwatchNotMeasured",
    "GoldwatchAdapterNotApplied",
    "GoldwatchNotificationsFailing",
}


def rules(*files: Path) -> list[dict[str, Any]]:
    read = [yaml.safe_load(path.read_text("utf-8")) for path in files or (RULES, OPTIONAL)]
    return [rule for file in read for group in file["groups"] for rule in group["rules"]]


def alerts(*files: Path) -> list[dict[str, Any]]:
    return [rule for rule in rules(*files) if "alert" in rule]


def test_promtool_accepts_the_rules(promtool: Any) -> None:
    """They parse, and their own unit tests pass."""
    checked = promtool("check", "rules", str(RULES), str(OPTIONAL))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tests = [RULES.with_name("rules_test.yml"), RULES.with_name("rules-optional_test.yml")]
    tested = promtool("test", "rules", *map(str, tests))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_rule_has_a_unit_test() -> None:
    """Each alert is expected to fire and expected to be silent, and each recorded series has an expected value."""
    fires, silent, asked = set(), set(), set()
    for name in ("rules_test.yml", "rules-optional_test.yml"):
        for case in yaml.safe_load(RULES.with_name(name).read_text("utf-8"))["tests"]:
            asked |= {query["expr"] for query in case.get("promql_expr_test", ())}
            for test in case.get("alert_rule_test", ()):
                (fires if test["exp_alerts"] else silent).add(test["alertname"])
    names = {rule["alert"] for rule in alerts()}
    assert fires == silent == names
    recorded = {rule["record"] for rule in rules() if "record" in rule} - {"target:goldwatch_target_info:max"}
    assert recorded <= set(re.findall(r"\w+:\w+:\w+", " ".join(asked)))


def test_the_alerts_are_the_contracts() -> None:
    """The contract's alerts are there, and each alert has the four annotations; what is optional is info."""
    assert {rule["alert"] for rule in alerts(RULES)} >= CONTRACT
    assert {rule["labels"]["severity"] for rule in alerts(OPTIONAL)} == {"info"}
    for rule in alerts():
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url", "dashboard_url"}


def test_rules_use_names_that_are_exported() -> None:
    """No expression or annotation asks for a metric that goldwatch does not export."""
    text = " ".join(f"{r['expr']} {r.get('annotations', {}).get('description', '')}" for r in rules())
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    assert set(re.findall(r"\w+:\w+:\w+", text)) <= recorded
    used = set(re.findall(r"(?<!:)\bgoldwatch_\w+", text))
    assert used
    assert used <= set(NAMES)


def test_every_alert_has_a_section_in_the_runbook() -> None:
    """``runbook_url`` leads to a heading that is there, and the runbook has no section for nothing."""
    headings = set(
        re.findall(r"^## (Goldwatch\w+)$", (DEPLOY / "runbook.md").read_text("utf-8"), re.MULTILINE)
    )
    assert headings == {rule["alert"] for rule in alerts()}
    for rule in alerts():
        assert rule["annotations"]["runbook_url"].endswith(f"deploy/runbook.md#{rule['alert'].lower()}")


def eventually(ask: Callable[[], Any], patience_s: float = 30.0) -> Any:
    """Ask another process until it says something; give up in the end."""
    until, pause = time.monotonic() + patience_s, threading.Event()
    while time.monotonic() < until:
        try:
            if found := ask():
                return found
        except httpx.HTTPError:
            pass
        pause.wait(0.1)
    return pytest.fail(f"nothing within {patience_s:g} s")


def test_a_real_prometheus_fires_for_the_regressed_target_only(
    fleet: Any, serve: int, prometheus: Any, daemon: Any
) -> None:
    """Scraped over HTTP, the regressed target makes one alert with its severity and labels, and no other target does.

    As long as goldwatch pages by itself, it makes none.
    """
    base = prometheus(serve, RULES)

    def firing() -> list[dict[str, Any]]:
        answer = httpx.get(f"{base}/api/v1/alerts").raise_for_status()  # 503 while it starts
        alerts = answer.json()["data"]["alerts"]
        return [a for a in alerts if a["labels"]["alertname"] == "GoldwatchModelRegressed"]

    def recorded() -> Any:
        answer = httpx.get(f"{base}/api/v1/query", params={"query": "target:goldwatch_regressed:max == 1"})
        return answer.raise_for_status().json()["data"]["result"]

    def evaluated_at() -> str:
        groups = httpx.get(f"{base}/api/v1/rules").raise_for_status().json()["data"]["groups"]
        return str(next(g["lastEvaluation"] for g in groups if g["name"] == "goldwatch-targets"))

    eventually(recorded)
    before = evaluated_at()
    eventually(lambda: evaluated_at() != before)
    assert firing() == []
    daemon.known = [replace(one, pager="prometheus") for one in daemon.known]
    (alert,) = eventually(firing)
    assert alert["labels"] == {
        "alertname": "GoldwatchModelRegressed",
        "target": "ticket-router",
        "severity": "critical",
        "team": "support-ml",
        "env": "prod",
    }
    assert alert["annotations"]["description"].startswith("label changed by -46.5 points")
    (health,) = httpx.get(f"{base}/api/v1/targets").json()["data"]["activeTargets"]
    assert (health["health"], health["lastError"]) == ("up", "")
