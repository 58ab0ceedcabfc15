"""What scikit-learn's mixture cannot do: weights, missing cells, labels, certificates, marginals, selection, files."""

import json
import subprocess
import sys

import numpy as np
import pytest
from mixtura import BayesianGaussianMixture, GaussianMixture, select
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.mixture import GaussianMixture as Scikit

STRUCTURES = ["full", "tied", "diag", "spherical"]


def data(seed=0, n=200):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(m, 1, size=(n, 3)) for m in (0, 5)])


def test_units_do_not_matter():
    X = data()
    a, b = (GaussianMixture(2, random_state=0).fit(x) for x in (X, X * 1e-6))
    assert_array_equal(a.predict(X), b.predict(X * 1e-6))


def test_a_weight_is_a_repetition():
    X = data(1, 60)
    w = np.random.default_rng(2).integers(0, 4, len(X)).astype(float)
    start = {"means_init": X[[0, 100]], "weights_init": [0.5, 0.5], "precisions_init": np.stack([np.eye(3)] * 2)}
    weighted = GaussianMixture(2, **start).fit(X, sample_weight=w)
    repeated = GaussianMixture(2, **start).fit(np.repeat(X, w.astype(int), axis=0))
    assert_allclose(weighted.means_, repeated.means_, rtol=1e-9)
    assert_allclose(weighted.objective_, repeated.objective_, rtol=1e-12)
    assert_allclose(weighted.score(X, sample_weight=w), repeated.score(np.repeat(X, w.astype(int), axis=0)), rtol=1e-12)
    assert_allclose(weighted.bic(X, w), repeated.bic(np.repeat(X, w.astype(int), axis=0)), rtol=1e-12)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_missing_cells(structure):
    X = data(3)
    X[np.random.default_rng(4).random(X.shape) < 0.2] = np.nan
    model = GaussianMixture(2, covariance_type=structure, random_state=0).fit(X)
    assert_allclose(np.sort(model.means_[:, 0]), [0, 5], atol=0.5)
    assert np.isfinite(model.score(X)) and model.predict_proba(X).shape == (len(X), 2)
    for init in ("kmeans", "k-means++", "random", "random_from_data"):
        assert GaussianMixture(2, init_params=init, random_state=0).fit(X).weights_.shape == (2,)


def test_partial_labels():
    X = data(5)
    y = np.full(len(X), -1)
    y[:5], y[-5:] = 1, 0
    model = GaussianMixture(2, random_state=0).fit(X, y)
    assert model.means_[1, 0] < 1 < model.means_[0, 0]
    with pytest.raises(ValueError, match="known components are 0 to 1"):
        GaussianMixture(2).fit(X, np.where(y == 1, 7, y))


def test_a_start_from_responsibilities_keeps_its_order():
    X = data(6)
    r = np.zeros((len(X), 2))
    r[:200, 1], r[200:, 0] = 1, 1
    model = GaussianMixture(2, responsibilities_init=r).fit(X)
    assert model.means_[1, 0] < 1 < model.means_[0, 0]
    with pytest.raises(ValueError, match="responsibilities_init"):
        GaussianMixture(2, responsibilities_init=r * 2).fit(X)


def test_what_is_known_of_the_fit():
    X = data(7)
    model = GaussianMixture(2, random_state=0).fit(X)
    assert model.status_ == "converged" and model.converged_
    assert model.certificate_["monotone"] and len(model.certificate_["components"]) == 2
    assert model.certificate_["restarts_at_best"] >= 1
    assert_allclose(model.trace_["objective"][-1], model.objective_)
    assert_allclose(model.lower_bound_ * len(X), model.objective_)
    assert_allclose(model.score(X), model.lower_bound_)
    responsibilities = model.predict_proba(X)
    assert_allclose(model.icl(X), model.bic(X) - 2 * np.log(responsibilities.max(axis=1)).sum())


