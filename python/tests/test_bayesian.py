"""Variational Bayes: priors, posteriors, what they say of rows, and what is refused."""

import numpy as np
import pytest
from mixtura import BayesianGaussianMixture, GaussianMixture
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

STRUCTURES = ["full", "tied", "diag", "spherical"]
PRIOR_TYPES = ["dirichlet_process", "dirichlet_distribution"]
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def data(seed=0, n=120):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(m, 1, size=(n, 3)) for m in (0, 7)])


def fitted(X, *args, **options):
    return BayesianGaussianMixture(2, random_state=0, **options).fit(X, *args)


@pytest.mark.parametrize("prior_type", PRIOR_TYPES)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_surplus_components_empty_out(structure, prior_type):
    X = data()
    model = BayesianGaussianMixture(
        6,
        covariance_type=structure,
        weight_concentration_prior_type=prior_type,
        weight_concentration_prior=1e-3,
        random_state=0,
    ).fit(X)
    assert model.n_effective_ == 2 and model.converged_
    assert model.certificate_["monotone"] and len(model.certificate_["components"]) == 6
    assert_allclose(np.sort(model.means_[:2, 0]), [0, 7], atol=0.5)
    assert_allclose(model.weights_.sum(), 1.0)
    # What an empty component knows is the prior.
    assert_allclose(model.mean_precision_[5], model.mean_precision_prior_, atol=1e-3)
    assert_allclose(model.means_[5], model.mean_prior_, atol=1e-2)
    a = model.weight_concentration_[0] if prior_type == "dirichlet_process" else model.weight_concentration_
    assert (np.diff(a) < 1e-6).all(), "components come by size"
    shapes = {"full": (3, 3), "tied": (3, 3), "diag": (3,), "spherical": ()}
    assert np.shape(model.covariance_prior_) == shapes[structure]
    assert np.shape(model.degrees_of_freedom_) == (() if structure == "tied" else (6,))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_given_priors_are_those_that_are_used(structure):
    X = data(1)
    scale = {"full": np.eye(3) + 0.5, "tied": np.eye(3) + 0.5, "diag": np.array([1.0, 2.0, 3.0]), "spherical": 2.0}
    given = {
        "weight_concentration_prior": 0.4, "mean_precision_prior": 3.0, "mean_prior": np.array([1.0, 2.0, 3.0]),
        "degrees_of_freedom_prior": 5.5, "covariance_prior": scale[structure],
    }  # fmt: skip
    model = fitted(X, covariance_type=structure, **given)
    for name, value in given.items():
        # Through the units of the fit and back.
        assert_allclose(getattr(model, name + "_"), value, rtol=1e-14)
    other = fitted(X, covariance_type=structure)
    assert abs(other.objective_ - model.objective_) > 1.0


def test_answers_come_from_the_posteriors_and_not_from_the_point():
    X = data(2, 8)
    model = fitted(X)
    point = model.to_gaussian_mixture()
    assert isinstance(point, GaussianMixture)
    for name in ("weights_", "means_", "covariances_"):
        assert_array_equal(getattr(point, name), getattr(model, name))
    # E[log p] lies below log p of the expected parameters (Jensen), by much where rows are few.
    assert (model.score_samples(X) < point.score_samples(X) - 0.05).all()
    assert_allclose(point.objective_, point.score(X) * len(X))
    assert model.lower_bound_ == model.objective_ == model.trace_["objective"][-1]
    assert model.score(X) == pytest.approx(model.score_samples(X).mean())
    assert_array_equal(model.predict(X), model.predict_proba(X).argmax(axis=1))
    # Attributes are what rows are scored by, and the weights' concentrations, not the weights, count.
    score = model.score(X)
    model.weights_ = np.array([0.5, 0.5])
    assert model.score(X) == score
    model.mean_precision_ = model.mean_precision_ / 2
    assert model.score(X) < score


def test_the_point_is_saved(tmp_path):
    X = data(3)
    point = fitted(X).to_gaussian_mixture()
    point.save(tmp_path / "m.json")
    again = GaussianMixture.load(tmp_path / "m.json")
    assert_array_equal(again.predict_proba(X), point.predict_proba(X))
    assert again.status_ == "converged" and again.certificate_ == point.certificate_


def test_draws_are_those_of_the_point():
    X = data(4)
    model = fitted(X)
    rows, components = model.sample(4000)
    # Means of 2000 draws of variance 1: 0.02 each.
    assert_allclose(rows[components == 0].mean(axis=0), model.means_[0], atol=0.15)
    assert_allclose(np.cov(rows[components == 1].T), model.covariances_[1], atol=0.2)


