"""Do the shipped rules hold with a real Prometheus, on what goldwatch really exports?"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from service.metrics import NAMES

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
ALERTS = {
    "GoldwatchModelRegressed",
    "GoldwatchNotMeasured",
    "GoldwatchAdapterNotApplied",
    "GoldwatchNotificationsFailing",
}


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


def test_promtool_accepts_the_rules(promtool: Any) -> None:
    """They parse, and their own unit tests pass."""
    checked = promtool("check", "rules", str(RULES))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = promtool("test", "rules", str(RULES.with_name("rules_test.yml")))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_the_alerts_are_the_contracts() -> None:
    """Exactly the contract's alerts, each with the four annotations."""
    assert {rule["alert"] for rule in rules()} == ALERTS
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url", "dashboard_url"}


def test_rules_use_names_that_are_exported() -> None:
    """No expression or annotation asks for a metric that goldwatch does not export."""
    used = set(
        re.findall(
            r"\bgoldwatch_\w+", "".join(f"{r['expr']} {r['annotations']['description']}" for r in rules())
        )
    )
    assert used
    assert used <= set(NAMES)


def test_every_alert_has_a_section_in_the_runbook() -> None:
    """``runbook_url`` leads to a heading that is there, and the runbook has no section for nothing."""
    headings = set(
        re.findall(r"^## (Goldwatch\w+)$", (DEPLOY / "runbook.md").read_text("utf-8"), re.MULTILINE)
    )
    assert headings == ALERTS
    for rule in rules():
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
    fleet: Any, serve: int, prometheus: Any
) -> None:
    """Scraped over HTTP, the regressed target makes one alert with its severity, and no other target does."""
    base = prometheus(serve, RULES)

    def firing() -> list[dict[str, Any]]:
        answer = httpx.get(f"{base}/api/v1/alerts").raise_for_status()  # 503 while it starts
        alerts = answer.json()["data"]["alerts"]
        return [a for a in alerts if a["labels"]["alertname"] == "GoldwatchModelRegressed"]

    (alert,) = eventually(firing)
    assert alert["labels"] == {
        "alertname": "GoldwatchModelRegressed",
        "target": "ticket-router",
        "severity": "critical",
        "pager": "goldwatch",
    }
    assert alert["annotations"]["description"].startswith("label changed by -46.5 points")
    (health,) = httpx.get(f"{base}/api/v1/targets").json()["data"]["activeTargets"]
    assert (health["health"], health["lastError"]) == ("up", "")
