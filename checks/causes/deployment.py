"""Was a deployment marked shortly before the onset?

A mark between the last good run and the first bad one is a strong sign. One that was set shortly before the last good
run is a weak one: a rollout may take a while, but a run in between was good.
"""

from __future__ import annotations

from checks.causes import Cause, Rule
from checks.causes.facts import Facts, Mark, named

_ROLLOUT_S = 3600.0


def _needs(facts: Facts) -> bool:
    return facts.onset_at is not None and facts.now is not None


def _find(facts: Facts) -> Cause | None:
    if facts.onset_at is None:
        return None
    good_at = facts.before.started_at if facts.before is not None else facts.onset_at - _ROLLOUT_S
    near = [mark for mark in facts.marks if good_at <= mark.at <= facts.onset_at]
    early = [mark for mark in facts.marks if good_at - _ROLLOUT_S <= mark.at < good_at]
    if not near and not early:
        return None
    mark = (near or early)[-1]
    said = _said(mark, facts.onset_at)
    return Cause(
        name="deployment",
        title="a deployment",
        strength=0.78 if near else 0.45,
        facts=(said,) if near else (said, "a run between the two was good"),
        next="compare what this deployment changed, or roll it back",
    )


def _said(mark: Mark, onset_at: float) -> str:
    note = f", {named(mark.note, 80)}" if mark.note else ""
    return f"{named(mark.version)}{note} was marked {_ago(onset_at - mark.at)} before the first bad run"


def _ago(wait_s: float) -> str:
    return f"{wait_s / 60:.0f} min" if wait_s >= 60 else f"{wait_s:.0f} s"


RULE = Rule("deployment", "deployment marks", _find, _needs)
