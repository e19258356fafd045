"""What do these samples add? One batch is one transaction: counts, windows that ended, their judgement, kept texts.

Judging is a fold over the stored windows (``checks/traffic/streams.py``); what is kept beside them is a shortcut, and
:func:`folded` computes the same from the windows alone. Where the golden set, the scorers or the length of a window
change, the watch begins anew: what came before was counted in other terms.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checks.inference import packing
from checks.traffic import WINDOW_S, streams
from checks.traffic.coverage import Anchors, learn, nearest_of
from checks.traffic.features import SIZE
from checks.traffic.features import folded as folded_text
from checks.traffic.observe import asked, categories_of, observe
from checks.traffic.window import Seen, Window, add, ends
from checks.types import Example, Json
from service.errors import UserError
from service.golden import check_lock
from service.records import Golden, TrafficRecord, TrafficText, TrafficWindow
from service.segment import measured_by
from service.store.traffic import TrafficChange
from service.traffic.sample import Sample

if TYPE_CHECKING:
    from service.config import Config, Target
    from service.store import Store

HALF_LIFE_S = 14 * 86_400.0
"""Among kept texts, one of today is as likely to stay as two that are so much older."""

EARLY_S = 300.0
"""A sample from further in the future than this counts as now: its clock is wrong."""

_VERSION = 3


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: samples counted, goldwatch's own requests left out, and windows that ended."""

    counted: int
    own: int
    windows: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What traffic of a target is counted by: the golden set's anchors, an ``expected`` for scorers that need one.

    ``categories``: the labels that the golden answers name; empty where they are no categories.
    """

    about: str
    subject: streams.Subject
    anchors: Anchors | None
    stand_in: Json
    categories: frozenset[str]


class Ingest:
    """Takes in samples. Its methods block; call them from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[str, tuple[Any, Terms]] = {}
        self._lock = threading.Lock()

    def terms(self, target: Target) -> Terms:
        """By what the target's traffic is counted; learnt once per golden set.

        Raises:
            GoldenError: the golden set cannot be read.
        """
        key = (_stamp(target.golden), target.scorers, _window_s(target))
        with self._lock:
            kept = self._kept.get(target.name)
            if kept is not None and kept[0] == key:
                return kept[1]
            try:
                made = terms_of(target, check_lock(target.golden))
            except UserError:
                if kept is None:
                    raise
                return kept[1]  # edited and not frozen yet: what was frozen holds, and the watch says so
            self._kept[target.name] = (key, made)
            return made

    def take(
        self,
        config: Config,
        target: Target,
        samples: Sequence[Sample],
        *,
        now: float,
        rejected: int = 0,
        position: Mapping[str, Any] | None = None,
    ) -> Taken:
        """Add a batch.

        Args:
            config: for the false-alarm budget.
            target: whose traffic it is.
            samples: in the order in which they came.
            now: seconds since 1970.
            rejected: how many more there were that could not be read.
            position: how far a followed file has been read with this batch; None keeps what is stored.

        Raises:
            UserError: the target's traffic is not watched, or its golden set cannot be read.
            StoreError: nothing of the batch was counted.
        """
        if target.traffic is None:
            raise UserError(
                f"the traffic of {target.name} is not watched", "add to the target:  traffic: {}  and reload"
            )
        terms = self.terms(target)
        theirs = [sample for sample in samples if not sample.own]
        own = len(samples) - len(theirs)
        seen = [
            (min(now if sample.at is None else sample.at, now + EARLY_S), one, sample)
            for one, sample in zip(_seen(terms, target, theirs), theirs, strict=True)
        ]
        texts = _texts(seen, terms.anchors) if target.traffic.keep_texts else ()
        ended = 0

        def decide(record: TrafficRecord | None) -> TrafficChange:
            nonlocal ended
            known = begun(record, target.name, terms, now)
            known = replace(
                known,
                samples=known.samples + len(seen),
                rejected=known.rejected + rejected,
                own=known.own + own,
                position=known.position if position is None else position,
            )
            known, closed = _added(known, seen, terms.subject.window_s)
            windows = [
                TrafficWindow(known.number + i + 1, one, target.traffic_share, config.period_h)
                for i, one in enumerate(closed)
            ]
            ended = len(windows)
            if windows:
                state = self._state(known, terms)
                for one in windows:
                    state, _ = streams.advance(
                        terms.subject, state, one.window, share=one.share, period_h=one.period_h
                    )
                known = replace(known, number=known.number + len(windows), state=packing.pack(state))
            forget = target.traffic is None or not target.traffic.keep_texts
            return TrafficChange(known, windows, texts, forget_texts=forget)

        self._store.change_traffic(target.name, decide)
        return Taken(len(seen), own, ended)

    def _state(self, record: TrafficRecord, terms: Terms) -> streams.State:
        kept = load_state(record.state)
        if kept is not None or record.number < record.first:
            return streams.initial(terms.subject) if kept is None else kept
        return folded(terms.subject, self._store.traffic_windows(record.target, first=record.first))

    def accept(self, target: Target, reason: str, now: float) -> TrafficRecord:
        """Take what production asks from now on as usual: the watch learns a new week.

        Raises:
            UserError: no sample ever came.
        """
        terms = self.terms(target)

        def decide(record: TrafficRecord | None) -> TrafficChange:
            if record is None:
                raise UserError(f"no traffic of {target.name} was ever seen", "send samples first")
            return TrafficChange(anew(record, terms, now, reason))

        return self._store.change_traffic(target.name, decide)


