"""Does the verdict on a fine-tune say what the comparisons and the bills say, and how often is it wrong?"""

from __future__ import annotations

import numpy as np
import pytest

from checks.types import FloatArray
from checks.worth import Rates, Standing, Usage, cost, judge, overall, saving


def drawn(
    rng: np.random.Generator, truth: float, looks: int, n: int = 200, changed: float = 0.12
) -> FloatArray:
    """Comparisons of two models whose true difference is ``truth``; a fifth of the differing answers flicker."""
    theta = rng.choice(
        [1.0, -1.0, 0.0], size=n, p=[(changed + truth) / 2, (changed - truth) / 2, 1 - changed]
    )
    flicker = rng.random((looks, n)) < 0.2
    return np.where(
        flicker & (theta != 0), rng.choice([-1.0, 0.0, 1.0], (looks, n)) * 0.5 + theta * 0.5, theta
    )


@pytest.mark.parametrize(("truth", "wrong"), [(0.03, Standing.NO_LONGER_PAYS), (0.0, Standing.PAYS)])
def test_it_is_ever_wrong_at_most_as_often_as_promised(truth: float, wrong: Standing) -> None:
    """A challenger that is worse by the margin is called good enough, or an equal tuned model better, rarely."""
    rng = np.random.default_rng(11)
    saved = -1.0 if wrong is Standing.NO_LONGER_PAYS else None
    trials, said = 250, 0
    for _ in range(trials):
        x = drawn(rng, truth, 13)
        verdicts = (judge(x[:t], margin=0.03, saved=saved, alpha=0.1).standing for t in (2, 3, 5, 8, 13))
        said += any(v is wrong for v in verdicts)
    assert said / trials <= 0.1 + 2 * np.sqrt(0.09 / trials)


def test_it_decides_where_there_is_something_to_decide() -> None:
    """Over a quarter of weekly comparisons a clear difference is found in nearly all cases, either way."""
    rng = np.random.default_rng(5)
    better = [judge(drawn(rng, 0.1, 13), margin=0.02, saved=-5.0).standing for _ in range(40)]
    equal = [judge(drawn(rng, 0.0, 13, changed=0.02), margin=0.05, saved=-5.0).standing for _ in range(40)]
    assert better.count(Standing.PAYS) >= 35
    assert equal.count(Standing.NO_LONGER_PAYS) >= 35


def test_one_comparison_never_decides() -> None:
    """However clear, a second must agree; and nothing compared is undecided, not equal."""
    clear = np.ones((1, 100))
    assert judge(clear, margin=0.02, saved=5.0).standing is Standing.UNDECIDED
    assert judge(np.full((3, 5), np.nan), margin=0.02, saved=5.0).difference is None
    assert judge(np.tile(clear, (2, 1)), margin=0.02, saved=5.0).standing is Standing.PAYS


def test_a_cheaper_tuned_model_pays_where_it_is_as_good() -> None:
    """Equal quality: who costs less wins, and where costs are unknown nobody does."""
    same = np.zeros((3, 1000))
    assert judge(same, margin=0.02, saved=1.0).standing is Standing.PAYS
    assert judge(same, margin=0.02, saved=-1.0).standing is Standing.NO_LONGER_PAYS
    unknown = judge(same, margin=0.02, saved=None)
    assert (unknown.standing, "unknown" in unknown.reason) == (Standing.UNDECIDED, True)


def test_a_better_challenger_that_costs_more_does_not_end_the_fine_tune() -> None:
    """Whether better is worth its price is the user's to say; the reason tells."""
    verdict = judge(np.full((2, 300), -0.2), margin=0.02, saved=400.0)
    assert (verdict.standing, verdict.reason.endswith("but it costs more")) == (Standing.UNDECIDED, True)


def test_more_challengers_share_alpha() -> None:
    """With four challengers each interval is wider than with one."""
    x = drawn(np.random.default_rng(1), 0.05, 4)
    one, four = (judge(x, margin=0.02, saved=1.0, challengers=k).difference for k in (1, 4))
    assert one is not None
    assert four is not None
    assert np.ptp(four.interval) > np.ptp(one.interval)


def test_bills() -> None:
    """Tokens at the traffic, cached ones cheaper, hosting by the hour, training over its life; unknown is None."""
    used = Usage(1000, 1_000_000, 100_000, cached_tokens=400_000)
    plain = cost(used, Rates(1.0, 4.0), 10_000)
    assert plain.tokens_per_1k == pytest.approx(1.4)
    assert plain.month == pytest.approx(14.0)
    assert cost(used, Rates(1.0, 4.0, cached_per_mtok=0.25), 10_000).tokens_per_1k == pytest.approx(1.1)
    hosted = cost(used, Rates(hosting_per_hour=1.0, training_usd=1200.0, life_s=365.25 * 86400), 10_000)
    assert hosted.month == pytest.approx(730.5 + 100.0)
    assert cost(used, Rates(), 10_000).month is None
    assert cost(Usage(0), Rates(1.0, 4.0), 10_000).month is None
    assert saving(plain, hosted) == pytest.approx(816.5)
    assert saving(cost(used, Rates(1.0, 4.0), None), cost(used, Rates(2.0, 8.0), None)) == pytest.approx(1.4)
    assert saving(cost(used, Rates(1.0, 4.0), None), cost(used, Rates(hosting_per_hour=1.0), None)) is None


def test_over_all_challengers() -> None:
    """No challenger at all decides nothing."""
    assert overall([]) is Standing.UNDECIDED
    assert overall([Standing.PAYS, Standing.PAYS]) is Standing.PAYS