@pytest.mark.parametrize("structure", STRUCTURES)
def test_marginal_condition_and_distance(structure):
    X = data(8)
    model = GaussianMixture(2, covariance_type=structure, random_state=0).fit(X)
    y = model.marginal([2, 0])
    assert_array_equal(y.means_, model.means_[:, [2, 0]])
    # p(x0, x1, x2) = p(x0) p(x1, x2 | x0)
    given, rest = X[0, 0], X[:1, 1:]
    joint = model.score_samples(X[:1])
    parts = model.marginal([0]).score_samples(X[:1, :1]) + model.condition({0: given}).score_samples(rest)
    assert_allclose(joint, parts, rtol=1e-10)
    full = {
        "full": model.precisions_,
        "tied": np.stack([model.precisions_] * 2) if structure == "tied" else None,
        "diag": np.stack([np.diag(p) for p in model.precisions_]) if structure == "diag" else None,
        "spherical": np.stack([np.eye(3) * p for p in model.precisions_]) if structure == "spherical" else None,
    }[structure]
    gaps = X[:, None, :] - model.means_[None]
    assert_allclose(model.mahalanobis(X), np.sqrt(np.einsum("nki,kij,nkj->nk", gaps, full, gaps)), rtol=1e-8)
    with pytest.raises(ValueError, match="no column"):
        model.marginal([7])
    with pytest.raises(ValueError, match="no column"):
        model.condition({"nope": 1.0})


def test_selection():
    X = data(9)
    found = GaussianMixture(random_state=0).select(X, k=range(1, 4), covariance_types=["full", "spherical"])
    assert len(found.table) == 6 and found.table[found.best]["n_components"] == 2
    assert found.best_estimator.n_components == 2
    assert found.best_estimator.bic(X) == pytest.approx(found.table[found.best]["bic"])
    assert "*" in str(found) and len(found.to_pandas()) == 6
    assert select(X, k=2, covariance_types="diag", criterion="icl", random_state=0).best_estimator.predict(X).shape == (
        400,
    )
    with pytest.raises(ValueError, match="no criterion"):
        select(X, k=2, criterion="best")
    with pytest.raises(ValueError, match="nothing to choose"):
        select(X, k=[])


@pytest.mark.parametrize("structure", STRUCTURES)
def test_files(structure, tmp_path):
    X = data(10)
    model = GaussianMixture(2, covariance_type=structure, random_state=0).fit(X)
    model.save(tmp_path / "m.json")
    again = GaussianMixture.load(tmp_path / "m.json")
    for name in ("weights_", "means_", "covariances_", "n_iter_", "status_", "objective_"):
        assert_array_equal(getattr(again, name), getattr(model, name))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ValueError, match="not a model file"):
        GaussianMixture.load(tmp_path / "bad.json")
    model.marginal([0, 1]).save(tmp_path / "part.json")
    assert GaussianMixture.load(tmp_path / "part.json").status_ == "derived"


def command(*arguments):
    """Run the `mixtura` command of the package."""
    run = [sys.executable, "-c", "from mixtura._command import main; raise SystemExit(main())"]
    return subprocess.run([*run, *map(str, arguments)], capture_output=True, text=True, check=True)