def terms_of(target: Target, golden: Golden) -> Terms:
    """By what the traffic of a target is counted. Pure."""
    anchors = learn([asked(example.input) for example in golden.examples])
    expected = [example.expected for example in golden.examples]
    clusters = 0 if anchors is None else anchors.clusters
    window_s = _window_s(target)
    subject = streams.Subject(clusters, streams.labels_of(expected), window_s)
    content = [
        _VERSION,
        SIZE,
        golden.digest,
        sorted((measured_by(scorer) for scorer in target.scorers), key=lambda s: str(s["name"])),
        window_s,
    ]
    plain = json.dumps(content, sort_keys=True, default=list)
    about = hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    categories = categories_of(target.scorers, expected) if subject.labels else frozenset()
    return Terms(about, subject, anchors, _stand_in(golden.examples), categories)


def folded(subject: streams.Subject, windows: Iterable[TrafficWindow]) -> streams.State:
    """The state after these windows, oldest first."""
    state = streams.initial(subject)
    for one in windows:
        state, _ = streams.advance(subject, state, one.window, share=one.share, period_h=one.period_h)
    return state


def load_state(kept: bytes | None) -> streams.State | None:
    """The kept fold; None where there is none, or it is of another version."""
    if kept is None:
        return None
    try:
        state = packing.unpack(kept, streams.STATE_TYPES)
    except ValueError:
        return None
    return state if isinstance(state, streams.State) else None


def begun(record: TrafficRecord | None, target: str, terms: Terms, now: float) -> TrafficRecord:
    """The record to add to: the one that is there, or a fresh baseline where what is counted has changed."""
    if record is None:
        return TrafficRecord(target, terms.about, now)
    if record.about == terms.about:
        return record
    return anew(record, terms, now, "the golden set, the scorers or the window changed")


def anew(record: TrafficRecord, terms: Terms, now: float, reason: str) -> TrafficRecord:
    """A fresh baseline from the next window on; totals and the place in the file stay."""
    return replace(
        record,
        about=terms.about,
        began_at=now,
        first=record.number + 1,
        open=None,
        state=None,
        reason=reason,
    )


def _seen(terms: Terms, target: Target, samples: Sequence[Sample]) -> Iterator[Seen]:
    texts = [asked(sample.input) for sample in samples]
    near = repeat(None) if terms.anchors is None else nearest_of(terms.anchors, texts)
    for sample, closest in zip(samples, near, strict=False):
        yield observe(
            terms.anchors,
            target.scorers,
            sample.input,
            sample.output,
            stand_in=terms.stand_in,
            categories=terms.categories,
            near=closest,
        )


def _added(
    record: TrafficRecord, seen: Iterable[tuple[float, Seen, Sample]], window_s: float
) -> tuple[TrafficRecord, list[Window]]:
    opened, closed = record.open, []
    for at, one, _ in seen:
        if opened is not None and ends(opened, at, window_s):
            closed.append(opened)
            opened = None
        if opened is None:
            start = at // window_s * window_s
            opened = Window(start, at)
        opened = add(opened, one, at)
    return replace(record, open=opened), closed


def _texts(seen: Iterable[tuple[float, Seen, Sample]], anchors: Anchors | None) -> tuple[TrafficText, ...]:
    """The requests that no golden example represents, or with many words that the golden set never uses.

    Who stays is drawn by exponential forward decay (Cormode et al. 2009): each time that a text is asked it draws
    ``log(-log u)``, less its age's weight, and its lowest lot counts. So what is asked often is likely to stay. The
    uniform number is of a hash, so that the same request has the same lot everywhere.
    """
    made: dict[str, TrafficText] = {}
    for at, one, sample in seen:
        strange = anchors is not None and (one.unknown_words or 0.0) > anchors.many_unknown
        if not (one.novel or strange):
            continue
        key = hashlib.sha256(folded_text(asked(sample.input)).encode("utf-8", "surrogatepass")).hexdigest()
        before = made.get(key[:32])
        times = 1 if before is None else before.times + 1
        drawn = hashlib.sha256(f"{key} {at!r} {times}".encode()).hexdigest()
        lot = (int(drawn[:13], 16) + 0.5) / 16.0**13
        rank = math.log(-math.log(lot)) - math.log(2.0) * at / HALF_LIFE_S
        lowest = rank if before is None else min(before.rank, rank)
        made[key[:32]] = TrafficText(key[:32], lowest, at, sample.input, sample.output, times)
    return tuple(made.values())


def _stand_in(examples: Sequence[Example]) -> Json:
    return next((example.expected for example in examples if example.expected is not None), None)


def _stamp(golden: Path) -> tuple[tuple[int, int] | None, ...]:
    stamps: list[tuple[int, int] | None] = []
    for path in (golden, golden.with_name(golden.name + ".lock")):
        try:
            found = path.stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((found.st_mtime_ns, found.st_size))
    return tuple(stamps)


def _window_s(target: Target) -> float:
    return target.traffic.window_s if target.traffic is not None else WINDOW_S
