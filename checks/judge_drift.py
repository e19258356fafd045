"""Is the judge still the same? A judge that changed says nothing about the model.

A scorer that asks a model (``judge``, ``embedding_similarity``) scores its anchors anew in every run: frozen answers,
with the scores that people gave them. The model under watch has no part in them, so a change of their scores is the
judge's.

Each anchor is held against its own score in the first run of the baseline; its likeness is ``1 - |change|``. Null
hypothesis: the likeness goes on as during the rest of the baseline, with the noise that was learnt there. Both ways of
changing lower it: milder, stricter, or only otherwise. A fall in two runs that agree is judge drift, told with an alert
of its own kind, within this check's part of the false-alarm budget. It is never a regression: as long as it stands, the
findings of that scorer are ``inconclusive``, and its scores are neither evidence nor learnt from. It ends when the
anchors are scored as in the baseline again (:data:`BACK` runs), or with a new baseline.

A judge is doubted sooner than its drift is told, so that no page about the model comes before it: from a run on whose
likeness, or the moving average over the last runs, lies two standard deviations (of a mean of right and wrong, and
half an anchor) below the baseline's, until
:data:`BACK` runs in a row lie within one. Doubted scores are left out too; of a judge that repeats itself one changed
anchor is enough. So are the scores left out where the judge gave no verdict on enough answers or anchors; :data:`DARK`
such runs in a row are told as an outage of the judge.

How well the judge agrees with people is told beside it, by Gwet's AC1 and Cohen's kappa
(``inference/agreement.py``); that is for people to weigh, and pages nobody.

A false alarm: a judge that seems changed by chance. When not to use it: as a measure of whether the judge is any good;
a judge that is wrong in the same way every time never drifts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from checks.base import SECONDS_PER_HOUR, Answer
from checks.inference import group, two_sided
from checks.inference.agreement import Agreement, Coefficient, agreement
from checks.types import ALL, Finding, FloatArray, Measurement, Subject, Verdict

SCORES, HUMAN, COUNTS = "scores:", "human:", "counts:"
"""Before a scorer's name in ``Measurement.judged``: the judge's scores of the anchors and people's, float [anchors],
NaN where there was no verdict; and float [3]: which anchors file it was (a number made of its digest), answers of the
model that the judge was to score, and those that it gave a verdict on."""

FEWEST = 10
"""Anchors that a scorer needs for its judge to be watched."""

BACK = 2
"""Runs in a row as in the baseline that a drift needs to end."""

DARK = 2
"""Runs in a row without verdicts that are told."""

KEY = 9 << 21

_MOVED = 0.01
_DOUBTED_SDS, _BACK_SDS = 2.0, 1.0
_NEWEST = 0.3  # the newest run's part in the moving average


@dataclass(frozen=True, slots=True)
class Stream:
    """One judge. ``about`` is the anchors file's number; ``first`` the anchors' scores in the baseline's first run.

    ``likeness`` sums the likenesses of ``baseline_runs``. ``runs``: ids of the newest runs seen, newest last.
    ``onset_run`` is set while a drift stands, ``doubted`` while the judge is not believed; ``back`` counts runs in a
    row that were as before. ``recent`` is the moving average of the likeness less the usual.
    """

    about: float
    first: FloatArray
    sides: two_sided.State
    runs: np.ndarray
    likeness: float = 0.0
    baseline_runs: int = 0
    onset_run: int | None = None
    evidence: float | None = None
    doubted: bool = False
    back: int = 0
    recent: float = 0.0

    @property
    def usual(self) -> float:
        """The baseline's mean likeness."""
        return self.likeness / max(self.baseline_runs, 1)

    def below(self, likeness: float, sds: float) -> bool:
        """Whether a run's likeness lies so many standard deviations, and half an anchor, below the usual."""
        return likeness < self.usual - sds * self._sd - 0.5 / len(self.first)

    @property
    def sinking(self) -> bool:
        """Whether the last runs together lie too low, though perhaps none of them alone."""
        return self.recent < -_DOUBTED_SDS * math.sqrt(_NEWEST / (2.0 - _NEWEST)) * self._sd

    @property
    def _sd(self) -> float:
        return math.sqrt(max(self.usual * (1.0 - self.usual), 1e-9) / len(self.first))


@dataclass(frozen=True, slots=True)
class Silence:
    """How long a judge has given no verdicts: runs in a row, and the first of them."""

    runs: int = 0
    first_run: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Each judge by its scorer's name; those without enough anchors have no stream."""

    streams: dict[str, Stream]
    silent: dict[str, Silence]


