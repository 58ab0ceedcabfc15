"""The kit for a method author: what it fits, what it says of mistakes, and the worked page."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from mixtura import EM
from mixtura._domains import DOMAINS
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/bring-your-own-model.md").read_text("utf-8")
HEADS = np.array([5, 9, 8, 4, 7])

# Do & Batzoglou (2008), from (0.6, 0.5): an independent NumPy script at full precision (the paper prints 0.80, 0.52).
AFTER_1 = [0.7130122354005162, 0.5813393083136627]
AFTER_10 = [0.7967441494752117, 0.5196586622041124]
CONVERGED = [0.7967890669226471, 0.5195831201451354]
CONVERGED_LOG_LIKELIHOOD = -31.570200235996904


class TwoCoins(EM):
    parameters = {"theta": "probability"}

    def __init__(self, theta=(0.6, 0.5)):
        self.theta = np.array(theta)

    def e_step(self, heads):
        joint = 0.5 * self.theta ** heads[:, None] * (1 - self.theta) ** (10 - heads[:, None])
        total = joint.sum(axis=1)
        picked = joint / total[:, None]
        return (picked.T @ heads, picked.sum(axis=0)), np.log(total).sum()

    def m_step(self, stats):
        heads, picked = stats
        self.theta = heads / (10 * picked)


class Started(TwoCoins):
    def start(self, rng):
        self.theta = rng.uniform(size=2)


def test_two_coins_are_those_of_the_paper():
    with pytest.warns(ConvergenceWarning, match="limit of 10 iterations"):
        model = TwoCoins().fit(HEADS, method="em", max_iter=10, tol=0, trace=True)
    assert_allclose(model.theta, AFTER_10, rtol=1e-13)  # ten iterations of a few roundings
    assert (model.status_, model.converged_, model.n_iter_) == ("iteration_limit", False, 10)
    path = model.trace_["parameters"]["theta"]
    assert path.shape == (11, 2)
    assert_array_equal(path[0], [0.6, 0.5])
    assert_allclose(path[1], AFTER_1, rtol=1e-13)
    assert len(model.trace_["objective"]) == 11 and model.trace_["objective"][-1] == model.objective_
    for method in ("em", "squarem"):
        model = TwoCoins().fit(HEADS, method=method, tol=1e-9)
        assert_allclose(model.theta, CONVERGED, atol=1e-5)  # 1e-9 nats at a curvature of 60 per unit squared
        assert_allclose(model.objective_, CONVERGED_LOG_LIKELIHOOD, atol=1e-8)
        assert model.objective_ == model.log_likelihood_ and model.certificate_["monotone"]


def test_restarts_follow_the_seed_and_are_counted():
    first, again = (Started().fit(HEADS, random_state=3) for _ in range(2))
    assert_array_equal(first.theta, again.theta)
    certificate = first.certificate_
    assert len(certificate["restarts"]) == 8 and 1 <= certificate["restarts_at_best"] <= 8
    assert first.objective_ == max(certificate["restarts"])
    assert sum(count for _, count in certificate["modes"]) == 8
    assert 0 < certificate["chance_of_better"] < 0.5
    # A run's start depends on its number, not on how many there are.
    fewer = Started().fit(HEADS, n_init=3, random_state=3)
    assert fewer.certificate_["restarts"] == certificate["restarts"][:3]
    given = Started([0.6, 0.5]).fit(HEADS, n_init=0, tol=1e-9)
    assert len(given.certificate_["restarts"]) == 1 and given.certificate_["chance_of_better"] is None
    assert_allclose(given.theta, CONVERGED, atol=1e-5)


def test_the_worked_page_runs_and_is_short(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    space = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for block in blocks:
            exec(block, space)
    assert len(blocks) == 3
    body = blocks[0].split("class TwoCoins")[1].split("\n\n\n")[0]
    assert len([line for line in body.splitlines() if line.strip()]) <= 25
    assert_allclose(space["model"].theta, AFTER_10, rtol=1e-13)
    out = capsys.readouterr().out
    # The optimum, up to what a tolerance of 0.001 nats leaves: sqrt(2 * 0.001 / 60) of a chance of heads.
    assert_allclose([float(x) for x in re.findall(r"0\.\d+", out)[:2]], sorted(CONVERGED), atol=6e-3)


def broken(**methods):
    """Return two coins with some methods replaced."""
    return type("Broken", (TwoCoins,), methods)()


def later(number, good, bad):
    """Return a step that is wrong from its `number`-th call on."""
    calls = []

    def step(self, given):
        calls.append(1)
        return (bad if len(calls) >= number else good)(self, given)

    return step


@pytest.mark.parametrize("method", ["em", "squarem"])
@pytest.mark.parametrize(
    ("step", "wrong", "error", "sentence"),
    [
        ("e_step", lambda s, d: (1, np.nan), ValueError, r"NaN in iteration 2 of run 0: look in the E-step"),
        ("e_step", lambda s, d: (1, np.inf), ValueError, r"inf in iteration 2 of run 0"),
        (
            "e_step",
            lambda s, d: (1, np.zeros(5)),
            ValueError,
            r"an array of shape \(5,\): it must be one number, the sum",
        ),
        ("e_step", lambda s, d: (1, "much"), TypeError, r"type str: it must be one real number"),
        ("e_step", lambda s, d: (1, None), TypeError, r"the log-likelihood is None: it must be one real number"),
        ("e_step", lambda s, d: (1, 2j), TypeError, r"2j: it must be one real number"),
        ("e_step", lambda s, d: (None, -3.0), TypeError, r"returned None for the statistics"),
        ("e_step", lambda s, d: None, TypeError, r"must return \(statistics, log_likelihood\), not None"),
        (
            "e_step",
            lambda s, d: -3.0,
            TypeError,
            r"must return \(statistics, log_likelihood\), not a value of type float",
        ),
        ("e_step", lambda s, d: (1, 2, 3), TypeError, r"not a tuple of length 3"),
        ("m_step", lambda s, t: t[0] / 10 / t[1], TypeError, r"returned an array of shape \(2,\): it must set"),
        (
            "m_step",
            lambda s, t: setattr(s, "theta", 0.5),
            ValueError,
            r"'theta' of Broken has the shape \(\), and had \(2,\)",
        ),
        ("m_step", lambda s, t: setattr(s, "theta", t[0]), ValueError, r"entry .*, and is declared 'probability'"),
        (
            "m_step",
            lambda s, t: setattr(s, "theta", t[0] * np.nan),
            ValueError,
            r"m_step of iteration 2 of run 0: .* not finite",
        ),
        ("m_step", lambda s, t: setattr(s, "theta", ["a", "b"]), TypeError, r"not numbers"),
    ],
)
def test_a_mistake_gets_a_sentence(step, wrong, error, sentence, method):
    model = broken(**{step: later(2, getattr(TwoCoins, step), wrong)})
    with pytest.raises(error, match=sentence) as caught:
        model.fit(HEADS, method=method)
    assert "\n" not in str(caught.value)


def test_own_exceptions_come_out_as_they_are_with_a_note():
    class Mine(RuntimeError):
        pass

    def fail(self, given):
        raise Mine("oops")

    for step in ("e_step", "m_step"):
        for kind in (TwoCoins, Started):
            model = type("Broken", (kind,), {step: later(3, getattr(TwoCoins, step), fail)})()
            with pytest.raises(Mine, match="oops") as caught:
                model.fit(HEADS, method="em", tol=0, max_iter=50, random_state=0)
            assert str(caught.value) == "oops"
            assert caught.value.__notes__ == [f"in {step} of Broken, iteration 3 of run 0"]
            assert caught.value.__traceback__ is not None
    interrupted = broken(m_step=lambda self, stats: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(HEADS)


def test_a_falling_objective_is_said_with_place_and_size():
    def swapped(self, heads):
        stats, log_likelihood = TwoCoins.e_step(self, heads)
        return (10 * stats[1] - stats[0], stats[1]), log_likelihood

    model = broken(e_step=swapped)
    with pytest.warns(ConvergenceWarning, match=r"fell by .* nats in iteration \d+: .* contradict each other"):
        model.fit(HEADS, method="em", max_iter=20)
    falls = -np.diff(model.trace_["objective"])
    assert not model.certificate_["monotone"]
    assert model.certificate_["largest_decrease"] == falls.max() > 0.1
    assert model.certificate_["decrease_iteration"] == 1 + falls.argmax()


def test_what_is_missing_is_said():
    class Nothing(EM):
        pass

    with pytest.raises(TypeError, match="Nothing needs parameters"):
        Nothing().fit(HEADS)
    with pytest.raises(ValueError, match=r"lives in one of .*'simplex'.*, not in 'unit'"):
        type("Odd", (TwoCoins,), {"parameters": {"theta": "unit"}})().fit(HEADS)
    with pytest.raises(ValueError, match="has no 'phi' at the start"):
        type("Odd", (TwoCoins,), {"parameters": {"phi": "real"}})().fit(HEADS)
    with pytest.raises(NotImplementedError, match="Half needs an m_step"):
        type("Half", (TwoCoins,), {"m_step": EM.m_step})().fit(HEADS)
    with pytest.raises(TypeError, match="both to_vector and from_vector"):
        broken(to_vector=lambda self: self.theta).fit(HEADS)
    with pytest.raises(ValueError, match="n_init"):
        TwoCoins().fit(HEADS, n_init=2)
    for bad in ({"method": "newton"}, {"tol": -1}, {"max_iter": -1}, {"n_init": -1}, {"tol": np.nan}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Started().fit(HEADS, **bad)
    with pytest.raises(ValueError, match=r"the start: 'theta' .* has the entry 1.5"):
        TwoCoins([0.5, 1.5]).fit(HEADS)


def test_jumps_may_be_refused_and_nan_there_is_taken_back():
    """In plain coordinates a jump can leave the unit square: from_vector refuses, or the E-step says NaN."""
    refused = []

    def from_vector(self, vector):
        if np.any((vector < 0) | (vector > 1)):
            refused.append(vector)
            return False
        self.theta = vector
        return None

    hooks = {"to_vector": lambda self: self.theta, "from_vector": from_vector}
    # Ten heads of ten and nearly none: the optimum lies at the edge.
    heads = np.array([10, 10, 9, 10, 0, 1, 0, 10])
    model = broken(**hooks).fit(heads, tol=1e-9)
    free = TwoCoins().fit(heads, tol=1e-9)
    assert_allclose(model.objective_, free.objective_, atol=1e-8)
    # Any parameter may be jumped to, and nothing is said of it.
    nan = {"parameters": {"theta": "real"}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = broken(**nan).fit(heads, tol=1e-9)
    assert_allclose(model.objective_, free.objective_, atol=1e-8)

    def explode(self, vector):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        broken(to_vector=lambda self: self.theta, from_vector=explode).fit(heads, tol=1e-9)
    assert "where SQUAREM has jumped" in caught.value.__notes__[0]


def test_a_log_prior_is_part_of_the_objective():
    class Map(TwoCoins):
        def log_prior(self):
            return float(np.log(self.theta * (1 - self.theta)).sum())  # Beta(2, 2), up to a constant

        def m_step(self, stats):
            heads, picked = stats
            self.theta = (heads + 1) / (10 * picked + 2)

    model = Map().fit(HEADS, tol=1e-10)
    assert model.certificate_["monotone"]
    assert model.objective_ == model.log_likelihood_ + model.log_prior()

    def objective(theta):
        at = Map(theta)
        return at.e_step(HEADS)[1] + at.log_prior()

    # A neighbour is worse: 1e-4 away costs some 60/2 * 1e-8 nats.
    for shift in ([1e-4, 0], [-1e-4, 0], [0, 1e-4], [0, -1e-4]):
        assert objective(model.theta + shift) < model.objective_ - 1e-8


def test_domains_lead_back_and_know_what_is_outside():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(2, 3, 3))
    inside = {
        "real": rng.normal(size=(2, 3)),
        "positive": np.array([1e-300, 1.0, 1e300]),
        "probability": np.array([1e-300, 0.3, 1 - 1e-16]),
        "simplex": rng.dirichlet([0.3] * 4, size=3),
        "covariance": root @ np.swapaxes(root, 1, 2),
    }
    assert set(inside) == set(DOMAINS)
    for kind, x in inside.items():
        domain = DOMAINS[kind]
        assert domain.wrong(x) == ""
        free = domain.free(x)
        assert free.ndim == 1 and np.isfinite(free).all()
        # exp(log x) is good to |log x| roundings, 690 at 1e300; 1e-12 is seven of that.
        assert_allclose(domain.value(free, x.shape), x, rtol=1e-12)
    edge = DOMAINS["probability"].value(DOMAINS["probability"].free(np.array([0.0, 1.0])), (2,))
    assert 0 < edge[0] < 1e-307 and edge[1] == 1
    outside = {
        "positive": np.array([1.0, -1e-9]),
        "probability": np.array([0.2, 1.0001]),
        "simplex": np.array([[0.5, 0.5], [0.4, 0.5]]),
        "covariance": np.array([[1.0, 2.0], [2.0, 1.0]]),
    }
    for kind, x in outside.items():
        assert DOMAINS[kind].wrong(x)
    assert DOMAINS["simplex"].wrong(np.array([1.5, -0.5])) == "has the negative entry -0.5"
    assert DOMAINS["simplex"].wrong(np.array(1.0))
    assert DOMAINS["covariance"].wrong(np.zeros((2, 3))) and DOMAINS["covariance"].wrong(np.array([[1.0, 0], [0.5, 1]]))


def test_floats_stay_floats_and_data_are_handed_on():
    class Variance(EM):
        """Zero-mean normal rows with a share missing: the E-step fills the squares."""

        parameters = {"variance": "positive"}
        variance = 3.0

        def e_step(self, data):
            assert isinstance(self.variance, float) and data is table
            seen = np.asarray(data["seen"])
            squares = (seen**2).sum() + data["missing"] * self.variance
            log_likelihood = -0.5 * (len(seen) * np.log(2 * np.pi * self.variance) + (seen**2).sum() / self.variance)
            return (squares, len(seen) + data["missing"]), log_likelihood

        def m_step(self, stats):
            self.variance = stats[0] / stats[1]

    table = {"seen": [1.0, -2.0, 0.5, 1.5], "missing": 12}
    model = Variance().fit(table, tol=1e-12)
    assert_allclose(model.variance, 7.5 / 4, rtol=1e-6)  # the mean square of what was seen
    assert type(model.variance) is float
