"""Standard errors: against closed forms and published values, through every estimator, and refusals."""

import numpy as np
import pytest
from mixtura import (
    BernoulliMixture,
    BinomialMixture,
    CensoredExtremeValue,
    CensoredNormal,
    GaussianMixture,
    GeneCounting,
    ProbitRegression,
    RegressionMixture,
)

MOTHS = [("carbonaria", "CC|CI|CT", 85), ("insularia", "II|IT", 196), ("typica", "TT", 341)]


def two_clusters(n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, 2)) + np.where(rng.random(n) < 0.3, 6.0, 0.0)[:, None]


def test_one_gaussian_has_the_closed_form() -> None:
    X = two_clusters()[:, :1]
    model = GaussianMixture().fit(X)
    errors = model.errors(X)
    n, v = len(X), float(X.var())
    # Var(mean) = v/n, Var(v) = 2v²/n; rounding of sums over 400 rows.
    assert errors.names == ["weight[0]", "mean[0][x1]", "covariance[0][x1,x1]", "sd[0][x1]"]
    np.testing.assert_allclose(errors.standard_errors[1:3], [np.sqrt(v / n), v * np.sqrt(2 / n)], rtol=1e-9)
    assert model.point(X)["kind"] == "optimum"


@pytest.mark.parametrize("method", ["louis", "numerical", "sem", "sandwich", "bootstrap", "parametric", "weighted"])
def test_every_method_answers(method: str) -> None:
    X = two_clusters()
    model = GaussianMixture(2, tol=1e-6, random_state=0).fit(X)
    errors = model.errors(X, method=method, level=0.9)
    assert errors.method == method and errors.level == 0.9
    assert errors.intervals.shape == (len(errors.names), 2) and errors.covariance.shape == (len(errors.names),) * 2
    assert np.all(errors.intervals[:, 0] <= errors.estimates) and np.all(errors.estimates <= errors.intervals[:, 1])
    # 120 of 400 rows, well apart: a binomial share has √(0.3 · 0.7 / 400) = 0.0229; 200 replicates are good to 5 %.
    assert errors.standard_errors[0] == pytest.approx(0.0229, rel=0.2)
    assert "Standard errors" in str(errors)
    assert (errors.bias is None) == (method in ("louis", "numerical", "sem", "sandwich"))


def test_published_values_of_textbook_models() -> None:
    # The moths' standard errors and the coins' with equal weights, as the golden textbook items have them.
    errors = GeneCounting(MOTHS, random_state=0).fit().errors()
    np.testing.assert_allclose(errors.standard_errors, [0.0074112094, 0.0122051907, 0.0134751243], atol=1e-8)
    coins = BinomialMixture(2, flips=10, fixed_weights=True, tol=1e-10, random_state=0).fit([5, 9, 8, 4, 7])
    found = sorted(coins.errors([5, 9, 8, 4, 7]).standard_errors)
    np.testing.assert_allclose(found, [0.10149922, 0.1307689], atol=1e-6)


def test_every_textbook_model_answers() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(200, 1))
    side = rng.random(200) < 0.5
    y = np.where(side, 2 * x[:, 0], 3 - x[:, 0]) + 0.3 * rng.normal(size=200)
    lines = RegressionMixture(2, random_state=0).fit(x, y)
    assert "coefficient[0][intercept]" in lines.errors(x, y).names
    answers = (rng.random((300, 5)) < np.where(rng.random(300) < 0.5, 0.85, 0.15)[:, None]).astype(float)
    classes = BernoulliMixture(2, random_state=0).fit(answers)
    assert len(classes.errors(answers).names) == 12
    z = (x[:, 0] + rng.normal(size=200) > 0).astype(int)
    assert ProbitRegression(random_state=0).fit(x, z).errors(x, z, method="sem").names == ["intercept", "x1"]
    upper = np.where(side, y, np.inf)
    for law in (CensoredNormal, CensoredExtremeValue):
        assert law(random_state=0).fit(y, upper).errors(y, upper, method="weighted", n_replicates=40).names[0] == "mu"


def test_refusals_say_why() -> None:
    X = two_clusters()
    model = GaussianMixture(2, random_state=0).fit(X)
    with pytest.raises(ValueError, match="jackknife"):
        model.errors(X, method="jackknife")
    with pytest.raises(ValueError, match="between 0 and 1"):
        model.errors(X, level=1.5)
    with pytest.raises(ValueError, match="fewer than"):
        model.errors(X[:5])
    with pytest.raises(ValueError, match="give errors\\(\\) what fit\\(\\) was given"):
        BinomialMixture(2, flips=10, random_state=0).fit([5, 9, 8, 4, 7]).errors([1, 1, 2, 9, 9])
    # Where both components are one Gaussian EM stays, and the point is a saddle.
    start = {"means_init": np.repeat(X.mean(axis=0)[None], 2, axis=0), "weights_init": [0.5, 0.5]}
    with pytest.warns(Warning, match="saddle"):
        stuck = GaussianMixture(
            2, precisions_init=np.repeat(np.linalg.inv(np.cov(X.T, bias=True))[None], 2, axis=0), **start
        ).fit(X)
    assert stuck.status_ != "converged" and stuck.point(X)["kind"] == "saddle"
    with pytest.raises(ValueError, match="saddle"):
        stuck.errors(X)


def test_a_prior_counts() -> None:
    X = two_clusters()
    model = GaussianMixture(2, prior="default", tol=1e-6, random_state=0).fit(X)
    assert model.point(X)["kind"] == "optimum"
    assert any("prior" in note for note in model.errors(X).notes)
