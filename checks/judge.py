"""What is the verdict? Judging is a fold over a target's runs: one state, one measurement, one judgement.

``initial`` and ``judge`` are used by live runs, by ``backtest``, by ``explain`` and by pages alike, so that they
cannot disagree. ``dump`` and ``load`` keep a state as a shortcut; whatever they keep can be computed again
by folding history from its start.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import numpy as np

import checks
from checks.base import Answer, Check
from checks.inference import packing
from checks.types import Finding, Measurement, Subject, Verdict

VERSION = 6
"""Of the kept state; a state of another version is computed anew."""


@dataclass(frozen=True, slots=True)
class State:
    """Each check's state by name. ``runs`` counts runs folded, ``last_run`` is the id of the newest.

    ``about`` is the fingerprint of the subject that was judged: with another one, history is folded anew.
    """

    checks: dict[str, Any]
    about: str
    runs: int = 0
    last_run: int = 0
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one run. ``suspect`` asks for a confirmation replay.

    ``taken_in``: the run was measured and counts in history; where its judges could not be trusted, it may be
    inconclusive all the same.
    """

    verdict: Verdict
    reason: str | None
    findings: tuple[Finding, ...]
    suspect: bool
    standing: bool
    onset_run: int | None
    taken_in: bool = True


@cache
def all_checks() -> dict[str, Check]:
    """Every check by name: the modules of this folder that define ``CHECK``, and entry points.

    Raises:
        TypeError: an entry point names something that is no check; the message says what and why.
    """
    found: dict[str, Check] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(checks.__path__) if not m.ispkg):
        if not _names_a_check(f"checks.{module}"):
            continue
        check = getattr(importlib.import_module(f"checks.{module}"), "CHECK", None)
        if check is not None:
            found[check.name] = check
    for entry in entry_points(group="goldwatch.checks"):
        check = entry.load()
        if faults := not_a_check(check, entry.name):
            raise TypeError(
                f"the entry point {entry.name} = {entry.value} (group goldwatch.checks) is no check: "
                f"{'; '.join(faults)}; see checks/base.py"
            )
        found[entry.name] = check
    return found


def _names_a_check(module: str) -> bool:
    """Whether the module has the name ``CHECK``, read from its code: what has not stays out of an idle daemon."""
    spec = importlib.util.find_spec(module)
    code = None if spec is None else getattr(spec.loader, "get_code", lambda _: None)(module)
    return code is None or "CHECK" in code.co_names


def not_a_check(value: object, name: str) -> list[str]:
    """Why the value cannot be used as the check of that name; empty if it can.

    >>> not_a_check(object(), "mine")[:2]
    ["name is not 'mine'", 'weight is not a number of 0 or more']
    """
    faults = []
    if isinstance(value, type):
        return [f"it is the class {value.__name__}; give an object of it"]
    if getattr(value, "name", None) != name:
        faults.append(f"name is not {name!r}")
    weight = getattr(value, "weight", None)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0.0 <= weight < float("inf"):
        faults.append("weight is not a number of 0 or more")
    kinds = getattr(value, "state_types", None)
    if not isinstance(kinds, tuple) or not all(isinstance(kind, type) for kind in kinds):
        faults.append("state_types is not a tuple of types")
    missing = [m for m in ("initial", "update", "unmeasured") if not callable(getattr(value, m, None))]
    if missing:
        faults.append(f"it has no method {', '.join(missing)}")
    return faults


def initial(subject: Subject) -> State:
    """Before the first run."""
    states = {name: check.initial(subject) for name, check in all_checks().items()}
    return State({name: state for name, state in states.items() if state is not None}, fingerprint(subject))


def fingerprint(subject: Subject) -> str:
    """A digest of what is judged: a kept state serves only the subject that it was made for."""
    digest = hashlib.sha256()
    plain = (subject.examples, subject.scorers, sorted(subject.floors.items()), subject.baseline_runs)
    limits = (subject.min_answered, subject.smallest_effect)
    digest.update(repr((VERSION, *plain, *limits, sorted(subject.slices))).encode())
    for name in sorted(subject.slices):
        digest.update(np.packbits(subject.slices[name]).tobytes())
    digest.update(repr(sorted((name, check.weight) for name, check in all_checks().items())).encode())
    for name, gap in sorted(subject.gaps.items()):
        digest.update(repr((name, gap.new.tolist(), gap.known.tolist())).encode())
    digest.update(b"" if subject.days is None else subject.days.tobytes())
    digest.update(b"reference" if subject.reference else b"")
    digest.update(b"logprobs" if subject.logprobs else b"")
    digest.update(b"border" if subject.border else b"")
    digest.update(repr(subject.judges).encode() if subject.judges else b"")
    digest.update(repr(sorted(subject.promises.items())).encode() if subject.promises else b"")
    digest.update(b"" if subject.groups is None else subject.groups.tobytes())
    return digest.hexdigest()[:32]