def test_a_weight_is_a_repetition():
    X = data(5, 40)
    w = np.random.default_rng(2).integers(0, 4, len(X)).astype(float)
    # Separate components: both searches end in the same optimum, and such a tolerance leaves nothing undone.
    options = {"tol": 1e-12, "weight_concentration_prior_type": "dirichlet_distribution"}
    weighted = fitted(X, None, w, **options)
    repeated = fitted(np.repeat(X, w.astype(int), axis=0), **options)
    assert_allclose(weighted.means_, repeated.means_, rtol=1e-6)
    assert_allclose(weighted.mean_precision_, repeated.mean_precision_, rtol=1e-6)
    # The constant that belongs to the rows' number is the same, too.
    assert_allclose(weighted.objective_, repeated.objective_, rtol=1e-10)


@pytest.mark.parametrize("Mixture", [GaussianMixture, BayesianGaussianMixture])
@pytest.mark.parametrize("init", ["auto", "kmeans", "k-means++", "random", "random_from_data"])
def test_a_row_of_weight_zero_is_no_row(Mixture, init):
    X = data(13, 40)
    w = np.where(np.arange(len(X)) % 3 == 0, 0.0, 1.0)
    X[w == 0] *= 1000.0
    y = np.full(len(X), -1)
    y[1], y[-2] = 1, 0
    options = {"n_components": 2, "init_params": init, "random_state": 0, "max_iter": 50}
    with_them, without = (Mixture(**options).fit(X, y, w), Mixture(**options).fit(X[w > 0], y[w > 0], w[w > 0]))
    # Weights of 1 are multiplied by: no rounding, but other chunks.
    assert_allclose(with_them.means_, without.means_, rtol=1e-12)
    assert with_them.means_[1, 0] < 1 < with_them.means_[0, 0]


