"""Does a real Alertmanager take, keep, group, silence, inhibit and resolve what it is sent?"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from service import dispatch
from service.alerting import AlertEvent, AlertKind, AlertState
from service.notifiers._http import client
from service.notifiers.alertmanager import Alertmanager, alert_object

PATIENCE_S = 120.0

CONFIG = """
global: {{resolve_timeout: 1s}}
route: {{receiver: hook, group_by: [alertname, target], group_wait: 10ms, group_interval: 50ms, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: "{hook}", send_resolved: true}}]}}]
inhibit_rules:
  - source_matchers: [alertname="GoldwatchNotMeasured"]
    target_matchers: [alertname="GoldwatchModelRegressed"]
    equal: [target]
"""


@dataclass
class Real:
    """A running Alertmanager, and what its webhook was posted."""

    url: str
    receiver: Any

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/api/v2/alerts").json()
        return found

    def told(self, status: str) -> list[dict[str, Any]]:
        posts = [json.loads(received.body) for received in self.receiver.got]
        return [alert for post in posts for alert in post["alerts"] if alert["status"] == status]


def eventually(ask: Callable[[], Any], what: str) -> Any:
    until, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while time.monotonic() < until:
        try:
            if found := ask():
                return found
        except httpx.HTTPError:
            pass
        pause.wait(0.03)
    return pytest.fail(f"never came: {what}")


def start(folder: Path, port: int, receiver: Any) -> subprocess.Popen[bytes]:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        from os import environ

        (pytest.fail if environ.get("CI") == "true" else pytest.skip)("Alertmanager is not installed")
    config = folder / "alertmanager.yml"
    config.write_text(CONFIG.format(hook=receiver.url))
    return subprocess.Popen(
        [
            program,
            f"--config.file={config}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def real(tmp_path: Path, receiver: Any) -> Iterator[Real]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start(tmp_path, port, receiver)
    running = Real(f"http://127.0.0.1:{port}", receiver)
    try:
        eventually(lambda: httpx.get(f"{running.url}/-/ready").is_success, "Alertmanager")
        yield running
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def now_clock() -> float:
    return time.time()


def deliver(store: Any, url: str, *, remind: bool = False, **more: Any) -> None:
    """One step of the dispatcher, or of its reminders, on the real clock."""

    async def once() -> None:
        notifiers = {"oncall": Alertmanager(name="oncall", url=url, **more)}
        async with client() as c:
            if remind:
                await dispatch.remind(store, notifiers, c, {}, clock=now_clock)
            else:
                await dispatch.deliver_due(store, notifiers, c, owner="a", clock=now_clock)

    asyncio.run(once())


def test_an_alert_fires_stays_and_resolves(real: Real, store: Any, write: Any, make_alert: Any) -> None:
    """It is there under its labels, outlives the resolve timeout, comes back by a reminder, and ends when told."""
    at = time.time()
    alert = make_alert(opened_at=at, identity={"team": "support-ml", "env": "prod", "severity": "critical"})
    write((AlertEvent.FIRING, alert), at=at)
    deliver(store, real.url)
    (seen,) = eventually(real.alerts, "the alert")
    assert seen["labels"] == {
        "alertname": "GoldwatchModelRegressed",
        "target": "ticket-router",
        "severity": "critical",
        "team": "support-ml",
        "env": "prod",
    }
    assert "label fell from 94.3% to 81.5%" in seen["annotations"]["summary"]
    assert seen["annotations"]["runbook_url"].endswith("deploy/runbook.md#goldwatchmodelregressed")
    assert seen["status"]["state"] == "active"
    (told,) = eventually(lambda: real.told("firing"), "the webhook")
    assert "label lang=de fell from 93.8% to 62.5%" in told["annotations"]["description"]
    ends_at = seen["endsAt"]
    deliver(store, real.url, remind=True)
    (again,) = eventually(
        lambda: [a for a in real.alerts() if a["endsAt"] > ends_at], "a later end by the reminder"
    )
    assert again["fingerprint"] == seen["fingerprint"]

    changed = replace(alert, state=AlertState.RESOLVED, resolved_at=time.time(), severity="info", labels={})
    changed = replace(changed, updated_run=1414)
    write((AlertEvent.RESOLVED, changed), at=time.time())
    deliver(store, real.url)
    (over,) = eventually(lambda: real.told("resolved"), "the resolution")
    assert over["fingerprint"] == seen["fingerprint"]
    assert real.alerts() == []
    assert len(real.told("firing")) == 1
    deliver(store, real.url, remind=True)
    assert real.alerts() == []


def test_a_restarted_alertmanager_hears_of_it_again(
    real: Real, store: Any, write: Any, make_alert: Any
) -> None:
    """A reminder brings what fires back to an Alertmanager that knows nothing."""
    at = time.time()
    write((AlertEvent.FIRING, make_alert(opened_at=at)), at=at)
    deliver(store, "http://127.0.0.1:1", remind=True)
    assert store.standing_messages("oncall") == []  # what was never delivered is the outbox's business
    (message,) = store.notifications(make_alert().id)
    store.mark_sent(message.notification.id, at)
    assert real.alerts() == []
    deliver(store, real.url, remind=True)
    assert [a["labels"]["target"] for a in eventually(real.alerts, "the alert")] == ["ticket-router"]


def test_silences_and_inhibition_there_see_it(real: Real, store: Any, write: Any, make_alert: Any) -> None:
    """An outage inhibits the regression of its target, and a silence on the target label suppresses both."""
    at = time.time()
    outage = make_alert(id="outage-1", kind=AlertKind.OUTAGE, opened_at=at, onset_run=None)
    write((AlertEvent.FIRING, make_alert(opened_at=at)), (AlertEvent.FIRING, outage), at=at)
    deliver(store, real.url)

    def states() -> dict[str, Any]:
        return {a["labels"]["alertname"]: a["status"] for a in real.alerts()}

    eventually(
        lambda: states().get("GoldwatchModelRegressed", {}).get("inhibitedBy"), "the inhibited regression"
    )
    assert states()["GoldwatchNotMeasured"]["state"] == "active"
    matcher = {"name": "target", "value": "ticket-router", "isRegex": False, "isEqual": True}
    times = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
    said = httpx.post(
        f"{real.url}/api/v2/silences",
        json={"matchers": [matcher], **times, "createdBy": "kim", "comment": "deploying"},
    )
    assert said.is_success, said.text
    eventually(lambda: all(s["silencedBy"] for s in states().values()), "the silence")


def test_labels_are_those_of_the_beginning(make_message: Any, make_alert: Any) -> None:
    """Whatever changes, figures, severity, labels, run, the labels stay; what is no label is left out."""
    first = make_alert(identity={"severity": "critical", "team": "ml", "not-a-label": "x", "empty": ""})
    later = replace(first, severity="info", labels={"team": "web"}, repeats=3, updated_run=9, findings=())
    made = [
        alert_object(make_message(event, alert).body, 0.0, 60.0)["labels"]
        for event, alert in ((AlertEvent.FIRING, first), (AlertEvent.REPEATED, later))
    ]
    assert made[0] == made[1] == {
        "alertname": "GoldwatchModelRegressed",
        "target": "ticket-router",
        "severity": "critical",
        "team": "ml",
    }  # fmt: skip


def test_a_hold_that_one_lost_message_would_end_is_refused() -> None:
    """``hold_s`` covers at least two resends."""
    with pytest.raises(ValidationError, match="one lost message would resolve"):
        Alertmanager(name="a", url="http://h/", resend_every_s=60.0, hold_s=100.0)
