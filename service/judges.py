"""Did a judge change, and not the model? What is known of the models that scorers ask, for the causes on a page.

Who each said it is comes from the runs themselves. Where a run regressed by a judge's scores, stored answers of the
last good run are put to that judge once more, at most :data:`SAMPLE`, once in an alert's life and within the target's
daily limits: the model has no part in them, so what they lose is the judge's doing. Nothing is asked where the anchors
have told already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from checks.causes import Diagnosis, judge_changed
from checks.causes.facts import AskedAgain, Facts, JudgeSeen
from checks.scorers import score
from checks.types import Finding, Response, Verdict
from service.alerting import AlertKind, of_a_judge
from service.judging import Asking, asking, judged_again
from service.records import Golden, RunRecord

if TYPE_CHECKING:
    from checks.scorers._asking import AskingScorer
    from service.conclude import Appraised
    from service.config import Target
    from service.pipeline import Shell

SAMPLE = 100
"""At most so many stored answers are judged once more."""

WAIT_S = 60.0
"""How long a page may wait for that."""

OF_JUDGES = frozenset({judge_changed.NAME})
"""The causes that an alert about a judge may have."""

_LOOK_BACK = 50
_GOOD = frozenset({Verdict.OK, Verdict.LEARNING, Verdict.IMPROVED})
_SAME = 1e-6


def diagnosed(found: Diagnosis | None, kind: AlertKind) -> Diagnosis | None:
    """What a run's diagnosis says of an alert of this kind; None where it says nothing of such."""
    if found is None or kind is AlertKind.REGRESSION:
        return found
    return found.only(OF_JUDGES) if kind is AlertKind.JUDGE else None


async def seen_of_judges(
    shell: Shell, target: Target, golden: Golden, appraised: Appraised, facts: Facts
) -> tuple[JudgeSeen, ...]:
    """What is known of each judge of a run that regressed, or whose judge is in question."""
    findings = appraised.judgement.findings
    how = {} if appraised.judged is None else appraised.judged.asking
    found = []
    for scorer in asking(target.scorers):
        name = scorer.scorer_name
        told = next((f for f in findings if f.scorer == name and of_a_judge(f)), None)
        first_bad = facts.now.run if facts.now is not None else appraised.record.id
        onset = (told.onset_run if told is not None else appraised.judgement.onset_run) or first_bad
        good = await asyncio.to_thread(_good, shell, target, golden, onset)
        asked = how.get(name, Asking())
        lost = any(f.scorer == name and f.verdict is Verdict.REGRESSED for f in findings)
        again = None
        if told is None and lost and good:
            again = await _again(shell, target, golden, scorer, good[0], since=facts.onset_at or 0.0)
        found.append(
            JudgeSeen(
                scorer=name,
                before=next((run.judges[name] for run in good if name in run.judges), None),
                now=asked.served,
                again=again,
                asked=asked.asked,
                failures=asked.failures,
                told=None if told is None else told.reason,
                silent=told is not None and _silent(told),
            )
        )
    return tuple(found)


def _silent(told: Finding) -> bool:
    """Whether the judge gave no verdicts, rather than other ones."""
    return told.evidence is None


def _good(shell: Shell, target: Target, golden: Golden, before: int) -> list[RunRecord]:
    runs = shell.store.runs(target.name, limit=_LOOK_BACK, before=before)
    return [run for run in runs if run.verdict in _GOOD and run.golden_digest == golden.digest]


async def _again(
    shell: Shell, target: Target, golden: Golden, scorer: AskingScorer, good: RunRecord, *, since: float
) -> AskedAgain | None:
    """A good run's answers, judged once more; None where they are gone, or the judge did not answer in time."""
    stored = await asyncio.to_thread(_scored, shell, golden, scorer.scorer_name, good)
    if not stored:
        return None
    step = -(-len(stored) // SAMPLE)
    sample = stored[::step]
    try:
        async with asyncio.timeout(WAIT_S):
            knowing = await judged_again(
                shell, target, scorer, golden.examples, [answer for _, answer in sample], since=since
            )
    except TimeoutError:
        return None
    return None if knowing is None else _compared(golden, knowing, good.id, sample)


def _scored(shell: Shell, golden: Golden, scorer: str, run: RunRecord) -> list[tuple[float, Response]]:
    """The run's scores by one scorer with the answers that they were given for, of examples that were asked once."""
    vector = next((v for v in shell.store.vectors(run.id) if v.scorer == scorer), None)
    if vector is None or run.repeats != 1 or len(vector.values) != len(golden.examples):
        return []
    answers = {
        response.example_id: response for response in shell.store.responses(run.id) if response.answered
    }
    pairs = zip(vector.values, golden.examples, strict=True)
    return [(float(v), answers[e.id]) for v, e in pairs if not np.isnan(v) and e.id in answers]


def _compared(
    golden: Golden, scorer: AskingScorer, run: int, sample: Sequence[tuple[float, Response]]
) -> AskedAgain | None:
    by_id = {example.id: example for example in golden.examples}
    today = [(was, score(scorer, by_id[answer.example_id], answer).value) for was, answer in sample]
    known = np.array([(was, now) for was, now in today if now is not None], dtype=float)
    if len(known) == 0:
        return None
    was, now = known[:, 0], known[:, 1]
    return AskedAgain(
        run=run,
        was=float(was.mean()),
        today=float(now.mean()),
        fell=int((now < was - _SAME).sum()),
        gained=int((now > was + _SAME).sum()),
        of=len(known),
    )
