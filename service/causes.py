"""What probably changed? The facts about a bad run, gathered from the store and from the base model.

:func:`look` is asked once a run is judged ``regressed``, or a judge changed or fell silent, before it is closed, so
that its page already names causes. The rules in ``checks/causes`` decide; this module only fetches. Nothing here may
cost the page: whatever fails is left out and counts as not looked at, and the base model is waited for a minute at most
(``base_answers.py``). How like it the target *used* to be needs no further requests: the same answers are held against
the stored ones of a good run. What is known of judges is gathered in ``judges.py``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import structlog

from checks.causes import Diagnosis, diagnose
from checks.causes.facts import BaseAnswers, BrokenTerm, Facts, Mark, Rescored, Side
from checks.scorers._asking import AskingScorer
from checks.scorers.terms import Terms
from checks.types import Response, Served, Verdict
from service import evidence
from service.base_answers import lately
from service.judges import OF_JUDGES, seen_of_judges
from service.records import Golden, RunRecord, ScoreVector
from service.scoring import score_run

if TYPE_CHECKING:
    from service.conclude import Appraised
    from service.config import Target
    from service.pipeline import Shell
    from service.store import Store

_log = structlog.get_logger("goldwatch")
_GOOD = frozenset({Verdict.OK, Verdict.LEARNING, Verdict.IMPROVED})
_LOOK_BACK = 30
_KNOWN_BAD_BACK, _MOST_KNOWN_BAD = 500, 3
_MARKS_S = 7 * 86_400.0
_SAME = 1e-6


async def look(shell: Shell, target: Target, golden: Golden, appraised: Appraised) -> Diagnosis | None:
    """What probably changed before this run; kept in the store beside it.

    None if looking failed: the page goes out all the same, and the log says why it names no cause.
    """
    try:
        facts = await asyncio.to_thread(facts_of, shell.store, target, golden, appraised)
        if any(isinstance(scorer, AskingScorer) for scorer in target.scorers):
            facts = replace(facts, judges=await seen_of_judges(shell, target, golden, appraised, facts))
        if appraised.judgement.verdict is not Verdict.REGRESSED:
            found = await asyncio.to_thread(diagnose, facts, by=OF_JUDGES)
        else:
            said = await lately(shell, target, golden, appraised.served)
            base = BaseAnswers(said.name, said.texts) if said is not None and said.texts else None
            found = await asyncio.to_thread(diagnose, replace(facts, base=base))
        await asyncio.to_thread(shell.store.put_diagnosis, appraised.record.id, found)
    except Exception as error:  # noqa: BLE001  # a hint must never cost the page
        _log.warning(
            "causes_unknown",
            target=target.name,
            run=appraised.record.id,
            error=f"{type(error).__name__}: {error}",
        )
        return None
    return found


def facts_of(store: Store, target: Target, golden: Golden, appraised: Appraised) -> Facts:
    """What the store knows of a bad run and of the good ones before it."""
    record, onset = appraised.record, appraised.judgement.onset_run
    first_bad = record.id if onset is None else onset
    good = [
        run
        for run in store.runs(target.name, limit=_LOOK_BACK, before=first_bad)
        if run.measured and run.verdict in _GOOD and run.golden_digest == golden.digest
    ]
    sides = [_side(store, run) for run in good[:2]]
    now = _assembled(record, appraised.served, appraised.responses, appraised.scored.vectors)
    bad = _again(store, target.name, record.id, first_bad)
    usual = evidence.baseline_means(store, store.baseline(target.name))
    started = record if first_bad == record.id else store.run(first_bad)
    onset_at = (started or record).started_at
    return Facts(
        examples=golden.examples,
        now=now,
        before=sides[0] if sides else None,
        earlier=sides[1] if len(sides) > 1 else None,
        again=None if bad is None else _side(store, bad),
        scorer=_most_lost(usual, appraised.scored.vectors),
        usual=usual,
        identities=tuple(run.served for run in reversed(good) if run.served is not None),
        marks=tuple(Mark(m.at, m.version, m.note) for m in store.marks(target.name, onset_at - _MARKS_S)),
        onset_at=onset_at,
        rescored=_rescored(store, target, golden, good[0]) if good else (),
        told={
            finding.check: finding.reason or finding.check
            for finding in appraised.judgement.findings
            if finding.verdict is Verdict.REGRESSED
        },
        known_bad=tuple(
            _side(store, run) for run in _earlier_regressions(store, target.name, golden, first_bad)
        ),
        terms=_terms(target, golden, sides[0] if sides else None, now),
    )


def _earlier_regressions(store: Store, target: str, golden: Golden, first_bad: int) -> list[RunRecord]:
    """The run that each earlier regression was found in, on this golden set, the newest first.

    Later ones of it are regressed too while it stands, though the answers may be good again.
    """
    found: list[RunRecord] = []
    inside = False
    for run in store.runs(target, limit=_KNOWN_BAD_BACK, before=first_bad):
        bad = run.verdict is Verdict.REGRESSED and bool(run.measured) and run.golden_digest == golden.digest
        if bad and inside:
            found[-1] = run
        elif bad:
            found.append(run)
        if run.measured:
            inside = bad
    return found[:_MOST_KNOWN_BAD]


def _terms(target: Target, golden: Golden, before: Side | None, now: Side) -> tuple[BrokenTerm, ...] | None:
    """How often each rule of the target's glossaries is broken, in the answers that both runs have."""
    glossaries = [scorer for scorer in target.scorers if isinstance(scorer, Terms)]
    if not glossaries or before is None:
        return None
    counts: tuple[Counter[str], Counter[str]] = Counter(), Counter()
    both = 0
    for example in golden.examples:
        texts = before.text(example.id), now.text(example.id)
        if texts[0] is None or texts[1] is None:
            continue
        both += 1
        for count, text in zip(counts, texts, strict=True):
            count.update({rule for glossary in glossaries for rule in glossary.broken(example, text or "")})
    return tuple(BrokenTerm(rule, counts[1][rule], counts[0][rule], both) for rule in counts[1])


