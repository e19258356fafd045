"""Which examples broke in a run, what did they use to answer, and since when? One page of them, filtered and sorted.

An example broke by a scorer if it was right in the mean of the baseline's runs and is wrong now (see
:func:`service.evidence.changed`). The page shows one scorer's broken examples at a time, unless told otherwise that of
the scorer that lost most, and says of each what the other scorers say. Only what a page shows is read: the run's
score vectors, the baseline's, the broken examples, the texts of one page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from checks.types import Example, FloatArray, Json, Message
from service.evidence import RIGHT, Sides, baseline_means, changed, good_run, right_before
from service.records import BaselineRecord, RunRecord, RunState, ScoreVector

if TYPE_CHECKING:
    from service.store import Store

_MOST_RUNS_BACK = 60
"""How far back the first wrong answer of an example is looked for."""

_AT_ONCE = 6


class Sort(StrEnum):
    """``damage``: the largest fall first. ``id``: as they stand in the golden set."""

    DAMAGE = "damage"
    ID = "id"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a reader wants to see. ``slice`` is ``key=value``; ``scorer`` None means the one that lost most."""

    scorer: str | None = None
    slice: str | None = None
    sort: Sort = Sort.DAMAGE
    offset: int = 0
    limit: int = 25


@dataclass(frozen=True, slots=True)
class Mark:
    """What one scorer says of one example: its mean in the baseline's runs, and now. Unknown is None."""

    scorer: str
    was: float | None
    now: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One example that broke. Texts are None where they are not shown, not kept any more, or unknown.

    ``since_run`` is the first run of the unbroken stretch of wrong answers that ends with this run;
    ``since_exact`` is False where it may have begun before. ``before_run`` is the run that answered ``before``.
    """

    id: str
    slices: dict[str, str]
    marks: tuple[Mark, ...]
    since_run: int
    since_at: float
    since_exact: bool
    input: Json = None
    expected: Json = None
    before: str | None = None
    now: str | None = None
    reason: str | None = None
    before_run: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of broken examples.

    ``broke`` and ``fixed`` count by ``scorer`` over the whole golden set, ``matching`` those in the chosen slice.
    ``scorers`` and ``slices`` say how many broke by each, the most first. ``before_run`` is the run whose answers
    are "before", except of rows that it had wrong. ``next_offset`` is None on the last page.
    """

    scorer: str | None
    broke: int
    fixed: int
    matching: int
    before_run: int | None
    scorers: tuple[tuple[str, int], ...] = ()
    slices: tuple[tuple[str, int], ...] = ()
    rows: tuple[Row, ...] = ()
    next_offset: int | None = None


NOTHING = Page(None, 0, 0, 0, None)