class JudgeDrift:
    """Null hypothesis: the anchors are scored as during the baseline."""

    name = "judge_drift"
    weight = 1.0
    guards = True
    state_types = (State, Stream, Silence, two_sided.State, *group.STATE_TYPES)

    def initial(self, subject: Subject) -> State | None:
        """No run seen; None where no scorer asks a model of its own."""
        return State({}, {}) if subject.judges else None

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """See :class:`checks.base.Check`."""
        threshold_h = run.period_h / (run.share * share / len(subject.judges))
        streams, silent = dict(state.streams), dict(state.silent)
        findings: list[Finding] = []
        blind: dict[str, str] = {}
        suspect = False
        for key, scorer in enumerate(sorted(subject.judges)):
            dark = _silence(subject, scorer, run)
            silent[scorer] = _still(silent.get(scorer, Silence()), run, dark is not None)
            stream, capped = streams.get(scorer), False
            now = run.judged.get(SCORES + scorer)
            if now is not None and len(now) >= FEWEST and dark is None:
                stream, capped = _advance(
                    subject,
                    key,
                    _same_file(subject, key, stream, scorer, run, now),
                    run,
                    now,
                    threshold_h,
                    learn=learn,
                )
                streams[scorer] = stream
            finding, why = _finding(subject, scorer, stream, silent[scorer], run, dark=dark)
            findings.append(finding)
            if why is not None:
                blind[scorer] = why
            suspect = suspect or (capped and stream is not None and stream.onset_run is None)
        return State(streams, silent), Answer(tuple(findings), suspect, blind=blind)

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """See :class:`checks.base.Check`."""
        del subject, state, run
        return Answer(())


CHECK = JudgeDrift()


def agreed(run: Measurement, scorer: str) -> Agreement | None:
    """How well the scorer's judge agreed with people on the anchors in a run; None where that is not known."""
    mine, theirs = run.judged.get(SCORES + scorer), run.judged.get(HUMAN + scorer)
    return None if mine is None or theirs is None else agreement(mine, theirs)


def _silence(subject: Subject, scorer: str, run: Measurement) -> str | None:
    """Why this run's verdicts are too few, in words; None where they are enough."""
    counts = run.judged.get(COUNTS + scorer)
    anchors = run.judged.get(SCORES + scorer)
    if counts is None:
        return None  # a run that was brought in holds scores alone
    asked, told = int(counts[1]), int(counts[2])
    if asked and told < subject.min_answered * asked:
        return f"the judge gave a verdict on {told} of {asked} answers"
    if anchors is not None and len(anchors):
        known = int((~np.isnan(anchors)).sum())
        if known < subject.min_answered * len(anchors):
            return f"the judge gave a verdict on {known} of {len(anchors)} anchors"
    return None


def _still(before: Silence, run: Measurement, dark: bool) -> Silence:
    if not dark:
        return Silence()
    return Silence(before.runs + 1, run.run if before.first_run is None else before.first_run)


def _plan(subject: Subject, key: int, anchors: int) -> two_sided.Blocks:
    return two_sided.blocks(
        anchors,
        (ALL,),
        baseline_runs=subject.baseline_runs - 1,
        key=KEY + 2 * key,
        least_variance=1e-6,
        conformal_below=0.0,
    )


def _same_file(
    subject: Subject, key: int, stream: Stream | None, scorer: str, run: Measurement, now: FloatArray
) -> Stream:
    """The stream so far, or a new one where the anchors are others than before."""
    about = float(run.judged[COUNTS + scorer][0])
    if stream is not None and stream.about == about and len(stream.first) == len(now):
        return stream
    sides = two_sided.initial(_plan(subject, key, len(now)), both=False)
    return Stream(about, np.full(len(now), np.nan), sides, np.zeros(0, dtype=np.int64))


def _advance(
    subject: Subject,
    key: int,
    stream: Stream,
    run: Measurement,
    now: FloatArray,
    threshold_h: float,
    *,
    learn: bool,
) -> tuple[Stream, bool]:
    learning, row = stream.sides.learning, 1.0 - np.abs(now - stream.first)
    if learning and learn:
        stream = replace(stream, first=np.where(np.isnan(stream.first), now, stream.first))
    if np.isnan(row).all():
        return stream, False
    sides, seen = two_sided.advance(
        _plan(subject, key, len(now)), stream.sides, row, row, at_h=run.started_at / SECONDS_PER_HOUR,
        threshold_h=threshold_h, learn=learn and stream.onset_run is None,
    )  # fmt: skip
    likeness = float(np.nanmean(row))
    stream = replace(stream, sides=sides, runs=np.append(stream.runs, run.run)[-group.REMEMBERED :])
    if learning:
        if learn:
            stream = replace(
                stream,
                likeness=stream.likeness + likeness,
                baseline_runs=stream.baseline_runs + 1,
            )
        return stream, False
    return _stands(stream, likeness, seen), seen.capped


