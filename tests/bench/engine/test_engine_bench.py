"""The bench's own yardsticks: the oracle's threshold, the limits of a rate, the tuning of peers, the picture."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tests.bench.engine import oracle, peers, plot, table, tasks, within
from tests.bench.engine.families import BUDGET_H, FAMILIES, INDEPENDENT, SLOW, golden


def test_the_oracles_threshold_is_siegmunds_where_his_holds():
    """Many examples and a small drop make log ratios nearly normal: ARL = (exp(b) - b - 1) / KL, b = h + 1.166 sd."""
    p = np.full(400, 0.5)
    q = p - 0.03
    log_h = oracle.threshold(INDEPENDENT, p, q, np.random.default_rng(1), streams=48, rows=4000)
    ratio = math.log(q[0] / p[0]) - math.log((1 - q[0]) / (1 - p[0]))
    sd = abs(ratio) * math.sqrt(400 * 0.25)
    b = log_h + 1.166 * sd
    assert (math.exp(b) - b - 1) / (sd**2 / 2) == pytest.approx(BUDGET_H, rel=0.35)


def test_without_memory_the_hidden_oracle_is_pages_cusum():
    """With a common law and no noise W is max(1, W) times the likelihood ratio of the run."""
    p = golden(1, 30)
    q = tasks.changed(p, "ability", 0.05)
    x = INDEPENDENT.draw(np.random.default_rng(2), p, 50)
    log_w, _ = oracle.path(INDEPENDENT, p, q, x[None])
    slow, total = [], 0.0
    for row in x:
        ratio = np.where(row == 1, q / p, (1 - q) / (1 - p))
        total = max(total, 0.0) + float(np.log(ratio).sum())
        slow.append(total)
    np.testing.assert_allclose(log_w[0], slow, atol=1e-8)


def test_the_oracle_of_slow_noise_pages_as_rarely_as_the_budget_allows():
    """On fresh healthy streams under AR(.6) its false pages are near the 30 that 64,800 hours allow."""
    p = golden(2, 60)
    q = tasks.changed(p, "ability", 0.05)
    log_h = oracle.threshold(SLOW, p, q, np.random.default_rng(3))
    x = np.array([SLOW.draw(np.random.default_rng([4, k]), p, 2700) for k in range(24)])
    log_w, _ = oracle.path(SLOW, p, q, x, log_h)
    assert 12 <= (log_w >= log_h).sum() <= 55


def test_the_limits_of_a_rate_are_poissons():
    """Known values: 0 in a year is at most 3.00 (one-sided), 5 are 1.62 to 11.67."""
    assert table.Rate("", 0, 1.0).upper == pytest.approx(3.00, abs=0.01)
    assert table.Rate("", 5, 1.0).limits == pytest.approx((1.62, 11.67), abs=0.01)
    assert table.Rate("", 0, 1.0).limits[0] == 0.0


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda p: p.name)
def test_a_tuned_peer_keeps_the_budget_on_what_it_was_tuned_on(peer):
    """At the tuned limit healthy streams page at most once in 2,160 hours."""
    if peer.name in {"ADWIN", "Page-Hinkley"}:
        pytest.importorskip("river", reason="river is not installed")
    p = golden(3, 50)
    healthy = [INDEPENDENT.draw(np.random.default_rng([5, k]), p, 1100) for k in range(2)]
    limit = peers.tuned(peer, healthy, 10)
    assert peers.rate(peer, limit, healthy, 10) <= 1 / BUDGET_H


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_every_family_draws_scores_or_gaps(family):
    """Scores lie in [0, 1], most are there, and the same seed draws the same stream."""
    p = golden(1, family.examples)
    x, y = (family.draw(np.random.default_rng(6), p, 30) for _ in range(2))
    np.testing.assert_array_equal(x, y)
    assert x.shape == (30, family.examples)
    known = x[~np.isnan(x)]
    assert known.size > 0.6 * x.size
    assert ((known >= 0) & (known <= 1)).all()


def test_the_picture_is_a_picture_and_names_every_family():
    """The SVG parses, and a family over the budget is marked."""
    names = [rule for rule, *_ in plot._LINES]
    delay = table.Delay((1.0, 3.0), 40)
    results = table.Results(
        rates=(table.Rate("calm", 1, 8.0), table.Rate("wild & loud", 80, 8.0)),
        delays={("independent", drop, rule): delay for drop, _ in plot._DROPS for rule in names},
        onset={}, resolve={}, minutes=(), peer_rates={}, speed_s=(1.0, 1.0), certain={},
    )  # fmt: skip
    text = plot.svg(results)
    root = ET.fromstring(text)
    assert root.tag.endswith("svg")
    assert "wild &amp; loud" in text
    assert text.count("#dc2626") >= 3


def test_twenty_points_are_certain_within_a_run():
    """A hundred of its 200 requests are more than enough, whatever their order."""
    assert max(within.requests("lost", sets=1, streams=2)) < within.MOST
