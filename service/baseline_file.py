"""How does healthy travel? A pinned baseline as a file that another store, or a CI runner without one, starts from.

The file is JSONL. The first line says what was measured: format, target, golden digest and example ids, scorers and
question. Each further line is one baseline run: when, its scores in the order of the ids (null: unscored), who was
not answered, latencies, what was seen of the answers (lengths, refusals, odds), what the server said it was, and with
texts the answers. Floats come back exactly.

A file is taken in only where its golden set, scorers and question are those of the target: else its scores would
be of something else. The model's name and address do not matter: a candidate is judged against what it replaces.

The runs keep their distances and their hours of the day, but move by whole days to end within the last day before
they are taken in: nobody watched in between, and time that nobody watched must not count as evidence.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from checks.types import ALL, BoolArray, Example, FloatArray, Measurement, Response, ScoreSummary, Served
from service.baseline_format import (
    FORMAT,
    VERSION,
    BaselineFile,
    BaselineFileError,
    GoldenPart,
    Head,
    Number,
    Row,
    read,
)
from service.errors import UserError
from service.records import ImportedRun, RunKind, ScoreVector
from service.scoring import slice_masks
from service.segment import measured_by as measured_scorer
from service.segment import segment_key
from service.text import safe

if TYPE_CHECKING:
    from service.config import Target
    from service.pipeline import Shell
    from service.records import BaselineRecord, Golden, RunRecord
    from service.store import Store

DAY_S = 86_400.0
_SHOWN = 5


def export_lines(store: Store, target: Target, *, texts: bool) -> Iterator[str]:
    """The lines of a target's pinned baseline, without line ends.

    Raises:
        UserError: nothing is pinned, or the configuration has changed since, so that its scorers and question
            are not those of the baseline.
    """
    baseline = store.baseline(target.name)
    if baseline is None or not baseline.runs:
        raise UserError(
            f"{target.name} has no pinned baseline yet", f"run it until it has: goldwatch run {target.name}"
        )
    records = [store.run(number) for number in baseline.runs]
    first = records[0]
    golden = store.golden(first.golden_digest) if first is not None else None
    if first is None or golden is None:
        raise UserError(f"the runs of baseline {baseline.id} are gone from the store {store.shown}")
    if segment_key(target, golden.digest, baseline.id) != first.segment:
        raise UserError(
            f"the scorers or the question of {target.name} changed since its baseline was measured",
            f"take the change back, or run until there is a new baseline: goldwatch run {target.name}",
        )
    head = Head(
        format=FORMAT,
        version=VERSION,
        target=target.name,
        golden=GoldenPart(digest=golden.digest, version=golden.version),
        scorers=[measured_scorer(scorer) for scorer in target.scorers],
        question=_plain(_question(target)),
        pinned_at=baseline.created_at,
        reason=baseline.reason,
        runs=len(baseline.runs),
        ids=[example.id for example in golden.examples],
    )
    yield _line(head.model_dump())
    runs = {}
    for run in store.measurements(target.name, first.segment, after_run=min(baseline.runs) - 1):
        if run.run > max(baseline.runs):
            break
        runs[run.run] = run
    for record in records:
        if record is not None and record.id in runs:
            yield _line(_row(store, record, runs[record.id], golden.examples, texts=texts))


def check_fits(file: BaselineFile, target: Target, golden: Golden) -> None:
    """Hold the file against a target.

    Raises:
        BaselineFileError: it was measured with another golden set, other scorers or another question; every
            difference is told.
    """
    faults = []
    if file.golden_digest != golden.digest or file.ids != tuple(e.id for e in golden.examples):
        faults.append(
            f"golden set: {file.golden_digest[:19]}… of {len(file.ids)} examples there, "
            f"{golden.digest[:19]}… of {len(golden.examples)} here"
        )
    faults += _scorer_faults(file.scorers, [_plain(measured_scorer(scorer)) for scorer in target.scorers])
    faults += [f"question{where}" for where in _differences(file.question, _plain(_question(target)))]
    if faults:
        more = [f"and {len(faults) - 2 * _SHOWN} more"] if len(faults) > 2 * _SHOWN else []
        listed = "\n".join(f"  {fault}" for fault in [*faults[: 2 * _SHOWN], *more])
        raise BaselineFileError(
            f"{file.path}: this baseline of {safe(file.target, 64)} was measured otherwise than {target.name}:\n"
            f"{listed}",
            "export it again from where this configuration runs, or take the differences back",
        )


def bring_in(shell: Shell, target: Target, golden: Golden, baseline: BaselineRecord) -> BaselineRecord:
    """Take in the runs of ``baseline: {from: FILE}`` and pin them.

    Runs that an interrupted call took in already are pinned and not taken in twice.

    Returns:
        The baseline, pinned.

    Raises:
        BaselineFileError: the file cannot be used, or does not fit.
    """
    store = shell.store
    mine = store.runs(target.name, limit=None, after=baseline.from_run - 1, newest_first=False)
    pinned = tuple(r.id for r in mine if r.kind is RunKind.IMPORTED and r.baseline_id == baseline.id)
    if not pinned:
        file = fitting(target, golden)
        store.put_golden(golden)
        pinned = store.import_runs(
            target.name,
            _imported(file, golden, shell.clock()),
            golden_digest=golden.digest,
            segment=segment_key(target, golden.digest, baseline.id),
            baseline_id=baseline.id,
            share=target.share,
            period_h=shell.config.period_h,
        )
    store.pin_baseline(baseline.id, pinned)
    return replace(baseline, runs=pinned)


def fitting(target: Target, golden: Golden) -> BaselineFile:
    """The target's ``baseline: {from: FILE}``, read and held against it.

    Raises:
        BaselineFileError: it cannot be used, or does not fit.
    """
    path = target.baseline.from_file
    if path is None:
        raise BaselineFileError(f"{target.name} names no baseline file")
    file = read(path)
    check_fits(file, target, golden)
    return file


def _row(
    store: Store, record: RunRecord, run: Measurement, examples: Sequence[Example], *, texts: bool
) -> dict[str, Any]:
    """One run as :class:`Row` reads it."""
    vectors = store.vectors(record.id)
    outputs = None
    if texts:
        said = store.response_texts([record.id], [example.id for example in examples])
        outputs = [said.get((record.id, example.id)) for example in examples]
    served = None if record.served is None else dict(_served_fields(record.served))
    row = {
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "served": None if served is None else {k: v for k, v in served.items() if v is not None},
        "unanswered": np.flatnonzero(~run.answered).tolist(),
        "latency_s": None if np.isnan(run.latency_s).all() else _numbers(run.latency_s),
        "scores": {vector.scorer: _numbers(vector.values) for vector in vectors},
        "labels": {vector.scorer: _by_label(vector.labels) for vector in vectors if vector.labels},
        "format_failures": {v.scorer: list(v.format_failures) for v in vectors if v.format_failures},
        "observed": {name: _numbers(values) for name, values in run.observed.items()},
        "outputs": outputs,
    }
    return {key: value for key, value in row.items() if value is not None}


def _imported(file: BaselineFile, golden: Golden, now: float) -> list[ImportedRun]:
    """The runs as the store takes them, moved by whole days to end within the last day."""
    moved_s = DAY_S * math.floor((now - file.runs[-1].started_at) / DAY_S)
    masks = {ALL: np.ones(len(golden.examples), dtype=bool), **slice_masks(golden.examples)}
    return [_one(row, golden.examples, masks, moved_s) for row in file.runs]


def _one(
    row: Row, examples: Sequence[Example], masks: Mapping[str, BoolArray], moved_s: float
) -> ImportedRun:
    n = len(examples)
    answered = np.ones(n, dtype=bool)
    answered[row.unanswered] = False
    vectors = tuple(
        ScoreVector(
            scorer=name,
            values=_array(values),
            labels={at: label for label, places in row.labels.get(name, {}).items() for at in places},
            format_failures=tuple(row.format_failures.get(name, ())),
        )
        for name, values in row.scores.items()
    )
    texts = row.outputs or []
    return ImportedRun(
        started_at=row.started_at + moved_s,
        finished_at=None if row.finished_at is None else row.finished_at + moved_s,
        summaries=tuple(_summary(v, name, mask) for v in vectors for name, mask in masks.items()),
        vectors=vectors,
        answered=answered,
        latency_s=np.full(n, np.nan) if row.latency_s is None else _array(row.latency_s),
        served=None if row.served is None else _served(row.served),
        observed={name: _array(values) for name, values in row.observed.items()},
        responses=tuple(
            Response(e.id, text) for e, text in zip(examples, texts, strict=False) if text is not None
        ),
    )


def _summary(vector: ScoreVector, name: str, mask: BoolArray) -> ScoreSummary:
    inside = vector.values[mask]
    known = inside[~np.isnan(inside)]
    mean = float(known.mean()) if len(known) else None
    return ScoreSummary(vector.scorer, name, mean, len(known), len(inside) - len(known))


def _scorer_faults(there: Sequence[Mapping[str, Any]], here: Sequence[Mapping[str, Any]]) -> list[str]:
    old, new = ({str(s.get("name")): s for s in scorers} for scorers in (there, here))
    faults = [f"scorer {safe(name, 64)}: only in the file" for name in old if name not in new]
    faults += [f"scorer {safe(name, 64)}: not in the file" for name in new if name not in old]
    for name in old:
        if name in new:
            faults += [f"scorer {safe(name, 64)}{where}" for where in _differences(old[name], new[name])]
    return faults


def _differences(there: Any, here: Any, at: str = "") -> list[str]:
    """Where two JSON values differ: ``.params.temperature: 0 there, 0.7 here``."""
    if there == here and type(there) is type(here):
        return []
    if isinstance(there, dict) and isinstance(here, dict):
        keys = list(dict.fromkeys([*there, *here]))
        return [
            d for key in keys for d in _differences(there.get(key), here.get(key), f"{at}.{safe(key, 40)}")
        ]
    if isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        pairs = enumerate(zip(there, here, strict=True))
        return [d for i, (old, new) in pairs for d in _differences(old, new, f"{at}[{i}]")]
    if isinstance(there, int | float) and isinstance(here, int | float) and there == here:
        return []
    return [f"{at}: {_shown(there)} there, {_shown(here)} here"]


def _shown(value: Any) -> str:
    return "nothing" if value is None else safe(json.dumps(value, ensure_ascii=False), 60)


def _question(target: Target) -> list[Any]:
    return [target.endpoint.kind, target.endpoint.question()]


def _plain(value: Any) -> Any:
    """The value as JSON would give it back."""
    return json.loads(json.dumps(value, default=list))


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=True, separators=(",", ":"), default=list)


def _numbers(values: FloatArray) -> list[Number]:
    """Numbers with null for NaN; whole ones without their point, so that right and wrong take one byte."""
    return [None if math.isnan(v) else int(v) if v.is_integer() else v for v in values.tolist()]


def _array(values: Sequence[Number]) -> FloatArray:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _by_label(labels: Mapping[int, str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for at, label in labels.items():
        found.setdefault(label, []).append(at)
    return found


def _served_fields(served: Served) -> Iterator[tuple[str, Any]]:
    for name in ("model", "fingerprint", "version", "parent", "root", "models"):
        yield name, getattr(served, name)


def _served(record: Mapping[str, Any]) -> Served:
    known: dict[str, Any] = {
        name: str(record[name]) for name, _ in _served_fields(Served()) if name in record and name != "models"
    }
    models = record.get("models")
    return Served(**known, models=tuple(map(str, models)) if isinstance(models, list) else None)