def test_a_file_with_the_fingerprint_of_the_rows(tmp_path):
    X = data(13)
    X[3, 1] = np.nan
    w = np.random.default_rng(14).integers(0, 3, len(X)).astype(float)
    np.savetxt(tmp_path / "x.csv", np.column_stack([X, w]), delimiter=",", header="a,b,c,w", comments="")
    command("fit", tmp_path / "x.csv", "-k", 2, "--weights-column", "w", "--out", tmp_path / "command.json")
    model = GaussianMixture(2, random_state=0).fit(X, sample_weight=w)
    model.save(tmp_path / "python.json", X, sample_weight=w)
    of = [json.loads((tmp_path / name).read_text())["fit"]["data"] for name in ("command.json", "python.json")]
    assert len(of[0]["fingerprint"]) == 64
    assert of[0]["fingerprint"] == of[1]["fingerprint"]

    model.save(tmp_path / "without.json")
    GaussianMixture(2, random_state=0).fit(X).save(tmp_path / "rows.json", X)
    np.savetxt(tmp_path / "rows.csv", X, delimiter=",", header="x1,x2,x3", comments="")
    for name, knows in (("rows.json", True), ("without.json", False)):
        arguments = ("anomaly", tmp_path / name, tmp_path / "rows.csv", "--calibrate", tmp_path / "rows.csv")
        assert ("the very rows" in command(*arguments, "--rate", 0.1).stderr) == knows

    other = GaussianMixture.load(tmp_path / "python.json")
    for attribute in ("means_", "covariances_", "objective_"):
        assert_array_equal(getattr(other, attribute), getattr(model, attribute))
    with pytest.raises(ValueError, match="the model was fitted to"):
        model.save(tmp_path / "no.json", X[:-1])
    with pytest.raises(ValueError, match="was not fitted to rows"):
        model.marginal([0]).save(tmp_path / "no.json", X[:, :1])
    # A point estimate was fitted to the same rows.
    BayesianGaussianMixture(2, random_state=0).fit(X, sample_weight=w).to_gaussian_mixture().save(
        tmp_path / "point.json", X, sample_weight=w
    )
    point = json.loads((tmp_path / "point.json").read_text())["fit"]["data"]
    assert point["fingerprint"] == of[0]["fingerprint"]
    assert not (tmp_path / "no.json").exists()


def test_known_components_and_32_bit_rows_in_the_fingerprint(tmp_path):
    X = data(15).astype(np.float32)
    y = np.full(len(X), -1)
    y[0] = 1
    model = GaussianMixture(2, random_state=0).fit(X, y)
    found = []
    for rows, labels in ((X, y), (X.astype(np.float64), y), (np.asfortranarray(X), y), (X, None)):
        model.save(tmp_path / "m.json", rows, labels)
        found.append(json.loads((tmp_path / "m.json").read_text())["fit"]["data"]["fingerprint"])
    assert found[0] == found[1] == found[2] != found[3]


@pytest.mark.parametrize("structure", STRUCTURES)
def test_onnx(structure):
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx has no wheel here")
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime has no wheel here")
    X = data(16) + 20  # away from 0, where 32 bits are coarser
    model = GaussianMixture(2, covariance_type=structure, random_state=0).fit(X)
    theirs = model.to_sklearn()
    # 32 bits: rows are rounded by 1e-6 and squared distances of up to about 50 are summed from terms of that accuracy.
    for kind, tolerance in ((np.float64, 1e-9), (np.float32, 1e-3)):
        rows = X.astype(kind)
        graph = skl2onnx.to_onnx(theirs, rows[:1], options={id(theirs): {"score_samples": True}})
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        label, probability, log_density = session.run(None, {"X": rows})
        assert_array_equal(label.ravel(), model.predict(rows))
        assert_allclose(probability, model.predict_proba(rows), atol=tolerance)
        assert_allclose(log_density.ravel(), model.score_samples(rows), atol=tolerance)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_to_and_from_scikit_learn(structure):
    X = data(11)
    theirs = Scikit(2, covariance_type=structure, random_state=0).fit(X)
    ours = GaussianMixture.from_sklearn(theirs)
    assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-9)
    back = ours.to_sklearn()
    assert type(back) is Scikit
    assert_allclose(back.predict_proba(X), theirs.predict_proba(X), atol=1e-9)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_parameters_assigned_by_hand(structure):
    X = data(12)
    fitted = GaussianMixture(2, covariance_type=structure, random_state=0).fit(X)
    made = GaussianMixture(2, covariance_type=structure)
    made.weights_, made.means_ = fitted.weights_, fitted.means_
    made.precisions_cholesky_ = fitted.precisions_cholesky_
    assert_allclose(made.score_samples(X), fitted.score_samples(X), rtol=1e-9)
    with pytest.raises(ValueError, match="read-only"):
        made.precisions_cholesky_[0] = 0
