"""What a fitted Gaussian mixture answers besides: criteria, distances, other mixtures, files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.mixture import GaussianMixture as ScikitGaussianMixture
from sklearn.utils.validation import check_is_fitted

from mixtura import _core
from mixtura import _covariances as shapes
from mixtura._errors import Errors, asked, told
from mixtura._mixture import AnyMixture
from mixtura._validation import Floats, check_labels, check_rows, check_seed, check_threads, check_weights


class FittedMixture(AnyMixture):
    """A mixture of Gaussians given by `weights_`, `means_` and `covariances_`."""

    # Rows -------------------------------------------------------------------------------------------------------------

    def _n_parameters(self) -> int:
        return self._model().n_free_parameters()

    def aic(self, X: object, sample_weight: ArrayLike | None = None) -> float:
        """Return Akaike's information criterion of the rows, -2 nats + 2 free parameters; lower is better."""
        total, _ = self._total(X, sample_weight)
        return -2.0 * total + 2.0 * self._n_parameters()

    def bic(self, X: object, sample_weight: ArrayLike | None = None) -> float:
        """Return the Bayesian information criterion of the rows, n = the sum of the weights; lower is better."""
        total, n = self._total(X, sample_weight)
        return -2.0 * total + self._n_parameters() * float(np.log(n))

    def icl(self, X: object, sample_weight: ArrayLike | None = None) -> float:
        """Return the integrated completed likelihood: BIC that charges for overlap; lower is better."""
        best = self.predict_proba(X).max(axis=1)
        weights = check_weights(sample_weight, best.shape[0])
        return self.bic(X, sample_weight) - 2.0 * float(np.sum(np.log(best) * (1.0 if weights is None else weights)))

    def _total(self, X: object, sample_weight: ArrayLike | None) -> tuple[float, float]:
        log_density = self.score_samples(X)
        weights = check_weights(sample_weight, log_density.shape[0])
        if weights is None:
            return float(log_density.sum()), float(log_density.shape[0])
        return float(weights @ log_density), float(weights.sum())

    def mahalanobis(self, X: object) -> Floats:
        """Return the Mahalanobis distance of every row to every component, in standard deviations (not squared).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Missing cells (NaN) are left out of the distance.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_components)
        """
        model = self._model()
        return model.mahalanobis(check_rows(self, X, reset=False, nan=True))

    def errors(
        self,
        X: object,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        method: str = "louis",
        level: float = 0.95,
        n_replicates: int = 200,
        interval: str = "percentile",
        may_be_lost: float = 0.1,
    ) -> Errors:
        """Return standard errors and intervals of weights, means and covariances, given the rows of the fit.

        Parameters
        ----------
        X, y, sample_weight
            What the mixture was fitted to.
        method : str, default="louis"
            By information: "louis", "numerical", "sem" (supplemental EM), "sandwich"; by replicates: "bootstrap" (rows
            drawn again), "parametric" (rows drawn from the model), "weighted" (rows under random weights).
        level : float, default=0.95
            Of the intervals.
        n_replicates : int, default=200
        interval : {"percentile", "basic", "bc"}, default="percentile"
            Of a bootstrap.
        may_be_lost : float, default=0.1
            Share of the replicates of a bootstrap that may be lost.

        Raises
        ------
        ValueError
            If the estimates have no standard errors (a saddle, a component on its floor), with the reason.

        Examples
        --------
        >>> import numpy as np
        >>> from mixtura import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(400, 1))
        >>> errors = GaussianMixture().fit(X).errors(X)
        >>> errors.names[1], bool(abs(errors.standard_errors[1] * 20 - X.std()) < 1e-6)
        ('mean[0][x1]', True)
        """
        model = self._model()
        rows, labels, weights = self._rows_of_fit(X, y, sample_weight)
        threads = check_threads(self, self.n_jobs)
        question = asked(
            method, level, n_replicates, interval, may_be_lost, check_seed(self, self.random_state), threads
        )
        return told(model.errors(rows, question, self._columns(), self._story(), weights, labels))

    def point(self, X: object, y: object = None, sample_weight: ArrayLike | None = None) -> dict[str, Any]:
        """Return what kind of point the mixture is for the rows of its fit: the second half of its certificate.

        Returns
        -------
        point : dict
            "kind" (optimum, saddle, ridge, not stationary), "gradient_norm" (1: a step of EM by one standard error of
            complete data), "nats_to_gain", "smallest_curvature" (1 less EM's rate of convergence; negative at a
            saddle), and a sentence, "detail".
        """
        model = self._model()
        rows, labels, weights = self._rows_of_fit(X, y, sample_weight)
        return model.point(rows, self._columns(), self._story(), weights, labels)

    def _story(self) -> str | None:
        """Return the record of the fit, which knows its prior."""
        return getattr(self, "_record", None)

    def _rows_of_fit(self, X: object, y: object, sample_weight: ArrayLike | None) -> tuple[Any, Any, Any]:
        rows = check_rows(self, X, reset=False, nan=True)
        labels = check_labels(y, rows.shape[0], len(self.weights_))
        return rows, labels, check_weights(sample_weight, rows.shape[0])

    # Other mixtures ---------------------------------------------------------------------------------------------------

    def marginal(self, columns: Sequence[int | str]) -> Self:
        """Return the mixture of some columns (numbers or names), the others integrated out.

        Raises
        ------
        ValueError
            If there is no such column, or one comes twice.

        Examples
        --------
        >>> import numpy as np
        >>> from mixtura import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(50, 3))
        >>> GaussianMixture().fit(X).marginal([2, 0]).means_.shape
        (1, 2)
        """
        model = self._model()
        chosen = [self._column(c) for c in columns]
        return self._made_from(model.marginal(chosen), chosen, f"the marginal of columns {list(columns)}")

    def condition(self, given: Mapping[int | str, float]) -> Self:
        """Return the mixture of the other columns given the values of some: {number or name: value, in its unit}.

        Raises
        ------
        ValueError
            If there is no such column, or no column is left.

        Examples
        --------
        >>> import numpy as np
        >>> from mixtura import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(50, 3))
        >>> GaussianMixture().fit(X).condition({0: 1.5}).means_.shape
        (1, 2)
        """
        model = self._model()
        pairs = [(self._column(c), float(value)) for c, value in given.items()]
        rest = [j for j in range(self.means_.shape[1]) if j not in {j for j, _ in pairs}]
        return self._made_from(model.condition(pairs), rest, f"conditioned on {dict(given)}")

    def _column(self, column: int | str) -> int:
        if not isinstance(column, str):
            if not 0 <= int(column) < self.means_.shape[1]:
                raise ValueError(f"there is no column {column}: the model has {self.means_.shape[1]}")
            return int(column)
        names = self._columns()
        if column not in names:
            raise ValueError(f"there is no column {column!r}: the model has {', '.join(names)}")
        return names.index(column)

    def _columns(self) -> list[str]:
        names = getattr(self, "feature_names_in_", None)
        return [f"x{j + 1}" for j in range(self.means_.shape[1])] if names is None else [str(n) for n in names]

    def _made_from(self, model: _core.Mixture, columns: list[int], status: str) -> Self:
        made = type(self)()
        names: Any = getattr(self, "feature_names_in_", None)
        made._take(model, None if names is None else names[columns])
        made.set_params(random_state=self.random_state, n_jobs=self.n_jobs)
        made.status_ = "derived"
        made._origin = status
        return made

    def _take(self, model: _core.Mixture, names: Any) -> None:
        """Become a given mixture."""
        found = model.parameters()
        self.covariance_type = found["covariance_type"]
        self.n_components = len(found["weights"])
        self.weights_, self.means_ = found["weights"], found["means"]
        self.covariances_ = shapes.from_full(self.covariance_type, found["covariances"])
        self.n_features_in_ = self.means_.shape[1]
        if names is not None:
            self.feature_names_in_ = np.asarray(names, dtype=object)
        self._record = None

    _origin: str = "parameters set in Python"

    # Files and other libraries ----------------------------------------------------------------------------------------

    def save(
        self, path: str | PathLike[str], X: object = None, y: object = None, sample_weight: ArrayLike | None = None
    ) -> None:
        """Write the model as JSON, which `load` and the `mixtura` command read.

        Parameters
        ----------
        path : str or path
        X, y, sample_weight : optional
            What the model was fitted to. The file then holds a fingerprint of these rows, by which the command knows
            them again. `fit` takes none: it would cost as much as an iteration, and an estimator keeps no rows.

        Raises
        ------
        ValueError
            If the rows cannot be those of the fit, or the model was not fitted.
        OSError
            If the file cannot be written.
        """
        model, record = self._model(), getattr(self, "_record", None)
        if X is not None:
            record = self._record_of(record, X, y, sample_weight)
        Path(path).write_text(model.to_json(self._columns(), record, self._origin), "utf-8")

    def _record_of(self, record: str | None, X: object, y: object, sample_weight: ArrayLike | None) -> str:
        """Return the story of the fit with the fingerprint of its rows."""
        story = json.loads(record or "null")
        if story is None or not story["data"]["n_rows"]:
            raise ValueError("this model was not fitted to rows: save it without X")
        rows = check_rows(self, X, reset=False, nan=True)
        weights = check_weights(sample_weight, rows.shape[0])
        n_rows = rows.shape[0] if weights is None else int(np.count_nonzero(weights))
        if n_rows != story["data"]["n_rows"]:
            raise ValueError(f"X has {n_rows} rows, the model was fitted to {story['data']['n_rows']}")
        labels = check_labels(y, rows.shape[0], len(self.weights_))
        story["data"]["fingerprint"] = _core.rows_fingerprint(rows, weights, labels)
        return json.dumps(story)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a model that `save` or the `mixtura` command has written.

        Raises
        ------
        ValueError
            If the file is no model file, or holds what no valid model has.
        """
        model, columns, record = _core.Mixture.from_json(Path(path).read_text("utf-8"))
        made = cls()
        unnamed = columns == [f"x{j + 1}" for j in range(len(columns))]
        made._take(model, None if unnamed else columns)
        made._recall(record)
        return made

    def _recall(self, record: str) -> None:
        """Take over the story of the fit."""
        self._record = record

    @classmethod
    def from_sklearn(cls, estimator: Any) -> Self:
        """Return this estimator with the parameters of a fitted `sklearn.mixture.GaussianMixture`."""
        check_is_fitted(estimator)
        made = cls()
        made.set_params(n_components=estimator.n_components, covariance_type=estimator.covariance_type)
        made.set_params(random_state=estimator.random_state)
        made.weights_ = np.array(estimator.weights_, dtype=np.float64)
        made.means_ = np.array(estimator.means_, dtype=np.float64)
        made.covariances_ = np.array(estimator.covariances_, dtype=np.float64)
        for name in ("converged_", "n_iter_", "lower_bound_", "n_features_in_", "feature_names_in_"):
            if hasattr(estimator, name):
                setattr(made, name, getattr(estimator, name))
        made.status_ = "derived"
        made._origin = "from scikit-learn"
        return made

    def to_sklearn(self) -> Any:
        """Return a fitted `sklearn.mixture.GaussianMixture` with these parameters, which skl2onnx converts."""
        self._model()
        # `mixtura` may have been put in its place by a test: ask for the original.
        other: Any = ScikitGaussianMixture(n_components=len(self.weights_), covariance_type=self.covariance_type)
        other.weights_, other.means_ = self.weights_.copy(), self.means_.copy()
        other.covariances_ = np.array(self.covariances_)
        other.precisions_cholesky_ = np.array(self.precisions_cholesky_)
        other.precisions_ = np.array(self.precisions_)
        for name in ("converged_", "n_iter_", "lower_bound_", "n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(other, name, getattr(self, name))
        return other
