"""Is a world that moves found, within the budget, at a flat cost per sample?

The requests are the demo's tickets that its golden set does not hold, in wordings that vary, over 30 days with a day
and a week cycle: more than 100,000 samples. After two weeks the domain moves: a new language, new terms, new labels
(requests of a new kind, answered with a label that the scorer knows and no golden example has), unlisted ones (which
the scorer does not know either), or more of one kind.

    python -m tests.bench traffic [--days=30] [--healthy=4] [--moves=none,french,terms,labels,unlisted,kinds]
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from checks.traffic import WINDOW_S, streams
from checks.traffic.window import Window
from service.config import Config, load
from service.golden.lock import freeze
from service.store import Store
from service.traffic.draft import draft
from service.traffic.ingest import Ingest, load_state
from service.traffic.sample import Sample
from service.traffic.view import view

DEMO = Path(__file__).parents[2] / "service" / "demo"
LABELS = ("billing", "login", "shipping", "bug", "refund")
OPENINGS = ("", "Hello, ", "Hi there. ", "Good morning, ", "Hallo, ", "Dear support, ", "quick question: ")
ENDINGS = ("", " Thanks!", " Please advise.", " Danke.", " Order {n}.", " My account is {n}.", " Regards")
FRENCH = (
    "Où est mon colis {n} ? Le suivi ne bouge plus depuis lundi.",
    "Je voudrais annuler mon abonnement, s'il vous plaît.",
    "La facture {n} est fausse, pouvez-vous la corriger ?",
    "Je ne peux plus me connecter depuis hier soir.",
    "Pouvez-vous me rembourser la commande {n} ?",
)
TERMS = (
    "The passkey on my FIDO2 dongle {n} gets rejected by WebAuthn attestation.",
    "Drone courier {n} hovered over my balcony and flew off again.",
    "Crypto wallet top-up of {n} USDC never confirmed on-chain.",
)
WARRANTY = (
    "Is the cracked hinge of serial {n} still covered by your guarantee?",
    "My headphones crackle after {n} hours of use, do I get replacements?",
    "Send someone to repair the oven, article {n}.",
)
NEW = {"french": FRENCH, "terms": TERMS, "labels": WARRANTY, "unlisted": WARRANTY}
MARKS = (10_000, 50_000, 100_000)
DAY_S, HOUR_S = 86_400.0, 3600.0
START = 1_790_000_000.0 // DAY_S * DAY_S
DAILY = 4200


def tickets() -> list[tuple[str, str]]:
    """The demo's tickets that its golden set does not hold: text and label."""
    known = {json.loads(line)["input"] for line in (DEMO / "golden.jsonl").read_text().splitlines()}
    held = [json.loads(line) for line in (DEMO / "tickets.jsonl").read_text().splitlines()]
    return [(one["input"], one["expected"]) for one in held if one["input"] not in known]


