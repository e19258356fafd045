"""Is production counted once, judged as its windows say, and kept out of the store unless asked for?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from checks.inference import packing
from checks.traffic import PART, streams
from service.daemon.traffic import Traffic
from service.errors import UserError
from service.golden.lock import freeze
from service.store import Store
from service.traffic.draft import draft, weights
from service.traffic.ingest import Ingest, folded
from service.traffic.sample import Sample
from service.traffic.view import view

HOUR = 3600.0
START = 1_790_000_000.0 // 86_400 * 86_400
FRENCH = [
    "Où est mon colis {} ? Le suivi ne bouge plus depuis lundi.",
    "La facture {} est fausse, pouvez-vous la corriger ?",
    "Je ne peux plus me connecter depuis {} jours",
]


def hours(texts, first, count, *, french=0, each=60):
    """Samples of some hours, ``french`` of ``each`` in the new language."""
    made = []
    for hour in range(first, first + count):
        for n in range(each):
            text = texts[(hour * each + n) * 7 % len(texts)]
            if n < french:
                text = FRENCH[n % 3].format(hour * 100 + n)
            label = ("billing", "bug", "login")[(n + hour) % 3]
            made.append(Sample(text, label, START + hour * HOUR + n * 50.0))
    return made


def take(store, config, samples, **more):
    return Ingest(store).take(config, config.target("router"), samples, now=START + 1e8, **more)


def test_a_world_that_moves_is_told_and_the_draft_holds_what_is_new(store, configure, texts):
    """Four weeks of six-hour windows, then French: told as the world's move, debt rises, the draft is French first."""
    config = configure("{keep_texts: true, window: 6h}")
    target, ingest = config.target("router"), Ingest(store)
    for day in range(21):
        ingest.take(config, target, hours(texts, day * 24, 24, each=12), now=START + 1e8)
    usual = view(store, "router", 6 * HOUR)
    assert (usual.moved, usual.learning, usual.sentence) == ((), None, None)
    assert usual.debt.ratio < 0.15
    for day in range(21, 24):
        ingest.take(config, target, hours(texts, day * 24, 24, each=12, french=4), now=START + 1e8)
    moved = view(store, "router", 6 * HOUR)
    assert "requests that no golden example represents" in moved.moved[0]
    assert moved.sentence.startswith("the world moved, not the model: requests that")
    assert START + 21 * 86_400 <= moved.since <= START + 23 * 86_400
    assert moved.debt.ratio > usual.debt.ratio + 0.1
    lines = draft(ingest.terms(target).anchors, store.traffic_texts("router"), 5).lines
    first = lines[0]["input"]
    assert any(first.startswith(one[:9]) for one in FRENCH)
    assert all(any(line["input"].startswith(one[:9]) for line in lines) for one in FRENCH)
    assert lines[0]["expected"] is None
    words = moved.sentence
    ingest.take(config, target, hours(texts, 24 * 24, 24, each=12, french=4), now=START + 1e8)
    assert view(store, "router", 6 * HOUR).sentence == words


def test_what_is_kept_is_what_the_windows_say(store, configure, texts):
    """The kept fold equals the one from the stored windows alone, however the samples came in batches."""
    config = configure("{window: 6h}")
    target, ingest = config.target("router"), Ingest(store)
    samples = hours(texts, 0, 24 * 10, each=12)
    for begin in range(0, len(samples), 97):
        ingest.take(config, target, samples[begin : begin + 97], now=START + 1e8)
    record, windows = store.traffic("router"), store.traffic_windows("router")
    assert record.samples == len(samples)
    assert sum(one.window.samples for one in windows) + record.open.samples == len(samples)
    assert [one.number for one in windows] == list(range(1, record.number + 1))
    assert packing.pack(folded(ingest.terms(target).subject, windows)) == record.state


def test_no_text_is_stored_unless_asked_for(store, configure, raw):
    """Without keep_texts not a word of production is on disk; switched off, what was kept goes with the next batch."""
    secret = "zxqv Geheimnis qqqzzz" * 9
    take(store, configure(), [Sample(secret, "billing", START)])
    assert b"Geheimnis" not in raw()
    assert store.traffic_texts("router") == []
    take(store, configure("{keep_texts: true}"), [Sample(secret, "billing", START)])
    assert [one.input for one in store.traffic_texts("router")] == [secret]
    assert b"Geheimnis" in raw()
    take(store, configure(), [Sample("x", None, START)])
    assert store.traffic_texts("router") == []


def test_kept_texts_are_bounded_and_go_with_their_age(store, configure):
    """At most a thousand distinct ones stay, the newer sooner than the older, and none beyond the retention."""
    config = configure("{keep_texts: true}")
    old = [Sample(f"zzqx {n:05} ßøł {n * n}", None, START) for n in range(1500)]
    new = [Sample(f"wwvq {n:05} ħŧŋ {n * n}", None, START + 60 * 86_400) for n in range(1500)]
    take(store, config, old)
    take(store, config, [*old[:10], *new])
    kept = store.traffic_texts("router")
    assert len(kept) == 1000
    assert sum(one.input.startswith("ww") for one in kept) > 800
    assert store.prune_traffic(START + 61 * 86_400, 30 * 86_400) == sum(one.at == START for one in kept)
    assert all(one.at > START for one in store.traffic_texts("router"))


