"""The examples of the kit: each against an oracle that shares no code with it, and against a known truth."""

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

ROOT = Path(__file__).resolve().parents[2]


def example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"examples/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


var, synchroniser = example("sparse_var"), example("phase_synchroniser")


def small_var():
    rng = np.random.default_rng(2)
    model = var.SparseVAR(3, penalty=2.0, first=1.5)
    model.influence = 0.4 * rng.normal(size=(3, 3))
    model.process, model.measurement = np.array([0.5, 1.0, 2.0]), np.array([0.3, 0.1, 0.8])
    return model, rng.normal(size=(9, 3))


def test_smoother_and_likelihood_are_those_of_one_dense_gaussian():
    model, y = small_var()
    n, d = y.shape
    # x = L w with independent w: the covariance of all states at once, then conditioning on all measurements.
    step = np.eye(n * d)
    for t in range(1, n):
        step[t * d : (t + 1) * d] += np.kron(np.eye(n)[t - 1], model.influence) @ step
    spread = np.concatenate([np.full(d, model.first), np.tile(model.process, n - 1)])
    states = step @ np.diag(spread) @ step.T
    measured = states + np.diag(np.tile(model.measurement, n))
    flat = y.ravel()
    mean = states @ np.linalg.solve(measured, flat)
    second = states - states @ np.linalg.solve(measured, states) + np.outer(mean, mean)
    log_likelihood = -0.5 * (np.linalg.slogdet(2 * np.pi * measured)[1] + flat @ np.linalg.solve(measured, flat))

    def moments(s, t):
        return second[s * d : (s + 1) * d, t * d : (t + 1) * d]

    now = sum(moments(t, t) for t in range(1, n))
    past = sum(moments(t, t) for t in range(n - 1))
    cross = sum(moments(t, t - 1) for t in range(1, n))
    seen = [
        sum(y[t, i] ** 2 - 2 * y[t, i] * mean[t * d + i] + moments(t, t)[i, i] for t in range(n)) / n for i in range(d)
    ]
    (*got, count), found = model.e_step(y)
    assert count == n
    # 27 x 27 systems with condition numbers below 1e3.
    assert_allclose(found, log_likelihood, rtol=1e-11)
    for a, b in zip(got, (now, past, cross, np.array(seen)), strict=True):
        assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def test_m_step_of_the_penalised_rows_is_a_fixed_point_at_a_maximum():
    model, y = small_var()
    stats, _ = model.e_step(y)
    for _ in range(200):  # the M-step is one round of conditional maxima: repeated, it stays at the joint one
        model.m_step(stats)
    now, past, cross, _, n = stats

    def expected(a, q):
        fit = np.diag(now) - 2 * np.einsum("ij,ij->i", a, cross) + np.einsum("ij,jk,ik->i", a, past, a)
        off_diagonal = np.abs(a[~np.eye(3, dtype=bool)]).sum()
        return -0.5 * ((n - 1) * np.log(q) + fit / q).sum() - model.penalty * off_diagonal

    best = expected(model.influence, model.process)
    rng = np.random.default_rng(3)
    for _ in range(200):
        a = model.influence + 1e-3 * rng.normal(size=(3, 3))
        q = model.process * np.exp(1e-3 * rng.normal(size=3))
        assert expected(a, q) < best


def test_a_sparse_network_is_recovered():
    y, truth = var.simulate(seed=1)
    model = var.SparseVAR(6, penalty=15.0).fit(y, tol=0.01)
    assert model.converged_ and model.certificate_["monotone"]
    off_diagonal = ~np.eye(6, dtype=bool)
    # Five influences of 0.4 to 0.5, each some five standard errors (0.08 with this noise) from 0; a penalty of 15 takes
    # about one of them away. Half of the smallest tells them from the others.
    found = np.abs(model.influence) > 0.2
    assert np.array_equal(found & off_diagonal, (truth != 0) & off_diagonal)
    assert (model.influence[off_diagonal] == 0).sum() >= 8  # a good share of the 25 others, exactly
    # Four standard errors.
    assert_allclose(model.influence, truth, atol=0.32)
    assert_allclose(model.measurement.mean(), 0.49, atol=0.15)
    # What ignores the measurement noise is pulled towards 0 on the diagonal.
    plain = np.linalg.solve(y[:-1].T @ y[:-1], y[:-1].T @ y[1:]).T
    assert np.abs(np.diag(model.influence) - 0.6).mean() < 0.5 * np.abs(np.diag(plain) - 0.6).mean()


