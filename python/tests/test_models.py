"""The textbook models: golden values, closed forms, and what they say of mistakes."""

import json
from pathlib import Path

import numpy as np
import pytest
from mixtura import (
    BernoulliMixture,
    BinomialMixture,
    CensoredExtremeValue,
    CensoredNormal,
    GeneCounting,
    ProbitRegression,
    RegressionMixture,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
HEADS = [5, 9, 8, 4, 7]
# log C(10, heads), which golden log-likelihoods leave out.
CHOOSE = np.log([252, 10, 45, 210, 120]).sum()
# Less than 1e-13 nats remain: parameters of standard errors below 1 are within sqrt(2e-13) of the optimum.
SHARP = {"tol": 1e-13, "random_state": 0}
NEAR = 4.5e-7
MOTHS = [("carbonaria", "CC|CI|CT", 85), ("insularia", ["II", "IT"], 196), ("typica", "TT", 341)]


def item(file, name):
    items = json.loads((GOLDEN / f"cases/{file}.json").read_text("utf-8"))["items"]
    return next(i for i in items if i["name"] == name)


def test_coins():
    want = item("textbook", "coin_do_batzoglou_2008")["expected"]
    for method in ("em", "squarem"):
        coins = BinomialMixture(2, flips=10, fixed_weights=True, method=method, **SHARP).fit(HEADS)
        assert_allclose(coins.probabilities_, sorted(want["converged"]), rtol=0, atol=NEAR)
        assert_array_equal(coins.weights_, [0.5, 0.5])
        assert_allclose(coins.log_likelihood_, want["converged_loglik"] + CHOOSE, rtol=0, atol=1e-10)
        assert coins.converged_ and coins.status_ == "converged" and coins.n_iter_ > 0
        assert coins.certificate_["restarts_at_best"] == 20
    want = item("textbook", "coin_free_mixing_weights")["expected"]
    coins = BinomialMixture(2, **SHARP).fit(HEADS, [10] * 5)
    assert_allclose(coins.probabilities_, want["theta"], rtol=0, atol=NEAR)
    assert_allclose(coins.weights_, want["weights"], rtol=0, atol=NEAR)
    assert_allclose(coins.log_likelihood_, want["loglik"] + CHOOSE, rtol=0, atol=1e-10)
    assert_allclose(coins.aic_, -2 * coins.log_likelihood_ + 6, rtol=1e-15)
    assert_allclose(coins.bic_, -2 * coins.log_likelihood_ + 3 * np.log(5), rtol=1e-15)


def test_genes():
    want = item("incomplete_data", "peppered_moth")["expected"]["mle"]
    text = "\n".join(f"{n},{g if isinstance(g, str) else '|'.join(g)},{c}" for n, g, c in MOTHS)
    for table in (MOTHS, text):
        genes = GeneCounting(table, **SHARP).fit()
        assert genes.alleles_ == ["C", "I", "T"]
        assert_allclose(genes.frequencies_, want, rtol=0, atol=NEAR)
        assert_allclose(sum(genes.genotypes_["carbonaria"].values()), 85, rtol=1e-14)
        assert list(genes.genotypes_["insularia"]) == ["II", "IT"]


def test_censored():
    case = item("incomplete_data", "progressively_censored_extreme_value")
    times, removed = np.array(case["input"]["log_times"]), np.array(case["input"]["removed"])
    lower, weights = np.concatenate([times, times]), np.concatenate([np.ones(8), removed])
    for open_end in (np.inf, np.nan):
        upper = np.concatenate([times, np.full(8, open_end)])
        law = CensoredExtremeValue(**SHARP).fit(lower, upper, sample_weight=weights)
        assert_allclose([law.mu_, law.sigma_], case["expected"]["mle"], rtol=0, atol=NEAR)
        assert_allclose(law.log_likelihood_, case["expected"]["loglik"], rtol=0, atol=1e-10)
    exact = CensoredNormal(**SHARP).fit([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    assert_allclose([exact.mu_, exact.sigma_], [3, np.sqrt(2)], rtol=0, atol=NEAR)


def test_probit():
    # Half of the rows at x = 0, 39 of 40 at x = 1: the normal quantiles of 0.5 and 0.975.
    X, y, n = [[0], [0], [1], [1]], ["no", "yes", "no", "yes"], [20, 20, 1, 39]
    fit = ProbitRegression(**SHARP).fit(X, y, sample_weight=n)
    assert_allclose(fit.intercept_, [0], rtol=0, atol=NEAR)
    assert_allclose(fit.coef_, [[1.959963984540054]], rtol=0, atol=NEAR)
    assert list(fit.classes_) == ["no", "yes"]
    # The density of the normal distribution is below 0.4.
    assert_allclose(fit.predict_proba([[0], [1]]), [[0.5, 0.5], [0.025, 0.975]], rtol=0, atol=0.4 * 2 * NEAR)
    assert_array_equal(fit.predict([[-1], [1]]), ["no", "yes"])
    assert fit.score(X, y, sample_weight=n) == 59 / 80  # 20 at x = 0, whichever class is said, and 39 at x = 1


def test_regressions():
    want = json.loads((GOLDEN / "cases/regression_mixture.json").read_text("utf-8"))["expected"]["origin"]
    u, v, y, weight = np.loadtxt(GOLDEN / "data/regression_origin.csv", delimiter=",", skiprows=1).T
    X = np.column_stack([u, v])
    lines = RegressionMixture(2, fit_intercept=False, **SHARP).fit(X, y, sample_weight=weight)
    # As the case says: parameters to 1e-5 of standard errors that are below 0.1, the log-likelihood to 1e-9.
    assert_allclose(lines.coef_, want["coefficients"], rtol=0, atol=1e-6)
    assert_allclose(lines.sigma_, want["sds"], rtol=0, atol=1e-6)
    assert_allclose(lines.weights_, want["weights"], rtol=0, atol=1e-6)
    assert_allclose(lines.log_likelihood_, want["loglik"], rtol=0, atol=1e-9)
    assert_array_equal(lines.intercept_, [0, 0])
    by_hand = sum(w * (X @ b) for w, b in zip(lines.weights_, lines.coef_, strict=True))
    assert_allclose(lines.predict(X), by_hand, rtol=1e-12)


def test_one_regression_is_least_squares():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 2)) * [1, 100] + [0, 1e4]
    y = X @ [2, -0.03] + 5 + rng.normal(size=60)
    line = RegressionMixture(1, **SHARP).fit(X, y)
    want, (left,), *_ = np.linalg.lstsq(np.column_stack([np.ones(60), X]), y)
    # Both solve a system of condition number 1e6 or so, of which rounding costs 1e-10.
    assert_allclose([line.intercept_[0], *line.coef_[0]], want, rtol=1e-8)
    assert_allclose(line.score(X, y), 1 - left / np.sum((y - y.mean()) ** 2), rtol=1e-8)


def test_latent_classes():
    X = np.array([[1, 0], [1, np.nan], [0, 1], [1, 1]])
    one = BernoulliMixture(1, **SHARP).fit(X)
    assert_allclose(one.probabilities_, [[0.75, 2 / 3]], rtol=1e-12)
    two = BernoulliMixture(2, **SHARP).fit([[1, 1, 0]] * 6 + [[0, 0, 1]] * 3)
    assert_allclose(two.probabilities_, [[1, 1, 0], [0, 0, 1]], rtol=0, atol=1e-6)
    assert_allclose(two.weights_, [2 / 3, 1 / 3], rtol=0, atol=1e-6)


def test_weights_are_repeated_rows_and_threads_change_no_bit():
    rng = np.random.default_rng(0)
    share = np.where(rng.random((9000, 1)) < 0.3, 0.8, 0.1)
    X, n = (rng.random((9000, 3)) < share).astype(float), rng.integers(0, 3, 9000)
    a = BernoulliMixture(2, random_state=1, n_init=2, n_jobs=1).fit(X, sample_weight=n)
    b = BernoulliMixture(2, random_state=1, n_init=2, n_jobs=2).fit(X, sample_weight=n)
    assert_array_equal(a.probabilities_, b.probabilities_)
    assert a.log_likelihood_ == b.log_likelihood_
    one, repeated = BernoulliMixture(1), BernoulliMixture(1)
    one.fit(X, sample_weight=n), repeated.fit(np.repeat(X, n, axis=0))
    assert_allclose(one.probabilities_, repeated.probabilities_, rtol=1e-12)


REFUSALS = [
    (lambda: BinomialMixture(2, flips=3).fit([1, 4]), "row 2, column 'heads' is 4, more than the 3 flips"),
    (lambda: BinomialMixture(2).fit([1, 4]), "flips are missing"),
    (lambda: BinomialMixture(2, flips=3).fit([1, 2], [3, 3]), "give them once"),
    (lambda: BinomialMixture(2).fit([1, 2], [3]), "1 numbers for 2 rows"),
    (lambda: BinomialMixture(2, flips=3).fit([np.nan, np.nan]), "nothing to learn"),
    (lambda: BinomialMixture(0, flips=3).fit([1]), "n_components"),
    (lambda: BinomialMixture(2, flips=3, n_init=0).fit([1]), "n_init"),
    (lambda: BinomialMixture(2, flips=3, method="newton").fit([1]), "method"),
    (lambda: BernoulliMixture(2).fit([[0, 2]]), "row 1, column 'x2' is 2"),
    (lambda: BernoulliMixture(2).fit([[0, np.nan], [1, np.nan]]), "column 'x2' has no value"),
    (lambda: GeneCounting("A,AA|AO,3\nB,BB|AO,4").fit(), "line 2: genotype AO belongs to 'A'"),
    (lambda: GeneCounting([("A", "AA")]).fit(), "no row"),
    (lambda: GeneCounting([("A,b", "AA", 3)]).fit(), "comma"),
    (lambda: GeneCounting().fit(), "no lines"),
    (lambda: CensoredNormal().fit([1, 2], [np.inf, np.nan]), "open to one side"),
    (lambda: CensoredNormal().fit([1, 3], [1, 2]), "row 2 begins at 3"),
    (lambda: CensoredNormal().fit([1], [1, 2]), "upper has 2 numbers"),
    (lambda: ProbitRegression().fit([[1], [2], [3], [4.5]], [0, 0, 1, 1]), "separated"),
    (lambda: ProbitRegression().fit([[1], [2]], [0, 0]), "exactly two classes"),
    (lambda: ProbitRegression().fit([[1], [np.nan]], [0, 1]), "NaN"),
    (lambda: RegressionMixture(2).fit([[1], [2], [3.5]], [1, 1, 1]), "column 'y', is constant"),
    (lambda: RegressionMixture(2).fit([[1], [2]], [1]), "y has 1 numbers for 2 rows"),
]


@pytest.mark.parametrize(("fit", "words"), REFUSALS, ids=[words for _, words in REFUSALS])
def test_mistakes_are_told(fit, words):
    with pytest.raises(ValueError) as error:
        fit()
    assert words in str(error.value)


def test_conventions():
    with pytest.raises(NotFittedError):
        RegressionMixture().predict([[1.0]])
    with pytest.warns(ConvergenceWarning, match="iteration_limit"):
        BinomialMixture(2, flips=10, max_iter=1, n_init=1, random_state=0).fit(HEADS)
    coins = BinomialMixture(3, flips=7, fixed_weights=True)
    assert clone(coins).get_params() == coins.get_params()
