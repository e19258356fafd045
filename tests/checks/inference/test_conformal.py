"""Conformal z-values."""

from __future__ import annotations

import numpy as np

from checks.inference import conformal


def test_z_is_standard_normal_for_any_distribution_of_the_statistic():
    """Skewed, discrete runs give z-values with the moments of a standard normal."""
    rng = np.random.default_rng(1)
    found = []
    for r in range(1500):
        values = rng.poisson(0.7, (1, 21)).astype(float)
        found.append(conformal.z_values(values[:, :20], values[:, 20], conformal.uniforms(3, 1, r))[0])
    assert abs(np.mean(found)) < 0.08
    assert abs(np.std(found) - 1) < 0.06


def test_a_run_below_all_others_has_the_largest_z():
    """The worst run of n + 1 has a rank of at most 1 / (n + 1)."""
    pool = np.arange(99.0)[None]
    z = conformal.z_values(pool, np.array([-1.0]), np.array([0.5]))
    assert z[0] > 2.5


def test_the_smoothing_depends_on_stream_and_run_only():
    """The same stream and run draw the same number; another run draws another."""
    assert (conformal.uniforms(1, 4, 9) == conformal.uniforms(1, 4, 9)).all()
    assert (conformal.uniforms(1, 4, 9) != conformal.uniforms(1, 4, 10)).all()
    assert (conformal.uniforms(1, 4, 9) != conformal.uniforms(2, 4, 9)).all()


def test_the_smoothing_is_uniform():
    """Over many runs the numbers fill (0, 1) evenly."""
    drawn = np.concatenate([conformal.uniforms(5, 3, run) for run in range(4000)])
    counts, _ = np.histogram(drawn, bins=10, range=(0, 1))
    assert (np.abs(counts - 1200) < 5 * np.sqrt(1200)).all()


def test_ranks_are_believed_where_nothing_lasts():
    """If the noise has no memory, e is that of the ranks, whatever the other models make of the run."""
    ranked, modelled = np.array([[2.0, -1.0]]), np.array([[-5.0, -5.0]])
    np.testing.assert_allclose(conformal.doubted(ranked, modelled, np.zeros(1)), ranked, atol=1e-9)


def test_ranks_need_the_models_consent_where_noise_lasts():
    """If the noise has a memory for certain, e is the lesser of the ranks' and the models'."""
    ranked, modelled = np.array([[2.0, -1.0]]), np.array([[-5.0, 3.0]])
    found = conformal.doubted(ranked, modelled, np.full(1, -40.0))
    np.testing.assert_allclose(found, [[-5.0, -1.0]], atol=1e-9)
