"""The `KMeans` estimator: scikit-learn's names and stop rule over this library's Lloyd iterations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal, Self, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from mixtura import _core
from mixtura._validation import (
    Floats,
    Rows,
    check_choice,
    check_integer,
    check_real,
    check_rows,
    check_seed,
    check_threads,
    check_weights,
    random_source,
    refuse,
)

Init: TypeAlias = Literal["k-means++", "random"] | ArrayLike | Callable[..., Any]


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """K-means by Lloyd's iterations.

    Distances are Euclidean in the columns as given: standardise them first where units differ.

    Parameters
    ----------
    n_clusters : int, default=8
    init : {"k-means++", "random"}, array-like of shape (n_clusters, n_features) or callable, default="k-means++"
        First centres; a callable gets (X, n_clusters, random_state=...).
    n_init : int or "auto", default="auto"
        Starts, of which the best is kept. "auto": 1 for "k-means++" and given centres, 10 otherwise.
    max_iter : int, default=300
    tol : float, default=1e-4
        A start ends when the summed squared shifts of its centres are no more than `tol` times the mean variance of the
        columns, or when no row changes its cluster.
    verbose : int, default=0
    random_state : int, RandomState or None, default=None
    copy_x : bool, default=True
        Accepted for scikit-learn's sake: X is never changed.
    algorithm : {"lloyd", "elkan"}, default="lloyd"
        Accepted for scikit-learn's sake: both give the same result.
    n_jobs : int or None, default=None
        Threads; see `GaussianMixture`.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
    labels_ : ndarray of shape (n_samples,)
    inertia_ : float
        Sum of weight x squared distance to the own centre, in the columns' units squared.
    n_iter_ : int
    n_features_in_, feature_names_in_ : int, ndarray

    Examples
    --------
    >>> from mixtura import KMeans
    >>> round(KMeans(n_clusters=2, random_state=0).fit([[0.0], [0.2], [10.0], [10.4]]).inertia_, 6)
    0.1
    """

    cluster_centers_: Floats
    labels_: NDArray[np.int32]
    inertia_: float
    n_iter_: int
    n_features_in_: int

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Init = "k-means++",
        n_init: int | Literal["auto"] = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int = 0,
        random_state: Any = None,
        copy_x: bool = True,
        algorithm: Literal["lloyd", "elkan"] = "lloyd",
        n_jobs: int | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm
        self.n_jobs = n_jobs

    @property
    def _n_features_out(self) -> int:
        return self.cluster_centers_.shape[0]

    def fit(self, X: object, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Find the clusters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self : KMeans

        Raises
        ------
        ValueError, TypeError
            If an option makes no sense or the data cannot be clustered, as with NaN.
        """
        k = check_integer(self, "n_clusters", self.n_clusters, 1)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        tol = check_real(self, "tol", self.tol)
        check_choice(self, "algorithm", self.algorithm, ("lloyd", "elkan"))
        if isinstance(cast(object, self.verbose), str):
            raise refuse(self, "verbose", self.verbose, "an integer of at least 0")
        check_integer(self, "verbose", int(self.verbose), 0)
        rows = check_rows(self, X, reset=True, nan=False)
        n = rows.shape[0]
        if n < k:
            raise ValueError(f"n_samples={n} should be >= n_clusters={k}.")
        weights = check_weights(sample_weight, n)
        starts, runs = self._given_starts(rows, k)
        options: _core._KMeansOptions = {  # pyright: ignore[reportPrivateUsage]
            "n_clusters": k,
            "restarts": runs,
            "max_iter": max_iter,
            "tolerance": tol * _mean_variance(rows),
            "seed": check_seed(self, self.random_state),
            "threads": check_threads(self, self.n_jobs),
        }
        if starts is None:
            found = self._from_drawn(rows, weights, options)
        else:
            found = _core.fit_kmeans(rows, options, starts, weights)
        self.cluster_centers_ = found["centers"]
        self.inertia_, self.n_iter_ = found["inertia"], found["n_iter"]
        self.labels_ = self._nearest(rows)
        if self.verbose:
            print(f"KMeans: inertia {self.inertia_:.6g} after {self.n_iter_} iterations", flush=True)
        distinct = len(np.unique(self.labels_))
        if distinct < k and weights is None:
            warnings.warn(
                f"Number of distinct clusters ({distinct}) found smaller than n_clusters ({k}). "
                "Possibly due to duplicate points in X.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _given_starts(self, rows: Rows, k: int) -> tuple[list[Floats] | None, int]:
        """Return the first centres where the user gives them, and the number of starts."""
        init: Any = self.init
        named = isinstance(init, str)
        if named:
            check_choice(self, "init", init, ("k-means++", "random"))
        if self.n_init == "auto":
            runs = 10 if callable(init) or (named and init == "random") else 1
        else:
            runs = check_integer(self, "n_init", self.n_init, 1)
        if named:
            return None, runs
        if callable(init):
            random = random_source(self, self.random_state)
            return [self._given(init(rows, k, random_state=random), k, rows) for _ in range(runs)], runs
        if runs > 1:
            warnings.warn(
                f"Explicit initial center position passed: performing only one init in KMeans instead of {runs}.",
                RuntimeWarning,
                stacklevel=3,
            )
        return [self._given(init, k, rows)], 1

    def _from_drawn(
        self,
        rows: Rows,
        weights: Floats | None,
        options: _core._KMeansOptions,  # pyright: ignore[reportPrivateUsage]
    ) -> _core._KMeansFit:  # pyright: ignore[reportPrivateUsage]
        """Fit from centres that are drawn by cumulative weight.

        Rows are put in an order of their own first: equal rows then lie together, so that a row of weight 2 draws as
        the row twice, wherever it stood.
        """
        n, d = rows.shape
        k = options["n_clusters"]
        key = (rows * np.cos(np.arange(1.0, d + 1.0))).sum(axis=1)
        order = np.argsort(key, kind="stable")
        rows = cast(Rows, np.ascontiguousarray(rows[order]))
        weights = None if weights is None else weights[order]
        starts: list[Floats] | None = None
        if self.init == "random":
            mass = np.cumsum(np.ones(n) if weights is None else weights)
            random = np.random.RandomState(options["seed"] % 2**32)
            starts = [self._random_rows(rows, mass, k, random) for _ in range(options["restarts"])]
        try:
            return _core.fit_kmeans(rows, options, starts, weights)
        except ValueError:
            used = rows if weights is None else rows[weights > 0]
            distinct: Floats = np.unique(used, axis=0).astype(np.float64)
            if len(distinct) >= k:
                raise
            # As many clusters as there are points; the others lie on top of them.
            return _core.fit_kmeans(rows, options, [np.ascontiguousarray(np.resize(distinct, (k, d)))], weights)

    @staticmethod
    def _random_rows(rows: Rows, mass: Floats, k: int, random: np.random.RandomState) -> Floats:
        """Draw k rows by cumulative weight, different ones as far as a few tries find them."""
        chosen: list[int] = []
        for _ in range(20 * k):
            mark: Any = random.uniform() * mass[-1]
            at = min(int(cast(Any, np.searchsorted(mass, mark, side="right"))), len(rows) - 1)
            if not any(np.array_equal(rows[at], rows[other]) for other in chosen):
                chosen.append(at)
            if len(chosen) == k:
                break
        return np.ascontiguousarray(rows[np.resize(chosen, k)], dtype=np.float64)

    def _given(self, centers: Any, k: int, rows: Rows) -> Floats:
        try:
            array = np.ascontiguousarray(centers, dtype=np.float64)
        except (TypeError, ValueError):
            raise refuse(self, "init", centers, "'k-means++', 'random', an array or a callable") from None
        if array.ndim != 2 or array.shape[0] != k:
            raise ValueError(
                f"The shape of the initial centers {array.shape} does not match the number of clusters {k}."
            )
        if array.shape[1] != rows.shape[1]:
            raise ValueError(
                f"The shape of the initial centers {array.shape} does not match the number of features of the data "
                f"{rows.shape[1]}."
            )
        return array

    def fit_predict(self, X: object, y: object = None, sample_weight: ArrayLike | None = None) -> NDArray[np.int32]:
        """Find the clusters and return that of every row."""
        return self.fit(X, sample_weight=sample_weight).labels_

    def fit_transform(self, X: object, y: object = None, sample_weight: ArrayLike | None = None) -> Floats:
        """Find the clusters and return the distance of every row to every centre."""
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def _rows(self, X: object) -> Rows:
        check_is_fitted(self, ["cluster_centers_"])
        return check_rows(self, X, reset=False, nan=False)

    def _nearest(self, rows: Rows) -> NDArray[np.int32]:
        return _core.kmeans_nearest(rows, self._centers(), check_threads(self, self.n_jobs))

    def _centers(self) -> Floats:
        return np.ascontiguousarray(self.cluster_centers_, dtype=np.float64)

    def predict(self, X: object) -> NDArray[np.int32]:
        """Return the cluster of every row: an array of shape (n_samples,)."""
        return self._nearest(self._rows(X))

    def transform(self, X: object) -> Floats:
        """Return the distance of every row to every centre: (n_samples, n_clusters), in the columns' units."""
        return _core.kmeans_distances(self._rows(X), self._centers(), check_threads(self, self.n_jobs))

    def score(self, X: object, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Return minus the inertia of the rows, in the columns' units squared."""
        rows = self._rows(X)
        weights = check_weights(sample_weight, rows.shape[0])
        gaps = np.asarray(rows, dtype=np.float64) - self._centers()[self._nearest(rows)]
        return -float(np.sum(np.einsum("ij,ij->i", gaps, gaps) * (1.0 if weights is None else weights)))


def _mean_variance(rows: Rows) -> float:
    spread: Floats = np.var(rows, axis=0, dtype=np.float64)
    return float(spread.mean())