def _again(store: Store, target: str, run_id: int, first_bad: int) -> RunRecord | None:
    """Another bad run since the onset, the newest."""
    return next(
        (run for run in store.runs(target, limit=5, before=run_id, after=first_bad - 1) if run.measured), None
    )


def _side(store: Store, run: RunRecord) -> Side:
    return _assembled(run, run.served, store.responses(run.id), store.vectors(run.id))


def _assembled(
    run: RunRecord, served: Served | None, responses: Sequence[Response], vectors: Sequence[ScoreVector]
) -> Side:
    by_example: dict[str, list[Response]] = {}
    for response in responses:
        by_example.setdefault(response.example_id, []).append(response)
    return Side(
        run=run.id,
        started_at=run.started_at,
        served=served,
        responses=by_example,
        scores={v.scorer: v.values for v in vectors},
        labels={v.scorer: v.labels for v in vectors},
        format_failures={v.scorer: frozenset(v.format_failures) for v in vectors},
    )


def _most_lost(usual: Mapping[str, np.ndarray], vectors: Sequence[ScoreVector]) -> str | None:
    """The scorer that lost most, as for the examples that are shown."""
    falls = {
        v.scorer: float(np.nan_to_num(usual[v.scorer] - v.values).sum())
        for v in vectors
        if v.scorer in usual and len(usual[v.scorer]) == len(v.values)
    }
    return max(falls, key=lambda name: falls[name]) if falls else None


def _rescored(store: Store, target: Target, golden: Golden, good: RunRecord) -> tuple[Rescored, ...]:
    """A good run's stored answers, scored again with today's scorers. A scorer that asks others is left out."""
    own = [scorer for scorer in target.scorers if not getattr(scorer, "asks", False)]
    responses = store.responses(good.id)
    if not own or not responses:
        return ()
    stored = {v.scorer: v.values for v in store.vectors(good.id)}
    found = []
    for vector in score_run(golden.examples, own, responses).vectors:
        was = stored.get(vector.scorer)
        if was is None or len(was) != len(vector.values):
            continue
        both = ~np.isnan(was) & ~np.isnan(vector.values)
        turned = int((np.isnan(was) != np.isnan(vector.values)).sum())
        if not both.any():
            continue
        changed = int((np.abs(was[both] - vector.values[both]) > _SAME).sum()) + turned
        means = float(was[both].mean()), float(vector.values[both].mean())
        found.append(Rescored(vector.scorer, good.id, means[0], means[1], changed, len(was)))
    return tuple(found)
