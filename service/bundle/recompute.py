"""Does the same follow from a bundle as was said of its run? Scores from the answers, the verdict from the scores.

Equal means equal in every bit: scores, labels, verdict, reason, onset. The statistics behind the verdict (evidence,
effects, intervals) are equal to nine digits, since processors of different makes round sums and exponentials
differently in the last one. Only the code that made the bundle promises that; another version of it may judge
otherwise, and then :attr:`Recomputed.same_code` says so. Nothing is opened but the bundle: a scorer that asks a model
or reads a file is not run, and its recorded scores stand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import ValidationError

from checks import judge
from checks.registry import UnknownKindError, find
from checks.scorers import Scorer
from checks.types import (
    ErrorKind,
    Example,
    FloatArray,
    Gap,
    Measurement,
    Response,
    ResponseError,
    Score,
    Subject,
    Verdict,
)
from service import history
from service.bundle.format import (
    BundleError,
    MeasurementPart,
    SubjectPart,
    VerdictPart,
    code_digest,
    from_part,
    mask_of,
)
from service.bundle.read import Bundle, altered, parsed
from service.golden.canonical import PREFIX
from service.golden.parse import example_of
from service.report import finding_object
from service.scoring import score_run
from service.text import safe

_MOST_TOLD = 10
_DIGITS = 1e-9
_MOST_CELLS = 1_000_000_000
OFFLINE = frozenset({
    "contains", "entities", "exact_match", "json_fields", "json_schema", "label", "length", "numeric", "refusal",
    "regex", "terms", "text_similarity",
})  # fmt: skip
"""The scorers that read nothing but the answer and the example."""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What follows from a bundle. ``differences`` are empty where all is as recorded, one line each.

    ``scored``: the scorers whose scores were made again from the answers. ``earlier_runs``: how many were folded.
    """

    verdict: Verdict
    recorded: Verdict
    differences: tuple[str, ...]
    same_code: bool
    scored: tuple[str, ...]
    earlier_runs: int
    answers: int


def recompute(bundle: Bundle) -> Recomputed:
    """Score and judge again.

    Raises:
        BundleError: the content does not fit together, or needs a scorer that is not installed here.
    """
    try:
        return _recompute(bundle)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        if isinstance(error, UnicodeError):
            raise altered(bundle.path, "a text is not UTF-8") from None
        raise altered(bundle.path, safe(str(error), 200)) from None


def _recompute(bundle: Bundle) -> Recomputed:
    stated = bundle.part("subject.json", SubjectPart)
    recorded = bundle.part("verdict.json", VerdictPart)
    if len(stated.ids) != stated.examples or len(set(stated.ids)) != stated.examples:
        raise altered(bundle.path, "subject.json: ids: not one for every example")
    scorers = [_scorer(bundle.path, options) for options in stated.scorers]
    about = _subject(stated, scorers)
    measured = from_part(bundle.part("run.jsonl", MeasurementPart), stated.examples)
    differences: list[str] = []
    again: tuple[str, ...] = ()
    answers: list[Response] = []
    if bundle.manifest.texts:
        examples = _golden(bundle, stated)
        masks = history.subject(
            examples, scorers, baseline_runs=about.baseline_runs, min_answered=about.min_answered
        )
        if not _same_subject(masks, about):
            differences.append("slices or groups are not those of the golden set")
        answers = [_response(bundle.path, n, parsed(bundle.path, f"answers.jsonl line {n}", one))
                   for n, one in bundle.lines("answers.jsonl")]  # fmt: skip
        again = tuple(s.scorer_name for s in scorers if s.kind in OFFLINE)
        measured, more = _scored_again(examples, scorers, answers, measured, _hidden(bundle))
        differences += more
    state, earlier = judge.initial(about), 0
    for part in bundle.parts("history.jsonl", MeasurementPart):
        run = from_part(part, stated.examples)
        if run.run <= state.last_run or run.run >= measured.run:
            raise altered(bundle.path, f"history.jsonl: run {run.run} is out of order")
        state, _ = judge.judge(about, state, history.aligned(about, run))
        earlier += 1
    _, judged = judge.judge(about, state, history.aligned(about, measured))
    differences += _verdict_differences(recorded, judged)
    return Recomputed(
        verdict=judged.verdict,
        recorded=Verdict(recorded.verdict),
        differences=_told(differences),
        same_code=bundle.manifest.code == code_digest(),
        scored=again,
        earlier_runs=earlier,
        answers=len(answers),
    )


def _told(differences: Sequence[str]) -> tuple[str, ...]:
    more = len(differences) - _MOST_TOLD
    return (*differences[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else []))


