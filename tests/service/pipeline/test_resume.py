"""What becomes of a run that was stopped half-way?"""

from __future__ import annotations

import asyncio

from checks.types import Verdict
from service.base_answers import SAMPLE
from service.pipeline import resume
from service.records import RunKind, RunState


def test_a_stopped_bad_run_is_finished_and_confirmed(watch):
    """A run that was stopped is left running and unheld; taken up, it is judged whole and replayed if it is bad."""

    async def scene():
        async with watch() as bench:
            for _ in range(6):
                await bench.hour()
            bench.endpoint.drop_adapter()
            bench.stop = asyncio.Event()

            def progress(done, _total):
                if done >= 60:
                    bench.stop.set()

            assert await bench.hour(scheduled_at=bench.now, progress=progress) == []
            stopped = bench.store.last_run("ticket-router")
            assert (stopped.state, stopped.verdict) == (RunState.RUNNING, None)
            bench.now -= 3600 - 60
            assert [orphan.id for orphan in bench.store.orphans(bench.now)] == [stopped.id]

            bench.stop = None
            asked = bench.endpoint.requests_total
            finished = await resume(bench.shell)
            assert finished[0].run.id == stopped.id
            assert [one.run.kind for one in finished] == [RunKind.MANUAL, RunKind.CONFIRM]
            assert [one.run.verdict for one in finished] == [Verdict.SUSPECT, Verdict.REGRESSED]
            assert all(one.run.requests.ok == 240 for one in finished)
            of_the_base_model = 2 * SAMPLE + 4  # which the server names as parent
            assert bench.endpoint.requests_total - asked <= 2 * 240 - 60 + 4 + of_the_base_model
            assert await resume(bench.shell) == []

    asyncio.run(scene())