def _stands(stream: Stream, likeness: float, seen: two_sided.Seen) -> Stream:
    """A page begins a drift, a low likeness a doubt; both end once the anchors are scored as in the baseline again."""
    page = stream.sides.page
    stream = replace(stream, recent=(1.0 - _NEWEST) * stream.recent + _NEWEST * (likeness - stream.usual))
    if page is not None and stream.onset_run is None:
        back = min(max(stream.sides.down.seen - page.onset, 1), len(stream.runs))
        onset, evidence = int(stream.runs[-back]), max(page.evidence, 1.0)
        return replace(stream, onset_run=onset, evidence=evidence, doubted=True, back=0)
    if stream.onset_run is None:
        stream = replace(stream, evidence=min(seen.evidence, 0.99))
    if not stream.doubted:
        low = stream.below(likeness, _DOUBTED_SDS) or stream.sinking or seen.capped
        return replace(stream, doubted=low, back=0)
    back = 0 if stream.below(likeness, _BACK_SDS) else stream.back + 1
    if back < BACK or page is not None:
        return replace(stream, back=back)
    evidence = min(seen.evidence, 0.99)
    return replace(stream, onset_run=None, evidence=evidence, doubted=False, back=0, recent=0.0)


def _finding(
    subject: Subject,
    scorer: str,
    stream: Stream | None,
    silence: Silence,
    run: Measurement,
    *,
    dark: str | None,
) -> tuple[Finding, str | None]:
    """What to say of one judge, and why its scores of this run mean nothing (None: they do)."""
    people = _people(agreed(run, scorer))
    drifted = stream is not None and stream.onset_run is not None

    def found(verdict: Verdict, reason: str | None, **more: float | None) -> Finding:
        return Finding(CHECK.name, scorer, ALL, verdict, reason=reason, **more)  # type: ignore[arg-type]  # by name

    if dark is not None:
        told = silence.runs >= DARK or drifted
        onset = stream.onset_run if drifted and stream is not None else silence.first_run
        reason = f"{dark}: its scores are missing, which says nothing about the model"
        evidence = stream.evidence if drifted and stream is not None else None
        return found(
            Verdict.INCONCLUSIVE, reason, onset_run=onset if told else None, evidence=evidence
        ), f"{dark} (judge_drift)"
    now = run.judged.get(SCORES + scorer)
    if COUNTS + scorer not in run.judged:
        return found(Verdict.OK, "what the judge said of its anchors is not known"), None
    if stream is None or now is None or len(now) < FEWEST:
        return found(
            Verdict.OK, f"no anchors: a change of the judge would pass for one of the model{people}"
        ), None
    if stream.sides.learning:
        seen = stream.baseline_runs + bool((~np.isnan(stream.first)).any())
        reason = f"{seen} of {subject.baseline_runs} baseline runs{people}"
        return found(Verdict.LEARNING, reason, current=float(np.nanmean(now))), None
    change = now - stream.first
    known = change[~np.isnan(change)]
    figures = {
        "evidence": stream.evidence,
        "effect": float(known.mean()),
        "baseline": float(np.nanmean(np.where(np.isnan(change), np.nan, stream.first))),
        "current": float(np.nanmean(np.where(np.isnan(change), np.nan, now))),
    }
    moved = int((np.abs(known) > _MOVED).sum())
    counted = f"{moved} of {len(known)} anchors are scored otherwise than in the baseline"
    if drifted:
        reason = f"the judge changed, not the model: {counted}{people}"
        why = f"not comparable: the judge changed since run {stream.onset_run} (judge_drift)"
        return found(Verdict.INCONCLUSIVE, reason, onset_run=stream.onset_run, **figures), why
    if stream.doubted:
        reason = f"perhaps the judge changed: {counted}{people}"
        return found(
            Verdict.INCONCLUSIVE, reason, **figures
        ), "not comparable: perhaps the judge changed (judge_drift)"
    return found(Verdict.OK, people.removeprefix("; ") or None, **figures), None


def _people(found: Agreement | None) -> str:
    """How well the judge agrees with people, as the end of a sentence; empty where that is not known."""
    return "" if found is None else f"; {in_words(found)}"


def in_words(found: Agreement) -> str:
    """How well a judge agrees with people, for people."""
    both = [_coefficient("AC1", found.ac1), _coefficient("kappa", found.kappa)]
    return f"agreement with people {found.ratio:.0%} of {found.n} anchors{''.join(both)}"


def _coefficient(name: str, one: Coefficient | None) -> str:
    return "" if one is None else f", {name} {one.value:.2f} ({one.low:.2f} to {one.high:.2f})"