class _Asked(Scorer):
    """In place of a scorer that asks a model: what it said is in the bundle, and cannot be asked again."""

    asks: ClassVar[bool] = True

    def score(self, example: Example, response: Response) -> Score:  # noqa: ARG002  # never asked
        """Unscored."""
        return Score.unscored("its model is not asked here")


def _scorer(path: Path, options: Mapping[str, Any]) -> Scorer:
    kind = options.get("kind")
    if not isinstance(kind, str):
        raise altered(path, "subject.json: a scorer has no kind")
    try:
        found = find("checks.scorers", kind)
        if getattr(found, "asks", False):
            return _Asked(kind=kind, name=str(options.get("name", kind)), min=options.get("min"))
        made: Scorer = found.model_validate(options)
    except (UnknownKindError, ImportError):
        raise BundleError(
            f"{path}: was scored by {safe(kind, 60)!r}, which is not installed here",
            "install the same plug-ins",
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise altered(path, f"subject.json: scorer {safe(kind, 60)}: {safe(first['msg'], 120)}") from None
    return made


def _subject(stated: SubjectPart, scorers: Sequence[Scorer]) -> Subject:
    groups = stated.groups
    if len(stated.slices) * stated.examples > _MOST_CELLS:
        raise ValueError("subject.json: slices: too many")
    if groups is not None and len(groups) != stated.examples:
        raise ValueError("subject.json: groups: not one for every example")
    if any(not 0 <= i < stated.examples for gap in stated.gaps for i in (*gap.new, *gap.known)):
        raise ValueError("subject.json: gaps: names no example of the set")
    if stated.days is not None and len(stated.days) != stated.examples:
        raise ValueError("subject.json: days: not one for every example")
    return Subject(
        examples=stated.examples,
        scorers=tuple(s.scorer_name for s in scorers),
        slices={part.name: mask_of(part, stated.examples) for part in stated.slices},
        groups=None if groups is None else np.array(groups, dtype=np.int64),
        floors={s.scorer_name: s.min for s in scorers if s.min is not None},
        baseline_runs=stated.baseline_runs,
        min_answered=stated.min_answered,
        smallest_effect=stated.smallest_effect,
        gaps={
            part.name: Gap(np.array(part.new, dtype=np.int64), np.array(part.known, dtype=np.int64))
            for part in stated.gaps
        },
        days=None if stated.days is None else np.array(stated.days, dtype=float),
        reference=stated.reference,
        logprobs=stated.logprobs,
        border=stated.border,
        judges=tuple(s.scorer_name for s in scorers if getattr(s, "asks", False)),
        promises=stated.promises,
    )


def _same_subject(a: Subject, b: Subject) -> bool:
    if list(a.slices) != list(b.slices) or (a.groups is None) != (b.groups is None):
        return False
    groups = a.groups is None or b.groups is None or bool(np.array_equal(a.groups, b.groups))
    if _listed(a) != _listed(b):
        return False
    return groups and all(bool(np.array_equal(a.slices[name], b.slices[name])) for name in a.slices)


def _listed(subject: Subject) -> list[tuple[str, list[int], list[int]]]:
    return [(name, gap.new.tolist(), gap.known.tolist()) for name, gap in subject.gaps.items()]


def _golden(bundle: Bundle, stated: SubjectPart) -> list[Example]:
    if PREFIX + bundle.manifest.members["golden.jsonl"].sha256 != stated.golden_digest:
        raise altered(bundle.path, "golden.jsonl: is not the golden set that was asked")
    faults: list[str] = []
    found = [
        example_of(one, lambda key, _value, what: faults.append(f"{key}: {what}"))
        for _, one in bundle.lines("golden.jsonl")
    ]
    examples = [e for e in found if e is not None]
    if faults or [e.id for e in examples] != stated.ids:
        raise altered(bundle.path, f"golden.jsonl: {faults[0] if faults else 'other ids than subject.json'}")
    return examples


def _hidden(bundle: Bundle) -> list[int]:
    for number, one in bundle.lines("context.json"):
        record = parsed(bundle.path, f"context.json line {number}", one)
        at = record.get("hidden") if isinstance(record, dict) else None
        if isinstance(at, list) and all(type(place) is int and place >= 0 for place in at):
            return at
    raise altered(bundle.path, "context.json: hidden: is no list of positions")


def _response(path: Path, number: int, record: Any) -> Response:
    try:
        known = dict(record)
        if (error := known.pop("error", None)) is not None:
            known["error"] = ResponseError(**{**error, "kind": ErrorKind(error["kind"])})
        if "logprobs" in known:
            known["logprobs"] = tuple(map(float, known["logprobs"]))
        made = Response(**known)
    except (TypeError, ValueError, KeyError) as error:
        raise altered(path, f"answers.jsonl line {number}: {safe(str(error), 120)}") from None
    if not isinstance(made.example_id, str) or not isinstance(made.output, str | None):
        raise altered(path, f"answers.jsonl line {number}: is no answer")
    if made.latency_s is not None and not isinstance(made.latency_s, int | float):
        raise altered(path, f"answers.jsonl line {number}: latency_s: is no number")
    return made


def _scored_again(
    examples: Sequence[Example],
    scorers: Sequence[Scorer],
    answers: Sequence[Response],
    recorded: Measurement,
    hidden: Sequence[int],
) -> tuple[Measurement, list[str]]:
    """The measurement as it follows from the answers, and where it is not the recorded one."""
    from service.store.packing import stored_latency  # noqa: PLC0415  # heavy

    if not len(recorded.answered):
        return recorded, []
    here = [s for s in scorers if s.kind in OFFLINE]
    scored = score_run(examples, here, answers)
    asked = [i for i in hidden if i < len(examples)]
    made = {v.scorer: v.values for v in scored.vectors}
    differences = []
    for name, row in made.items():
        row[asked] = recorded.scores[name][asked]
        differences += _rows(f"{name}: score", row, recorded.scores[name], examples)
    observed = {name: row.copy() for name, row in scored.observed.items() if name in recorded.observed}
    for name, row in observed.items():
        row[asked] = recorded.observed[name][asked]
        differences += _rows(name, row, recorded.observed[name], examples)
    differences += _rows("latency_s", stored_latency(scored.latency_s), recorded.latency_s, examples)
    if not np.array_equal(scored.answered, recorded.answered):
        differences.append("which examples were answered is not as recorded")
    labels, malformed = scored.labels, scored.malformed
    for name in made:
        if not asked and dict(labels.get(name, {})) != dict(recorded.labels.get(name, {})):
            differences.append(f"{name}: the labels are not as recorded")
        if not asked and sorted(malformed.get(name, ())) != sorted(recorded.malformed.get(name, ())):
            differences.append(f"{name}: the format failures are not as recorded")
    return replace(recorded, scores={**recorded.scores, **made}, answered=scored.answered), differences


def _rows(what: str, made: FloatArray, recorded: FloatArray, examples: Sequence[Example]) -> list[str]:
    wrong = np.flatnonzero(~((made == recorded) | (np.isnan(made) & np.isnan(recorded))))
    return [
        f"{what} of {safe(examples[i].id, 60)}: {_shown(recorded[i])} recorded, {_shown(made[i])} now"
        for i in map(int, wrong)
    ]


def _shown(value: float) -> str:
    return "none" if math.isnan(value) else repr(float(value))


def _verdict_differences(recorded: VerdictPart, judged: judge.Judgement) -> list[str]:
    found = []
    if recorded.verdict != str(judged.verdict):
        found.append(f"verdict: {safe(recorded.verdict, 20)} recorded, {judged.verdict} now")
    elif judged.verdict is not Verdict.INCONCLUSIVE and recorded.reason != judged.reason:
        found.append("the reason of the verdict is not as recorded")
    now = [finding_object(f) for f in judged.findings]
    if len(now) != len(recorded.findings):
        found.append(f"findings: {len(recorded.findings)} recorded, {len(now)} now")
    for old, new in zip(recorded.findings, now, strict=False):
        for key in new:
            if key not in old or not _equal(old[key], new[key]):
                where = safe(f"{new['check']} {new['scorer'] or ''} {new['slice']}", 80)
                found.append(
                    f"{where}: {key}: {safe(str(old.get(key)), 40)} recorded, {safe(str(new[key]), 40)} now"
                )
    return found


def _equal(old: Any, new: Any) -> bool:
    """Numbers with a fraction to nine digits, everything else exactly.

    >>> _equal({"evidence": 0.30000000000000004}, {"evidence": 0.3}), _equal([1, 0.3], [1, 0.3001]), _equal(7, 8)
    (True, False, False)
    """
    if isinstance(old, float) and isinstance(new, float):
        return math.isclose(old, new, rel_tol=_DIGITS, abs_tol=_DIGITS * _DIGITS)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_equal(old[key], new[key]) for key in old)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return len(old) == len(new) and all(map(_equal, old, new))
    return bool(old == new)