def test_what_is_asked_often_is_kept_with_its_share(store, configure):
    """One new request in the same words a hundred times is kept among two thousand odd ones, with its share."""
    config = configure("{keep_texts: true}")
    target, ingest = config.target("router"), Ingest(store)
    for begin in range(0, 2000, 20):
        odd = [
            Sample(f"zzqx {n:05} ßøł {n * n} {chr(0x4E00 + n)}", None, START + n)
            for n in range(begin, begin + 20)
        ]
        ingest.take(config, target, [*odd, Sample(FRENCH[0], None, START + begin)], now=START + 1e8)
    kept = store.traffic_texts("router")
    assert len(kept) == 1000
    (often,) = (one for one in kept if one.input == FRENCH[0])
    assert often.times > 50
    made = dict(zip([one.input for one in kept], weights(kept), strict=True))
    assert made[FRENCH[0]] == max(made.values())
    assert made[FRENCH[0]] / sum(made.values()) == pytest.approx(100 / 2100, rel=0.3)


def test_goldwatchs_own_requests_and_wrong_clocks_do_not_count(store, configure):
    """Own ones are left out and told; a sample from the future counts as now."""
    done = take(
        store, configure(), [Sample("a", None, START, own=True), Sample("b", None, START + 9e9)], rejected=3
    )
    record = store.traffic("router")
    assert (done.counted, done.own) == (1, 1)
    assert (record.samples, record.own, record.rejected) == (1, 1, 3)
    assert record.open.closed_at <= START + 1e8 + 300


def test_a_target_whose_traffic_is_not_watched_says_what_to_do(store, configure):
    """Nothing is counted, and the remedy is a line of configuration."""
    with pytest.raises(UserError) as refused:
        take(store, configure("null"), [Sample("a")])
    assert "traffic: {}" in refused.value.remedy
    assert store.traffic("router") is None


def test_another_golden_set_and_an_acceptance_begin_anew(store, configure, texts, tmp_path):
    """What is usual is learnt again, totals stay, and the reason is kept."""
    config = configure()
    target, ingest = config.target("router"), Ingest(store)
    ingest.take(config, target, hours(texts, 0, 5), now=START + 1e8)
    ended = store.traffic("router").number
    assert ended >= 3
    record = ingest.accept(target, "a new market", START + 6 * HOUR)
    assert (record.first, record.open, record.reason) == (ended + 1, None, "a new market")
    ingest.take(config, target, hours(texts, 6, 3), now=START + 1e8)
    golden = tmp_path / "golden.jsonl"
    golden.write_text("\n".join(golden.read_text().splitlines()[:-1]) + "\n")
    ingest.take(config, target, hours(texts, 9, 1), now=START + 1e8)
    assert store.traffic("router").reason == "a new market", "edited and not frozen: the frozen set holds"
    freeze(golden, 1.0)
    before = store.traffic("router")
    ingest.take(config, target, hours(texts, 10, 1), now=START + 1e8)
    after = store.traffic("router")
    assert after.first == before.number + 1
    assert after.samples == before.samples + 60
    assert "golden set" in after.reason
    assert view(store, "router", HOUR).learning == (0, streams.baseline_windows(HOUR))


def test_the_budget_is_shared_with_the_runs(configure):
    """A watched target's runs and its traffic have together what its runs alone would have."""
    watched, alone = configure("{}").target("router"), configure("null").target("router")
    assert watched.share + watched.traffic_share == pytest.approx(alone.share)
    assert watched.traffic_share == pytest.approx(PART * alone.share)
    assert alone.traffic_share == 0.0


def test_a_followed_file_counts_once_over_restarts_and_failures(
    store, configure, texts, tmp_path, monkeypatch
):
    """Three daemons after each other, the second dying before its commit, count every line exactly once."""
    config = configure("{file: samples.jsonl}")
    log = tmp_path / "samples.jsonl"
    lines = [json.dumps({"input": text, "at": START + n}) + "\n" for n, text in enumerate(texts[:90])]
    log.write_text("".join(lines[:30]))
    Traffic(store, lambda: START + 1e8).follow(config)
    with log.open("a") as file:
        file.write("".join(lines[30:60]))
    put = Store._insert
    monkeypatch.setattr(Store, "_insert", lambda *_: (_ for _ in ()).throw(UserError("the disk is full")))
    Traffic(store, lambda: START + 1e8).follow(config)
    monkeypatch.setattr(Store, "_insert", put)
    assert store.traffic("router").samples == 30
    log.rename(tmp_path / "samples.jsonl.1")
    log.write_text("".join(lines[60:]))
    third = Traffic(store, lambda: START + 1e8)
    third.follow(config)
    third.follow(config)
    assert store.traffic("router").samples == 90


def test_a_kept_fold_of_another_version_is_folded_anew(store, configure, texts):
    """What cannot be read is computed from the windows, and the next windows go on from there."""
    config = configure()
    target, ingest = config.target("router"), Ingest(store)
    ingest.take(config, target, hours(texts, 0, 5), now=START + 1e8)
    from service.store.traffic import TrafficChange

    store.change_traffic("router", lambda known: TrafficChange(replace(known, state=b"GWF0")))
    ingest.take(config, target, hours(texts, 5, 5), now=START + 1e8)
    windows = store.traffic_windows("router")
    assert packing.pack(folded(ingest.terms(target).subject, windows)) == store.traffic("router").state
