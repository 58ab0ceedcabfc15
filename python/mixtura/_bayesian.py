"""The `BayesianGaussianMixture` estimator: variational Bayes with scikit-learn's names and parameters."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from mixtura import _core
from mixtura import _covariances as shapes
from mixtura._fitting import InitParams, MixtureFit, Structure, Task
from mixtura._gaussian import GaussianMixture
from mixtura._mixture import RowModel
from mixtura._progress import Listener
from mixtura._validation import Floats, check_choice, check_positive, check_shaped

WeightPrior: TypeAlias = Literal["dirichlet_process", "dirichlet_distribution"]

_PROCESS = "dirichlet_process"


class BayesianGaussianMixture(MixtureFit):
    """Gaussian mixture whose parameters have posteriors, fitted by variational Bayes.

    Components that the rows do not need empty out: `n_components` is the most that there can be, `n_effective_` how
    many have rows.

    Parameters
    ----------
    n_components : int, default=1
        Number of components, at most.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        A symmetric matrix for each component; one for all; variances for each; one variance for each.
    tol : float or None, default=None
        None: stop when less than 0.001 nats of the bound are estimated to remain. A number: stop when the bound (of all
        rows, in nats) changes by less in one iteration, as scikit-learn does.
    reg_covar : float or None, default=None
        None: nothing; the prior keeps covariances regular. A number is added to the variance of every row, in the
        columns' units squared.
    max_iter : int or None, default=None
        Most iterations of a run. None: 1000, or 100 where `tol` is a number.
    n_init : int or "auto", default="auto"
        Runs to the end, of which the best is kept. "auto": 2 to 8 by the size of the problem for the start "auto",
        else 1.
    init_params : {"auto", "kmeans", "k-means++", "random", "random_from_data"}, default="auto"
        "auto": the winners of a race of many starts in whitened coordinates. The others are scikit-learn's.
    weight_concentration_prior_type : {"dirichlet_process", "dirichlet_distribution"}, default="dirichlet_process"
        Prior of the weights: sticks broken one after the other, the larger ones first, or a distribution over
        `n_components` weights.
    weight_concentration_prior : float or None, default=None
        Positive; small values empty more components. None: 1 / n_components.
    mean_precision_prior : float or None, default=None
        Number of rows that the prior mean is worth, positive. None: 1.
    mean_prior : array-like of shape (n_features,) or None, default=None
        None: the mean of the rows.
    degrees_of_freedom_prior : float or None, default=None
        Number of rows that the prior covariance is worth; above n_features - 1 for "full" and "tied", above 0
        otherwise. None: n_features.
    covariance_prior : float, array-like or None, default=None
        Prior covariance times `degrees_of_freedom_prior`, in the columns' units squared: (n_features, n_features) for
        "full" and "tied", (n_features,) for "diag", a number for "spherical". None: the covariance of the rows, its
        diagonal, or the mean of that.
    random_state : int, RandomState or None, default=None
        An int makes the fit repeatable.
    warm_start : bool, default=False
        Start from the posteriors of the last `fit`.
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
        Expected weights.
    means_ : ndarray of shape (n_components, n_features)
        Expected means.
    covariances_, precisions_, precisions_cholesky_ : ndarray
        Inverse of the expected precision, the expected precision, its factor. Shape (n_components, n_features,
        n_features); tied (n_features, n_features); diag (n_components, n_features); spherical (n_components,).
    weight_concentration_ : tuple of two ndarray, or ndarray, of shape (n_components,)
        Parameters of each stick's Beta distribution; of the Dirichlet distribution.
    mean_precision_ : ndarray of shape (n_components,)
        Number of rows that each mean rests on, the prior's included.
    degrees_of_freedom_ : ndarray of shape (n_components,)
        Number of rows that each covariance rests on; for "tied" one float.
    weight_concentration_prior_, mean_precision_prior_, degrees_of_freedom_prior_ : float
    mean_prior_, covariance_prior_ : ndarray (spherical: float)
        The priors that were used.
    n_effective_ : int
        Number of components that explain more than one row.
    status_ : {"converged", "iteration_limit", "stopped", "degenerate"}
        Why the fit ended.
    converged_ : bool
        Whether `status_` is "converged".
    certificate_ : dict
        How far the fit can be trusted: "detail" (one sentence), "monotone", "nats_remaining", "restarts",
        "restarts_at_best", "restarts_degenerate", "modes", "chance_of_better", "components", "largest_decrease".
    trace_ : dict of ndarray
        "objective", the bound at the start of every iteration (where `tol` is a number: after its M-step) and of the
        result, and "nats_remaining", in nats.
    objective_ : float
        Lower bound of log p(rows), in nats.
    lower_bound_ : float
        The same. Where `tol` is a number: as scikit-learn, after the last M-step, but with no constant left out.
    lower_bounds_ : list of float
    n_iter_ : int
    n_features_in_, feature_names_in_ : int, ndarray

    Notes
    -----
    `predict`, `predict_proba`, `score_samples` and `score` use the posteriors, E[log weight] + E[log density], as
    scikit-learn's do; they lie below the log-density of the point estimate. `sample` draws from the point estimate,
    which `to_gaussian_mixture` returns.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import BayesianGaussianMixture
    >>> X = np.concatenate([np.random.default_rng(0).normal(m, 1, (60, 2)) for m in (0, 9)])
    >>> fit = BayesianGaussianMixture(n_components=6, weight_concentration_prior=1e-3, random_state=0).fit(X)
    >>> fit.n_effective_
    2
    """

    weight_concentration_: Floats | tuple[Floats, Floats]
    mean_precision_: Floats
    degrees_of_freedom_: Floats | float
    weight_concentration_prior_: float
    mean_precision_prior_: float
    mean_prior_: Floats
    degrees_of_freedom_prior_: float
    covariance_prior_: Floats | float
    n_effective_: int

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
        weight_concentration_prior_type: WeightPrior = _PROCESS,
        weight_concentration_prior: float | None = None,
        mean_precision_prior: float | None = None,
        mean_prior: ArrayLike | None = None,
        degrees_of_freedom_prior: float | None = None,
        covariance_prior: ArrayLike | None = None,
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
        self.weight_concentration_prior_type = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.mean_precision_prior = mean_precision_prior
        self.mean_prior = mean_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.covariance_prior = covariance_prior
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.exact = exact
        self.trace_bound = trace_bound
        self.n_jobs = n_jobs

    def _options(self) -> _core._FitOptions:  # pyright: ignore[reportPrivateUsage]
        options = super()._options()
        kinds = (_PROCESS, "dirichlet_distribution")
        check_choice(self, "weight_concentration_prior_type", self.weight_concentration_prior_type, kinds)
        for name in ("weight_concentration_prior", "mean_precision_prior", "degrees_of_freedom_prior"):
            value = getattr(self, name)
            if value is not None:
                check_positive(self, name, value)
        return options

    def _solve(self, task: Task, n_rows: int, listener: Listener | None) -> _core._Fit:  # pyright: ignore[reportPrivateUsage]
        priors = self._priors(task.options["n_components"], task.rows.shape[1])
        start: _core._Start = {"weights": None, "means": None, "covariances": None, "assignments": None}  # pyright: ignore[reportPrivateUsage]
        posteriors = None
        if self._continues(task):
            posteriors = self._posteriors()
        elif self.init_params != "auto":
            start["assignments"] = self._named_starts(task)
        found = _core.fit_bayesian(
            task.rows, task.options, priors, start, posteriors, task.weights, task.labels, listener
        )
        self._remember(found, priors)
        return found

    def _remember(
        self,
        found: _core._BayesianFit,  # pyright: ignore[reportPrivateUsage]
        priors: _core._Priors,  # pyright: ignore[reportPrivateUsage]
    ) -> None:
        """Set the fitted attributes that only this estimator has."""
        self.weight_concentration_prior_ = priors["concentration"]
        self.mean_precision_prior_ = priors["mean_precision"]
        self.degrees_of_freedom_prior_ = priors["degrees_of_freedom"] or float(len(found["prior_mean"]))
        self.mean_prior_ = found["prior_mean"] if priors["mean"] is None else priors["mean"]
        scale = shapes.from_full(self.covariance_type, found["prior_covariance"][np.newaxis])
        scale = scale if self.covariance_type == "tied" else scale[0]
        self.covariance_prior_ = float(scale) if self.covariance_type == "spherical" else scale
        a, b = found["concentration_a"], found["concentration_b"]
        self.weight_concentration_ = (a, b) if self.weight_concentration_prior_type == _PROCESS else a
        self.mean_precision_ = found["mean_precision"]
        freedom = found["degrees_of_freedom"]
        self.degrees_of_freedom_ = float(freedom[0]) if self.covariance_type == "tied" else freedom
        self.n_effective_ = found["n_effective"]

    def _nats(self, total: float) -> float:
        return 1.0

    def _keep(
        self,
        found: _core._Fit,  # pyright: ignore[reportPrivateUsage]
        history: list[float],
    ) -> None:
        super()._keep(found, history)
        # What the record tells is the log-likelihood of the point estimate.
        self.objective_ = float(found["objective"][-1])

    def _priors(self, k: int, d: int) -> _core._Priors:  # pyright: ignore[reportPrivateUsage]
        """Return the priors as the data's number of columns allows them; None where the data say them."""
        structure, freedom, covariance = self.covariance_type, self.degrees_of_freedom_prior, self.covariance_prior
        least = d - 1 if structure in ("full", "tied") else 0
        if freedom is not None and freedom <= least:
            raise ValueError(
                f"The parameter 'degrees_of_freedom_prior' should be greater than {least}, but got {freedom:.3f}."
            )
        if covariance is not None:
            shape = {"full": (d, d), "tied": (d, d), "diag": (d,), "spherical": ()}[structure]
            covariance = check_shaped(f"{structure} covariance_prior", covariance, shape)
            if shape == (d, d) and not np.allclose(covariance, covariance.T):
                raise ValueError(f"The parameter '{structure} covariance_prior' should be symmetric, positive-definite")
            if shape != (d, d) and bool(np.any(covariance <= 0)):
                raise ValueError(f"The parameter '{structure} covariance_prior' should be positive")
        concentration, precision = self.weight_concentration_prior, self.mean_precision_prior
        return {
            "weights": self.weight_concentration_prior_type,
            "concentration": 1.0 / k if concentration is None else float(concentration),
            "mean_precision": 1.0 if precision is None else float(precision),
            "mean": None if self.mean_prior is None else check_shaped("mean_prior", self.mean_prior, (d,)),
            "degrees_of_freedom": None if freedom is None else float(freedom),
            "covariance": None if covariance is None else covariance.ravel(),
        }

    def _posteriors(self) -> _core.Posteriors:
        """Return the posteriors of the attributes as they are now."""
        names = ["means_", "covariances_", "weight_concentration_", "mean_precision_", "degrees_of_freedom_"]
        check_is_fitted(self, names)
        means = np.ascontiguousarray(self.means_, dtype=np.float64)
        k, d = means.shape
        full = shapes.to_full(self.covariance_type, self._shaped_covariances(k, d), k, d)
        weights = self.weight_concentration_
        a, b = weights if isinstance(weights, tuple) else (weights, np.empty(0))
        freedom = cast(Floats, np.atleast_1d(self.degrees_of_freedom_))
        kind = _PROCESS if isinstance(weights, tuple) else "dirichlet_distribution"
        return _core.Posteriors(self.covariance_type, kind, a, b, means, full, self.mean_precision_, freedom)

    def _row_model(self) -> RowModel:
        return self._posteriors()

    def to_gaussian_mixture(self) -> GaussianMixture:
        """Return the point estimate: a mixture with the expected weights and means and the inverse expected precisions.

        It answers what a `GaussianMixture` answers: criteria, marginals, conditionals, distances, and `save`, which
        keeps this mixture and not the posteriors (a pickle of this estimator keeps those).

        Returns
        -------
        mixture : GaussianMixture
            Fitted; its `objective_` is a log-likelihood in nats, where this one's is a bound.

        Examples
        --------
        >>> import numpy as np
        >>> from mixtura import BayesianGaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(50, 3))
        >>> BayesianGaussianMixture(random_state=0).fit(X).to_gaussian_mixture().marginal([2, 0]).means_.shape
        (1, 2)
        """
        made = GaussianMixture()
        names: Any = getattr(self, "feature_names_in_", None)
        made.set_params(random_state=self.random_state, n_jobs=self.n_jobs)
        made._take(  # pyright: ignore[reportPrivateUsage]
            self._model(), names
        )
        record = getattr(self, "_record", None)
        if record is None:
            made.status_ = "derived"
        else:
            made._recall(record)
        return made