def broken_page(store: Store, run: RunRecord, choice: Choice, *, show_texts: bool) -> Page:
    """The page of a run that ``choice`` asks for; :data:`NOTHING` where it was not measured, or nothing is pinned.

    A scorer that the run does not have gives an empty page with the counts of the others.
    """
    if run.state is not RunState.DONE or not run.measured:
        return NOTHING
    baseline = baseline_of(store, run)
    vectors = {v.scorer: v for v in store.vectors(run.id)}
    means = {n: m for n, m in baseline_means(store, baseline).items() if _fits(m, vectors.get(n))}
    if not means:
        return NOTHING
    sides = {name: changed(mean, vectors[name].values) for name, mean in means.items()}
    scorer = choice.scorer or _worst(means, vectors)
    scorers = _most_first((name, len(side.broke)) for name, side in sides.items())
    onset = min((f.onset_run for f in run.findings if f.onset_run is not None), default=None)
    before = good_run(store, run.id, run.target, onset)
    if scorer not in sides:
        return Page(scorer, 0, 0, 0, before, scorers)
    return _page(
        store, run, choice, _Facts(scorer, sides[scorer], means, vectors, scorers, before), show_texts
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    scorer: str
    sides: Sides
    means: dict[str, FloatArray]
    vectors: dict[str, ScoreVector]
    scorers: tuple[tuple[str, int], ...]
    before: int | None


def _page(store: Store, run: RunRecord, choice: Choice, facts: _Facts, show_texts: bool) -> Page:
    order = [int(i) for i in facts.sides.broke]
    examples = store.golden_at(run.golden_digest, order)
    order = [i for i in order if i in examples]
    slices = _most_first(Counter(s for i in order for s in _slices(examples[i])).items())
    matching = [i for i in order if choice.slice is None or choice.slice in _slices(examples[i])]
    if choice.sort is Sort.ID:
        matching.sort()
    chosen = matching[choice.offset : choice.offset + choice.limit]
    told = right_before(store, facts.before, baseline_of(store, run), facts.scorer, chosen)
    texts = {}
    if show_texts and chosen:
        texts = store.response_texts([run.id, *told.values()], [examples[i].id for i in chosen])
    since = _since(store, run, facts.scorer, chosen)
    reasons = facts.vectors[facts.scorer].reasons
    rows = tuple(
        Row(
            id=examples[i].id,
            slices=dict(examples[i].slices),
            marks=_marks(facts, i),
            since_run=since[i][0],
            since_at=since[i][1],
            since_exact=since[i][2],
            input=asked(examples[i]) if show_texts else None,
            expected=examples[i].expected if show_texts else None,
            before=texts.get((told[i], examples[i].id)) if i in told else None,
            now=texts.get((run.id, examples[i].id)),
            reason=reasons.get(i) if show_texts else None,
            before_run=told.get(i),
        )
        for i in chosen
    )
    end = choice.offset + len(chosen)
    return Page(
        scorer=facts.scorer,
        broke=len(order),
        fixed=facts.sides.fixed_count,
        matching=len(matching),
        before_run=facts.before,
        scorers=facts.scorers,
        slices=slices,
        rows=rows,
        next_offset=end if chosen and end < len(matching) else None,
    )


def asked(example: Example) -> Json:
    """An example's input as JSON: a text, or a list of messages."""
    if isinstance(example.input, str):
        return example.input
    return [_message(message) for message in example.input]


def _message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": message.content}


def _fits(mean: FloatArray, vector: ScoreVector | None) -> bool:
    return vector is not None and len(mean) == len(vector.values)


def _worst(means: dict[str, FloatArray], vectors: dict[str, ScoreVector]) -> str:
    return max(means, key=lambda name: float(np.nan_to_num(means[name] - vectors[name].values).sum()))


def _most_first(counts: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts, key=lambda pair: (-pair[1], pair[0])))


def _slices(example: Example) -> list[str]:
    return [f"{key}={value}" for key, value in example.slices.items()]


def _marks(facts: _Facts, position: int) -> tuple[Mark, ...]:
    """What the scorers say, the chosen one first, then those by which the example fell."""
    found = []
    for name in (facts.scorer, *(n for n in facts.means if n != facts.scorer)):
        was, now = float(facts.means[name][position]), float(facts.vectors[name].values[position])
        if name == facts.scorer or was - now > 0:
            found.append(Mark(name, None if np.isnan(was) else was, None if np.isnan(now) else now))
    return tuple(found)


def _since(
    store: Store, run: RunRecord, scorer: str, positions: Sequence[int]
) -> dict[int, tuple[int, float, bool]]:
    """The first run of each position's unbroken stretch of wrong answers up to ``run``.

    Runs are read backwards until every one was right once. A run in which a position was unscored, or that was not
    measured, says nothing.
    """
    since = dict.fromkeys(positions, (run.id, run.started_at, False))
    searched = set(positions)
    for candidate in _backwards(store, run):
        if not searched:
            break
        if candidate.golden_digest != run.golden_digest:
            break
        if not candidate.measured:
            continue
        vector = next((v for v in store.vectors(candidate.id) if v.scorer == scorer), None)
        if vector is None:
            break
        for position in list(searched):
            value = vector.values[position]
            if value >= RIGHT:
                since[position] = (*since[position][:2], True)
                searched.remove(position)
            elif value < RIGHT:
                since[position] = (candidate.id, candidate.started_at, False)
    return since


def _backwards(store: Store, run: RunRecord) -> Iterator[RunRecord]:
    """The runs before ``run``, newest first, a few at a time: reading one costs."""
    before = run.id
    for _ in range(_MOST_RUNS_BACK // _AT_ONCE):
        earlier = store.runs(run.target, limit=_AT_ONCE, before=before)
        yield from earlier
        if len(earlier) < _AT_ONCE:
            return
        before = earlier[-1].id


def baseline_of(store: Store, run: RunRecord) -> BaselineRecord | None:
    """The baseline that a run was judged against."""
    return next((b for b in store.baselines(run.target) if b.id == run.baseline_id), None)
