"""Does the server say that it is somebody else since the onset? Name, version, fingerprint, parent.

What changed between the last good run and the bad one is named. A value that also changed between good runs
(some providers give every answer another fingerprint) is a weak sign and ranked as one.
"""

from __future__ import annotations

from checks.causes import Cause, Rule
from checks.causes.facts import Facts, named
from checks.types import Served

_SAID = {
    "model": ("served model", 0.92),
    "parent": ("base model that the server names as parent", 0.9),
    "root": ("model files (root)", 0.88),
    "version": ("server version", 0.8),
    "fingerprint": ("fingerprint", 0.75),
}
_RESTLESS = 0.35


def _needs(facts: Facts) -> bool:
    return bool(facts.now and facts.before and facts.now.served and facts.before.served)


def _find(facts: Facts) -> Cause | None:
    if facts.now is None or facts.before is None or facts.now.served is None or facts.before.served is None:
        return None
    was, now = facts.before.served, facts.now.served
    changed = [
        (strength * _steadiness(facts, key), key, f"{what} {_moved(was, now, key)}")
        for key, (what, strength) in _SAID.items()
        if _differ(was, now, key)
    ]
    gone = sorted(set(was.models or ()) - set(now.models)) if now.models is not None else []
    if gone and now.models:
        listed = ", ".join(named(name) for name in gone[:3])
        changed.append((0.85, "models", f"the server no longer lists {listed}"))
    if not changed:
        return None
    changed.sort(key=lambda one: -one[0])
    strength, key, _ = changed[0]
    title = (
        "another model is served" if key in ("model", "parent", "root", "models") else "the server changed"
    )
    return Cause(
        name="served_identity",
        title=title,
        strength=strength,
        facts=tuple(fact for _, _, fact in changed),
        next="see what was rolled out to the endpoint, and whether the change was meant",
    )


def _differ(was: Served, now: Served, key: str) -> bool:
    left, right = getattr(was, key), getattr(now, key)
    if key == "parent" and left is not None and right is None:
        return bool(was.models and now.models)  # the list is there and names no parent any more
    return left is not None and right is not None and left != right


def _moved(was: Served, now: Served, key: str) -> str:
    return f"{named(getattr(was, key))} → {named(getattr(now, key))} at the onset"


def _steadiness(facts: Facts, key: str) -> float:
    known = {getattr(one, key) for one in facts.identities} - {None}
    return _RESTLESS if len(known) > 1 else 1.0


RULE = Rule("served_identity", "what the server says it is", _find, _needs)
