"""Does the budget hold, and how soon is a drop found, beside an oracle and beside what others do?

    python -m tests.bench engine [--quick] [--write] [--keep=FILE] [--processes=N]

The full bench writes the tables between the markers of ``checks/inference/README.md`` and the picture ``bench.svg``
beside it; ``--quick`` (minutes) prints them, and writes only when asked. ``--keep`` adds every finished task to a file
and takes what is there as done: a bench that was broken off goes on, and a quick one is the beginning of the full one.

Here live: ``families`` (healthy streams and worlds), ``fold`` (the engine over simulated hours), ``oracle``, ``peers``,
``tasks`` (what is measured), ``within`` (one run, answer by answer), ``table`` and ``plot``. One more family is one
more row of ``families.FAMILIES``; one more drop a row of ``tasks.drops_of``; one more rule a row of ``peers.PEERS``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pickle
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # the processes share the cores, threads would be in the way

STREAMS = 15
"""Streams of one golden set, per drop."""


def _kept(file: Path | None) -> dict[Any, Any]:
    """What earlier benches left in the file, by task."""
    done: dict[Any, Any] = {}
    if file is None or not file.exists():
        return done
    with file.open("rb") as stream:
        while True:
            try:
                task, answer = pickle.load(stream)
            except EOFError:
                return done
            done[task] = answer


def _run(todo: Sequence[Any], processes: int, keep: Path | None) -> dict[Any, Any]:
    """Every task's answer; the longest are begun first."""
    from tests.bench.engine import tasks

    done = {task: answer for task, answer in _kept(keep).items() if task in set(todo)}
    left = sorted((t for t in todo if t not in done), key=lambda t: -t.work)
    begun = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for task, answer in pool.imap_unordered(tasks.run, left):
            done[task] = answer
            if keep is not None:
                with keep.open("ab") as stream:
                    pickle.dump((task, answer), stream)
            said = f"\r{len(done)}/{len(todo)} {time.monotonic() - begun:.0f} s"
            print(said, end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {
        task: done[task] for task in todo
    }  # not in the order of arrival, which would show in the last digit


def measure(options: Sequence[str] = ()) -> Iterator[tuple[str, str, str, bool]]:
    """The goals as rows: what, figure, goal, met. Progress goes to standard error."""
    from tests.bench.engine import plot, table, tasks, within
    from tests.bench.engine.families import FAMILIES

    parser = argparse.ArgumentParser(prog="python -m tests.bench engine")
    parser.add_argument("--quick", action="store_true", help="a 32nd of the years, a sixth of the streams")
    parser.add_argument(
        "--write", action="store_true", help="write tables and picture after a quick bench too"
    )
    parser.add_argument("--keep", type=Path, help="a file that keeps finished tasks")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    given = parser.parse_args(options)
    years, sets = (1, 2) if given.quick else (32, 12)
    todo = [tasks.Healthy(f.name, y) for f in FAMILIES for y in range(years)]
    drops = [tasks.Drops(w, g, STREAMS) for w in tasks.WORLDS for g in range(1, sets + 1)]
    answers = _run([*todo, *drops], given.processes, given.keep)
    results = table.gathered(
        [(t.family, *answers[t]) for t in todo],
        [(t.world.name, answers[t]) for t in drops],
        tasks.speed(),
        {name: tuple(within.requests(how, sets)) for how, name in within.KINDS.items()},
    )
    text = table.markdown(results, streams=sets * STREAMS, quick=given.quick)
    if given.write or not given.quick:
        table.write(text)
        plot.write(results)
    else:
        print(text)
    yield from table.goals(results)
