"""Would the recorded fine-tune have paged, and its unchanged base model not?"""

from __future__ import annotations

import functools
import random
from pathlib import Path

import pytest

from checks.scorers.regex import Regex
from service.backtest import backtest
from service.golden import load
from service.responses_file import read_responses

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "finetune-logical-deduction"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the recorded answers (../shared/data beside the repository) are not here"
)

SCORER = Regex(pattern=r"(\([A-G]\))", match="last")


@functools.cache
def golden():
    return load(DATA / "golden.jsonl")


@functools.cache
def recorded(path):
    return read_responses(path, golden().examples).responses


def files(pattern):
    return sorted((DATA / "responses").glob(pattern))


def verdicts(paths, **options):
    runs = backtest(golden(), [SCORER], [recorded(path) for path in paths], **options)
    return [run["verdict"] for run in runs]


@pytest.mark.parametrize("tuned", ["same", "other"])
def test_the_fine_tune_is_suspect_at_its_first_run_and_regressed_from_its_second(tuned):
    """Ten base-model runs are learnt; the fine-tune's first run is suspect, and every later one regressed."""
    base, fine = files("*base*"), files(f"*ft-{tuned}-task*")
    assert len(base) == 10
    assert len(fine) >= 4
    found = verdicts([*base, *fine])
    assert found == ["learning"] * 10 + ["suspect"] + ["regressed"] * (len(fine) - 1)


@pytest.mark.parametrize("seed", range(8))
def test_the_unchanged_base_model_never_regresses(seed):
    """In whatever order the ten base-model runs came, with five of them as the baseline none is regressed."""
    base = files("*base*")
    random.Random(seed).shuffle(base)
    found = verdicts(base, baseline_runs=5)
    assert found[:5] == ["learning"] * 5
    assert "regressed" not in found


def test_the_onset_is_the_fine_tunes_first_run():
    """The regression is dated back to the run that was only suspect, with the published drop as its effect."""
    last = backtest(
        golden(), [SCORER], [recorded(path) for path in [*files("*base*"), *files("*ft-same-task*")[:2]]]
    )[-1]
    headline = next(f for f in last["findings"] if f["check"] == "quality" and f["slice"] == "all")
    assert headline["onset_run"] == 11
    assert headline["effect"] == pytest.approx(-0.455, abs=0.02)
    assert headline["interval"][1] < -0.3
