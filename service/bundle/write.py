"""How does a stored run become a bundle? Everything that its verdict follows from, and nothing secret.

An allow-list decides what goes in: scorers, the question (prompt and parameters), scores, answers. Addresses, headers
and keys never do. A configured secret that an answer or an error repeats is replaced, and the example is named in
``context.json``; its recorded score stands.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from checks.types import ALL, Measurement
from service import __version__
from service.bundle.format import (
    FORMAT,
    MANIFEST,
    MEMBERS,
    SEAL,
    VERSION,
    WITH_TEXTS,
    GapPart,
    Manifest,
    Member,
    Slice,
    SubjectPart,
    VerdictPart,
    code_digest,
    line,
    to_part,
)
from service.conclude import subject_of
from service.errors import UserError
from service.golden.canonical import canonical
from service.records import RunState
from service.report import finding_object
from service.segment import measured_by, segment_key

if TYPE_CHECKING:
    from checks.scorers import Scorer
    from checks.types import Response, Subject
    from service.config import Target
    from service.records import Golden, RunRecord
    from service.store import Store

_DAY_S = 86_400.0
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEVEL = 6


def export(
    store: Store, target: Target, run_id: int, path: Path, *, texts: bool, clean: Callable[[str], str]
) -> str:
    """Write the bundle of a finished run; the file appears whole or not at all.

    Args:
        store: where the run is.
        target: its target as configured.
        run_id: the run.
        path: where to.
        texts: with inputs, expected answers and answers; without them only the verdict can be recomputed.
        clean: replaces secrets in a text.

    Returns:
        The digest of the bundle, ``sha256:...``, to be told apart from the file.

    Raises:
        UserError: there is no such finished run, or the scorers or the question have changed since.
        StoreError: the store failed.
    """
    run, golden = _found(store, target, run_id)
    about = subject_of(store, target, golden, run.baseline_id)
    responses = store.responses(run_id) if texts else []
    hidden = _hidden(responses, golden, clean)
    subject = _subject(target, golden, about, texts=texts, clean=clean)
    current = next(store.measurements(target.name, run.segment, after_run=run_id - 1), None)
    if current is None or current.run != run_id:
        raise UserError(f"run {run_id} has no measurement in the store", "export another run")
    whole = bool(responses)
    parts: dict[str, Iterator[bytes]] = {
        "subject.json": iter([line(subject.model_dump())]),
        "golden.jsonl": (canonical(e).encode() + b"\n" for e in golden.examples),
        "answers.jsonl": (line(_answer(r, clean)) for r in responses),
        "run.jsonl": iter([_line_of(current, about.examples)]),
        "history.jsonl": (_line_of(m, about.examples) for m in _before(store, target.name, run)),
        "verdict.json": iter([line(_verdict(run).model_dump())]),
        "context.json": iter([line(_context(store, run, golden, hidden, clean))]),
    }
    manifest = Manifest(
        format=FORMAT,
        version=VERSION,
        goldwatch=__version__,
        code=code_digest(),
        python=platform.python_version(),
        numpy=np.__version__,
        target=target.name,
        run=run_id,
        texts=whole,
        members={},
    )
    names = [name for name in MEMBERS if whole or name not in WITH_TEXTS]
    return _pack(path, manifest, {name: parts[name] for name in names})


def _found(store: Store, target: Target, run_id: int) -> tuple[RunRecord, Golden]:
    run = store.run(run_id)
    if run is None or run.target != target.name:
        raise UserError(
            f"{target.name} has no run {run_id}", f"list its runs: goldwatch history {target.name}"
        )
    if run.state is not RunState.DONE or run.verdict is None:
        raise UserError(
            f"run {run_id} has no verdict (it is running, or was imported)", "export a judged run"
        )
    golden = store.golden(run.golden_digest)
    if golden is None:
        raise UserError(f"the golden set of run {run_id} is gone from the store {store.shown}")
    if segment_key(target, golden.digest, run.baseline_id) != run.segment:
        raise UserError(
            f"the scorers or the question of {target.name} changed since run {run_id}",
            "name the configuration of then: goldwatch export RUN -c OLD.yaml",
        )
    return run, golden


def _before(store: Store, target: str, run: RunRecord) -> Iterator[Measurement]:
    return takewhile(lambda m: m.run < run.id, store.measurements(target, run.segment))


def _line_of(run: Measurement, examples: int) -> bytes:
    return line(to_part(run, examples).model_dump(exclude_defaults=True))


def _subject(
    target: Target, golden: Golden, about: Subject, *, texts: bool, clean: Callable[[str], str]
) -> SubjectPart:
    scorers = [_scorer(s) for s in target.scorers]
    question = [target.endpoint.kind, target.endpoint.question()] if texts else None
    return SubjectPart(
        scorers=json.loads(json.dumps(scorers, default=list)),
        question=_cleaned(json.loads(json.dumps(question, default=list)), clean),
        golden_digest=golden.digest,
        golden_version=golden.version,
        examples=about.examples,
        ids=[e.id for e in golden.examples],
        slices=[
            Slice(name=name, at=[int(i) for i in np.flatnonzero(mask)])
            for name, mask in about.slices.items()
            if name != ALL
        ],
        groups=None if about.groups is None else about.groups.tolist(),
        baseline_runs=about.baseline_runs,
        min_answered=about.min_answered,
        smallest_effect=about.smallest_effect,
        reference=about.reference,
        logprobs=about.logprobs,
        border=about.border,
        promises=dict(about.promises),
        gaps=[
            GapPart(name=name, new=gap.new.tolist(), known=gap.known.tolist())
            for name, gap in about.gaps.items()
        ],
        days=None if about.days is None else [None if d != d else float(d) for d in about.days],  # noqa: PLR0124
    )


def _scorer(scorer: Scorer) -> dict[str, Any]:
    """What decides its scores; of one that asks a model not where, and not what it is asked."""
    if getattr(scorer, "asks", False):
        options = {"kind": scorer.kind, "name": scorer.scorer_name}
    else:
        options = measured_by(scorer)
    return {**options, **({} if scorer.min is None else {"min": scorer.min})}


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _cleaned(one, clean) for key, one in value.items()}
    return [_cleaned(one, clean) for one in value] if isinstance(value, list) else value


def _answer(response: Response, clean: Callable[[str], str]) -> dict[str, Any]:
    made = {key: value for key, value in asdict(response).items() if value is not None}
    return {key: _cleaned(value, clean) for key, value in made.items()}


def _hidden(responses: list[Response], golden: Golden, clean: Callable[[str], str]) -> list[int]:
    """The positions of the examples whose answers hold a secret."""
    at = {example.id: i for i, example in enumerate(golden.examples)}
    return sorted(
        {at[r.example_id] for r in responses if r.output is not None and clean(r.output) != r.output}
    )


def _verdict(run: RunRecord) -> VerdictPart:
    return VerdictPart(
        verdict=str(run.verdict), reason=run.reason, findings=[finding_object(f) for f in run.findings]
    )


def _context(
    store: Store, run: RunRecord, golden: Golden, hidden: list[int], clean: Callable[[str], str]
) -> dict[str, Any]:
    baseline = next((b for b in store.baselines(run.target) if b.id == run.baseline_id), None)
    diagnosis = store.diagnosis(run.id)
    served = None if run.served is None else {k: v for k, v in asdict(run.served).items() if v is not None}
    made = {
        "hidden": hidden,
        "golden": {"name": golden.name, "digest": golden.digest, "version": golden.version},
        "kind": str(run.kind),
        "scheduled_at": run.scheduled_at,
        "finished_at": run.finished_at,
        "served": served,
        "requests": asdict(run.requests),
        "tokens": {"input": run.input_tokens, "output": run.output_tokens},
        "cost_usd": run.cost_usd,
        "baseline": None
        if baseline is None
        else {"runs": list(baseline.runs), "created_at": baseline.created_at, "reason": baseline.reason},
        "marks": [
            asdict(m) for m in store.marks(run.target, run.started_at - 30 * _DAY_S) if m.at <= run.started_at
        ],
        "causes": [] if diagnosis is None else list(diagnosis.sentences),
    }
    cleaned: dict[str, Any] = _cleaned(json.loads(json.dumps(made)), clean)
    return cleaned


def _pack(path: Path, manifest: Manifest, parts: dict[str, Iterator[bytes]]) -> str:
    """Write the members to temporary files, then the ZIP with its seal; returns the seal."""
    temporary = ""
    try:
        with tempfile.TemporaryDirectory(prefix=".goldwatch-", dir=path.parent) as folder:
            members = {name: _spool(Path(folder) / name, lines) for name, lines in parts.items()}
            head = manifest.model_copy(update={"members": members})
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            with os.fdopen(descriptor, "w+b") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
                    _add(archive, MANIFEST, [line(head.model_dump())])
                    for name in members:
                        with (Path(folder) / name).open("rb") as spooled:
                            _add(archive, name, iter(lambda s=spooled: s.read(1 << 20), b""))  # type: ignore[misc]
                    archive.comment = (SEAL + "0" * 64).encode()
                seal = _seal(file)
                file.flush()
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from None
    return seal


def _spool(path: Path, lines: Iterator[bytes]) -> Member:
    running, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for one in lines:
            running.update(one)
            size += len(one)
            file.write(one)
    return Member(sha256=running.hexdigest(), bytes=size)


def _add(archive: zipfile.ZipFile, name: str, chunks: Any) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
    with archive.open(info, "w", force_zip64=True) as member:
        for chunk in chunks:
            member.write(chunk)


def _seal(file: Any) -> str:
    """Put the digest of all that comes before it into the ZIP's comment."""
    file.seek(0, os.SEEK_END)
    body = file.tell() - len(SEAL) - 64
    file.seek(0)
    running = hashlib.sha256()
    left = body
    while left:
        chunk = file.read(min(left, 1 << 20))
        running.update(chunk)
        left -= len(chunk)
    seal = SEAL + running.hexdigest()
    file.seek(body)
    file.write(seal.encode())
    return seal
