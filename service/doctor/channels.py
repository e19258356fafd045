"""Can people be told? Notifiers as they are configured, and on request one test message each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from checks.types import ALL, Finding, Verdict
from service.alerting import Alert, AlertEvent, AlertKind, AlertState, Notification
from service.doctor import Diagnosis, Level, Part
from service.message import Evidence, body
from service.notifiers import DeliveryOutcome, Notifier
from service.text import safe

if TYPE_CHECKING:
    from service.config import Config, Target

TEST_TARGET = "goldwatch-test"
TEST_LABEL = "goldwatch_test"


def look_at_notifiers(config: Config, targets: Sequence[Target]) -> list[Diagnosis]:
    """Whether each notifier has its address and secrets, and whether each target's alerts reach somebody."""
    found = [_configured(notifier) for notifier in config.notifiers]
    if config.alerting.owner == "prometheus":
        return found
    for target in targets:
        if not config.notifiers_of(target):
            message = "nobody is told: its alerts go to no notifier"
            remedy = "add one under notifiers, or set alerting: {owner: prometheus}"
            found.append(Diagnosis(Part.NOTIFIER, target.name, Level.WARNING, message, remedy))
    return found


def _configured(notifier: Notifier) -> Diagnosis:
    names = sorted(f"{key} {value}" for key, value in notifier.secrets().items())
    if problem := notifier.problem():
        message, _, remedy = problem.partition("\n")
        return Diagnosis(Part.NOTIFIER, notifier.name, Level.FAILED, message, remedy.strip() or None)
    told = f"{notifier.kind}, configured" + (f"; {', '.join(names)} present" if names else "")
    return Diagnosis(Part.NOTIFIER, notifier.name, Level.OK, told, facts={"names": [*notifier.secrets()]})


def trial_message(notifier: str, now: float) -> Notification:
    """A message that nobody can take for an alert: its target, title, label and reason say that it is a test.

    Its id is a new one at every call. Severity is ``info``.
    """
    reason = "a test message from goldwatch doctor: no model was measured, nothing is wrong"
    alert = Alert(
        id=str(uuid4()),
        target=TEST_TARGET,
        kind=AlertKind.REGRESSION,
        state=AlertState.FIRING,
        severity="info",
        opened_at=now,
        opened_run=0,
        updated_at=now,
        updated_run=0,
        labels={TEST_LABEL: "true"},
        findings=(Finding("test", None, ALL, Verdict.REGRESSED, reason=reason),),
    )
    message = body(AlertEvent.FIRING, alert, Evidence(answered=0, asked=0, started_at=now, reason=reason))
    message["alert"]["title"] = "TEST: goldwatch doctor can reach you; no model was measured"
    message["alert"]["test"] = True
    message["alert"]["links"] = {}
    message["cause"] = [reason]
    return Notification(str(uuid4()), alert.id, AlertEvent.FIRING, notifier, message, now)


async def send_tests(notifiers: Sequence[Notifier], now: float) -> list[Diagnosis]:
    """Send one test message to each notifier, once."""
    from service.notifiers._http import client as open_client  # noqa: PLC0415  # heavy, and only on request

    found = []
    async with open_client() as client:
        for notifier in notifiers:
            try:
                delivery = await notifier.send(client, trial_message(notifier.name, now), now=now)
                outcome, reason = delivery.outcome, delivery.reason
            except Exception as error:  # noqa: BLE001  # a faulty plug-in; its text may hold secrets
                outcome, reason = DeliveryOutcome.UNCLEAR, type(error).__name__
            if outcome is DeliveryOutcome.DELIVERED:
                found.append(
                    Diagnosis(Part.NOTIFIER, notifier.name, Level.OK, "the test message was accepted")
                )
            else:
                message = f"the test message was not delivered: {safe(reason or 'no reason given', 300)}"
                remedy = "correct its address and secrets, and look at the receiver"
                found.append(Diagnosis(Part.NOTIFIER, notifier.name, Level.FAILED, message, remedy))
    return found
