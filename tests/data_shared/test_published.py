"""Are published results on recorded answers of real models reproduced, and is what never changed left quiet?"""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path

import pytest

from checks.compare import compare
from checks.scorers.regex import Regex
from checks.types import ALL, Example, Verdict
from service.responses_file import read_responses

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the recorded answers (../shared/data beside the repository) are not here"
)

PRIME = "llmdrift-prime"
DEDUCTION = "finetune-logical-deduction"
NULL = "null-public-relations"
SCORERS = {
    PRIME: {"pattern": r"(?s)\b(yes|no(?!.*\byes\b))\b", "match": "first", "ignore_case": True},
    DEDUCTION: {"pattern": r"(\([A-G]\))", "match": "last"},
    NULL: {"pattern": r'"Answer": *"\(?([A-D])', "match": "first"},
}


def folder(name):
    return DATA / name / "responses"


@functools.cache
def golden(name):
    with (DATA / name / "golden.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [Example(r["id"], r["input"], r["expected"], r.get("slices", {})) for r in rows]


@functools.cache
def recorded(name, version):
    found = read_responses(folder(name) / f"{version}.jsonl", golden(name))
    assert not found.missing
    return found.responses


@functools.cache
def judged(name, a, b):
    return compare(golden(name), [Regex(**SCORERS[name])], recorded(name, a), recorded(name, b))


def percent(result):
    return {s: [round(100 * f.baseline, 1), round(100 * f.current, 1)] for s, f in by_slice(result).items()}


def by_slice(result):
    return {f.slice: f for f in result.findings}


def test_gpt4_between_march_and_june():
    """GPT-4 fell from 84.0% to 51.1%: regressed on primes, improved on composites, at once."""
    result = judged(PRIME, "gpt-4-0314", "gpt-4-0613")
    assert percent(result) == {
        ALL: [84.0, 51.1],
        "subset=prime": [97.6, 2.4],
        "subset=composite": [70.4, 99.8],
    }
    assert {s: f.verdict for s, f in by_slice(result).items()} == {
        ALL: Verdict.REGRESSED,
        "subset=prime": Verdict.REGRESSED,
        "subset=composite": Verdict.IMPROVED,
    }
    assert result.verdict is Verdict.REGRESSED


def test_gpt35_between_march_and_june():
    """GPT-3.5 rose from 49.6% to 76.2% and yet fell from 84.4% to 65.6% on composites."""
    result = judged(PRIME, "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613")
    shown = percent(result)
    assert shown[ALL] == [49.6, 76.2]
    assert shown["subset=composite"] == [84.4, 65.6]
    assert {s: f.verdict for s, f in by_slice(result).items()} == {
        ALL: Verdict.IMPROVED,
        "subset=prime": Verdict.IMPROVED,
        "subset=composite": Verdict.REGRESSED,
    }
    assert result.verdict is Verdict.REGRESSED


def accuracies(prefix):
    versions = sorted(p.stem for p in folder(DEDUCTION).glob(f"{prefix}-r*.jsonl"))
    first = versions[0]
    return [round(100 * by_slice(judged(DEDUCTION, first, v))[ALL].current, 1) for v in versions]


@pytest.mark.parametrize(
    ("prefix", "runs", "low", "high"),
    [
        ("gpt-3.5-turbo-base-2024-12", 10, 89.2, 90.0),
        ("gpt-3.5-turbo-0125-ft-same-task-2025-03", 7, 44.0, 44.4),
        ("gpt-3.5-turbo-0125-ft-other-task-2025-03", 4, 46.8, 47.2),
    ],
)
def test_logical_deduction_by_version(prefix, runs, low, high):
    """The base model and both fine-tunes have the published ranges of accuracy."""
    found = accuracies(prefix)
    assert (len(found), min(found), max(found)) == (runs, low, high)


@pytest.mark.parametrize("task", ["same", "other"])
def test_the_fine_tune_is_a_regression_in_every_run(task):
    """Every run of either fine-tune is worse than every run of the base model."""
    base = sorted(p.stem for p in folder(DEDUCTION).glob("*-base-*.jsonl"))
    tuned = sorted(p.stem for p in folder(DEDUCTION).glob(f"*-ft-{task}-*.jsonl"))
    for a, b in itertools.product(base[:3], tuned):
        assert judged(DEDUCTION, a, b).verdict is Verdict.REGRESSED


@pytest.mark.parametrize(
    ("name", "pattern", "pairs"), [(NULL, "*.jsonl", 20), (DEDUCTION, "*-base-*.jsonl", 90)]
)
def test_what_did_not_change_is_quiet(name, pattern, pairs):
    """Runs of one unchanged model are never told apart, in either order."""
    versions = sorted(p.stem for p in folder(name).glob(pattern))
    found = [judged(name, a, b) for a, b in itertools.permutations(versions, 2)]
    assert len(found) == pairs
    assert {f.verdict for result in found for f in result.findings} == {Verdict.OK}
    assert {result.verdict for result in found} == {Verdict.OK}


def test_an_unchanged_model_looks_unhealthy_to_a_threshold():
    """The null's runs range over 74.5% to 80.9%: more than the three points that people page on."""
    versions = sorted(p.stem for p in folder(NULL).glob("*.jsonl"))
    rates = [round(100 * by_slice(judged(NULL, versions[0], v))[ALL].current, 1) for v in versions]
    assert (min(rates), max(rates)) == (74.5, 80.9)
