"""What was seen of outputs outlives their texts."""

from __future__ import annotations

import asyncio

import numpy as np

from checks import judge
from service import history
from service.conclude import subject_of
from service.golden import check_lock
from service.segment import segment_key


def test_history_is_judged_alike_after_its_texts_are_gone(watch):
    """Lengths, refusals, labels and format failures come from what is kept: a fold of all history stays the same."""

    async def story():
        async with watch() as bench:
            for i in range(8):
                if i == 6:
                    bench.endpoint.drop_adapter()
                await bench.hour()
            store, target = bench.store, bench.target
            golden = check_lock(target.golden)
            segment = segment_key(target, golden.digest, store.baseline(target.name).id)
            about = subject_of(store, target, golden)
            kept = history.state_before(store, target.name, segment, about)
            assert store.prune(9e12, 1.0) > 0
            fresh = history.state_before(store, target.name, segment, about, fresh=True)
            return kept, fresh, list(store.measurements(target.name, segment))

    kept, fresh, runs = asyncio.run(story())
    assert judge.dump(kept) == judge.dump(fresh)
    assert set(kept.checks["output_shift"].streams) >= {"length", "refusal", "label.format", "label.labels"}
    assert {"length", "refusal"} == set(runs[0].observed)
    healthy, broken = (np.nanmean(runs[i].observed["length"]) for i in (0, -1))
    assert healthy != broken
