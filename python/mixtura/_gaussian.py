"""The `GaussianMixture` estimator: scikit-learn's names and parameters, this library's starts, floors and stop rule."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from typing import Any, Literal, Self, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from mixtura import _core, _starts
from mixtura import _covariances as shapes
from mixtura._fitted import FittedMixture
from mixtura._progress import bar_class, listening
from mixtura._select import STRUCTURES, Selection, choose
from mixtura._validation import (
    Floats,
    Ints,
    Rows,
    check_choice,
    check_integer,
    check_labels,
    check_real,
    check_rows,
    check_seed,
    check_threads,
    check_weights,
    random_source,
    refuse,
)

Structure: TypeAlias = Literal["full", "tied", "diag", "spherical"]
InitParams: TypeAlias = Literal["auto", "kmeans", "k-means++", "random", "random_from_data"]

#: Most iterations where `max_iter` is None: with the library's own stop rule, and with scikit-learn's.
_MAX_ITER, _MAX_ITER_SKLEARN = 1000, 100
#: Iterations that a warm start remembers: as many as the stop rules look back on, and some more.
_HISTORY = 16


class GaussianMixture(FittedMixture):
    """Gaussian mixture fitted by Expectation-Maximization.

    Parameters
    ----------
    n_components : int, default=1
        Number of components.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        A symmetric matrix for each component; one for all; variances for each; one variance for each.
    tol : float or None, default=None
        None: stop when less than 0.001 nats of total log-likelihood are estimated to remain. A number: stop when the
        mean log-likelihood per row changes by less in one iteration of plain EM, as scikit-learn does.
    reg_covar : float or None, default=None
        None: covariances have a floor relative to the data's own (1e-10 of it). A number is added to every variance,
        in the columns' units squared.
    max_iter : int or None, default=None
        Most iterations of a run. None: 1000, or 100 where `tol` is a number.
    n_init : int or "auto", default="auto"
        Runs to the end, of which the best is kept. "auto": 2 to 8 by the size of the problem for the start "auto",
        else 1.
    init_params : {"auto", "kmeans", "k-means++", "random", "random_from_data"}, default="auto"
        "auto": the winners of a race of many starts in whitened coordinates. The others are scikit-learn's.
    weights_init : array-like of shape (n_components,), optional
    means_init : array-like of shape (n_components, n_features), optional
    precisions_init : array-like, optional
        Inverse covariances in the shape of `covariances_`. With all three given, the fit starts there.
    responsibilities_init : array-like of shape (n_samples, n_components), optional
        Start from these responsibilities, in place of `init_params`.
    random_state : int, RandomState or None, default=None
        An int makes the fit repeatable.
    warm_start : bool, default=False
        Start from the result of the last `fit`.
    verbose : int or "tqdm", default=0
        1 or more: a line on standard output every `verbose_interval` iterations. "tqdm": a progress bar
        (`pip install tqdm`) over the iterations of all runs, without an end, because nobody knows it.
    verbose_interval : int, default=10
    n_jobs : int or None, default=None
        Threads. None: RAYON_NUM_THREADS or OMP_NUM_THREADS where set, else every core. The result does not depend
        on it.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
    means_ : ndarray of shape (n_components, n_features)
    covariances_, precisions_, precisions_cholesky_ : ndarray
        Shape (n_components, n_features, n_features); tied (n_features, n_features); diag (n_components, n_features);
        spherical (n_components,). In the columns' units squared (precisions: one over that), always 64-bit.
    status_ : {"converged", "iteration_limit", "stopped", "degenerate", "derived"}
        Why the fit ended; "derived" for a model made from another.
    converged_ : bool
        Whether `status_` is "converged".
    certificate_ : dict
        How far the fit can be trusted: "detail" (one sentence), "monotone", "nats_remaining", "restarts",
        "restarts_at_best", "restarts_degenerate", "modes", "chance_of_better", "components", "largest_decrease".
    trace_ : dict of ndarray
        "objective" at the start of every iteration and of the result, and "nats_remaining", in nats.
    objective_ : float
        Total log-likelihood of the data, in nats.
    lower_bound_ : float
        The same per row. Where `tol` is a number: as scikit-learn, before the last M-step.
    lower_bounds_ : list of float
    n_iter_ : int
    n_features_in_, feature_names_in_ : int, ndarray

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import GaussianMixture
    >>> X = np.array([[0.0], [0.1], [0.3], [5.0], [5.2], [np.nan]])
    >>> fit = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> fit.predict([[0.2]]) == fit.predict([[0.1]])
    array([ True])
    """

    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    objective_: float
    certificate_: dict[str, Any]
    trace_: dict[str, Floats]
    _history: list[float]
    _seconds: float | None

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: Structure = "full",
        tol: float | None = None,
        reg_covar: float | None = None,
        max_iter: int | None = None,
        n_init: int | Literal["auto"] = "auto",
        init_params: InitParams = "auto",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        precisions_init: ArrayLike | None = None,
        responsibilities_init: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int | Literal["tqdm"] = 0,
        verbose_interval: int = 10,
        n_jobs: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.responsibilities_init = responsibilities_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.n_jobs = n_jobs

    def __sklearn_tags__(self) -> Any:
        """Say that missing cells are welcome."""
        tags: Any = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: object, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; NaN marks a missing cell. NumPy arrays of 32- or 64-bit numbers are read where they are.
        y : array-like of shape (n_samples,), optional
            Known components, -1 = unknown. Used only where it holds integers with at least one -1; a complete `y` is
            ignored, as in scikit-learn.
        sample_weight : array-like of shape (n_samples,), optional
            Case weights: 2 is the row twice, 0 no row.

        Returns
        -------
        self : GaussianMixture

        Raises
        ------
        ValueError, TypeError
            If an option makes no sense or the data cannot be fitted. Not converging is a warning and `status_`.
        KeyboardInterrupt
            On Ctrl-C; the message says what the estimator holds.
        """
        self._fit(X, y, sample_weight)
        return self

    def fit_predict(self, X: object, y: object = None, sample_weight: ArrayLike | None = None) -> Ints:
        """Fit the mixture and return the most probable component of every row: `fit`, then `predict`."""
        rows = self._fit(X, y, sample_weight)
        return self._posterior_of(self._model(), rows, keep=False)[2]

    def _fit(self, X: object, y: object, sample_weight: ArrayLike | None) -> Rows:
        options = self._options()
        rows = check_rows(self, X, reset=True, nan=True, least=2)
        n, d = rows.shape
        k = self.n_components
        if n < k:
            raise ValueError(f"Expected n_samples >= n_components but got n_components = {k}, n_samples = {n}")
        weights = check_weights(sample_weight, n)
        labels = check_labels(y, n, k)
        responsibilities = self._responsibilities(n, k)
        used, everything = rows, weights is None or bool(np.all(weights > 0))
        if weights is not None and not everything:
            # A row of weight 0 is no row, for the starts as well.
            keep = weights > 0
            used, weights = rows[keep], weights[keep]
            labels = None if labels is None else labels[keep]
            responsibilities = None if responsibilities is None else np.ascontiguousarray(responsibilities[keep])
        total = float(used.shape[0] if weights is None else weights.sum())
        if self.tol is not None:
            options["change"] = check_real(self, "tol", self.tol) * total
        start = self._start(used, weights, responsibilities, options, d)
        try:
            with listening(self.verbose) as listener:
                found = _core.fit_gaussian(used, options, start, weights, labels, listener)
        except KeyboardInterrupt:
            held = "it still holds the fit before" if hasattr(self, "weights_") else "it is not fitted"
            raise KeyboardInterrupt(f"interrupted before the first run had anything to keep: {held}") from None
        self._keep(found, options["history"])
        self._seconds = found.get("seconds")
        interrupt = found.get("interrupt")
        if interrupt is not None:
            message = f"{found['detail']}: the estimator holds what was reached, status_ is {self.status_!r}"
            raise KeyboardInterrupt(message) from interrupt
        if self.status_ != "converged" and options["max_iter"] > 0:
            warnings.warn(f"{self.status_}: {found['detail']}", ConvergenceWarning, stacklevel=3)
        return rows

    def _options(self) -> _core._FitOptions:  # pyright: ignore[reportPrivateUsage]
        """Check every parameter that does not depend on the data."""
        k = check_integer(self, "n_components", self.n_components, 1)
        structure = check_choice(self, "covariance_type", self.covariance_type, STRUCTURES)
        if self.tol is not None:
            check_real(self, "tol", self.tol)
        reg_covar = None if self.reg_covar is None else check_real(self, "reg_covar", self.reg_covar)
        if self.max_iter is None:
            max_iter = _MAX_ITER if self.tol is None else _MAX_ITER_SKLEARN
        else:
            max_iter = check_integer(self, "max_iter", self.max_iter, 0)
        init = check_choice(self, "init_params", self.init_params, ("auto", *_starts.NAMES))
        n_init = None if self.n_init == "auto" else check_integer(self, "n_init", self.n_init, 1)
        every = self._every()
        if not isinstance(cast(object, self.warm_start), bool | np.bool_):
            raise refuse(self, "warm_start", self.warm_start, "True or False")
        return {
            "n_components": k,
            "covariance_type": structure,
            "tolerance": None,
            "change": None,
            "history": [],
            "reg_covar": reg_covar,
            "max_iter": max_iter,
            "restarts": n_init,
            "seed": check_seed(self, self.random_state) if init == "auto" else 0,
            "every": every,
            "threads": check_threads(self, self.n_jobs),
        }

    def _every(self) -> int:
        """Return the number of iterations between two reports, 0 = none."""
        every = check_integer(self, "verbose_interval", self.verbose_interval, 1)
        if self.verbose == "tqdm":
            bar_class()
            return 1  # tqdm itself sees to it that the bar is not redrawn too often
        if isinstance(self.verbose, str):
            raise refuse(self, "verbose", self.verbose, "an integer of at least 0, or 'tqdm'")
        return every if check_integer(self, "verbose", int(self.verbose), 0) else 0

    def _responsibilities(self, n: int, k: int) -> Floats | None:
        if self.responsibilities_init is None:
            return None
        values = np.ascontiguousarray(self.responsibilities_init, dtype=np.float64)
        if values.shape != (n, k):
            raise ValueError(f"responsibilities_init has the shape {values.shape}: it must be ({n}, {k})")
        if not bool(np.all((values >= 0) & (values <= 1))) or not np.allclose(values.sum(axis=1), 1.0, atol=1e-6):
            raise ValueError("responsibilities_init must lie between 0 and 1 and sum to 1 in every row")
        return values

    def _start(
        self,
        rows: Rows,
        weights: Floats | None,
        responsibilities: Floats | None,
        options: _core._FitOptions,  # pyright: ignore[reportPrivateUsage]
        d: int,
    ) -> _core._Start:  # pyright: ignore[reportPrivateUsage]
        """Where the runs start: known parameters, and assignments of the rows where those do not come from the race."""
        k, structure = options["n_components"], options["covariance_type"]
        if self.warm_start and hasattr(self, "converged_"):
            if self.means_.shape != (k, d):
                raise ValueError(f"warm_start: the last fit has means of shape {self.means_.shape}, this one {(k, d)}")
            full = shapes.to_full(structure, self._shaped_covariances(k, d), k, d)
            if self.status_ == "iteration_limit" or self.tol is not None:
                options["history"] = getattr(self, "_history", [])
            return {
                "weights": self.weights_, "means": self.means_, "covariances": full.ravel(), "assignments": None,
            }  # fmt: skip
        start = _starts.check_given(structure, k, d, self.weights_init, self.means_init, self.precisions_init)
        given = [start[name] is not None for name in ("weights", "means", "covariances")]
        if responsibilities is not None:
            start["assignments"] = [responsibilities]
        elif all(given):
            pass
        elif self.init_params != "auto":
            random, runs = random_source(self, self.random_state), range(options["restarts"] or 1)
            start["assignments"] = [_starts.assignment(self.init_params, rows, weights, k, random) for _ in runs]
        elif start["means"] is not None:
            # The parameters that are not given must belong to those that are: the race numbers its own components.
            start["assignments"] = [_starts.nearest(rows, start["means"], options["threads"])]
        elif any(given):
            random = np.random.RandomState(options["seed"] % 2**32)
            start["assignments"] = [_starts.assignment("kmeans", rows, weights, k, random)]
        return start

    def _keep(
        self,
        found: _core._Fit,  # pyright: ignore[reportPrivateUsage]
        history: list[float],
    ) -> None:
        """Set the fitted attributes."""
        self.weights_, self.means_ = found["weights"], found["means"]
        self.covariances_ = shapes.from_full(self.covariance_type, found["covariances"])
        self.status_, self.n_iter_ = found["status"], found["n_iter"]
        self.converged_ = self.status_ == "converged"
        self.objective_ = found["log_likelihood"]
        self.trace_ = {"objective": found["objective"], "nats_remaining": found["nats_remaining"]}
        # What a warm start needs to know; the last objective is the first of the next run.
        self._history = [*history, *cast("list[float]", found["objective"][:-1].tolist())][-_HISTORY:]
        per_row = found["objective"] / found["total_weight"]
        if self.tol is None:
            self.lower_bounds_ = cast("list[float]", per_row[1:].tolist())
            self.lower_bound_ = self.objective_ / found["total_weight"]
        else:
            self.lower_bounds_ = cast("list[float]", per_row[:-1].tolist())
            self.lower_bound_ = self.lower_bounds_[-1] if self.lower_bounds_ else -np.inf
        self._recall(found["record"])

    def _recall(self, record: str) -> None:
        self._record = record
        story = json.loads(record)
        self.status_ = story["status"]["kind"]
        self.certificate_ = {"detail": story["status"]["detail"], **story["certificate"]}
        self.n_iter_ = story["iterations"]
        self.converged_ = self.status_ == "converged"
        self.objective_ = story["log_likelihood"]

    def select(
        self,
        X: object,
        k: int | Iterable[int] = range(1, 10),
        covariance_types: Iterable[Structure] = STRUCTURES,
        criterion: str = "bic",
        sample_weight: ArrayLike | None = None,
    ) -> Selection[Self]:
        """Fit every number of components with every structure and return the table and the chosen fit.

        This estimator gives the other options and stays as it is; its start must be "auto".

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        k : int or iterable of int, default=1 to 9
        covariance_types : iterable of str, default=all four
        criterion : {"bic", "icl", "aic", "aicc", "sabic", "nec", "cv", "blrt"}, default="bic"
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        selection : Selection
            Its `table` has a row per candidate, `best_estimator` is the chosen one, fitted.

        Raises
        ------
        ValueError
            If a start is named or given, a criterion is unknown, or no candidate can be fitted.
        """
        if self.init_params != "auto" or any(
            given is not None
            for given in (self.weights_init, self.means_init, self.precisions_init, self.responsibilities_init)
        ):
            raise ValueError('select starts every candidate by itself: use init_params="auto" and give no parameters')
        return choose(self, X, k, covariance_types, criterion, sample_weight)