def judge(subject: Subject, state: State, run: Measurement) -> tuple[State, Judgement]:
    """Take in one run, oldest first: the new state and the verdict.

    A run with too few answers, or that no scorer could score, is inconclusive: it changes no state.
    """
    active = {name: all_checks()[name] for name in state.checks}
    if not _measured(subject, run):
        dark = {name: check.unmeasured(subject, state.checks[name], run) for name, check in active.items()}
        return replace(state, runs=state.runs + 1, last_run=run.run), _verdict(dark, measured=False)
    whole = sum(check.weight for check in active.values()) or 1.0
    standing = any(
        check.unmeasured(subject, state.checks[name], run).standing
        for name, check in active.items()
        if not getattr(check, "apart", False)
    )
    after: dict[str, Any] = {}
    answers: dict[str, Answer] = {}
    learn = not standing
    blind: dict[str, str] = {}
    for name, check in sorted(active.items(), key=lambda item: not getattr(item[1], "guards", False)):
        after[name], answers[name] = check.update(
            subject, state.checks[name], run, share=check.weight / whole, learn=learn
        )
        learn = learn and not answers[name].unfit
        if answers[name].blind:
            blind |= answers[name].blind
            run = _without(subject, run, blind)
    kept = {name: after[name] for name in active}
    in_order = {name: answers[name] for name in active}
    told = {name: _blinded(answer, blind) for name, answer in in_order.items()} if blind else in_order
    judged = _verdict(
        told, measured=True, nothing_left=bool(subject.scorers) and set(subject.scorers) <= set(blind)
    )
    return State(kept, state.about, state.runs + 1, run.run), judged


def _without(subject: Subject, run: Measurement, blind: Mapping[str, str]) -> Measurement:
    """The run without the scores of these scorers: no check may take them for the model's."""
    nothing = np.full(subject.examples, np.nan)
    return replace(
        run,
        scores={name: nothing if name in blind else row for name, row in run.scores.items()},
        labels={name: words for name, words in run.labels.items() if name not in blind},
        malformed={name: places for name, places in run.malformed.items() if name not in blind},
    )


def _blinded(answer: Answer, blind: Mapping[str, str]) -> Answer:
    """The answer, saying why the findings of these scorers are inconclusive."""
    if answer.blind:
        return answer
    findings = tuple(
        replace(f, reason=blind[f.scorer or ""])
        if f.scorer in blind and f.verdict is Verdict.INCONCLUSIVE
        else f
        for f in answer.findings
    )
    return replace(answer, findings=findings)


def _measured(subject: Subject, run: Measurement) -> bool:
    asked = run.answered if run.asked is None else run.answered[run.asked]
    if not run.measured or not len(asked) or float(asked.mean()) < subject.min_answered:
        return False
    if any(name in run.scores for name in subject.judges):
        return True  # the model answered: that a judge did not is told by judge_drift, and is no outage of the model
    return any(bool((~np.isnan(row)).any()) for row in run.scores.values())


def _verdict(answers: dict[str, Answer], *, measured: bool, nothing_left: bool = False) -> Judgement:
    findings = tuple(f for answer in answers.values() for f in answer.findings)
    standing = any(a.standing for a in answers.values())
    suspect = any(a.suspect for a in answers.values())
    of_the_model = any(a.suspect for a in answers.values() if not a.blind)
    onsets = [a.onset_run for a in answers.values() if a.standing and a.onset_run is not None]
    present = {f.verdict for f in findings}
    verdict = Verdict.OK
    if not measured:
        verdict = Verdict.INCONCLUSIVE
    elif standing or Verdict.REGRESSED in present:
        verdict = Verdict.REGRESSED
    elif of_the_model:
        verdict = Verdict.SUSPECT
    elif nothing_left:
        verdict = Verdict.INCONCLUSIVE
    elif _learning(findings):
        verdict = Verdict.LEARNING
    elif Verdict.IMPROVED in present:
        verdict = Verdict.IMPROVED
    reason = _reason(verdict, findings)
    return Judgement(verdict, reason, findings, suspect, standing, min(onsets, default=None), measured)


def _learning(findings: tuple[Finding, ...]) -> bool:
    """A run learns while its scores do; what is learnt beside them later (lengths, latency) does not hold them up."""
    scores = [f for f in findings if f.check == "quality"]
    return any(f.verdict is Verdict.LEARNING for f in scores or findings)


def _reason(verdict: Verdict, findings: tuple[Finding, ...]) -> str | None:
    telling = [f for f in findings if f.verdict is verdict and f.reason]
    if verdict is Verdict.OK or not telling:
        return None
    if verdict is Verdict.INCONCLUSIVE:
        telling = [f for f in telling if f.check in ("availability", "judge_drift")] or telling
    worst = max(telling, key=lambda f: (f.check == "quality", f.evidence or 0.0))
    subject = " ".join(
        p for p in (worst.scorer or worst.check, worst.slice if worst.slice != "all" else "") if p
    )
    if worst.check in {"quality", "floor"} and worst.baseline is not None and worst.current is not None:
        return f"{subject} {worst.baseline:.1%} → {worst.current:.1%}, {worst.reason}"
    return f"{subject}: {worst.reason}"


def dump(state: State) -> bytes:
    """The state as bytes."""
    return packing.pack(state)


def load(data: bytes) -> State | None:
    """A kept state, or None if it is of another version and history must be folded anew."""
    types = {State, *(t for check in all_checks().values() for t in check.state_types)}
    try:
        state = packing.unpack(data, types)
    except ValueError:
        return None
    return state if isinstance(state, State) and state.version == VERSION else None
