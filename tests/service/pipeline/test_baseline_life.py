"""What begins where, when a change is accepted or a new version of the golden set is frozen?"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from checks import judge
from checks.types import Verdict
from service import history
from service.acceptance import accept, start_of
from service.conclude import subject_of
from service.demo.model import GOLDEN
from service.golden import check_lock, freeze
from service.original import notes_of, versus_original
from service.segment import segment_key


def verdicts(runs):
    return [one.run.verdict for one in runs]


async def refolded(bench) -> bool:
    """Whether the kept fold of the segment in force equals the fold of all its history."""
    golden = check_lock(bench.target.golden)
    baseline = bench.store.baseline(bench.target.name)
    about = subject_of(bench.store, bench.target, golden)
    segment = segment_key(bench.target, golden.digest, baseline.id)
    kept = history.state_before(bench.store, bench.target.name, segment, about)
    fresh = history.state_before(bench.store, bench.target.name, segment, about, fresh=True)
    return kept.runs > 0 and judge.dump(kept) == judge.dump(fresh)


def tell(watch, story):
    async def told():
        async with watch() as bench:
            return await story(bench)

    return asyncio.run(told())


def test_an_accepted_change_is_the_new_healthy_from_its_onset(watch):
    """The runs since the onset are the first of the new baseline; the old model is an improvement then."""

    async def story(bench):
        for _ in range(6):
            await bench.hour()
        bench.endpoint.drop_adapter()
        bad = await bench.hour()
        made = accept(bench.store, bench.target, "the base model is enough", bench.now)
        assert made.start.from_run == bad[0].run.id
        assert made.start.runs == len(bad) == 2
        learning = [await bench.hour(), await bench.hour()]
        assert [v for one in learning for v in verdicts(one)] == [Verdict.LEARNING] * 2
        pinned = bench.store.baseline(bench.target.name).runs
        assert pinned == tuple(r.run.id for r in [*bad, *learning[0], *learning[1]])
        [settled] = await bench.hour()
        assert settled.run.verdict is Verdict.OK
        assert await refolded(bench)
        [original] = versus_original(bench.store, settled.run)
        assert original.interval[1] < 0 > original.effect
        assert original.first_run == 1
        assert notes_of(bench.store, settled.run) == [original.words]
        assert versus_original(bench.store, bench.store.run(5)) == []
        bench.endpoint.restore()
        last = [await bench.hour() for _ in range(4)][-1][-1]
        return next(f for f in last.run.findings if f.check == "quality" and f.slice == "all")

    assert tell(watch, story).verdict is Verdict.IMPROVED


def test_accepting_without_a_change_pins_the_last_healthy_runs(watch):
    """The next run is judged at once against the last runs."""

    async def story(bench):
        for _ in range(7):
            await bench.hour()
        made = accept(bench.store, bench.target, "reviewed", bench.now)
        assert (made.start.from_run, made.start.runs) == (4, 4)
        assert verdicts(await bench.hour()) == [Verdict.OK]
        assert bench.store.baseline(bench.target.name).runs == (4, 5, 6, 7)
        assert await refolded(bench)

    tell(watch, story)


def test_a_run_under_way_is_judged_against_the_baseline_that_it_began_with(watch):
    """Accepting in the middle of a run changes the next one, not that one."""

    async def story(bench):
        from service.replay import replay

        for _ in range(5):
            await bench.hour()

        async def ask(*args, **more):
            answers = await replay(*args, **more)
            accept(bench.store, bench.target, "in the middle", bench.now, fresh=True)
            return answers

        from dataclasses import replace

        from service.pipeline import run_target

        shell = replace(bench.shell, ask=ask)
        [during] = await run_target(shell, bench.target)
        assert during.run.verdict is Verdict.OK
        assert bench.store.baseline(bench.target.name).runs == ()
        bench.now += 3600
        assert verdicts(await bench.hour()) == [Verdict.LEARNING]

    tell(watch, story)


@pytest.fixture
def own_golden(tmp_path) -> Path:
    """A golden set of 100 examples that may be edited."""
    path = tmp_path / "own.jsonl"
    path.write_text("".join(GOLDEN.read_text("utf-8").splitlines(keepends=True)[:100]), "utf-8")
    freeze(path, 0.0)
    return path


def edited(path: Path, keep: int, new: int) -> None:
    """A new version: the first examples stay, ``new`` ones come before them."""
    lines = path.read_text("utf-8").splitlines(keepends=True)[:keep]
    source = GOLDEN.read_text("utf-8").splitlines()[100 : 100 + new]
    added = [json.dumps({**json.loads(line), "id": f"new-{i}"}) + "\n" for i, line in enumerate(source)]
    path.write_text("".join(added + lines), "utf-8")
    freeze(path, 1.0)


def test_a_new_version_carries_shared_examples_on(watch, own_golden):
    """90 of 100 examples carry on, without learning anew; 10 new ones join after as many runs as a baseline has."""

    async def story(bench):
        bench.config.targets[0].__dict__["golden"] = own_golden
        for _ in range(6):
            await bench.hour()
        before = bench.store.last_run(bench.target.name)
        edited(own_golden, keep=90, new=10)
        [first] = await bench.hour()
        assert first.run.verdict is Verdict.OK
        assert first.run.segment != before.segment
        assert first.run.baseline_id == before.baseline_id
        quality = next(f for f in first.run.findings if f.check == "quality" and f.slice == "all")
        assert quality.effect is not None
        assert notes_of(bench.store, first.run) == [
            "version 2 of the golden set since run 7: 90 of 100 examples carried on"
        ]
        assert await refolded(bench)
        assert await known(bench) == 90
        for _ in range(3):
            assert verdicts(await bench.hour()) == [Verdict.OK]
        assert await known(bench) == 100
        assert await refolded(bench)
        bench.endpoint.drop_adapter()
        assert verdicts(await bench.hour())[-1] is Verdict.REGRESSED

    tell(watch, story)


async def known(bench) -> int:
    """How many examples are judged."""
    golden = check_lock(bench.target.golden)
    about = subject_of(bench.store, bench.target, golden)
    segment = segment_key(bench.target, golden.digest, bench.store.baseline(bench.target.name).id)
    state = history.state_before(bench.store, bench.target.name, segment, about)
    return int(state.checks["quality"].scorers["label"].down.fitted.known.sum())


def test_a_set_that_shares_little_is_learnt_anew(watch, own_golden):
    """With most examples replaced there is a new baseline."""

    async def story(bench):
        bench.config.targets[0].__dict__["golden"] = own_golden
        for _ in range(5):
            await bench.hour()
        edited(own_golden, keep=30, new=70)
        assert verdicts(await bench.hour()) == [Verdict.LEARNING]
        assert bench.store.baseline(bench.target.name).id == 2

    tell(watch, story)


def test_nothing_is_taken_over_while_learning():
    """A baseline that is not complete says nothing of health."""
    assert start_of([], 4).from_run is None