@pytest.mark.parametrize("init", ["auto", "kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("structure", STRUCTURES)
def test_missing_cells(structure, init):
    X = data(6)
    X[np.random.default_rng(4).random(X.shape) < 0.2] = np.nan
    model = fitted(X, covariance_type=structure, init_params=init)
    assert np.isfinite(model.score(X)) and model.predict_proba(X).shape == (len(X), 2)
    if init in ("auto", "kmeans"):
        assert_allclose(np.sort(model.means_[:, 0]), [0, 7], atol=0.6)


def test_partial_labels():
    X = data(7)
    y = np.full(len(X), -1)
    y[:5], y[-5:] = 1, 0
    for init in ("auto", "kmeans"):
        model = fitted(X, y, init_params=init)
        assert model.means_[1, 0] < 1 < model.means_[0, 0]
    with pytest.raises(ValueError, match="known components are 0 to 1"):
        fitted(X, np.where(y == 1, 7, y))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("prior_type", PRIOR_TYPES)
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("tol", [None, 1e-9])
def test_a_warm_start_goes_on_where_the_fit_ended(structure, prior_type, tol):
    X = data(8) * 3.0 + 100.0
    options = {
        "n_components": 4, "covariance_type": structure, "weight_concentration_prior_type": prior_type, "tol": tol,
        "init_params": "random_from_data", "random_state": 0,
    }  # fmt: skip
    whole = BayesianGaussianMixture(max_iter=12, **options).fit(X)
    parts = BayesianGaussianMixture(max_iter=4, warm_start=True, **options)
    bounds = [bound for _ in range(3) for bound in parts.fit(X).lower_bounds_]
    # Twelve iterations amplify the rounding of two changes of units.
    assert_allclose(parts.means_, whole.means_, rtol=1e-9)
    assert_allclose(bounds, whole.lower_bounds_, rtol=1e-10)
    assert (np.diff(bounds) > -1e-9).all()


def test_a_warm_start_knows_what_it_can_follow():
    X = data(9)
    model = fitted(X, warm_start=True)
    # Another prior and other rows are welcome ...
    model.set_params(mean_precision_prior=5.0).fit(X[::2])
    assert model.mean_precision_prior_ == 5.0
    # ... another number of columns or components, or another kind of weights, is not.
    with pytest.raises(ValueError, match="warm_start: the last fit has means of shape"):
        model.fit(X[:, :2])
    with pytest.raises(ValueError, match="warm_start: the last fit has means of shape"):
        model.set_params(n_components=3).fit(X)
    model.set_params(n_components=2, weight_concentration_prior_type="dirichlet_distribution")
    with pytest.raises(ValueError, match="posteriors to start from"):
        model.fit(X)


def test_bad_input_is_refused_in_a_sentence():
    X = data(10)
    for wrong in (
        {"n_components": 0}, {"tol": -1}, {"reg_covar": "x"}, {"max_iter": 1.5}, {"n_init": 0}, {"init_params": "best"},
        {"covariance_type": "VVV"}, {"random_state": "x"}, {"n_jobs": 0}, {"warm_start": "no"}, {"verbose": "loud"},
        {"weight_concentration_prior_type": "dirichlet"}, {"weight_concentration_prior": 0},
        {"weight_concentration_prior": np.nan}, {"weight_concentration_prior": "1"}, {"mean_precision_prior": -1.0},
        {"mean_precision_prior": np.inf}, {"mean_prior": [0.0]}, {"mean_prior": [0.0, np.nan, 0.0]},
        {"mean_prior": "here"}, {"degrees_of_freedom_prior": 2.0}, {"degrees_of_freedom_prior": True},
        {"covariance_prior": [1.0, 2.0, 3.0]}, {"covariance_prior": np.diag([1.0, 1.0, np.inf])},
        {"covariance_prior": np.triu(np.ones((3, 3)))},
    ):  # fmt: skip
        name = next(iter(wrong))
        with pytest.raises((ValueError, TypeError), match=f"{name}|{name.replace('_', ' ')}"):
            BayesianGaussianMixture(**wrong).fit(X)
    for structure, prior in (
        ("full", -np.eye(3)),
        ("diag", [1.0, 0.0, 1.0]),
        ("spherical", -1.0),
        ("spherical", [1.0]),
    ):
        with pytest.raises(ValueError, match=r"covariance.prior"):
            BayesianGaussianMixture(covariance_type=structure, covariance_prior=prior).fit(X)
    # Diagonal precisions need no more rows than there are columns.
    assert fitted(X, covariance_type="diag", degrees_of_freedom_prior=0.5).degrees_of_freedom_prior_ == 0.5
    with pytest.raises(ValueError, match="Expected n_samples >= n_components"):
        BayesianGaussianMixture(300).fit(X)
    with pytest.raises(ValueError, match="distinct"):
        BayesianGaussianMixture(3).fit(np.repeat(X[:2], 10, axis=0))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        BayesianGaussianMixture().score(X)


def test_posteriors_that_no_model_has():
    X = data(11)
    for name, value, word in (
        ("covariances_", -np.stack([np.eye(3)] * 2), "positive definite"),
        ("covariances_", np.eye(3), "covariances_ has the shape"),
        ("mean_precision_", np.array([1.0, -1.0]), "mean precision is -1"),
        ("mean_precision_", np.ones(3), "3 mean precisions"),
        ("degrees_of_freedom_", np.array([5.0, 2.0]), "above 2"),
        ("weight_concentration_", (np.ones(2), np.ones(1)), "do not belong together"),
        ("weight_concentration_", np.array([1.0, np.nan]), "weight concentration is NaN"),
        ("weight_concentration_", np.ones(3), "3 weights are given for 2 components"),
    ):
        model = fitted(X)
        setattr(model, name, value)
        with pytest.raises(ValueError, match=word):
            model.predict(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("structure", STRUCTURES)
def test_extreme_rows_and_priors_are_fitted_or_refused(structure):
    X = data(12, 10)
    extreme = [{"weight_concentration_prior": v} for v in (1e-300, 1e300)]
    extreme += [{"mean_precision_prior": v} for v in (1e-300, 1e300)]
    extreme += [{"mean_prior": [v, -v, v]} for v in (1e150, 1e300)] + [{"degrees_of_freedom_prior": 1e300}]
    extreme += [{"reg_covar": 1e300}, {"max_iter": 0}, {"max_iter": 0, "tol": 1.0}]
    for rows in (X, X * 1e150, X * 1e-150, X + 1e12, np.ones_like(X), X[:2], X[:, :1] @ np.ones((1, 4))):
        for options in extreme if rows is X else [{}]:
            try:
                model = fitted(rows, covariance_type=structure, n_init=1, **options)
            except ValueError as error:
                assert len(str(error)) > 20
            else:
                assert np.isfinite(model.objective_) and np.isfinite(model.score(rows)), options


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("prior_type", PRIOR_TYPES)
def test_one_cluster_is_found_without_a_warning(prior_type):
    X = np.random.default_rng(0).normal(size=(300, 1))
    model = BayesianGaussianMixture(3, weight_concentration_prior_type=prior_type, random_state=0).fit(X)
    # The components that no row needs are their prior, which here is what the first one has found: no saddle.
    assert model.n_effective_ == 1 and model.converged_
    counts = [component["effective_count"] for component in model.certificate_["components"]]
    # One E-step later than those that made the posteriors; the point estimate's would be off by 0.3.
    assert_allclose(counts, model.mean_precision_ - model.mean_precision_prior_, atol=1e-4)