def code_words(n_bits):
    """Return the symbols of all words, by products of polynomials modulo 2."""
    words = []
    for bits in itertools.product([0, 1], repeat=n_bits):
        coded = [np.convolve(bits, generator) % 2 for generator in ([1, 1, 1], [1, 0, 1])]
        words.append(1 - 2 * np.stack(coded, axis=1).ravel())
    return np.array(words)


def log_likelihoods(words, samples, phase, noise):
    distance = np.abs(samples - words * np.exp(1j * phase)) ** 2
    return -len(samples) * np.log(np.pi * noise) - distance.sum(axis=1) / noise


def test_decoder_is_that_of_all_code_words():
    words = code_words(8)
    assert np.array_equal(words[0b10110001], synchroniser.encode([1, 0, 1, 1, 0, 0, 0, 1]))
    samples, _ = synchroniser.receive(seed=4, n_bits=8, noise=1.2)
    model = synchroniser.PhaseSynchroniser()
    for phase, noise in [(0.3, 1.0), (-2.0, 0.4), (3.0, 5.0)]:
        model.phase, model.noise = phase, noise
        each = log_likelihoods(words, samples, phase, noise)
        total = np.logaddexp.reduce(each)
        symbols = np.exp(each - total) @ words
        (correlation, energy, n), found = model.e_step(samples)
        # 256 terms and sums of 20: a few hundred roundings.
        assert_allclose(found, total - 8 * np.log(2), rtol=1e-12)
        assert_allclose(correlation, symbols @ samples, rtol=1e-11, atol=1e-11)
        assert_allclose(energy, (np.abs(samples) ** 2).sum(), rtol=1e-14)
        assert n == 20


def test_the_best_restart_is_the_maximum_of_a_grid():
    words = code_words(8)
    samples, _ = synchroniser.receive(seed=5, n_bits=8, noise=0.6)
    model = synchroniser.PhaseSynchroniser().fit(samples, n_init=16, random_state=1, tol=1e-6)
    phases, noises = np.linspace(-np.pi, np.pi, 181), np.geomspace(0.1, 3, 40)
    grid = [
        (np.logaddexp.reduce(log_likelihoods(words, samples, p, v)) - 8 * np.log(2), p) for p in phases for v in noises
    ]
    best, at = max(grid)
    # No point of the grid is better, and the best of them is a step or so away: half a step of 2 degrees costs below
    # 0.1 nats, half of one of 9 % in the noise 20 * 0.045**2 / 2.
    assert best <= model.objective_ + 1e-6
    assert model.objective_ - best < 0.15
    assert abs(np.angle(np.exp(1j * (model.phase - at)))) < 0.07
    assert len(model.certificate_["modes"]) > 1  # some starts end elsewhere, and that is said


def test_phases_are_as_good_as_with_known_symbols():
    errors, n_frames, noise = [], 16, 0.5
    for seed in range(n_frames):
        samples, truth = synchroniser.receive(seed=seed, noise=noise)
        model = synchroniser.PhaseSynchroniser().fit(samples, random_state=seed)
        errors.append(np.angle(np.exp(1j * (model.phase - truth))))
    rms = np.sqrt(np.mean(np.square(errors)))
    # The Cramer-Rao bound for known symbols is sqrt(noise / 2n), n = 104. The root mean square of 16 errors has a
    # relative standard deviation of 1/sqrt(32) = 18 %: three of them either way.
    bound = np.sqrt(noise / (2 * 104))
    assert 0.46 * bound < rms < 1.54 * bound


@pytest.mark.parametrize("name", ["sparse_var", "phase_synchroniser"])
def test_what_the_page_says_of_an_example_is_there(name):
    page = (ROOT / "docs/bring-your-own-model.md").read_text("utf-8")
    assert f"../examples/{name}.py" in page
