"""Whatever holds the same numbers gives the same fit; what holds none is refused in one sentence."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from mixtura import GaussianMixture, KMeans
from numpy.testing import assert_array_equal
from scipy import sparse


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(m, 1, size=(60, 2)) for m in (0, 6)])


def fitted(X, **options):
    return GaussianMixture(2, random_state=0, **options).fit(X)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_layouts_give_the_same_bits(X, kind):
    X = X.astype(kind)
    wide = np.zeros((len(X), 5), dtype=kind)
    wide[:, [1, 3]] = X
    want = fitted(X)
    for same in (np.asfortranarray(X), wide[:, 1:4:2], X.tolist() if kind is np.float64 else np.asfortranarray(X)):
        got = fitted(same)
        assert_array_equal(got.means_, want.means_)
        assert_array_equal(got.predict_proba(same), want.predict_proba(X))


def test_frames_and_tables_give_the_same_bits_and_keep_their_names(X):
    want = fitted(X)
    columns = {"a": X[:, 0], "b": X[:, 1]}
    for table in (pd.DataFrame(columns), pl.DataFrame(columns), pa.table(columns)):
        got = fitted(table)
        assert_array_equal(got.means_, want.means_)
        assert list(got.feature_names_in_) == ["a", "b"]
        assert_array_equal(got.predict(table), want.predict(X))
    with pytest.raises(ValueError, match="columns"):
        got.predict(pa.table({"b": X[:, 1], "a": X[:, 0]}))


def test_arrow_nulls_chunks_and_integers(X):
    X = X.copy()
    X[5, 1] = np.nan
    a = pa.chunked_array([pa.array(X[:50, 0]), pa.array(X[50:, 0])])
    b = pa.array([None if np.isnan(x) else x for x in X[:, 1]])
    assert_array_equal(fitted(pa.table({"a": a, "b": b})).means_, fitted(X).means_)
    with pytest.raises(ValueError, match="column 'name' holds Utf8, not numbers"):
        fitted(pa.table({"name": ["x", "y", "z"]}))
    with pytest.raises(ValueError, match="NaN or nulls"):
        KMeans(2).fit(pa.table({"a": a, "b": b}))


def test_refusals(X):
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        fitted(sparse.csr_array(X))
    with pytest.raises((TypeError, ValueError)):
        fitted(np.array([["a", "b"], ["c", "d"]], dtype=object))
    with pytest.raises(ValueError, match=r"infinite|infinity"):
        fitted(np.where(X > 7, np.inf, X))
    with pytest.raises(ValueError, match="no value in any row"):
        fitted(np.column_stack([X, np.full(len(X), np.nan)]))
    with pytest.raises(ValueError, match="weight"):
        GaussianMixture(2).fit(X, sample_weight=-np.ones(len(X)))
    with pytest.raises(ValueError, match="weight"):
        GaussianMixture(2).fit(X, sample_weight=np.zeros(len(X)))
    with pytest.raises(ValueError, match="distinct"):
        GaussianMixture(3).fit(np.repeat(X[:2], 10, axis=0))
    for wrong in (
        {"n_components": 0}, {"n_components": 1.5}, {"tol": -1}, {"tol": "x"}, {"reg_covar": -1}, {"max_iter": -1},
        {"n_init": 0}, {"init_params": "best"}, {"covariance_type": "VVV"}, {"random_state": "x"}, {"n_jobs": 0},
        {"verbose_interval": 0}, {"random_state": -1}, {"warm_start": "no"}, {"n_components": True},
        {"verbose": "loud"}, {"verbose": -1},
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
            GaussianMixture(**wrong).fit(X)
    with pytest.raises(ValueError, match="verbose' of KMeans: it must be an integer"):
        KMeans(2, verbose="tqdm").fit(X)


def test_the_array_is_read_where_it_is(X):
    import tracemalloc

    big = np.asfortranarray(np.random.default_rng(0).normal(size=(200_000, 8)))
    tracemalloc.start()
    model = GaussianMixture(1, random_state=0).fit(big)
    model.predict(big)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # NumPy reports its arrays: predictions and densities are there, 16 bytes a row, a copy of the table is not.
    assert peak < big.nbytes / 2


def test_unaligned_and_swapped_bytes(X):
    raw = np.frombuffer(b"x" + X.tobytes(), dtype=np.uint8)[1:].view(np.float64).reshape(X.shape)
    assert not raw.flags.aligned
    for same in (raw, X.astype(">f8")):
        assert_array_equal(fitted(same).means_, fitted(X).means_)


def test_parameters_that_no_model_has(X):
    model = fitted(X)
    model.covariances_ = -model.covariances_
    with pytest.raises(ValueError, match="positive definite"):
        model.predict(X)
    model.covariances_ = np.ones((3, 2))
    with pytest.raises(ValueError, match="covariances_ has the shape"):
        model.predict(X)
    model = fitted(X)
    model.weights_ = np.array([0.5, 0.6])
    with pytest.raises(ValueError):
        model.score(X)