def rate(at: float) -> float:
    """How busy it is, relative to the mean: a day cycle of four to one, quiet weekends."""
    hour, day = at % DAY_S / HOUR_S, int(at // DAY_S) % 7
    return (1.0 + 0.6 * math.sin((hour - 9.0) / 24.0 * 2.0 * math.pi)) * (0.5 if day in (2, 3) else 1.0)


def stream(
    days: int, *, moves: str | None = None, at_day: float = 14.0, share: float = 0.15, seed: int = 1
) -> Iterator[Sample]:
    """Samples over some days; from ``at_day`` on that share of them is of :data:`NEW`, or ``kinds``: billing."""
    rng = np.random.default_rng(seed)
    base = tickets()
    billing = [i for i, (_, label) in enumerate(base) if label == "billing"]
    for hour in range(days * 24):
        begin = START + hour * HOUR_S
        for at in np.sort(rng.random(rng.poisson(DAILY / 24 * rate(begin)))) * HOUR_S + begin:
            text, label = base[int(rng.integers(len(base)))]
            number = int(rng.integers(10_000, 99_999))
            text = (
                OPENINGS[int(rng.integers(len(OPENINGS)))] + text + ENDINGS[int(rng.integers(len(ENDINGS)))]
            )
            if moves and at >= START + at_day * DAY_S and rng.random() < share:
                if moves in NEW:
                    text = NEW[moves][int(rng.integers(len(NEW[moves])))]
                    label = {"labels": "warranty", "unlisted": "guarantee"}.get(moves, label)
                else:
                    text, label = base[billing[int(rng.integers(len(billing)))]]
            yield Sample(text.replace("{n}", str(number)), label, float(at))


def prepared(folder: Path) -> Config:
    """A configuration with one watched target over a frozen copy of the demo's golden set."""
    golden = folder / "golden.jsonl"
    golden.write_text((DEMO / "golden.jsonl").read_text())
    freeze(golden, START)
    (folder / "goldwatch.yaml").write_text(
        f"""version: 1
targets:
  - name: router
    endpoint: {{kind: openai_chat, base_url: "http://127.0.0.1:9/v1", model: m}}
    golden: golden.jsonl
    scorers: [{{kind: label, labels: [{", ".join((*LABELS, "warranty"))}]}}]
    traffic: {{keep_texts: true, window: 6h}}
"""
    )
    return load(folder / "goldwatch.yaml")


def batches(samples: Iterator[Sample], size: int = 500) -> Iterator[list[Sample]]:
    """The samples in batches."""
    held: list[Sample] = []
    for sample in samples:
        held.append(sample)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held


def resident_bytes() -> int:
    """What this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def one(days: int, moves: str | None) -> dict[str, Any]:
    """One stream through the store: what was found when, the debt before and after, and what it cost."""
    with tempfile.TemporaryDirectory() as name, Store.open(f"sqlite:///{name}/t.db") as store:
        config = prepared(Path(name))
        target, ingest = config.target("router"), Ingest(store)
        terms = ingest.terms(target)
        took, found_at, said, debts = [], None, None, []
        taken, sizes, costs = 0, [resident_bytes()], []
        for batch in batches(stream(days, moves=moves)):
            now = batch[-1].at or 0.0
            began = time.process_time()
            done = ingest.take(config, target, batch, now=now)
            took.append((time.process_time() - began) / len(batch))
            taken += len(batch)
            if len(costs) < len(MARKS) and taken >= MARKS[len(costs)]:
                costs.append(1e6 * float(np.mean(took[-20:])))
                sizes.append(resident_bytes())
            if done.windows:
                record = store.traffic("router")
                state = load_state(record.state if record else None)
                if found_at is None and state is not None:
                    paged = [s for s in state.streams.values() if s.said]
                    if paged:
                        found_at, said = (now - START) / DAY_S, paged[0].said
        shown = view(store, "router")
        early = store.traffic_windows("router", first=1)
        before = [w.window for w in early if w.window.closed_at < START + 14 * DAY_S]
        debts = [sum(w.novel for w in before) / max(sum(w.compared for w in before), 1)]
        assert shown is not None and shown.debt is not None and terms.anchors is not None  # noqa: PT018
        debts.append(shown.debt.ratio)
        texts = store.traffic_texts("router")
        lines = draft(terms.anchors, texts, 20).lines
        return {
            "samples": shown.samples,
            "found_day": found_at,
            "said": said,
            "debts": debts,
            "draft": [line["input"] for line in lines],
            "per_sample_us": costs,
            "resident_mb": [size / 1e6 for size in sizes],
            "texts": len(texts),
        }


HEALTHY: dict[str, dict[str, float]] = {
    "still": {"day": 0.0, "week": 0.0, "over": 0.0},
    "day cycle": {"day": 0.5, "week": 0.3, "over": 0.1},
    "strong day and week cycle": {"day": 1.0, "week": 0.6, "over": 0.1},
    "over-dispersed": {"day": 0.5, "week": 0.3, "over": 0.3},
    "slow noise": {"day": 0.5, "week": 0.3, "over": 0.15, "ar": 0.8},
    "busy": {"day": 0.5, "week": 0.3, "over": 0.1, "volume": 2000.0},
}
"""Healthy traffic by kind: log-odds amplitudes of the cycles, of noise between hours, its autocorrelation."""


def healthy_windows(
    seed: int, hours: int, *, day: float, week: float, over: float, ar: float = 0.0, volume: float = 150.0
) -> Iterator[Window]:
    """Counts of healthy traffic by windows of the usual length, without texts."""
    rng = np.random.default_rng(seed)
    kinds, labels = 6, LABELS[:4]
    base, named = np.log(rng.dirichlet(np.full(kinds, 3.0))), np.log(rng.dirichlet(np.full(4, 3.0)))
    phase, phase_of_labels, weekend_of = (rng.uniform(0, 2 * np.pi, n) for n in (kinds, 4, kinds))
    noise, step = np.zeros(kinds + 4 + 1), int(WINDOW_S / HOUR_S)
    for hour in range(0, hours, step):
        at, weekend = hour * 2 * np.pi / 24, hour // 24 % 7 >= 5
        noise = ar * noise + math.sqrt(1 - ar**2) * over * rng.standard_normal(len(noise))
        n = max(int(rng.poisson(step * volume * (1 + 0.8 * math.sin(at)) * (0.5 if weekend else 1.0))), 50)
        odds = np.exp(base + day * np.sin(at + phase) + week * weekend * np.cos(weekend_of) + noise[:kinds])
        said = np.exp(named + day * np.sin(at + phase_of_labels) + noise[kinds : kinds + 4])
        novel = rng.binomial(n, 1 / (1 + math.exp(2.9 - 0.5 * day * math.sin(at) - noise[-1])))
        words = 0.08 + 0.01 * day * math.sin(at) + 0.01 * noise[-1]
        counts = rng.multinomial(n - novel, odds / odds.sum())
        answers = rng.multinomial(n, said / said.sum())
        yield Window(
            hour * HOUR_S, (hour + step) * HOUR_S, n, n, int(novel), dict(enumerate(counts.tolist())), n,
            dict(zip(labels, answers.tolist(), strict=True)), n, int(rng.binomial(n, 0.01)), int(rng.binomial(n, 0.02)),
            n * (4.0 + 0.05 * day * math.sin(at) + 0.1 * over * rng.standard_normal()),
            n * (2.0 + 0.1 * over * rng.standard_normal()),
            worded=n,
            unknown_words=n * (words + 0.1 * rng.standard_normal() / math.sqrt(n)),
        )  # fmt: skip


def false_pages(seeds: Sequence[int], hours: int, *, share: float, **kind: float) -> int:
    """Pages over healthy streams; after each the traffic is accepted, as a person would."""
    about, pages = streams.Subject(6, LABELS[:4]), 0
    for seed in seeds:
        state = streams.initial(about)
        for window in healthy_windows(seed, hours, **kind):
            state, verdicts = streams.advance(about, state, window, share=share, period_h=2160.0)
            if any(v.said for v in verdicts):
                pages += 1
                state = streams.initial(about)
    return pages


def measure(options: Sequence[str] = ()) -> Iterator[tuple[str, str, str, bool]]:
    """Rows of the bench."""
    asked = dict(option.removeprefix("--").split("=", 1) for option in options)
    days, streams_each = int(asked.get("days", 30)), int(asked.get("healthy", 4))
    if days > 2:
        one(2, None)  # what a process needs once is no growth
    wanted = [one for one in asked.get("moves", "none,french,terms,labels,unlisted,kinds").split(",") if one]
    for name in wanted:
        moves = None if name == "none" else name
        got = one(days, moves)
        what = f"traffic, {got['samples']:,} samples, {moves or 'healthy'}"
        if moves is None:
            yield f"{what}: pages", str(int(got["found_day"] is not None)), "0", got["found_day"] is None
        else:
            late = None if got["found_day"] is None else got["found_day"] - 14.0
            found = "not found" if late is None else f"{24 * late:.0f} h: {got['said']}"
            yield f"{what}: found after", found, "1 to 24 h", late is not None and 0.0 <= late <= 1.0
        before, after = got["debts"]
        rises, least = moves in NEW, 0.02 if moves in ("unlisted", "terms") else 0.05
        yield (
            f"{what}: coverage debt",
            f"{before:.1%} → {after:.1%}",
            f"rises by {100 * least:.0f} points" if rises else "stays",
            after > before + least if rises else abs(after - before) < 0.02,
        )
        if moves in NEW:
            shapes = {text[:12].partition("{")[0] for text in NEW[moves]}
            places = {
                begin: next((i for i, text in enumerate(got["draft"], 1) if text.startswith(begin)), None)
                for begin in shapes
            }
            there = sorted(place for place in places.values() if place is not None)
            count = sum(text.startswith(tuple(shapes)) for text in got["draft"])
            goal = len(shapes) - (moves == "unlisted")
            yield (
                f"{what}: what is new in a draft of {len(got['draft'])}",
                f"{count} lines, {len(there)} of {len(shapes)} new requests, the last as line {max(there, default=0)}",
                f"{goal} new requests",
                len(there) >= goal,
            )
        costs, sizes = got["per_sample_us"], got["resident_mb"]
        yield (
            f"{what}: CPU per sample at {', '.join(f'{mark:,}' for mark in MARKS)}",
            ", ".join(f"{cost:.0f}" for cost in costs) + " us",
            "flat: < 1.3 times",
            len(costs) == len(MARKS) and max(costs) < 1.3 * costs[0],
        )
        yield (
            f"{what}: resident before, and at {', '.join(f'{mark:,}' for mark in MARKS)}",
            ", ".join(f"{size:.0f}" for size in sizes) + " MB",
            "flat: < 10 MB from 10,000 on",
            len(sizes) > 1 and sizes[-1] - sizes[1] < 10.0,
        )
    hours, whole = 120 * 24, 0
    for name, kind in HEALTHY.items():
        pages = false_pages(range(streams_each), hours, share=1.0, **kind)
        whole += pages
        spent = streams_each * hours / 2160.0
        yield (
            f"healthy windows, {name}: pages in {streams_each} x 120 days",
            str(pages),
            f"<= {spent:.1f} (the budget)",
            pages <= spent,
        )
