"""Does the paired test keep its level, and does the interval cover the truth?"""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from checks.inference.multiplicity import holm
from checks.inference.paired import fewest_clusters, paired_interval, paired_test, sign_flip_p
from checks.inference.student import t_quantile

SCORES = st.floats(-1, 1).map(lambda x: round(x, 6))


def oracle(sums):
    """Count every assignment of signs, one by one."""
    total = abs(math.fsum(sums))
    reached = [
        abs(math.fsum(s * c for s, c in zip(signs, sums, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(sums))
    ]
    return sum(r >= total - 1e-9 for r in reached) / len(reached)


@pytest.mark.parametrize("df", [1, 2, 3, 4, 7, 10, 29, 30, 99, 100, 199, 200, 201, 1000, 10**6])
@pytest.mark.parametrize("level", [0.01, 0.5, 0.8, 0.95, 0.99, 0.9999])
def test_the_t_quantile_is_scipys(df, level):
    """The t quantile agrees with scipy to 1e-8 relatively."""
    assert t_quantile(level, df) == pytest.approx(stats.t.ppf((1 + level) / 2, df), rel=1e-8)


@pytest.mark.parametrize(("level", "df"), [(0.0, 3), (1.0, 3), (0.95, 0)])
def test_the_t_quantile_refuses_what_has_no_answer(level, df):
    """A level outside (0, 1) or no degree of freedom is an error."""
    with pytest.raises(ValueError, match="not"):
        t_quantile(level, df)


@pytest.mark.parametrize(
    ("lost", "gained"), [(0, 0), (1, 0), (5, 0), (6, 0), (9, 1), (40, 21), (300, 350), (0, 30), (12, 488)]
)
def test_right_and_wrong_is_the_exact_mcnemar_test(lost, gained):
    """With right/wrong scores the p-value is the two-sided binomial one."""
    p = paired_test([-1] * lost + [1] * gained + [0] * 200).p_value
    if lost + gained == 0:
        assert p == 1.0
    else:
        assert p == pytest.approx(stats.binomtest(lost, lost + gained).pvalue, rel=1e-9)


@given(st.lists(SCORES, max_size=9))
def test_few_pairs_are_enumerated(sums):
    """The p-value of few clusters is the share of sign assignments that reach as far."""
    assert sign_flip_p(sums) == pytest.approx(oracle(sums), abs=1e-12)


@pytest.mark.parametrize("parts", [1, 3, 4, 7])
def test_scores_on_a_lattice_are_exact_at_any_number(parts):
    """Shares such as 3 of 4 fields have an exact p-value, equal to a slow convolution's."""
    rng = np.random.default_rng(parts)
    units = rng.integers(-parts - 1, parts + 1, 120)
    extent = int(np.abs(units).sum())
    mass = np.zeros(2 * extent + 1)
    mass[extent] = 1.0
    for unit in units:
        mass = (np.roll(mass, unit) + np.roll(mass, -unit)) / 2
    far = np.abs(np.arange(-extent, extent + 1)) >= abs(units.sum())
    assert sign_flip_p(units / parts) == pytest.approx(mass[far].sum(), rel=1e-6)


@pytest.mark.parametrize("n", [15, 18])
def test_rounding_to_the_grid_changes_the_p_value_little(n):
    """On continuous scores the grid's p-value is within 1% of the enumerated one."""
    rng = np.random.default_rng(n)
    for _ in range(5):
        sums = rng.normal(0.1, 0.3, n)
        reached = np.zeros(1)
        for size in sums:
            reached = np.concatenate([reached - size, reached + size])
        exact = np.mean(np.abs(reached) >= abs(sums.sum()) - 1e-12)
        assert sign_flip_p(sums) == pytest.approx(exact, rel=0.01, abs=1e-4)


def test_many_continuous_pairs_meet_the_normal_limit():
    """With thousands of pairs the p-value is that of a z-test on the same differences."""
    rng = np.random.default_rng(0)
    for n in (500, 3000):
        d = np.clip(rng.normal(0.012, 0.3, n), -1, 1)
        z = abs(d.sum()) / math.sqrt((d**2).sum())
        assert sign_flip_p(d) == pytest.approx(2 * stats.norm.sf(z), rel=0.03)


@given(st.lists(SCORES, min_size=1, max_size=40))
def test_the_test_is_two_sided_and_blind_to_order_and_scale(d):
    """Swapping A and B, reordering or rescaling the differences leaves the p-value."""
    p = sign_flip_p(d)
    assert sign_flip_p([-x for x in d]) == pytest.approx(p, rel=1e-6, abs=1e-11)
    assert sign_flip_p(sorted(d)) == pytest.approx(p, rel=1e-6, abs=1e-11)
    assert 0 < p <= 1


@pytest.mark.parametrize("kind", ["binary", "graded", "sparse", "grouped", "weighted"])
def test_the_level_is_kept_under_the_null(kind):
    """Two versions that answer alike are told apart in at most alpha of the comparisons."""
    rng = np.random.default_rng(7)
    runs, false = 800, {0.05: 0, 0.01: 0}
    for _ in range(runs):
        groups = weights = None
        if kind == "binary":
            d = rng.choice([-1, 0, 1], 60, p=[0.15, 0.7, 0.15])
        elif kind == "graded":
            d = rng.beta(2, 1, 40) - rng.beta(2, 1, 40)
        elif kind == "sparse":
            d = np.where(rng.random(80) < 0.15, rng.standard_t(2, 80).clip(-5, 5) / 5, 0)
        elif kind == "grouped":
            groups = np.repeat(np.arange(24), 5)
            sign = rng.choice([-1, 1], 24)[groups]
            d = sign * (rng.random(120) < 0.4)
        else:
            weights = rng.uniform(0.2, 5, 50)
            d = rng.choice([-1, 0, 1], 50, p=[0.2, 0.6, 0.2])
        p = paired_test(d, groups, weights).p_value
        for alpha in false:
            false[alpha] += p <= alpha
    for alpha, count in false.items():
        assert stats.binomtest(count, runs, alpha, alternative="greater").pvalue > 0.001, (alpha, count)


def test_groups_are_what_keeps_the_level_on_copies():
    """Ten copies of each pair prove nothing more: grouped they count as one."""
    d = np.repeat([-1, -1, -1, -1, 0, 0, 0, 1], 10)
    groups = [f"document {i}" for i in np.repeat(np.arange(8), 10)]
    assert paired_test(d).p_value < 1e-4
    assert paired_test(d, groups).p_value == paired_test([-1, -1, -1, -1, 1]).p_value
    low, high = paired_interval(d, groups)
    assert low < 0 < high
    assert paired_test(d, [None] * 80) == paired_test(d)
    assert paired_test(d, np.repeat(np.arange(8), 10)) == paired_test(d, groups)


def test_weights_weigh_the_mean_and_the_test():
    """A weight of three counts as three in the mean; equal weights of any size change nothing."""
    heavy = paired_test([-1, 1, 0, 0], weights=[3, 1, 1, 1])
    assert heavy.effect == pytest.approx(-2 / 6)
    d = [-1] * 8 + [0] * 20 + [1]
    assert paired_test(d, weights=[2.5] * 29) == paired_test(d)


def test_a_real_drop_is_found():
    """With 400 examples, 10 points lost and 3 gained are told apart almost always."""
    rng = np.random.default_rng(1)
    found = sum(
        paired_test(rng.choice([-1, 0, 1], 400, p=[0.1, 0.87, 0.03])).p_value <= 0.05 for _ in range(200)
    )
    assert found >= 190


def test_the_fewest_clusters_are_those_that_can_reach_alpha():
    """One cluster fewer than told can never reach alpha, and the told number can."""
    for alpha in (0.2, 0.05, 0.03125, 0.01, 0.001):
        m = fewest_clusters(alpha)
        assert sign_flip_p([1.0] * m) <= alpha
        assert m == 1 or sign_flip_p([1.0] * (m - 1)) > alpha


@pytest.mark.parametrize("n", [10, 30, 60, 150])
def test_the_interval_of_right_and_wrong_covers(n):
    """Over a grid of truths the exact coverage is at least .93."""
    lost, gained = np.meshgrid(np.arange(n + 1), np.arange(n + 1))
    possible = lost + gained <= n
    counts = np.stack([lost[possible], gained[possible], n - lost[possible] - gained[possible]], axis=1)
    ends = {}
    for b, c, same in counts.tolist():
        ends[b, c] = paired_interval([-1] * b + [1] * c + [0] * same)
    low = np.array([ends[b, c][0] for b, c, _ in counts.tolist()])
    high = np.array([ends[b, c][1] for b, c, _ in counts.tolist()])
    for lose, gain in itertools.product([0.0, 0.003, 0.02, 0.05, 0.1, 0.3, 0.6], [0.0, 0.01, 0.05, 0.2, 0.4]):
        truth = gain - lose
        probability = stats.multinomial.pmf(counts, n, [lose, gain, 1 - lose - gain])
        covered = probability[(low <= truth + 1e-12) & (high >= truth - 1e-12)].sum()
        assert covered >= 0.93, (n, lose, gain, covered)


@pytest.mark.parametrize("n", [30, 100, 300])
def test_interval_and_test_agree_on_right_and_wrong(n):
    """Where the exact test finds a difference the interval excludes 0; where that excludes 0, p <= .066."""
    for lost in range(n + 1):
        for gained in range(lost % 3, min(n - lost, 60) + 1, 3):
            result = paired_test([-1] * lost + [1] * gained + [0] * (n - lost - gained))
            excludes = not result.interval[0] <= 0 <= result.interval[1]
            assert excludes or result.p_value > 0.05
            assert not excludes or result.p_value <= 0.066


@pytest.mark.parametrize(
    "kind", ["graded", "skewed", "sparse", "half", "grouped", "grouped binary", "weighted"]
)
@pytest.mark.parametrize("n", [30, 200])
def test_the_interval_of_graded_scores_covers(kind, n):
    """Simulated coverage of graded, sparse, grouped and weighted differences is at least .93."""
    rng = np.random.default_rng(n)
    runs = 1500
    covered = 0
    for _ in range(runs):
        groups = weights = None
        if kind == "graded":
            d, truth = rng.beta(4, 2, n) - rng.beta(4, 3, n), 4 / 6 - 4 / 7
        elif kind == "skewed":
            d, truth = -rng.beta(1, 4, n), -0.2
        elif kind == "sparse":
            d, truth = np.where(rng.random(n) < 0.1, -rng.beta(2, 2, n), 0), -0.05
        elif kind == "half":
            d, truth = np.where(rng.random(n) < 0.5, -rng.beta(2, 2, n), 0), -0.25
        elif kind == "grouped":
            groups = np.repeat(np.arange(n), 4)
            d = (rng.uniform(-0.3, 0.3, n)[groups] + rng.uniform(-0.2, 0.2, 4 * n)) - 0.1
            truth = -0.1
        elif kind == "grouped binary":
            groups = np.repeat(np.arange(n), 4)
            d = -((rng.beta(0.5, 4.5, n)[groups] > rng.random(4 * n)).astype(float))
            truth = -0.1
        else:
            weights = rng.uniform(0.5, 2, n)
            d, truth = rng.choice([-1, 0, 1], n, p=[0.2, 0.7, 0.1]), -0.1
        low, high = paired_interval(d, groups, weights)
        covered += low <= truth <= high
    assert stats.binomtest(covered, runs, 0.93, alternative="less").pvalue > 0.01, covered / runs


@given(
    st.lists(st.tuples(SCORES, st.integers(0, 4), st.floats(0.1, 10)), min_size=1, max_size=30),
    st.booleans(),
    st.booleans(),
)
def test_the_interval_is_never_degenerate(rows, grouped, weighted):
    """Whatever the data, the ends are finite, in [-1, 1], in order, apart, and around the mean."""
    d, groups, weights = zip(*rows, strict=True)
    result = paired_test(d, groups if grouped else None, weights if weighted else None)
    low, high = result.interval
    assert -1 <= low <= result.effect <= high <= 1
    assert high > low


@pytest.mark.parametrize("d", [[0.0], [1.0], [-1.0], [0.25], [0.0] * 50, [1.0] * 50, [-0.2] * 50])
def test_nothing_that_varies_still_leaves_doubt(d):
    """One pair, no change at all or the same change everywhere gives an interval of positive width."""
    low, high = paired_interval(d)
    assert low <= d[0] <= high
    assert high - low > 0.03
    if len(d) == 1:
        assert high - low > 1.5
    else:
        assert high - low < 0.15


def test_unbounded_differences_of_one_pair_say_nothing():
    """Without bounds a single pair's interval is infinite, and many pairs' is the t-interval."""
    assert paired_interval([2.0], bounds=(-math.inf, math.inf)) == (-math.inf, math.inf)
    d = np.random.default_rng(0).normal(3, 1, 25)
    expected = stats.t.interval(0.95, 24, d.mean(), d.std(ddof=1) / 5)
    assert paired_interval(d, bounds=(-math.inf, math.inf)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "at least one pair"),
        (([0.5, math.nan],), "finite"),
        (([0.5, 1.5],), "lie in"),
        (([0.5], None, [0.0]), "weights"),
        (([0.5, 0.1], None, [1.0]), "weights"),
        (([0.5, 0.1], ["a"]), "groups"),
    ],
)
def test_wrong_input_is_named(arguments, message):
    """A pair without a number, a wrong weight or a wrong length is refused by name."""
    with pytest.raises(ValueError, match=message):
        paired_test(*arguments)


def test_the_interval_loads_no_scipy():
    """Live checks compute intervals without loading scipy."""
    code = (
        "import sys; from checks.inference.paired import paired_interval;"
        "paired_interval([0.1, -0.2, 0.3]); paired_interval([0, 1, -1], ['a', 'b', 'b']);"
        "sys.exit('scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_rejects_what_its_step_down_procedure_rejects(p_values):
    """Adjusted p-values compared with alpha reproduce Holm's sequence of rejections, at every alpha."""
    adjusted = holm(p_values)
    for alpha in (0.001, 0.01, 0.05, 0.2, 0.7):
        left = sorted(range(len(p_values)), key=lambda i: p_values[i])
        rejected = set()
        while left and p_values[left[0]] * len(left) <= alpha:
            rejected.add(left.pop(0))
        assert {i for i, p in enumerate(adjusted) if p <= alpha} == rejected


def test_holm_matches_published_values():
    """The step-down values of a worked example, worked by hand."""
    assert holm([0.01, 0.02, 0.03, 0.005]) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert holm([]) == []
    with pytest.raises(ValueError, match="p-value"):
        holm([0.5, math.nan])
