"""Is a real fine-tune told from its own base model by their recorded answers?"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from checks.adapter_applied import CHECK
from checks.types import Measurement, Subject, Verdict
from service.golden import load
from service.responses_file import read_responses
from service.scoring import likeness

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "finetune-logical-deduction"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the recorded answers (../shared/data beside the repository) are not here"
)

LEARNT = 5


@functools.cache
def examples():
    return load(DATA / "golden.jsonl").examples


@functools.cache
def recorded(model):
    """The runs of a model, oldest first."""
    return [read_responses(path, examples()).responses for path in sorted(DATA.glob(f"responses/*{model}*"))]


@functools.cache
def reference():
    """The base model's two answers to each example: its first two runs, which are judged nowhere."""
    first, second = recorded("base")[:2]
    return {a.example_id: (a.output, b.output) for a, b in zip(first, second, strict=True)}


def findings(runs):
    """What the check says of each run, hourly."""
    n = len(examples())
    subject = Subject(
        examples=n, scorers=("label",), slices={}, baseline_runs=LEARNT, reference=True, min_answered=0.9
    )
    state = CHECK.initial(subject)
    for number, responses in enumerate(runs, 1):
        one = Measurement(
            run=number,
            started_at=3600.0 * number,
            measured=True,
            scores={},
            answered=np.ones(n, dtype=bool),
            latency_s=np.full(n, np.nan),
            observed=likeness(examples(), responses, reference()),
        )
        state, answer = CHECK.update(subject, state, one, share=0.2, learn=True)
        yield answer.findings[0]


def test_a_fine_tune_whose_adapter_is_dropped_is_found_in_two_runs():
    """Seven runs of the fine-tune, then its base model under the same name: suspect, then not applied."""
    found = list(findings([*recorded("ft-same"), *recorded("base")[2:5]]))
    assert [f.verdict for f in found[LEARNT:]] == [
        *[Verdict.OK] * 2, Verdict.SUSPECT, *[Verdict.REGRESSED] * 2
    ]  # fmt: skip
    assert found[-1].onset_run == 8
    assert "243 of 250 answers are the base model's (usual: 0)" in found[-1].reason


def test_a_base_model_that_is_taken_for_the_fine_tune_is_never_learnt():
    """From the first run on: nothing tells it from itself, though one run in ten is less like the rest."""
    found = list(findings(recorded("base")[2:]))
    assert [f.verdict for f in found] == [Verdict.SUSPECT, *[Verdict.REGRESSED] * 7]


def test_another_fine_tune_in_its_place_is_not_the_base_model():
    """It is as unlike the base model as the first was: other checks tell it, this one stays quiet."""
    found = list(findings([*recorded("ft-same"), *recorded("ft-other")]))
    assert [f.verdict for f in found[LEARNT:]] == [Verdict.OK] * 6
