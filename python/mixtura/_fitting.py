"""Fits of mixtures: what every estimator does before, around and after the work of the compiled module."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from mixtura import _core, _starts
from mixtura import _covariances as shapes
from mixtura._mixture import AnyMixture
from mixtura._progress import Listener, bar_class, listening
from mixtura._select import STRUCTURES
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


@dataclass
class Task:
    """What a fit works on: the rows that count and what is known of them, and the checked options."""

    rows: Rows
    weights: Floats | None
    labels: NDArray[np.int32] | None
    #: Which of the rows handed in are there; None: all.
    kept: NDArray[np.bool_] | None
    options: _core._FitOptions  # pyright: ignore[reportPrivateUsage]

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return float(self.rows.shape[0] if self.weights is None else self.weights.sum())


class MixtureFit(AnyMixture):
    """A mixture that is fitted to rows."""

    tol: float | None
    reg_covar: float | None
    exact: bool
    max_iter: int | None
    n_init: int | Literal["auto"]
    init_params: InitParams
    warm_start: bool
    verbose: int | Literal["tqdm"]
    verbose_interval: int
    trace_bound: bool
    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    objective_: float
    certificate_: dict[str, Any]
    trace_: dict[str, Floats]
    _history: list[float]
    _seconds: float | None

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
        self : estimator

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
        return self._posterior_of(self._row_model(), rows, keep=False)[2]

    def _fit(self, X: object, y: object, sample_weight: ArrayLike | None) -> Rows:
        options = self._options()
        rows = check_rows(self, X, reset=True, nan=True, least=2)
        n, k = rows.shape[0], options["n_components"]
        if n < k:
            raise ValueError(f"Expected n_samples >= n_components but got n_components = {k}, n_samples = {n}")
        weights = check_weights(sample_weight, n)
        labels = check_labels(y, n, k)
        task = Task(rows, weights, labels, None, options)
        if weights is not None and not bool(np.all(weights > 0)):
            # A row of weight 0 is no row, for the starts as well.
            kept = weights > 0
            task = Task(rows[kept], weights[kept], None if labels is None else labels[kept], kept, options)
        if self.tol is not None:
            options["change"] = check_real(self, "tol", self.tol) * self._nats(task.total)
        try:
            with listening(self.verbose) as listener:
                found = self._solve(task, n, listener)
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
        for name in ("exact", "warm_start", "trace_bound"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise refuse(self, name, getattr(self, name), "True or False")
        return {
            "n_components": k,
            "covariance_type": structure,
            "tolerance": None,
            "change": None,
            "history": [],
            "reg_covar": reg_covar,
            "prior": None,
            "exact": bool(self.exact),
            "max_iter": max_iter,
            "restarts": n_init,
            "method": None,
            "seed": check_seed(self, self.random_state) if init == "auto" else 0,
            "every": every,
            "bound": bool(self.trace_bound),
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

    def _solve(self, task: Task, n_rows: int, listener: Listener | None) -> _core._Fit:  # pyright: ignore[reportPrivateUsage]
        """Fit; `n_rows` were handed in."""
        raise NotImplementedError

    def _nats(self, total: float) -> float:
        """Return the nats of objective that one unit of `tol` and of `lower_bound_` is."""
        raise NotImplementedError

    def _continues(self, task: Task) -> bool:
        """Whether the fit starts from the last one; the stop rule then goes on from there, too."""
        if not (self.warm_start and hasattr(self, "converged_")):
            return False
        wanted = (task.options["n_components"], task.rows.shape[1])
        if self.means_.shape != wanted:
            raise ValueError(f"warm_start: the last fit has means of shape {self.means_.shape}, this one {wanted}")
        if self.status_ == "iteration_limit" or self.tol is not None:
            task.options["history"] = getattr(self, "_history", [])
        return True

    def _named_starts(self, task: Task) -> list[NDArray[Any]]:
        """Return the assignments that `init_params` names, one for each run."""
        random, runs = random_source(self, self.random_state), range(task.options["restarts"] or 1)
        k = task.options["n_components"]
        return [_starts.assignment(self.init_params, task.rows, task.weights, k, random) for _ in runs]

    def _keep(
        self,
        found: _core._Fit,  # pyright: ignore[reportPrivateUsage]
        history: list[float],
    ) -> None:
        """Set the fitted attributes."""
        self.weights_, self.means_ = found["weights"], found["means"]
        self.covariances_ = shapes.from_full(self.covariance_type, found["covariances"])
        objective = cast("list[float]", found["objective"].tolist())
        self.trace_ = {"objective": found["objective"], "nats_remaining": found["nats_remaining"]}
        if self.trace_bound:
            self.trace_["bound"] = found["bound"]
        # What a warm start needs to know; the last objective is the first of the next run.
        self._history = [*history, *objective[:-1]][-_HISTORY:]
        unit = self._nats(found["total_weight"])
        bounds = [value / unit for value in objective]
        if self.tol is None:
            self.lower_bounds_, self.lower_bound_ = bounds[1:], bounds[-1]
        else:
            self.lower_bounds_ = bounds[:-1]
            self.lower_bound_ = bounds[-2] if len(bounds) > 1 else -np.inf
        self._recall(found["record"])

    def _recall(self, record: str) -> None:
        self._record = record
        story = json.loads(record)
        self.status_ = story["status"]["kind"]
        self.certificate_ = {"detail": story["status"]["detail"], **story["certificate"]}
        self.n_iter_ = story["iterations"]
        self.converged_ = self.status_ == "converged"
        self.objective_ = story["log_likelihood"]
