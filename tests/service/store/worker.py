"""What does a worker do until it is killed? Real processes for the tests of crashes and races.

Run as a script it forks a process for each job (one JSON object a line on standard input), so that a dozen
processes cost one start of Python. The processes tell their progress on standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import count

import numpy as np

from checks.types import Finding, Response, ScoreSummary, Verdict
from service.alerting import Alert, AlertEvent, AlertKind, AlertState, Notification
from service.records import NewRun, Requests, RunKind, RunState, ScoreVector
from service.store import Store

BATCH, BATCHES = 10, 5


def tell(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def new_run(digest: str, scheduled_at: float | None, target: str = "router") -> NewRun:
    return NewRun(target, RunKind.SCHEDULED, scheduled_at, digest, "segment", None, 1.0, 24.0)


def finish(store: Store, run_id: int, n: int, now: float, target: str = "router") -> None:
    alert = Alert(
        f"alert-{run_id}",
        target,
        AlertKind.REGRESSION,
        AlertState.FIRING,
        "critical",
        now,
        run_id,
        now,
        run_id,
    )
    message = Notification(f"message-{run_id}", alert.id, AlertEvent.FIRING, "slack", {"run": run_id}, now)
    store.finish_run(
        run_id, verdict=Verdict.REGRESSED, reason=None, measured=True, requests=Requests(n), input_tokens=1,
        output_tokens=1, cost_usd=None, served=None, summaries=[ScoreSummary("label", "all", 1.0, n, 0)],
        findings=[Finding("quality", "label", "all", Verdict.REGRESSED)],
        vectors=[ScoreVector("label", np.ones(n))], answered=np.ones(n, dtype=bool), latency_s=np.ones(n),
        now=now, snapshot=str(run_id).encode(), alerts=[alert], outbox=[message],
    )  # fmt: skip


def replay(url: str, digest: str, now: float, target: str) -> None:
    """Runs of a target without end, each step told when it is done."""
    store = Store.open(url)
    n = BATCH * BATCHES
    for _ in count():
        run_id = store.claim_run(new_run(digest, None, target), owner=str(os.getpid()), now=now, lease_s=1.0)
        assert run_id is not None
        tell("began", run_id)
        for first in range(0, n, BATCH):
            batch = [
                Response(f"e{i}", f"answer {i} of {run_id}", latency_s=1.0)
                for i in range(first, first + BATCH)
            ]
            store.save_responses(run_id, batch)
            tell("saved", run_id)
        finish(store, run_id, n, now, target)
        tell("finished", run_id)


def race(url: str, digest: str, times: int) -> None:
    """Claims of the same scheduled times as everybody else's."""
    store = Store.open(url)
    owner = str(os.getpid())
    for scheduled_at in range(times):
        now = time.time()
        run_id = store.claim_run(new_run(digest, float(scheduled_at)), owner=owner, now=now, lease_s=60.0)
        if run_id is not None:
            running = [run.id for run in store.runs("router", limit=None) if run.state is RunState.RUNNING]
            finish(store, run_id, 5, now)
            tell("won", scheduled_at, *running)


def main() -> None:
    jobs = {"replay": replay, "race": race}
    for line in sys.stdin:
        job = json.loads(line)
        start, go = os.pipe()
        children = []
        for _ in range(job.pop("processes", 1)):
            child = os.fork()
            if child == 0:
                os.close(go)
                os.read(start, 1)  # until all are there
                try:
                    jobs[job.pop("do")](**job)
                except BaseException as error:  # noqa: BLE001  # told, and asserted by the reader
                    tell("error", repr(error))
                os._exit(0)
            children.append(child)
        tell("pid", *children)
        os.close(start)
        os.close(go)
        for child in children:
            os.waitpid(child, 0)
        tell("dead")


if __name__ == "__main__":
    main()
