"""The `GaussianMixture` estimator: scikit-learn's names and parameters, this library's starts, floors and stop rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from mixtura import _core, _starts
from mixtura import _covariances as shapes
from mixtura._fitted import FittedMixture
from mixtura._fitting import InitParams, MixtureFit, Structure, Task
from mixtura._progress import Listener
from mixtura._select import STRUCTURES, Selection, choose
from mixtura._validation import METHODS, Floats, check_choice, refuse


class GaussianMixture(MixtureFit, FittedMixture):
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
    method : str or None, default=None
        How E- and M-steps alternate: a name of `mixtura.METHODS`. None: "squarem", or "em" where `tol` is a number,
        `reg_covar` adds to variances or a warm start goes on.
    prior : None, "default" or dict, default=None
        A conjugate prior of the parameters: the fit ends at the mode of the posterior (MAP EM), where no component can
        collapse. "default" is that of Fraley & Raftery (2007), relative to the data. A dict has some of "mean"
        (n_features,), "mean_precision" (0.01 rows), "degrees_of_freedom" (n_features + 2), "covariance" (shape of one
        covariance of `covariance_type`) and "weight_concentration" (1: none).
    random_state : int, RandomState or None, default=None
        An int makes the fit repeatable.
    warm_start : bool, default=False
        Start from the result of the last `fit`.
    verbose : int or "tqdm", default=0
        1 or more: a line on standard output every `verbose_interval` iterations. "tqdm": a progress bar
        (`pip install tqdm`) over the iterations of all runs, without an end, because nobody knows it.
    verbose_interval : int, default=10
    exact : bool, default=False
        Whether E-steps leave nothing out. Otherwise responsibilities below 9e-27 are 0, which saves time.
    trace_bound : bool, default=False
        Whether `trace_` keeps the lower bound of every half-step. Costs about three E-steps more per iteration.
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
        "objective" at the start of every iteration and of the result, and "nats_remaining", in nats. With
        `trace_bound`, "bound": log-likelihood, lower bound and divergence (KL) after every E-step and every M-step.
    objective_ : float
        Total log-likelihood of the data, in nats; with a prior, plus the log prior relative to its mode.
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
        method: str | None = None,
        prior: Literal["default"] | dict[str, Any] | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int | Literal["tqdm"] = 0,
        verbose_interval: int = 10,
        exact: bool = False,
        trace_bound: bool = False,
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
        self.method = method
        self.prior = prior
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.exact = exact
        self.trace_bound = trace_bound
        self.n_jobs = n_jobs

    def _solve(self, task: Task, n_rows: int, listener: Listener | None) -> _core._Fit:  # pyright: ignore[reportPrivateUsage]
        responsibilities = self._responsibilities(n_rows, task.options["n_components"])
        if responsibilities is not None and task.kept is not None:
            responsibilities = np.ascontiguousarray(responsibilities[task.kept])
        start = self._start(task, responsibilities)
        return _core.fit_gaussian(task.rows, task.options, start, task.weights, task.labels, listener)

    def _options(self) -> _core._FitOptions:  # pyright: ignore[reportPrivateUsage]
        options = super()._options()
        if self.method is not None:
            options["method"] = check_choice(self, "method", self.method, tuple(METHODS))
            if self.tol is not None and self.method != "em":
                raise ValueError(
                    f"tol={self.tol} is a rule for iterations of plain EM: use tol=None with method={self.method!r}"
                )
        options["prior"] = self._prior()
        return options

    def _prior(self) -> _core._Prior | None:  # pyright: ignore[reportPrivateUsage]
        if self.prior is None:
            return None
        given: dict[str, Any] = {} if self.prior == "default" else self.prior  # pyright: ignore[reportAssignmentType]
        if not isinstance(given, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse(self, "prior", self.prior, "None, 'default' or a dict")
        names = ("mean", "mean_precision", "degrees_of_freedom", "covariance", "weight_concentration")
        for name in given:
            if name not in names:
                raise ValueError(f"prior has {name!r}: use some of {', '.join(names)}")
        flat = {
            name: None if given.get(name) is None else np.asarray(given[name], dtype=np.float64).ravel().tolist()
            for name in ("mean", "covariance")
        }
        freedom = given.get("degrees_of_freedom")
        return {
            "mean": flat["mean"],
            "mean_precision": float(given.get("mean_precision", 0.01)),
            "degrees_of_freedom": None if freedom is None else float(freedom),
            "covariance": flat["covariance"],
            "weight_concentration": float(given.get("weight_concentration", 1.0)),
        }

    def _nats(self, total: float) -> float:
        return total

    def _responsibilities(self, n: int, k: int) -> Floats | None:
        if self.responsibilities_init is None:
            return None
        values = np.ascontiguousarray(self.responsibilities_init, dtype=np.float64)
        if values.shape != (n, k):
            raise ValueError(f"responsibilities_init has the shape {values.shape}: it must be ({n}, {k})")
        if not bool(np.all((values >= 0) & (values <= 1))) or not np.allclose(values.sum(axis=1), 1.0, atol=1e-6):
            raise ValueError("responsibilities_init must lie between 0 and 1 and sum to 1 in every row")
        return values

    def _start(self, task: Task, responsibilities: Floats | None) -> _core._Start:  # pyright: ignore[reportPrivateUsage]
        """Where the runs start: known parameters, and assignments of the rows where those do not come from the race."""
        k, d, structure = task.options["n_components"], task.rows.shape[1], task.options["covariance_type"]
        if self._continues(task):
            full = shapes.to_full(structure, self._shaped_covariances(k, d), k, d)
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
            start["assignments"] = self._named_starts(task)
        elif start["means"] is not None:
            # The parameters that are not given must belong to those that are: the race numbers its own components.
            start["assignments"] = [_starts.nearest(task.rows, start["means"], task.options["threads"])]
        elif any(given):
            random = np.random.RandomState(task.options["seed"] % 2**32)
            start["assignments"] = [_starts.assignment("kmeans", task.rows, task.weights, k, random)]
        return start

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
